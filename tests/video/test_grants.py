"""A grant rests on a case and a ruling; closing the case ends everything under it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from madang.identity.actors import actor_of_agency, actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic, timers
from madang.kernel.errors import ConflictError, ForbiddenError, NotFoundError
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.video.commands import (
    Recipient,
    close_case,
    decide_grant,
    extend_grant,
    move_case,
    open_lease,
    put_sites,
    renew_lease,
    request_grant,
    revoke_grant,
)
from madang.video.commands.grants import expire_grant
from madang.video.commands.leases import start_view, stop_view
from madang.video.legal import LegalBasis
from madang.video.models import Camera, Case, GrantVersion, Lease, ProvisionRecord, VideoGrant, ViewSession
from madang.video.queries import aggregate, camera_ids_of, grants_of, rank_for_case
from tests.conftest import MakePerson
from tests.video.conftest import OpenCase, ring

URGENT: dict[str, str | int] = {"crime_class": "robbery", "code": 0}


def ask(
    actor: Actor,
    case: Case,
    now: datetime,
    *,
    cameras: list[str] | None = None,
    facts: dict[str, str | int] | None = None,
) -> VideoGrant:
    ids = [ranked.id for ranked in rank_for_case(case.pk, 12)] if cameras is None else cameras
    with civic.transaction() as tx:
        return request_grant(
            tx,
            actor,
            case_id=case.pk,
            recipient=Recipient("agency", actor.agency),
            rights=["live"],
            camera_ids=ids,
            facts=URGENT if facts is None else facts,
            now=now,
        )


def topics() -> list[str]:
    with civic.reading() as tx:
        return [row[0] for row in tx.execute("SELECT topic FROM journal_outbox ORDER BY seq")]


def test_an_urgent_violent_crime_is_approved_by_the_published_rule(
    police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    grant = ask(police, case_of(), now)
    assert grant.state == "APPROVED"
    assert grant.decided_by == "video-grant@1#police-violent-urgent"
    assert set(camera_ids_of(grant)) == {camera.pk for camera in cameras}
    assert grant.expires_at == now + timedelta(hours=1)
    assert topics()[-2:] == ["video.grant.requested", "video.grant.approved"]


@pytest.mark.parametrize("facts", [{"crime_class": "robbery", "code": 2}, {"crime_class": "theft", "code": 0}, {}])
def test_everything_else_is_asked_of_a_person(
    police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime, facts: dict[str, str | int]
) -> None:
    grant = ask(police, case_of(), now, facts=facts)
    assert grant.state == "PENDING_HUMAN"
    with civic.transaction() as tx, pytest.raises(ForbiddenError):
        open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=now)


@pytest.mark.parametrize("basis", ["", "no_such_law", LegalBasis.CITY_DUTY])
def test_a_request_without_a_lawful_basis_is_denied_and_recorded(
    police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime, basis: str
) -> None:
    grant = ask(police, case_of(basis=basis), now)
    assert grant.state == "DENIED"
    assert topics()[-1] == "video.grant.denied"
    assert not ProvisionRecord.objects.filter(grant=grant).exists()


def test_those_of_an_agency_ask_for_that_agency_only(
    police: Actor,
    make_person: MakePerson,
    case_of: OpenCase,
    cameras: list[Camera],
    authority: Authority,
    now: datetime,
) -> None:
    liaison = actor_of_person(make_person(Role.POLICE_LIAISON, agency=Agency.objects.get(code=police.agency)))
    Agency.objects.create(code="other-police", authority=authority, kind="police", name_ko="다른 경찰")
    case = case_of()
    for asker in (police, liaison):
        for recipient in (Recipient("agency", "other-police"), Recipient("control_room", authority.code)):
            with civic.transaction() as tx, pytest.raises(ForbiddenError):
                request_grant(
                    tx,
                    asker,
                    case_id=case.pk,
                    recipient=recipient,
                    rights=["live"],
                    camera_ids=[],
                    facts=URGENT,
                    now=now,
                )


def test_the_caller_cannot_claim_facts_only_the_platform_may_state(
    police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    grant = ask(
        police,
        case_of(basis="no_such_law"),
        now,
        facts={**URGENT, "basis": "pipa_18_2_3", "agency_kind": "control_room"},
    )
    assert grant.state == "DENIED"


def test_a_person_decides_and_nobody_decides_their_own_request(
    operator: Actor, supervisor: Actor, police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    pending = ask(police, case_of(), now, facts={"code": 3})
    with civic.transaction() as tx:
        approved = decide_grant(tx, supervisor, pending.pk, True, "현장 확인", now)
    assert (approved.state, approved.decided_by) == ("APPROVED", supervisor.id)

    own = ask(police, case_of(), now, facts={"code": 3})
    VideoGrant.objects.filter(pk=own.pk).update(requested_by=supervisor.id)
    with civic.transaction() as tx, pytest.raises(ForbiddenError):
        decide_grant(tx, supervisor, own.pk, True, "", now)
    with civic.transaction() as tx, pytest.raises(ForbiddenError):
        decide_grant(tx, operator, own.pk, True, "", now)


def test_cameras_outside_the_case_are_refused(
    police: Actor, case_of: OpenCase, cameras: list[Camera], authority: Authority, corner: Point, now: datetime
) -> None:
    far = destination(corner, 90, 3_000)
    with civic.transaction() as tx:
        rows = ring(1, 60.0, key="far")
        put_sites(tx, authority.code, [type(rows[0])(source_key="far", lon=far.lon, lat=far.lat)], now, Mode.SIMULATED)
    stranger = Camera.objects.get(site__source_key="far")
    with pytest.raises(ForbiddenError, match="outside the case"):
        ask(police, case_of(), now, cameras=[stranger.pk])


def test_another_citys_camera_is_refused(
    police: Actor, case_of: OpenCase, cameras: list[Camera], other_authority: Authority, now: datetime
) -> None:
    with civic.transaction() as tx:
        put_sites(tx, other_authority.code, ring(1, 60.0, key="theirs"), now, Mode.SIMULATED)
    theirs = Camera.objects.get(authority=other_authority)
    with pytest.raises(ForbiddenError):
        ask(police, case_of(), now, cameras=[theirs.pk])


def test_real_cameras_are_never_part_of_a_simulated_case(
    police: Actor, case_of: OpenCase, authority: Authority, now: datetime
) -> None:
    with civic.transaction() as tx:
        put_sites(tx, authority.code, ring(2, 60.0, key="real"), now, Mode.LIVE)
    case = case_of()
    assert rank_for_case(case.pk, 12) == []
    grant = ask(police, case, now, cameras=list(Camera.objects.values_list("pk", flat=True)))
    assert camera_ids_of(grant) == []
    assert grant.facts["other_mode_left_out"] == 2


def test_closing_the_case_ends_every_grant_and_lease(
    police: Actor, operator: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    case = case_of()
    approved, pending = ask(police, case, now), ask(police, case, now, facts={})
    with civic.transaction() as tx:
        open_lease(tx, police, camera_id=cameras[0].pk, grant_id=approved.pk, viewer_name="김순경", now=now)
    with civic.transaction() as tx:
        close_case(tx, operator, case.pk, "상황 종료", now)
    assert {grant.state for grant in grants_of(case.pk)} == {"INCIDENT_CLOSED"}
    assert Lease.objects.get().end_reason == "grant_ended"
    with civic.reading() as tx:
        assert tx.execute("SELECT COUNT(*) FROM journal_outbox WHERE topic = 'video.grant.ended' AND ending")[0][0] == 2
    with civic.transaction() as tx, pytest.raises(NotFoundError):
        move_case(tx, case.pk, Point(128.9, 35.2), now)
    with pytest.raises(ConflictError, match="closed"):
        ask(police, case, now, cameras=[])
    assert pending.case_id == approved.case_id


def test_a_grant_expires_by_its_timer_and_only_once(
    police: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    grant = ask(police, case_of(), now)
    assert grant.expires_at is not None
    with civic.transaction() as tx:
        expire_grant(tx, grant.pk, now + timedelta(minutes=1))
    grant.refresh_from_db()
    assert grant.state == "APPROVED"
    for _ in range(2):
        with civic.transaction() as tx:
            expire_grant(tx, grant.pk, grant.expires_at)
    grant.refresh_from_db()
    assert grant.state == "EXPIRED"
    assert topics().count("video.grant.ended") == 1


def test_an_extension_is_a_new_version_within_the_cap(
    police: Actor, supervisor: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    grant = ask(police, case_of(), now)
    later = now + timedelta(minutes=50)
    with civic.transaction() as tx:
        extend_grant(tx, supervisor, grant.pk, "수색 계속", later, duration_s=100_000)
    grant.refresh_from_db()
    assert grant.version == 2
    assert grant.expires_at == later + timedelta(hours=2)
    assert list(GrantVersion.objects.filter(grant=grant).values_list("version", "step")) == [
        (1, "approve"),
        (2, "extend"),
    ]
    assert ProvisionRecord.objects.get(grant=grant).to_at == grant.expires_at
    with civic.reading() as tx:
        due = tx.execute("SELECT due_at FROM journal_timer WHERE kind = 'video.grant.expire' AND key = ?", (grant.pk,))
    assert due[0][0].startswith("2026-11-22T05:50:00")
    assert timers.TIMER_COLUMNS


def test_when_the_place_moves_rules_follow_and_leases_elsewhere_end(
    police: Actor, case_of: OpenCase, cameras: list[Camera], authority: Authority, corner: Point, now: datetime
) -> None:
    case = case_of(radius_m=200)
    grant = ask(police, case, now)
    with civic.transaction() as tx:
        open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=now)
    new_place = destination(corner, 90, 2_000)
    at = destination(new_place, 0, 30)
    row = ring(1, 60.0, key="new")[0]
    moved_row = type(row)(source_key="new", lon=at.lon, lat=at.lat, purpose="생활방범", pixels_mp=2.0)
    with civic.transaction() as tx:
        put_sites(tx, authority.code, [moved_row], now, Mode.SIMULATED)
    with civic.transaction() as tx:
        move_case(tx, case.pk, new_place, now)
    grant.refresh_from_db()
    assert grant.version == 2
    assert camera_ids_of(grant) == [Camera.objects.get(site__source_key="new").pk]
    assert Lease.objects.get().end_reason == "place_changed"


def test_a_lease_is_for_the_one_who_received_the_grant(
    police: Actor,
    operator: Actor,
    make_person: MakePerson,
    case_of: OpenCase,
    cameras: list[Camera],
    other_authority: Authority,
    authority: Authority,
    now: datetime,
) -> None:
    grant = ask(police, case_of(), now)
    other_room = Agency.objects.create(code="other-police", authority=authority, kind="police", name_ko="다른 경찰")
    strangers = [
        actor_of_agency(other_room),
        operator,
        actor_of_person(make_person(Role.OPERATOR, authority=other_authority)),
        actor_of_person(make_person(Role.ADMINISTRATOR)),
    ]
    for stranger in strangers:
        with civic.transaction() as tx, pytest.raises(NotFoundError):
            open_lease(tx, stranger, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="x", now=now)


def test_a_lease_lasts_half_a_minute_and_is_renewed_while_the_grant_lives(
    police: Actor, supervisor: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    grant = ask(police, case_of(), now)
    with civic.transaction() as tx:
        ticket = open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=now)
    assert ticket.expires_at == now + timedelta(seconds=30)
    grant.refresh_from_db()
    assert grant.state == "ACTIVE"
    soon = now + timedelta(seconds=15)
    with civic.transaction() as tx:
        again = renew_lease(tx, police, ticket.lease_id, soon)
    assert again.expires_at == soon + timedelta(seconds=30)
    assert again.lease_id == ticket.lease_id
    with civic.transaction() as tx:
        revoke_grant(tx, supervisor, grant.pk, "잘못된 요청", soon)
    with civic.transaction() as tx, pytest.raises(ConflictError):
        renew_lease(tx, police, ticket.lease_id, soon)


def test_a_role_taken_away_takes_the_picture_away(
    operator: Actor, case_of: OpenCase, cameras: list[Camera], authority: Authority, now: datetime
) -> None:
    case = case_of()
    with civic.transaction() as tx:
        grant = request_grant(
            tx,
            operator,
            case_id=case.pk,
            recipient=Recipient("control_room", authority.code),
            rights=["live"],
            camera_ids=[cameras[0].pk],
            facts={},
            now=now,
        )
        ticket = open_lease(tx, operator, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="", now=now)
    with civic.transaction() as tx:
        renew_lease(tx, operator, ticket.lease_id, now)
    demoted = replace(operator, roles={authority.code: frozenset({Role.CITY_OFFICER})})
    with civic.transaction() as tx, pytest.raises(ForbiddenError):
        renew_lease(tx, demoted, ticket.lease_id, now)
    with civic.transaction() as tx, pytest.raises(NotFoundError):
        renew_lease(tx, replace(operator, roles={}), ticket.lease_id, now)


def test_views_are_counted_into_the_register(
    police: Actor, operator: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    case = case_of()
    grant = ask(police, case, now)
    with civic.transaction() as tx:
        ticket = open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=now)
        assert isinstance(start_view(tx, lease_id=ticket.lease_id, view_id="view-1", now=now), ViewSession)
        assert isinstance(start_view(tx, lease_id=ticket.lease_id, view_id="view-1", now=now), ViewSession)
    for _ in range(2):
        with civic.transaction() as tx:
            stop_view(
                tx, view_id="view-1", now=now + timedelta(seconds=12), seconds=12.0, bytes_sent=9, code=1000, reason=""
            )
    record = ProvisionRecord.objects.get(grant=grant)
    assert (record.views, record.seconds, record.act) == (1, 12.0, "provision")
    with civic.reading() as tx:
        actions = [
            row[0]
            for row in tx.execute("SELECT action FROM journal_audit WHERE action LIKE 'video.view%' ORDER BY seq")
        ]
    assert actions == ["video.view.started", "video.view.stopped"]


def test_no_view_starts_once_the_grant_has_ended(
    police: Actor, operator: Actor, case_of: OpenCase, cameras: list[Camera], now: datetime
) -> None:
    case = case_of()
    grant = ask(police, case, now)
    with civic.transaction() as tx:
        ticket = open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=now)
    with civic.transaction() as tx:
        close_case(tx, operator, case.pk, "종료", now)
    with civic.transaction() as tx:
        assert start_view(tx, lease_id=ticket.lease_id, view_id="view-2", now=now) == "revoked"
        assert start_view(tx, lease_id="nothing", view_id="view-3", now=now) == "unknown"
    assert not ViewSession.objects.exists()


def test_the_public_page_leaves_investigations_out(
    police: Actor, case_of: OpenCase, cameras: list[Camera], authority: Authority, now: datetime
) -> None:
    ask(police, case_of(basis=LegalBasis.INVESTIGATION), now)
    ask(police, case_of(basis=LegalBasis.URGENT_LIFE), now)
    shown = aggregate(authority.code, 2026, modes=list(Mode))
    assert [(line.basis, line.provisions) for line in shown] == [("pipa_18_2_3", 1)]
    assert ProvisionRecord.objects.count() == 2
    assert aggregate(authority.code, 2026) == []
