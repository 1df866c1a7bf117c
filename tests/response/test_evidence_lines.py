"""What was kept and handed over stands in the timeline, once, with what a review needs to show it."""

from __future__ import annotations

import pytest

from madang.identity.models import Agency
from madang.identity.rights import Actor
from madang.journal.handlers import Delivery
from madang.kernel.canonical import canonical_json
from madang.kernel.mode import Mode
from madang.response import evidence_lines, queries
from madang.response.commands import open_incident
from madang.response.models import Incident, TimelineEntry
from tests.response.conftest import NOW, civic_tx, robbery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incident(police: Agency, caller_actor: Actor) -> Incident:
    with civic_tx() as tx:
        return open_incident(tx, caller_actor, robbery(police), NOW)


def told(incident: Incident, topic: str, body: dict[str, object], message: str = "m-1") -> None:
    wire = canonical_json({"incident_id": incident.pk, "by": "person:1", "by_name": "김관제"} | body)
    evidence_lines._deliver(
        Delivery(
            message_id=message,
            topic=topic,
            key=incident.pk,
            wire=wire,
            authority=incident.authority_id,
            mode=Mode.SIMULATED,
            attempt=1,
        )
    )


def still(state: str = "KEPT") -> dict[str, object]:
    return {
        "evidence_id": "e-1",
        "kind": "still",
        "state": state,
        "camera": "시장 앞 1",
        "camera_id": "c-1",
        "reason": "번호판",
        "began_at": "2026-11-22T03:00:05.000Z",
    }


def test_a_still_is_one_line_however_often_it_is_told(incident: Incident) -> None:
    for _ in range(2):
        told(incident, evidence_lines.KEPT, still())
    line = TimelineEntry.objects.get(incident=incident, kind="evidence")
    assert line.text_ko == "정지영상: 시장 앞 1 · 번호판"
    assert (line.payload["evidence"], line.payload["moment"]) == ("e-1", "2026-11-22T03:00:05+00:00")
    assert line.actor_name == "김관제"
    assert queries.timeline_row(line)["still"] == "e-1"


def test_a_part_and_a_failure_say_so(incident: Incident) -> None:
    told(incident, evidence_lines.KEPT, still() | {"kind": "recording", "state": "PARTIAL"}, "m-2")
    told(incident, evidence_lines.KEPT, still("FAILED"), "m-3")
    texts = TimelineEntry.objects.filter(incident=incident, kind="evidence").values_list("text_ko", flat=True)
    assert list(texts) == ["녹화 (일부): 시장 앞 1 · 번호판", "정지영상 실패: 시장 앞 1 · 번호판"]


def test_handing_over_names_the_recipient_and_the_manifest(incident: Incident) -> None:
    body = {"export_id": "x-1", "recipient": "김해서부경찰서 박형사", "items": 2, "manifest_digest": "ab" * 32}
    told(incident, evidence_lines.HANDED_OVER, body)
    line = TimelineEntry.objects.get(incident=incident, kind="evidence_out")
    assert line.text_ko == "증거 반출 2건: 김해서부경찰서 박형사"
    assert line.payload["manifest"] == "ab" * 32
