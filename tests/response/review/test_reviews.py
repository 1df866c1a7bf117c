"""From a closed incident to a signed report that anybody can check, and what follows from it."""

from __future__ import annotations

import json
from datetime import timedelta

import jsonschema
import orjson
import pytest

from madang.identity.rights import Actor
from madang.journal import civic
from madang.journal.checkpoint import public_pem
from madang.kernel.clock import SEOUL
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, MadangError, NotFoundError
from madang.kernel.keyring import Keyring
from madang.response import commands as response
from madang.response.models import Incident
from madang.response.review import commands, documents, queries
from madang.response.review.documents import BadFileError
from madang.response.review.domain import CHECKLIST
from madang.response.review.models import Review
from madang.response.review.people import People
from madang.response.review.schema import SCHEMA
from madang.response.rules.models import RuleVersion
from madang.response.sop.models import SopVersion
from tests.response.conftest import civic_tx
from tests.response.review.conftest import at

pytestmark = pytest.mark.django_db
TODAY = at(0).astimezone(SEOUL).date()


def opened(incident: Incident, by: Actor) -> Review:
    with civic_tx() as tx:
        return commands.open_review(tx, by, incident.id, at(700))


def ready(incident: Incident, by: Actor) -> Review:
    """Opened, everything answered, one finding and one lesson."""
    opened(incident, by)
    with civic_tx() as tx:
        for point in CHECKLIST:
            commands.answer(tx, by, incident.id, point.key, "yes", "", at(710))
        commands.find(tx, by, incident.id, "good", "김관제가 30초 안에 담당했다", at(720))
        wanted = commands.NewLesson(
            kind="sop", text="편의점 비상벨 점검", owner=by.id, due_on=TODAY + timedelta(days=30)
        )
        commands.learn(tx, by, incident.id, wanted, at(730))
    return Review.objects.get(incident=incident)


def signed(incident: Incident, by: Actor) -> Review:
    row = ready(incident, by)
    with civic_tx() as tx:
        commands.sign(tx, by, incident.id, "대응이 빨랐다", row.version, at(800))
    return Review.objects.get(incident=incident)


def file_for(reader: Actor, incident: Incident, number: int = 1) -> bytes:
    return queries.document_file(reader, incident.id, number)[1]


def test_an_open_incident_is_not_reviewed(open_incident: Incident, reviewer: Actor) -> None:
    with pytest.raises(ConflictError), civic_tx() as tx:
        commands.open_review(tx, reviewer, open_incident.id, at(700))


def test_a_signed_review_makes_the_incident_reviewed_and_its_file_holds(
    incident: Incident, reviewer: Actor, keyring: Keyring
) -> None:
    signed(incident, reviewer)
    incident.refresh_from_db()
    assert incident.state == "REVIEWED"
    data = file_for(reviewer, incident)
    checked = documents.verify(data, public_pem(keyring.checkpoint_private_pem))
    assert checked.document["incident"]["number"] == incident.number
    assert checked.names == len(checked.document["staff"]) > 0
    jsonschema.validate(orjson.loads(data), SCHEMA)
    assert checked.document["timeline"][-1]["kind"] == "review"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda body: body["document"]["review"].update(summary="아무 일도 없었다"), "changed"),
        (lambda body: body["names"][0].update(name="홍길동"), "not the one"),
        (lambda body: body["document"]["staff"].clear(), "changed"),
        (lambda body: body.update(jws=body["jws"][:-6] + "AAAAAA"), "signature"),
        (lambda body: body.update(jws="a.b.c"), "signature"),
        (lambda body: body.pop("jws"), "not a signed report"),
    ],
)
def test_whatever_is_changed_in_a_file_is_found(
    incident: Incident, reviewer: Actor, keyring: Keyring, change: object, why: str
) -> None:
    signed(incident, reviewer)
    body = json.loads(file_for(reviewer, incident))
    change(body)  # type: ignore[operator]  # one of the lambdas above
    with pytest.raises(BadFileError, match=why):
        documents.verify(orjson.dumps(body), public_pem(keyring.checkpoint_private_pem))


def test_a_file_signed_with_another_key_does_not_hold(incident: Incident, reviewer: Actor, keyring: Keyring) -> None:
    signed(incident, reviewer)
    with pytest.raises(BadFileError, match="signature"):
        documents.verify(file_for(reviewer, incident), public_pem(keyring.lease_private_pem))


def test_nobody_who_held_the_incident_signs_its_review(incident: Incident, kim: Actor, reviewer: Actor) -> None:
    row = ready(incident, reviewer)
    with pytest.raises(ConflictError, match="answered for"), civic_tx() as tx:
        commands.sign(tx, kim, incident.id, "총평", row.version, at(800))
    assert queries.one(kim, incident.id, at(800))["may"]["sign"] is False


def test_an_operator_neither_reads_nor_reviews(incident: Incident, lee: Actor) -> None:
    with pytest.raises(ForbiddenError):
        queries.one(lee, incident.id, at(700))
    with pytest.raises(ForbiddenError), civic_tx() as tx:
        commands.open_review(tx, lee, incident.id, at(700))


def test_a_signature_under_another_version_than_was_read_is_refused(incident: Incident, reviewer: Actor) -> None:
    row = ready(incident, reviewer)
    with civic_tx() as tx:
        commands.answer(tx, reviewer, incident.id, "video", "no", "근거 부족", at(790))
    with pytest.raises(ConflictError, match="meanwhile"), civic_tx() as tx:
        commands.sign(tx, reviewer, incident.id, "총평", row.version, at(800))


def test_a_reopened_incident_is_not_signed_until_it_is_closed_again(
    incident: Incident, reviewer: Actor, lee: Actor
) -> None:
    row = ready(incident, reviewer)
    with civic_tx() as tx:
        response.reopen_incident(tx, lee, incident.id, "공범", at(750))
    with pytest.raises(ConflictError, match="not closed"), civic_tx() as tx:
        commands.sign(tx, reviewer, incident.id, "총평", row.version, at(800))


def test_the_report_tells_the_steps_from_call_to_close(incident: Incident, reviewer: Actor) -> None:
    report = queries.one(reviewer, incident.id, at(700))["report"]
    took = {row["key"]: row["seconds"] for row in report["timings"]}
    assert took["presented_claimed"] == 30
    assert took["claimed_verified"] == 30
    assert took["presented_closed"] == 600
    assert took["call_offered"] is not None
    assert took["offered_viewed"] == 21
    assert took["received_presented"] is None, "no signal came, so nothing is made up"
    assert report["timeline_broken_at"] is None
    assert [(row["from"], row["to"], row["state"]) for row in report["handovers"]] == [("P1", "P2", "accepted")]
    [view] = report["views"]
    assert (view["seconds"], view["basis"]) == (60.0, "pipa_18_2_3")
    assert report["cameras"][0]["seconds"] == 60.0


def test_a_report_names_no_caller_and_staff_only_to_those_who_may(
    incident: Incident, reviewer: Actor, officer: Actor
) -> None:
    signed(incident, reviewer)
    for reader in (officer, reviewer):
        text = file_for(reader, incident).decode() + json.dumps(
            queries.one(reader, incident.id, at(900)), ensure_ascii=False
        )
        for secret in ("박신고", "9876", "5432"):
            assert secret not in text
    plain = file_for(officer, incident).decode() + json.dumps(
        queries.one(officer, incident.id, at(900)), ensure_ascii=False
    )
    for name in ("김관제", "이교대", "최검토"):
        assert name not in plain
    shown = queries.one(reviewer, incident.id, at(900))
    assert shown["names"]["P1"] == "김관제"
    assert "[P1]가 30초" in shown["report"]["review"]["findings"][0]["text"]


def test_corrections_are_addenda_that_name_what_they_add_to(
    incident: Incident, reviewer: Actor, keyring: Keyring
) -> None:
    signed(incident, reviewer)
    first = documents.verify(file_for(reviewer, incident), public_pem(keyring.checkpoint_private_pem))
    with pytest.raises(ConflictError, match="signed"), civic_tx() as tx:
        commands.find(tx, reviewer, incident.id, "gap", "늦게 알았다", at(900))
    for n in (2, 3):
        with civic_tx() as tx:
            assert commands.append(tx, reviewer, incident.id, f"보탬 {n}", at(900 + n)).number == n
    assert file_for(reviewer, incident) == file_for(reviewer, incident, 1)
    second = documents.verify(file_for(reviewer, incident, 2), public_pem(keyring.checkpoint_private_pem))
    assert second.document["adds_to"] == {"number": 1, "digest": first.digest}
    jsonschema.validate(orjson.loads(file_for(reviewer, incident, 2)), SCHEMA)


def test_an_unsigned_review_has_no_file(incident: Incident, reviewer: Actor) -> None:
    opened(incident, reviewer)
    with pytest.raises(NotFoundError):
        file_for(reviewer, incident)


def test_a_lesson_becomes_the_draft_of_a_rule_or_of_a_checklist(incident: Incident, reviewer: Actor) -> None:
    from madang.response.sop.drafting import Words, publish, save_draft

    ready(incident, reviewer)
    lesson = queries.lessons(reviewer, incident.authority_id)[0]
    with civic_tx() as tx:
        words = Words(title_ko="강도", steps=[{"key": "a", "stage": 1, "ko": "112 확인"}])
        publish(tx, reviewer, save_draft(tx, reviewer, incident.authority_id, "robbery", words, at(0)).id, at(1))
        commands.draft_sop(tx, reviewer, lesson["id"], "robbery", at(900))
    draft = SopVersion.objects.get(state="draft")
    assert [step["ko"] for step in draft.steps] == ["112 확인", "편의점 비상벨 점검"]
    assert queries.lessons(reviewer, incident.authority_id)[0]["draft"] == "sop:robbery@2"
    with pytest.raises(ConflictError), civic_tx() as tx:
        commands.draft_rule(tx, reviewer, lesson["id"], "night-shop", "night-bell", at(901))
    assert not RuleVersion.objects.exists(), "what is refused leaves nothing behind"
    with civic_tx() as tx:
        wanted = commands.NewLesson(kind="rule", text="야간 벨", owner=reviewer.id, due_on=TODAY)
        other = commands.learn(tx, reviewer, incident.id, wanted, at(902))
        commands.draft_rule(tx, reviewer, other.id, "night-shop", "night-bell", at(903))
    assert RuleVersion.objects.get().stage == "draft"


def test_lessons_of_a_signed_review_go_on_until_they_are_done(incident: Incident, reviewer: Actor) -> None:
    signed(incident, reviewer)
    [lesson] = queries.lessons(reviewer, incident.authority_id)
    with pytest.raises(BadRequestError), civic_tx() as tx:
        commands.move_lesson(tx, reviewer, lesson["id"], "done", " ", at(1000))
    with civic_tx() as tx:
        commands.move_lesson(tx, reviewer, lesson["id"], "done", "점검 완료", at(1000))
    assert queries.lessons(reviewer, incident.authority_id) == []
    [ended] = queries.lessons(reviewer, incident.authority_id, ended=True)
    assert (ended["state"], ended["word"]) == ("done", "점검 완료")


def test_unreviewed_incidents_come_first_in_the_list(incident: Incident, reviewer: Actor, lee: Actor) -> None:
    signed(incident, reviewer)
    from madang.kernel.mode import Mode
    from madang.response.commands import OpenIncident

    with civic_tx() as tx:
        wanted = OpenIncident(
            authority=incident.authority_id, source="operator", mode=Mode.SIMULATED, class_text="fire", code=2
        )
        other = response.open_incident(tx, lee, wanted, at(0))
        response.close_incident(tx, lee, other.id, "오인", at(10))
    found = queries.listing(reviewer, incident.authority_id)
    assert [row["phase"] for row in found["rows"]] == ["none", "signed"]
    assert found["counts"] == {"none": 1, "open": 0, "signed": 1}
    assert [row["number"] for row in queries.listing(reviewer, incident.authority_id, phase="signed")["rows"]] == [
        incident.number
    ]


def test_another_citys_review_does_not_exist(incident: Incident, other_authority: object, make_person: object) -> None:
    from madang.identity.actors import actor_of_person
    from madang.identity.rights import Role

    stranger = actor_of_person(make_person(Role.SUPERVISOR, authority=other_authority))  # type: ignore[operator]
    with pytest.raises(NotFoundError):
        queries.one(stranger, incident.id, at(700))


def test_every_step_leaves_an_audit_row(incident: Incident, reviewer: Actor) -> None:
    signed(incident, reviewer)
    with civic.reading() as tx:
        rows = tx.execute("SELECT action FROM journal_audit WHERE action LIKE 'review.%' ORDER BY seq")
    actions = [row[0] for row in rows]
    assert actions[0] == "review.opened"
    assert actions[-1] == "review.signed"
    assert actions.count("review.answered") == len(CHECKLIST)


def test_numbers_and_names_are_struck_out_of_free_text() -> None:
    people = People(("홍길동",))
    people.code("person:1", "김철수")
    said = people.text("홍길동 010-1234-5678, 055.330.1234, 900101-1234567: 김철수가 받음. 1,200원 2026-11-22")
    assert said == "[신고인] [전화번호], [전화번호], [주민번호]: [P1]가 받음. 1,200원 2026-11-22"


def test_refusals_say_what_to_do_in_korean(incident: Incident, reviewer: Actor) -> None:
    row = opened(incident, reviewer)
    with pytest.raises(MadangError) as caught, civic_tx() as tx:
        commands.sign(tx, reviewer, incident.id, "총평", row.version, at(800))
    assert "점검 항목" in caught.value.ko
