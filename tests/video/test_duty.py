"""Viewing without a case: the duty roster, broken glass, and the checks afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority, Person
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.video.commands import (
    SiteRow,
    answer_disclosure,
    ask_disclosure,
    break_glass,
    check_disclosure,
    draw_access_review,
    end_shift,
    judge_access,
    open_lease,
    put_sites,
    read_disclosure,
    refuse_disclosure,
    review_break_glass,
    start_shift,
    start_view,
)
from madang.video.commands.break_glass import lock_unreviewed
from madang.video.commands.disclosure import mark_overdue
from madang.video.commands.grants import expire_grant
from madang.video.models import (
    AccessReview,
    BreakGlassReview,
    Camera,
    DisclosureRequest,
    Lease,
    ProvisionRecord,
    VideoGrant,
    ViewSession,
)
from madang.video.queries import aggregate, disclosure_by_receipt, register
from tests.conftest import MakePerson
from tests.video.conftest import NOW


def watch(actor: Actor, camera: Camera, *, grant: str | None = None, at: timedelta = timedelta(0)) -> str:
    with civic.transaction() as tx:
        return open_lease(tx, actor, camera_id=camera.pk, grant_id=grant, viewer_name=actor.name, now=NOW + at).lease_id


def test_someone_on_duty_watches_the_citys_cameras_and_nobody_else_does(
    operator: Actor, auditor: Actor, cameras: list[Camera], authority: Authority
) -> None:
    with pytest.raises(ForbiddenError, match="on duty"):
        watch(operator, cameras[0])
    with civic.transaction() as tx:
        start_shift(tx, operator, authority.code, 8, NOW)
    watch(operator, cameras[0])
    with pytest.raises(ForbiddenError):
        watch(auditor, cameras[0])
    assert VideoGrant.objects.get().kind == "roster"
    assert not ProvisionRecord.objects.exists()


def test_duty_covers_only_cameras_with_a_published_purpose(
    operator: Actor, cameras: list[Camera], authority: Authority
) -> None:
    with civic.transaction() as tx:
        put_sites(tx, authority.code, [SiteRow(source_key="bare", lon=128.88, lat=35.22)], NOW, Mode.SIMULATED)
        start_shift(tx, operator, authority.code, 8, NOW, purposes=("어린이보호",))
    with pytest.raises(ForbiddenError, match="published purpose"):
        watch(operator, Camera.objects.get(site__source_key="bare"))
    with pytest.raises(ForbiddenError, match="does not cover"):
        watch(operator, cameras[0])


def test_the_shifts_end_ends_what_it_allowed(operator: Actor, cameras: list[Camera], authority: Authority) -> None:
    with civic.transaction() as tx:
        start_shift(tx, operator, authority.code, 8, NOW)
    watch(operator, cameras[0])
    with civic.transaction() as tx:
        end_shift(tx, operator, authority.code, NOW + timedelta(hours=1))
    assert Lease.objects.get().ended_at == NOW + timedelta(hours=1)
    with pytest.raises(ForbiddenError):
        watch(operator, cameras[0], at=timedelta(hours=2))


@pytest.mark.parametrize("hours", [0, -1, 13, 1_000])
def test_a_shift_has_a_human_length(operator: Actor, cameras: list[Camera], authority: Authority, hours: float) -> None:
    with civic.transaction() as tx, pytest.raises(BadRequestError):
        start_shift(tx, operator, authority.code, hours, NOW)


def test_a_seconded_officer_is_not_on_the_citys_roster(
    make_person: MakePerson, police: Actor, authority: Authority
) -> None:
    from madang.identity.models import Agency

    liaison = make_person(Role.POLICE_LIAISON, agency=Agency.objects.get(code=police.agency))
    with civic.transaction() as tx, pytest.raises(ForbiddenError):
        start_shift(tx, actor_of_person(liaison), authority.code, 8, NOW)


def broken(operator: Actor, cameras: list[Camera], reason: str = "창문에서 연기") -> VideoGrant:
    with civic.transaction() as tx:
        return break_glass(tx, operator, [camera.pk for camera in cameras[:2]], reason, NOW)


def test_broken_glass_lasts_ten_minutes_tells_two_and_is_registered(
    operator: Actor, supervisor: Actor, auditor: Actor, cameras: list[Camera]
) -> None:
    grant = broken(operator, cameras)
    assert (grant.state, grant.expires_at) == ("ACTIVE", NOW + timedelta(minutes=10))
    assert {f"person:{person}" for person in BreakGlassReview.objects.get().notified} == {supervisor.id, auditor.id}
    watch(operator, cameras[0], grant=grant.pk)
    with pytest.raises(NotFoundError):
        watch(supervisor, cameras[0], grant=grant.pk)
    with pytest.raises(ForbiddenError):
        watch(operator, cameras[5], grant=grant.pk)
    record = ProvisionRecord.objects.get()
    assert (record.act, record.basis) == ("use", "break_glass")
    with civic.transaction() as tx:
        expire_grant(tx, grant.pk, NOW + timedelta(minutes=10))
    with pytest.raises(ForbiddenError):
        watch(operator, cameras[0], grant=grant.pk, at=timedelta(minutes=11))


def test_glass_is_not_broken_when_nobody_can_be_told(operator: Actor, auditor: Actor, cameras: list[Camera]) -> None:
    with pytest.raises(ConflictError, match="two others"):
        broken(operator, cameras)


def test_glass_of_another_city_cannot_be_broken(
    operator: Actor, supervisor: Actor, auditor: Actor, other_authority: Authority
) -> None:
    with civic.transaction() as tx:
        put_sites(tx, other_authority.code, [SiteRow(source_key="x", lon=128.9, lat=35.2)], NOW, Mode.SIMULATED)
    with pytest.raises(NotFoundError):
        broken(operator, list(Camera.objects.filter(authority=other_authority)))


def test_a_review_in_time_by_another_settles_it(
    operator: Actor, supervisor: Actor, auditor: Actor, cameras: list[Camera]
) -> None:
    grant = broken(operator, cameras)
    with civic.transaction() as tx:
        with pytest.raises(ForbiddenError):
            review_break_glass(tx, operator, grant.pk, "justified", "", NOW)
        review_break_glass(tx, supervisor, grant.pk, "justified", "연기 확인", NOW + timedelta(hours=1))
        with pytest.raises(ConflictError):
            review_break_glass(tx, auditor, grant.pk, "unjustified", "", NOW)
    with civic.transaction() as tx:
        lock_unreviewed(tx, BreakGlassReview.objects.get().pk, NOW + timedelta(days=2))
    assert Person.objects.get(pk=operator.id.partition(":")[2]).is_active


def test_without_review_the_account_is_locked_and_glass_stays_whole(
    operator: Actor, supervisor: Actor, auditor: Actor, cameras: list[Camera]
) -> None:
    broken(operator, cameras)
    with civic.reading() as tx:
        due = tx.execute("SELECT due_at FROM journal_timer WHERE kind = 'video.break_glass.review'")
    assert due[0][0].startswith("2026-11-23T03:00:00")
    with civic.transaction() as tx:
        lock_unreviewed(tx, BreakGlassReview.objects.get().pk, NOW + timedelta(hours=24))
    person = Person.objects.get(pk=operator.id.partition(":")[2])
    assert not person.is_active
    assert actor_of_person(person).authorities == frozenset()
    with pytest.raises(ForbiddenError, match="awaits review"):
        broken(operator, cameras)
    with civic.transaction() as tx:
        review_break_glass(tx, auditor, BreakGlassReview.objects.get().grant_id, "justified", "늦은 검토", NOW)
    person.refresh_from_db()
    assert person.is_active


def views(operator: Actor, cameras: list[Camera], authority: Authority, count: int) -> None:
    with civic.transaction() as tx:
        start_shift(tx, operator, authority.code, 8, NOW)
    for number in range(count):
        lease = watch(operator, cameras[number % len(cameras)])
        with civic.transaction() as tx:
            assert isinstance(start_view(tx, lease_id=lease, view_id=f"view-{number}", now=NOW), ViewSession)


def test_the_months_review_draws_a_sample_and_every_broken_glass_once(
    operator: Actor, supervisor: Actor, auditor: Actor, cameras: list[Camera], authority: Authority
) -> None:
    views(operator, cameras, authority, 60)
    glass = broken(operator, cameras)
    lease = watch(operator, cameras[0], grant=glass.pk)
    with civic.transaction() as tx:
        start_view(tx, lease_id=lease, view_id="glass", now=NOW)
    for _ in range(2):
        with civic.transaction() as tx:
            drawn = draw_access_review(tx, auditor, authority.code, "2026-11", NOW)
    assert sorted(review.why for review in drawn) == ["break_glass", "sample", "sample"]
    assert AccessReview.objects.get(why="break_glass").view_id == "glass"
    with civic.transaction() as tx:
        assert draw_access_review(tx, auditor, authority.code, "2026-12", NOW) == []
        with pytest.raises(BadRequestError):
            draw_access_review(tx, auditor, authority.code, "November", NOW)
        with pytest.raises(ForbiddenError):
            draw_access_review(tx, operator, authority.code, "2026-11", NOW)
        with pytest.raises(BadRequestError):
            judge_access(tx, auditor, drawn[0].pk, "improper", "", NOW)
        judged = judge_access(tx, auditor, drawn[0].pk, "improper", "사건 없이 열람", NOW)
    assert (judged.verdict, judged.reviewer) == ("improper", auditor.id)


def ask(authority: Authority) -> DisclosureRequest:
    with civic.transaction() as tx:
        return ask_disclosure(
            tx,
            authority=authority.code,
            place="김해대로 2401 앞",
            from_at=NOW - timedelta(hours=3),
            to_at=NOW - timedelta(hours=1),
            contact="010-0000-0000",
            note="검은 우산",
            now=NOW,
        )


def test_a_citizens_question_is_sealed_and_answered_under_its_receipt(
    authority: Authority, make_person: MakePerson, operator: Actor
) -> None:
    request = ask(authority)
    assert b"010-0000" not in bytes(request.sealed)
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    with civic.transaction() as tx:
        with pytest.raises(ForbiddenError):
            read_disclosure(tx, operator, request.pk, NOW)
        assert read_disclosure(tx, officer, request.pk, NOW)["note"] == "검은 우산"
        check_disclosure(tx, officer, request.pk, NOW)
        with pytest.raises(BadRequestError):
            answer_disclosure(tx, officer, request.pk, " ", NOW)
        answer_disclosure(tx, officer, request.pk, "제공된 영상이 없습니다.", NOW)
        with pytest.raises(ConflictError):
            refuse_disclosure(tx, officer, request.pk, "…", NOW)
    told = disclosure_by_receipt(authority.code, request.receipt.lower())
    assert told is not None and (told.state, told.answer) == ("answered", "제공된 영상이 없습니다.")
    assert disclosure_by_receipt("26440", request.receipt) is None
    with civic.reading() as tx:
        opened = tx.execute("SELECT COUNT(*) FROM journal_audit WHERE action = 'video.disclosure.opened'")
    assert opened[0][0] == 1


def test_a_question_unanswered_for_ten_days_shows_as_overdue(authority: Authority) -> None:
    request = ask(authority)
    assert request.due_at == NOW + timedelta(days=10)
    with civic.transaction() as tx:
        mark_overdue(tx, request.pk, request.due_at)
    assert DisclosureRequest.objects.get().overdue


@pytest.mark.parametrize(("start", "end"), [(1, 3), (-1, 2), (-24 * 40, 0)])
def test_a_question_about_no_possible_time_is_refused(authority: Authority, start: int, end: int) -> None:
    with civic.transaction() as tx, pytest.raises(BadRequestError):
        ask_disclosure(
            tx,
            authority=authority.code,
            place="a",
            from_at=NOW + timedelta(hours=start),
            to_at=NOW + timedelta(hours=end),
            contact="b",
            note="",
            now=NOW,
        )


def test_the_register_of_an_empty_month_is_empty(authority: Authority) -> None:
    assert register(authority.code, "2026-12") == []
    assert aggregate(authority.code, 2026) == []
