"""A control room with a live grant over real cameras, a vault in a temporary folder, and the journal run by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic, handlers
from madang.journal.firing import Firing
from madang.journal.lanes import Retry
from madang.kernel.clock import system_clock
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.video.commands import Recipient, open_case, open_lease, put_sites, request_grant
from madang.video.config import EvidenceConfig, VideoConfig
from madang.video.evidence.line import EvidenceLine
from madang.video.legal import LegalBasis
from madang.video.media.protocol import FromCore, Piece, Take, Taken
from madang.video.models import Camera, Case, Lease, VideoGrant, ViewSession
from madang.video.queries import rank_for_case
from tests.conftest import MakePerson
from tests.video.conftest import CORNER, ring

INCIDENT = "0198aaaa-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def vault_folder(settings: object, tmp_path: Path) -> Path:
    """Where this test's evidence lies."""
    config = VideoConfig(
        allow_file_sources=True, evidence_dir=str(tmp_path / "vault"), evidence=EvidenceConfig(free_mb=1)
    )
    settings.MADANG_VIDEO = config  # type: ignore[attr-defined]  # pytest-django's wrapper
    return tmp_path / "vault"


def set_evidence(settings: object, **changed: object) -> None:
    """Other settings for evidence."""
    config: VideoConfig = settings.MADANG_VIDEO  # type: ignore[attr-defined]  # pytest-django's wrapper
    evidence = msgspec.structs.replace(config.evidence, **changed)
    settings.MADANG_VIDEO = msgspec.structs.replace(config, evidence=evidence)  # type: ignore[attr-defined]


@pytest.fixture
def operator(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR, username="kim"))


@pytest.fixture
def other_operator(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR, username="lee"))


@pytest.fixture
def supervisor(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.SUPERVISOR, username="park"))


@pytest.fixture
def officer(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.CITY_OFFICER, username="choi"))


def open_room(
    authority: Authority,
    operator: Actor,
    stream: str,
    rights: tuple[str, ...] = ("live", "record"),
    now: datetime | None = None,
) -> VideoGrant:
    """Three cameras, an open case at their corner, and the control room's grant over them."""
    at = now or system_clock()
    with civic.transaction() as tx:
        put_sites(tx, authority.code, ring(3, 60.0, mode_url=stream), at, Mode.SIMULATED)
        case = open_case(
            tx,
            authority=authority.code,
            incident_id=INCIDENT,
            incident_number="2026-000001",
            basis=LegalBasis.URGENT_LIFE,
            purpose="강도 신고 대응",
            place=CORNER,
            radius_m=500,
            mode=Mode.SIMULATED,
            agency="",
            now=at,
        )
    cameras = [ranked.id for ranked in rank_for_case(case.pk, 3)]
    with civic.transaction() as tx:
        return request_grant(
            tx,
            operator,
            case_id=case.pk,
            recipient=Recipient("control_room", authority.code),
            rights=rights,
            camera_ids=cameras,
            facts={"crime_class": "robbery", "code": 0},
            now=at,
        )


@pytest.fixture
def grant(authority: Authority, operator: Actor) -> VideoGrant:
    """The control room may see and record three cameras; their streams are never opened in tests without a gateway."""
    return open_room(authority, operator, "http://127.0.0.1:9/cam/1.ts")


@pytest.fixture
def camera(grant: VideoGrant) -> Camera:
    return grant.grant_cameras.order_by("rank")[0].camera


@pytest.fixture
def case(grant: VideoGrant) -> Case:
    assert grant.case is not None
    return grant.case


@pytest.fixture
def lease(grant: VideoGrant, camera: Camera, operator: Actor) -> Lease:
    """A picture that is open at the operator's screen."""
    now = system_clock()
    with civic.transaction() as tx:
        ticket = open_lease(tx, operator, camera_id=camera.pk, grant_id=grant.pk, viewer_name="", now=now)
    lease = Lease.objects.get(pk=ticket.lease_id)
    ViewSession.objects.create(
        id=new_id(),
        authority_id=grant.authority_id,
        lease=lease,
        grant=grant,
        camera=camera,
        viewer=operator.id,
        viewer_name="",
        started_at=now,
        mode=grant.mode,
    )
    return lease


class Gateway:
    """The media process's side of the line, played by the protocol."""

    def __init__(self) -> None:
        self.line = EvidenceLine()
        self.line.hello([], system_clock())

    def told(self) -> list[FromCore]:
        return self.line.due(system_clock())

    def takes(self) -> list[Take]:
        return [message for message in self.told() if isinstance(message, Take)]

    def piece(self, take: str, number: int, data: bytes) -> bool:
        return self.line.hear(Piece(1, take, number, data), system_clock())

    def end(self, take: str, pieces: int, *, ok: bool = True, reason: str = "") -> bool:
        now = system_clock().timestamp()
        return self.line.hear(
            Taken(1, take, ok, pieces, reason, now - 1, now, "avc1.42c01f", 1280, 720), system_clock()
        )


@pytest.fixture
def gateway(db: None) -> Gateway:
    return Gateway()


def fire(at: datetime) -> None:
    """Fires everything that is due at a moment."""
    Firing(civic.store, handlers.CIVIC, Retry(3, 1.0, 10.0, lambda: 0.0), lambda: at).run_once()


__all__ = ["INCIDENT", "Gateway", "fire", "open_room", "set_evidence"]
