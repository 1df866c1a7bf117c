"""The live stream: what a screen hears, what it never hears, and when it is sent away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from madang.console.live import Pace
from madang.console.stream import Backlog, Event, parse_cursor
from madang.identity.models import Agency, Authority
from madang.identity.rights import Role
from madang.journal import changes, civic
from madang.kernel.clock import system_clock
from tests.console.conftest import Desk, OpenCall
from tests.console.listening import Ear, Heard, Running, listening, running, until

pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)
MakeDesk = Callable[..., Desk]


@pytest.fixture
def server() -> Iterator[Running]:
    with running(Pace(keep_alive_s=0.3, poll_s=0.2, gather_s=0.02, session_s=0.2, floating_s=0.2)) as here:
        yield here


def session_of(desk: Desk) -> str:
    return str(desk.client.cookies["sessionid"].value)


def about(ref: str) -> Callable[[Heard], bool]:
    return lambda heard: heard.name == "change" and heard.data["ref"] == ref


def hello(ear: Ear) -> Heard:
    first = ear.next()
    assert first.name == "hello"
    return first


def test_a_change_arrives_as_the_row_a_fresh_snapshot_holds(
    server: Running, desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    operator = desk(Role.OPERATOR)
    cursor = operator.get("/snapshot").json()["cursor"]
    with listening(server.url, session_of(operator), cursor=cursor) as ear:
        assert ear.response.headers["content-type"].startswith("text/event-stream")
        hello(ear)
        incident = open_call(police)
        heard = ear.until(about(incident.pk))[-1]
    (row,) = operator.get("/snapshot").json()["incidents"]
    assert heard.data == {"kind": "incident", "ref": incident.pk, "op": "upsert", "row": row}
    assert heard.id.isdigit()


def test_a_stream_that_broke_goes_on_where_it_was(
    server: Running, desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    operator = desk(Role.OPERATOR)
    with listening(server.url, session_of(operator)) as ear:
        seen = hello(ear).id
    missed = open_call(police)
    with listening(server.url, session_of(operator), cursor="0", last_event_id=seen) as ear:
        hello(ear)
        assert ear.until(about(missed.pk))[-1].data["op"] == "upsert"


@pytest.mark.parametrize("cursor", ["999999999", "-1", "abc", "9" * 30])
def test_an_unknown_cursor_is_told_to_start_over_and_then_hears_on(
    server: Running, desk: MakeDesk, police: Agency, open_call: OpenCall, cursor: str
) -> None:
    operator = desk(Role.OPERATOR)
    with listening(server.url, session_of(operator), cursor=cursor) as ear:
        assert ear.next().name == "reset"
        incident = open_call(police)
        assert ear.until(about(incident.pk))


def test_a_cursor_older_than_the_feed_is_kept_is_told_to_start_over(
    server: Running, desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    operator = desk(Role.OPERATOR)
    open_call(police)
    with civic.transaction() as tx:
        changes.purge_changes(tx, system_clock())
    with listening(server.url, session_of(operator), cursor="1") as ear:
        assert ear.next().name == "reset"


def test_nobody_hears_of_another_city_or_another_agency(
    server: Running,
    desk: MakeDesk,
    police: Agency,
    other_police: Agency,
    open_call: OpenCall,
    other_authority: Authority,
) -> None:
    theirs = Agency.objects.create(code="busan", authority=other_authority, kind="police", name_ko="부산")
    liaison, operator = desk(Role.POLICE_LIAISON, agency=police), desk(Role.OPERATOR)
    with (
        listening(server.url, session_of(liaison)) as liaisons_ear,
        listening(server.url, session_of(operator)) as operators_ear,
    ):
        hello(liaisons_ear)
        hello(operators_ear)
        far, other, ours = open_call(theirs), open_call(other_police), open_call(police)
        liaison_heard = liaisons_ear.until(about(ours.pk))
        operator_heard = operators_ear.until(about(ours.pk))
    rows = {heard.data["ref"]: heard.data["row"] for heard in liaison_heard if heard.data["kind"] == "incident"}
    assert rows[ours.pk] is not None
    assert other.pk not in {heard.data["ref"] for heard in liaison_heard}, "not even that something happened"
    assert {far.pk, other.pk} & {heard.data["ref"] for heard in operator_heard} == {other.pk}
    assert far.pk not in rows


def test_many_changes_of_one_thing_arrive_as_its_newest_row(
    server: Running, desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    operator = desk(Role.OPERATOR)
    cursor = operator.get("/snapshot").json()["cursor"]
    incident = open_call(police)
    operator.post(f"/incidents/{incident.pk}/claim")
    operator.post(f"/incidents/{incident.pk}/verify")
    operator.post(f"/incidents/{incident.pk}/activate")
    with listening(server.url, session_of(operator), cursor=cursor) as ear:
        hello(ear)
        heard = ear.until(about(incident.pk))
    assert heard[-1].data["row"]["state"] == "ACTIVE"


@pytest.mark.parametrize("ending", ["logout", "role", "inactive", "password", "session"])
def test_a_stream_ends_soon_after_the_right_to_it(server: Running, desk: MakeDesk, ending: str) -> None:
    operator = desk(Role.OPERATOR)
    with listening(server.url, session_of(operator)) as ear:
        hello(ear)
        if ending == "logout":
            operator.post("/logout")
        elif ending == "role":
            operator.person.role_assignments.all().delete()
        elif ending == "inactive":
            type(operator.person).objects.filter(pk=operator.person.pk).update(is_active=False)
        elif ending == "password":
            operator.person.set_password("another horse")
            operator.person.save()
        else:
            operator.client.session.flush()
        heard = ear.until(lambda event: event.name == "bye")
    assert heard[-1].name == "bye"


def test_without_a_session_there_is_no_stream(server: Running) -> None:
    answer = httpx.get(server.url, cookies={"sessionid": "made-up"}, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert httpx.post(server.url, trust_env=False).status_code == 405


def test_a_quiet_stream_says_that_it_lives(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    with running(Pace(keep_alive_s=0.1, floating_s=60)) as server, listening(server.url, session_of(operator)) as ear:
        hello(ear)
        until(lambda: ear.heard_comment())


def test_stopping_ends_every_stream_at_once(server: Running, desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    with listening(server.url, session_of(operator)) as ear:
        hello(ear)
        server.stop_streams()
        assert ear.until(lambda heard: heard.name == "bye")
    assert not server.app.feed.readers


def test_a_reader_that_left_is_forgotten(server: Running, desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    with listening(server.url, session_of(operator)) as ear:
        hello(ear)
        assert len(server.app.feed.readers) == 1
    until(lambda: not server.app.feed.readers)


def test_too_many_streams_are_turned_away(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    with running(Pace(readers=1)) as server, listening(server.url, session_of(operator)) as ear:
        hello(ear)
        refused = httpx.get(server.url, cookies={"sessionid": session_of(operator)}, trust_env=False)
        assert refused.status_code == 503


# ------------------------------------------------------------------------------------------ what waits


def test_a_backlog_keeps_the_newest_of_each_thing_in_order() -> None:
    backlog = Backlog(10)
    events = [
        Event(1, "incident", "a", "upsert"),
        Event(2, "incident", "b", "upsert"),
        Event(3, "incident", "a", "remove"),
    ]
    backlog.add(((event.kind, event.ref), event.frame()) for event in events)
    assert backlog.take() == events[1].frame() + events[2].frame()
    assert len(backlog) == 0


def test_a_backlog_that_overflows_says_so_and_starts_over() -> None:
    backlog = Backlog(2)
    backlog.add((("incident", str(number)), b"x") for number in range(3))
    assert backlog.overflowed
    assert backlog.take() == b""
    backlog.clear()
    assert not backlog.overflowed


def test_cursors_are_numbers_or_nothing() -> None:
    assert parse_cursor(None) is None
    assert parse_cursor("") is None
    assert parse_cursor("12") == 12
    assert [parse_cursor(text) for text in ("-1", "x", "１２", "9" * 40)] == [-1, -1, -1, -1]
