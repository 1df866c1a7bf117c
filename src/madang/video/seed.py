"""The decision table a city starts with, as data. Each city edits it and has a second person publish it.

That police video goes with seven classes of violent crime is reported of Daejeon in 2017; which seven is not known to
us. Abduction, robbery and assault are documented for the service; the other four are this table's own choice.
"""

from __future__ import annotations

from typing import Any

from madang.video.legal import NOT_FOR_OTHERS, LegalBasis

DOCUMENTED_CLASSES = ("abduction", "robbery", "assault")
CHOSEN_CLASSES = ("homicide", "sexual_violence", "weapon", "arson")
VIOLENT_CLASSES = (*DOCUMENTED_CLASSES, *CHOSEN_CLASSES)

_LAWFUL = [basis.value for basis in LegalBasis]
_FOR_OTHERS = [basis.value for basis in LegalBasis if basis not in NOT_FOR_OTHERS]
_USE_LIMITS = [
    "제공받은 목적으로만 이용 (개인정보 보호법 제19조)",
    "녹화·재제공 금지",
]

SEED_NOTE = (
    "처음 값: 112 강력범죄 7종(납치·강도·폭행 외 4종은 시가 정함)과 코드 0·1은 자동 승인, 나머지는 사람이 결정 / "
    "Seed: seven violent classes at code 0 or 1 are approved, everything else is asked"
)

SEED_ROWS: list[dict[str, Any]] = [  # Any: JSON members of a row
    {
        "name": "unlawful",
        "when": {"basis": {"not": _LAWFUL}},
        "outcome": "deny",
        "why": "법적 근거 없음 / no lawful basis",
    },
    {
        "name": "duty-only",
        "when": {"agency_kind": {"not": ["control_room"]}, "basis": {"not": _FOR_OTHERS}},
        "outcome": "deny",
        "why": "자체 관제 근거로는 제공할 수 없음 / the city's own duty does not cover a provision",
    },
    {
        "name": "control-room",
        "when": {"agency_kind": ["control_room"]},
        "outcome": "approve",
        "rights": ["live", "record"],
        "max_cameras": 16,
        "duration_s": 3_600,
        "why": "사건 대응 관제 / the control room works the incident",
    },
    {
        "name": "police-violent-urgent",
        "when": {"agency_kind": ["police"], "crime_class": list(VIOLENT_CLASSES), "code": {"max": 1}},
        "outcome": "approve",
        "max_cameras": 12,
        "duration_s": 3_600,
        "terms": _USE_LIMITS,
        "why": "강력범죄 긴급 신고 / violent crime, urgent",
    },
    {
        "name": "ask",
        "when": {},
        "outcome": "ask",
        "max_cameras": 12,
        "duration_s": 1_800,
        "terms": _USE_LIMITS,
        "why": "담당자 판단 필요 / a person decides",
    },
]
