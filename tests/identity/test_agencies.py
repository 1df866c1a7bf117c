"""Agencies' keys rotate without a gap and end at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from madang.identity.actors import actor_of_agency
from madang.identity.agencies import key_for
from madang.identity.commands import add_agency, add_key, revoke_key
from madang.identity.keys import algorithm_of
from madang.identity.models import Agency, AgencyKind, Authority
from madang.identity.rights import Right, Thing, may, system_actor
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError
from madang.kernel.mode import Mode

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CLI = system_actor("48250", "cli")


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


P256 = pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def police(authority: Authority) -> Agency:
    with civic.transaction() as tx:
        return add_agency(
            tx,
            CLI,
            authority=authority.code,
            code="gimhae-police",
            kind=AgencyKind.POLICE,
            name_ko="김해 경찰 112",
            mode=Mode.SIMULATED,
            now=NOW,
        )


def add(police: Agency, key_id: str, *, from_h: float = 0, to_h: float | None = None) -> None:
    with civic.transaction() as tx:
        add_key(
            tx,
            CLI,
            agency=police,
            key_id=key_id,
            public_pem=P256,
            not_before_at=NOW + timedelta(hours=from_h),
            not_after_at=None if to_h is None else NOW + timedelta(hours=to_h),
            now=NOW,
        )


def test_two_keys_hold_while_an_agency_changes_them(police: Agency) -> None:
    add(police, "old", from_h=-100, to_h=2)
    add(police, "new", from_h=0)
    for key_id, hour, believed in [("old", 1, True), ("new", 1, True), ("old", 2, False), ("new", 3, True)]:
        assert (key_for(key_id, NOW + timedelta(hours=hour)) is not None) is believed, (key_id, hour)
    assert key_for("new", NOW - timedelta(seconds=1)) is None


def test_a_revoked_key_is_not_believed_any_more(police: Agency) -> None:
    add(police, "k1")
    key = key_for("k1", NOW)
    assert key is not None
    with civic.transaction() as tx:
        revoke_key(tx, CLI, key=key, now=NOW)
    assert key_for("k1", NOW) is None


def test_a_switched_off_agency_is_nobody(police: Agency) -> None:
    add(police, "k1")
    Agency.objects.update(active=False)
    police.refresh_from_db()
    assert key_for("k1", NOW) is None
    assert not may(actor_of_agency(police), Right.OPEN_INCIDENT, Thing("48250", agency=police.code))


def test_an_agency_system_opens_incidents_of_its_own_only(police: Agency) -> None:
    actor = actor_of_agency(police)
    assert actor.id == "agency:gimhae-police"
    assert may(actor, Right.OPEN_INCIDENT, Thing("48250", agency="gimhae-police"))
    assert not may(actor, Right.OPEN_INCIDENT, Thing("48250", agency="gimhae-fire"))


def test_a_key_id_is_never_given_twice(police: Agency) -> None:
    add(police, "k1")
    with pytest.raises(ConflictError, match="never replaced"):
        add(police, "k1")


def test_the_algorithm_is_read_from_the_key() -> None:
    assert algorithm_of(P256) == "ecdsa-p256-sha256"
    assert algorithm_of(pem(ed25519.Ed25519PrivateKey.generate())) == "ed25519"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not a public key"),
        (pem(rsa.generate_private_key(65537, 2048)), "neither"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "neither"),
        (
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            "private key",
        ),
    ],
)
def test_what_is_no_fit_public_key_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        algorithm_of(text)
