"""Evidence as the screens ask for it: rights at every door, refusals in Korean, nothing kept by the browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from madang.identity.models import Agency
from madang.identity.rights import Role
from madang.kernel.clock import SEOUL, instant_text, system_clock
from madang.kernel.ids import new_id
from madang.response.models import Incident
from madang.video.config import EvidenceConfig, VideoConfig
from madang.video.models import Camera, Lease, ViewSession
from tests.console.conftest import Desk, OpenCall
from tests.video.evidence.conftest import Gateway

MakeDesk = Callable[..., Desk]
pytestmark = pytest.mark.django_db(transaction=True)
JPEG = b"\xff\xd8 picture \xff\xd9"


@pytest.fixture(autouse=True)
def vault(settings: object, tmp_path: Path) -> None:
    """Where this test's evidence lies."""
    config = VideoConfig(evidence_dir=str(tmp_path / "vault"), evidence=EvidenceConfig(free_mb=1))
    settings.MADANG_VIDEO = config  # type: ignore[attr-defined]  # pytest-django's wrapper


@pytest.fixture
def kim(desk: MakeDesk) -> Desk:
    return desk(Role.OPERATOR, username="kim")


@pytest.fixture
def incident(police: Agency, open_call: OpenCall, cameras: list[Camera]) -> Incident:
    assert cameras
    return open_call(police)


def shown(kim: Desk, incident: Incident) -> str:
    """A picture of the incident is open at kim's screen; its lease."""
    told = kim.get(f"/incidents/{incident.pk}").json()
    [grant] = [one for one in told["grants"] if one["recipient"]["kind"] == "control_room"]
    asked = {"camera_id": grant["camera_ids"][0], "grant_id": grant["id"]}
    ticket = kim.post("/leases", asked).json()
    lease = Lease.objects.get(pk=ticket["lease_id"])
    ViewSession.objects.create(
        id=new_id(),
        authority_id=lease.authority_id,
        lease=lease,
        grant=lease.grant,
        camera=lease.camera,
        viewer=lease.viewer,
        viewer_name="",
        started_at=system_clock(),
        mode=lease.mode,
    )
    return str(lease.pk)


def kept(kim: Desk, incident: Incident) -> str:
    """A still that was taken and kept; its id."""
    gateway = Gateway()
    answered = kim.post("/evidence/stills", {"lease_id": shown(kim, incident), "reason": "번호판"})
    assert answered.status_code == 200, answered.content
    ident = str(answered.json()["id"])
    gateway.told()
    assert gateway.piece(ident, 0, JPEG) and gateway.end(ident, 1)
    return ident


def test_a_still_is_taken_listed_looked_at_and_its_history_names_people(
    incident: Incident, kim: Desk, desk: MakeDesk
) -> None:
    ident = kept(kim, incident)
    [row] = kim.get(f"/incidents/{incident.pk}/evidence").json()["items"]
    assert (row["id"], row["state"], row["reason"], row["camera"]["label"] != "") == (ident, "KEPT", "번호판", True)
    picture = kim.get(f"/evidence/{ident}/picture")
    assert (picture.content, picture["Content-Type"], picture["Cache-Control"]) == (JPEG, "image/jpeg", "no-store")
    deeds = kim.get(f"/evidence/{ident}/history").json()
    assert [(deed["act"], deed["name"]) for deed in deeds][-1] == ("seen", "kim")
    auditor = desk(Role.AUDITOR)
    month = f"{system_clock().astimezone(SEOUL):%Y-%m}"
    assert [one["id"] for one in auditor.get(f"/evidence?month={month}").json()["items"]] == [ident]
    assert auditor.get("/evidence?month=lately").status_code == 400


def test_what_one_may_not_do_is_refused_with_a_reason_in_korean(incident: Incident, kim: Desk, desk: MakeDesk) -> None:
    ident = kept(kim, incident)
    until = instant_text(system_clock() + timedelta(days=90))
    administrator = desk(Role.ADMINISTRATOR)
    assert administrator.get(f"/evidence/{ident}/picture").status_code == 403
    assert kim.get(f"/evidence/{ident}/film").status_code == 404
    short = kim.post(f"/evidence/{ident}/lock", {"reason": "왜", "until": until})
    assert (short.status_code, "다섯 글자" in short.json()["ko"]) == (400, True)
    assert (
        kim.post(f"/evidence/{ident}/lock", {"reason": "재판 증거 보전", "until": until}).json()["lock"]["by"]["name"]
        == "kim"
    )
    own = kim.post(f"/evidence/{ident}/unlock", {"reason": "더 필요 없음"})
    assert (own.status_code, "다른 담당자" in own.json()["ko"]) == (403, True)
    camera = kim.get(f"/incidents/{incident.pk}/evidence").json()["recordable"][0]
    assert camera["record"] is False
    recording = kim.post(
        f"/incidents/{incident.pk}/evidence/recording", {"camera_id": camera["id"], "reason": "도주 방향"}
    )
    assert (recording.status_code, recording.json()["reason"]) == (403, "no_grant")
    assert kim.post("/evidence/stills", {"lease_id": new_id()}).status_code == 404
    assert kim.post(f"/incidents/{incident.pk}/exports", _wanted(ident)).status_code == 403


def test_a_hand_over_takes_two_people_and_a_package_is_not_there_before_it_is_made(
    incident: Incident, kim: Desk, desk: MakeDesk
) -> None:
    ident = kept(kim, incident)
    park, choi = desk(Role.SUPERVISOR, username="park"), desk(Role.SUPERVISOR, username="choi")
    asked = park.post(f"/incidents/{incident.pk}/exports", _wanted(ident))
    assert asked.status_code == 200, asked.content
    export = asked.json()["exports"][0]["id"]
    assert park.post(f"/exports/{export}/approve").status_code == 403
    assert choi.post(f"/exports/{export}/deny").status_code == 400
    assert choi.post(f"/exports/{export}/approve").json()["state"] == "APPROVED"
    assert park.post(f"/exports/{export}/package").status_code == 409


def _wanted(ident: str) -> dict[str, object]:
    return {
        "items": [ident],
        "recipient_name": "박형사",
        "recipient_office": "김해서부경찰서",
        "basis": "pipa_18_2_7",
        "purpose": "강도 사건 수사",
    }
