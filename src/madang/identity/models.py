"""Cities, people and their roles, agencies and their keys, device and API tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models

from madang.identity.rights import Role
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode

if TYPE_CHECKING:
    from datetime import datetime

ROLE_NAMES_KO: dict[Role, str] = {
    Role.OPERATOR: "관제요원",
    Role.SUPERVISOR: "관제 책임자",
    Role.POLICE_LIAISON: "파견 경찰관",
    Role.AGENCY_SYSTEM: "기관 시스템",
    Role.CITY_OFFICER: "시 담당 공무원",
    Role.AUDITOR: "감사자",
    Role.ADMINISTRATOR: "시스템 관리자",
    Role.DEVICE: "장치",
    Role.API_CLIENT: "API 클라이언트",
}
HUMAN_ROLES: tuple[Role, ...] = (
    Role.OPERATOR,
    Role.SUPERVISOR,
    Role.POLICE_LIAISON,
    Role.CITY_OFFICER,
    Role.AUDITOR,
    Role.ADMINISTRATOR,
)
"""The roles a person can be given; the others are for systems."""


class AgencyKind(models.TextChoices):
    """What an agency does."""

    POLICE = "police", "경찰 Police"
    FIRE = "fire", "소방 Fire"
    COAST_GUARD = "coast_guard", "해경 Coast guard"
    DISASTER = "disaster", "재난 Disaster"
    MILITARY = "military", "군 Military"
    OTHER = "other", "기타 Other"


class KeyAlgorithm(models.TextChoices):
    """Signature algorithms an agency key may name (RFC 9421 §6.2.2)."""

    ECDSA_P256 = "ecdsa-p256-sha256", "ECDSA P-256"
    ED25519 = "ed25519", "Ed25519"


class TokenKind(models.TextChoices):
    """Who carries a token."""

    DEVICE = "device", "장치 Device"
    API = "api", "API"


def new_client_id() -> str:
    """A fresh id of a client: public, and no word of its own."""
    return f"mdc-{secrets.token_hex(8)}"


MODES = [(mode.value, mode.value) for mode in Mode]


class Authority(models.Model):
    """A city, county or district: the owner of every row. `code` is its administrative standard code."""

    code = models.CharField("코드 Code", primary_key=True, max_length=20)
    name_ko = models.CharField("이름 Korean name", max_length=60)
    name_en = models.CharField("영문 이름 English name", max_length=60, blank=True)
    lon = models.FloatField("경도 Longitude", default=127.8)
    lat = models.FloatField("위도 Latitude", default=36.3)
    zoom = models.FloatField("지도 배율 Map zoom", default=11.0)

    class Meta:
        verbose_name = "기관(시·군·구) Authority"
        verbose_name_plural = "기관(시·군·구) Authorities"
        ordering: ClassVar[list[str]] = ["code"]

    def __str__(self) -> str:
        return f"{self.name_ko} ({self.code})"


class Agency(models.Model):
    """An outside body linked to one city: its police room, its fire room."""

    code = models.CharField("코드 Code", primary_key=True, max_length=40)
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="agencies"
    )
    kind = models.CharField("종류 Kind", max_length=20, choices=AgencyKind.choices)
    name_ko = models.CharField("이름 Korean name", max_length=80)
    name_en = models.CharField("영문 이름 English name", max_length=80, blank=True)
    endpoint_url = models.CharField("수신 주소 Endpoint", max_length=300, blank=True)
    active = models.BooleanField("사용 Active", default=True)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)

    class Meta:
        verbose_name = "연계 기관 Agency"
        verbose_name_plural = "연계 기관 Agencies"
        ordering: ClassVar[list[str]] = ["code"]

    def __str__(self) -> str:
        return f"{self.name_ko} ({self.code})"


class AgencyKey(models.Model):
    """A public key an agency signs with. Several may be valid at once, so that keys rotate without a gap."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="keys")
    key_id = models.CharField("키 ID Key id", max_length=100, unique=True)
    algorithm = models.CharField("알고리즘 Algorithm", max_length=30, choices=KeyAlgorithm.choices)
    public_pem = models.TextField("공개키 Public key (PEM)")
    not_before_at = models.DateTimeField("사용 시작 Not before")
    not_after_at = models.DateTimeField("사용 끝 Not after", null=True, blank=True)
    revoked_at = models.DateTimeField("폐기 Revoked", null=True, blank=True)

    class Meta:
        verbose_name = "기관 공개키 Agency key"
        verbose_name_plural = "기관 공개키 Agency keys"
        ordering: ClassVar[list[str]] = ["key_id"]

    def __str__(self) -> str:
        return self.key_id

    def valid_at(self, now: datetime) -> bool:
        """Whether a signature made with this key may be believed at `now`."""
        started = self.not_before_at <= now
        ended = self.not_after_at is not None and self.not_after_at <= now
        return started and not ended and self.revoked_at is None


class Person(AbstractUser):
    """Someone who logs in. `authority` is the home city; what they may do comes from their roles alone."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    name_ko = models.CharField("이름 Name", max_length=60, blank=True)
    phone = models.CharField("연락처 Phone", max_length=30, blank=True)
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="people", null=True
    )
    agency = models.ForeignKey(
        Agency, on_delete=models.PROTECT, related_name="people", null=True, blank=True, verbose_name="소속 기관 Agency"
    )

    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "사용자 Person"
        verbose_name_plural = "사용자 People"
        ordering: ClassVar[list[str]] = ["username"]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name shown to others: on the overlay of video, in the timeline."""
        return self.name_ko or self.get_full_name() or self.username


class RoleAssignment(models.Model):
    """One role of one person in one city."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField("역할 Role", max_length=30, choices=[(r.value, ROLE_NAMES_KO[r]) for r in HUMAN_ROLES])
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="role_assignments"
    )

    class Meta:
        verbose_name = "역할 부여 Role"
        verbose_name_plural = "역할 부여 Roles"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["person", "role", "authority"], name="identity_role_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role} {self.authority_id}"


class Token(models.Model):
    """A device's or program's credential. Only a digest is kept; the token itself is shown once.

    `scopes` are words such as `read:AirQualityObserved` (`identity.scopes`); none open nothing.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="tokens"
    )
    kind = models.CharField("종류 Kind", max_length=10, choices=TokenKind.choices)
    name = models.CharField("이름 Name", max_length=100)
    lookup = models.CharField(max_length=16, unique=True, editable=False)
    hashed = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField("유형별 권한 Scopes", default=list)
    created_at = models.DateTimeField("발급 Created", auto_now_add=True)
    expires_at = models.DateTimeField("만료 Expires", null=True, blank=True)
    revoked_at = models.DateTimeField("폐기 Revoked", null=True, blank=True)

    class Meta:
        verbose_name = "토큰 Token"
        verbose_name_plural = "토큰 Tokens"
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Client(models.Model):
    """A program that gets short-lived access tokens for id and secret (RFC 6749 §4.4). Only a digest is kept.

    `authority` is the city whose administrators run it; what it may do in which city stands in its grants.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_client_id, editable=False)
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="clients"
    )
    name = models.CharField("이름 Name", max_length=100)
    hashed = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField("발급 Created", auto_now_add=True)
    expires_at = models.DateTimeField("만료 Expires", null=True, blank=True)
    revoked_at = models.DateTimeField("폐기 Revoked", null=True, blank=True)

    class Meta:
        verbose_name = "API 클라이언트 Client"
        verbose_name_plural = "API 클라이언트 Clients"
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def holds_at(self, now: datetime) -> bool:
        """Whether it may still get and use access tokens."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ClientGrant(models.Model):
    """What a client may do in one city, as scopes."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="grants")
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="client_grants"
    )
    scopes = models.JSONField("유형별 권한 Scopes", default=list)

    class Meta:
        verbose_name = "API 클라이언트 권한 Client grant"
        verbose_name_plural = "API 클라이언트 권한 Client grants"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["client", "authority"], name="identity_client_grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.client_id} {self.authority_id}"
