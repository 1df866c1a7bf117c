"""The grounds on which video may be shown. Data for counsel to confirm; the platform decides nothing about law."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class LegalBasis(StrEnum):
    """Why a provision is lawful. PIPA is 개인정보 보호법; the others are acts usually cited."""

    CONSENT = "pipa_18_2_1"
    SPECIAL_PROVISION = "pipa_18_2_2"
    URGENT_LIFE = "pipa_18_2_3"
    INVESTIGATION = "pipa_18_2_7"
    PUBLIC_SAFETY = "pipa_18_2_10"
    DISASTER_ACT = "disaster_act"
    MISSING_PERSONS_ACT = "missing_persons_act"
    LOCATION_ACT = "location_act"
    CITY_DUTY = "city_duty"


BASIS_KO: Mapping[LegalBasis, str] = MappingProxyType(
    {
        LegalBasis.CONSENT: "개인정보 보호법 제18조제2항제1호 (동의)",
        LegalBasis.SPECIAL_PROVISION: "개인정보 보호법 제18조제2항제2호 (다른 법률의 특별한 규정)",
        LegalBasis.URGENT_LIFE: "개인정보 보호법 제18조제2항제3호 (급박한 생명·신체·재산)",
        LegalBasis.INVESTIGATION: "개인정보 보호법 제18조제2항제7호 (범죄 수사)",
        LegalBasis.PUBLIC_SAFETY: "개인정보 보호법 제18조제2항제10호 (공공의 안전·안녕)",
        LegalBasis.DISASTER_ACT: "재난 및 안전관리 기본법",
        LegalBasis.MISSING_PERSONS_ACT: "실종아동등의 보호 및 지원에 관한 법률",
        LegalBasis.LOCATION_ACT: "위치정보의 보호 및 이용 등에 관한 법률",
        LegalBasis.CITY_DUTY: "설치 목적에 따른 자체 관제",
    }
)

NOT_PUBLISHED = frozenset({LegalBasis.INVESTIGATION})
"""Grounds left out of the public page (PIPA §18④ names items 2–6 and 8–10)."""

NOT_FOR_OTHERS = frozenset({LegalBasis.CITY_DUTY})
"""Grounds that only cover the city's own duty, never a provision to someone else."""


def basis_of(text: str) -> LegalBasis | None:
    """The ground named by `text`, or None if it is not one the platform knows."""
    try:
        return LegalBasis(text)
    except ValueError:
        return None
