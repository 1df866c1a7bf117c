"""What every store promises. Each storage's test module subclasses `StoreContract` and says how to open one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from madang.hub import changes as change
from madang.hub.changes import Mutation, Op, Outcome, Stored
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import NULL, Json, read_entity, read_fragment
from madang.hub.errors import AlreadyExistsError, CursorLostError, ResourceNotFoundError
from madang.hub.query import parse_query
from madang.hub.store import Observed, Store, WriteTx
from madang.journal.session import Session
from madang.kernel.clock import Clock
from tests.hub.client import run, sensor, spot

OpenStore = Callable[[HubConfig, Clock], AbstractAsyncContextManager[Store]]


class Ticking:
    """A clock that goes on one second each time it is read, and can be moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def create(number: int, **attributes: Json) -> Mutation:
    return change.create(read_entity(sensor(number, **attributes), CORE_CONTEXT))


def append(number: int, **attributes: Json) -> Mutation:
    return change.append(f"urn:ngsi-ld:Sensor:{number}", read_fragment(attributes, CORE_CONTEXT))


async def apply(store: Store, mutation: Mutation, tenant: str = "one", source: str = "test") -> Outcome:
    return await store.write(lambda tx: tx.apply(tenant, mutation, source))


def _value(stored: Stored | None) -> Json:
    return None if stored is None else stored.attributes()["a"]["value"]


class StoreContract:
    """The suite."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    def test_a_write_is_there_when_it_returns(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1, a=1))
                stored = await store.retrieve("one", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.document() == sensor(1, a=1)
                assert (stored.version, stored.created_ms) == (1, stored.modified_ms)

        run(body)

    def test_what_was_written_is_there_after_reopening(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1, a=1, location=spot(1, 2)))
                _, cursor = await store.changes("one", None, 10)
            async with open_store(HubConfig(), Ticking()) as store:
                stored = await store.retrieve("one", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.document() == sensor(1, a=1, location=spot(1, 2))
                await apply(store, create(2))
                found, _ = await store.changes("one", cursor, 10)
                assert [one.entity_id for one in found] == ["urn:ngsi-ld:Sensor:2"]
                near = parse_query({"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[1,2]"})
                assert len((await store.query("one", near)).entities) == 1

        run(body)

    def test_a_refusal_leaves_no_trace(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1, a=1))
                assert isinstance(await apply(store, create(1, a=2)), AlreadyExistsError)
                assert isinstance(await apply(store, append(2, a=2)), ResourceNotFoundError)
                found, _ = await store.changes("one", None, 10)
                assert len(found) == 1

        run(body)

    def test_writes_at_once_lose_nothing_and_are_all_in_the_feed(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1))
                await asyncio.gather(*(apply(store, append(1, **{f"a{n}": n})) for n in range(200)))
                stored = await store.retrieve("one", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.document() == sensor(1, **{f"a{n}": n for n in range(200)})
                assert stored.version == 201
                found, _ = await store.changes("one", None, 1000)
                assert [one.op for one in found] == [Op.CREATED] + [Op.UPDATED] * 200
                assert {name for one in found[1:] for name in one.attributes()} == {f"a{n}" for n in range(200)}

        run(body)

    def test_the_feed_tells_everything_in_order_from_any_cursor(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1, a=1), source="radar")
                await apply(store, append(1, a=2))
                await apply(
                    store, change.merge("urn:ngsi-ld:Sensor:1", read_fragment({"a": NULL}, CORE_CONTEXT, nulls=True))
                )
                await apply(store, change.delete("urn:ngsi-ld:Sensor:1"))
                await apply(store, create(1, b=1))
                found, last = await store.changes("one", None, 100)
                assert [(one.op, one.attributes()) for one in found] == [
                    (Op.CREATED, {"a": {"type": "Property", "value": 1}}),
                    (Op.UPDATED, {"a": {"type": "Property", "value": 2}}),
                    (Op.UPDATED, {"a": None}),
                    (Op.DELETED, {}),
                    (Op.CREATED, {"b": {"type": "Property", "value": 1}}),
                ]
                assert found[0].source == "radar"
                assert all(one.types == ("Sensor",) for one in found)
                assert [one.at for one in found] == sorted(one.at for one in found)
                cursor, seen = None, []
                while True:
                    page, cursor = await store.changes("one", cursor, 2)
                    if not page:
                        break
                    seen += page
                assert seen == found
                assert cursor == last == store.latest_cursor("one")

        run(body)

    def test_a_follower_sees_each_change_once_while_others_write(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(group_max=7), Ticking()) as store:
                cursor = store.latest_cursor("one")
                writing = asyncio.gather(*(apply(store, create(n)) for n in range(300)))
                seen: list[str] = []
                while len(seen) < 300:
                    page, cursor = await store.changes("one", cursor, 50)
                    seen += [one.entity_id for one in page]
                    await asyncio.sleep(0)
                await writing
                assert sorted(seen) == sorted(f"urn:ngsi-ld:Sensor:{n}" for n in range(300))

        run(body)

    def test_cursors_of_other_tenants_stores_and_inventions_are_refused(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1))
                await apply(store, create(1), tenant="two")
                _, foreign = await store.changes("two", None, 10)
                for cursor in (foreign, "", "AAAA", "ZQ.1.x", "é", foreign[:-4]):
                    with pytest.raises(CursorLostError):
                        await store.changes("one", cursor, 10)

        run(body)

    def test_trimmed_changes_are_told_as_lost_and_never_skipped(self, open_store: OpenStore) -> None:
        async def body() -> None:
            clock = Ticking()
            async with open_store(HubConfig(), clock) as store:
                await apply(store, create(1))
                [first], cursor = await store.changes("one", None, 1)
                await apply(store, create(2))
                await apply(store, create(3))
                found, _ = await store.changes("one", cursor, 10)
                assert await store.trim(found[-1].at) == 2
                with pytest.raises(CursorLostError):
                    await store.changes("one", cursor, 10)
                kept, _ = await store.changes("one", None, 10)
                assert [one.entity_id for one in kept] == ["urn:ngsi-ld:Sensor:3"]
                assert (await store.changes("one", found[0].cursor, 10))[0] == kept
                assert first.entity_id == "urn:ngsi-ld:Sensor:1"
                await store.trim(clock() + timedelta(days=1))
                latest = store.latest_cursor("one")
            async with open_store(HubConfig(), clock) as store:
                assert store.latest_cursor("one") == latest
                await apply(store, create(4))
                page, _ = await store.changes("one", latest, 10)
                assert [one.entity_id for one in page] == ["urn:ngsi-ld:Sensor:4"]

        run(body)

    def test_time_never_goes_back_in_the_feed(self, open_store: OpenStore) -> None:
        async def body() -> None:
            clock = Ticking()
            async with open_store(HubConfig(), clock) as store:
                await apply(store, create(1))
                clock.now -= timedelta(hours=1)
                await apply(store, create(2))
                found, _ = await store.changes("one", None, 10)
                assert found[0].at <= found[1].at

        run(body)

    def test_a_unit_that_fails_takes_no_neighbour_with_it(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:

                def broken(tx: WriteTx) -> None:
                    tx.apply("one", create(99), "test")
                    raise RuntimeError("broken")

                jobs = [apply(store, create(n)) for n in range(5)]
                results = await asyncio.gather(
                    *jobs, store.write(broken), apply(store, create(6)), return_exceptions=True
                )
                assert [type(one) for one in results].count(RuntimeError) == 1
                assert await store.retrieve("one", "urn:ngsi-ld:Sensor:99") is None
                for number in (0, 1, 2, 3, 4, 6):
                    assert await store.retrieve("one", f"urn:ngsi-ld:Sensor:{number}") is not None
                found, _ = await store.changes("one", None, 100)
                assert len(found) == 6

        run(body)

    def test_the_spatial_index_follows_every_move(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:

                async def near(lon: float, lat: float) -> int:
                    query = parse_query(
                        {
                            "georel": "near;maxDistance==100",
                            "geometry": "Point",
                            "coordinates": f"[{lon},{lat}]",
                            "count": "true",
                        }
                    )
                    return (await store.query("one", query)).total or 0

                await apply(store, create(1, location=spot(10, 10), a=1))
                assert await near(10, 10) == 1
                await apply(store, append(1, a=2))
                assert await near(10, 10) == 1
                await apply(store, append(1, location=spot(20, 20)))
                assert (await near(10, 10), await near(20, 20)) == (0, 1)
                await apply(store, change.delete_attribute("urn:ngsi-ld:Sensor:1", "location"))
                assert await near(20, 20) == 0
                await apply(store, append(1, location=spot(30, 30)))
                await apply(store, change.delete("urn:ngsi-ld:Sensor:1"))
                assert await near(30, 30) == 0
                await apply(store, create(1, location=spot(40, 40)))
                assert await near(40, 40) == 1

        run(body)

    def test_a_mirror_may_be_sent_again_in_any_order(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:

                def mirrored(version: int) -> Mutation:
                    entity = read_entity(sensor(1, state=version), CORE_CONTEXT)
                    return change.upsert(entity, source_version=version)

                for version in (2, 1, 2, 3, 3, 1):
                    await apply(store, mirrored(version))
                stored = await store.retrieve("one", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.document() == sensor(1, state=3)
                found, _ = await store.changes("one", None, 10)
                assert len(found) == 2

        run(body)

    def test_readings_taken_together_leave_what_they_leave_one_by_one(self, open_store: OpenStore) -> None:
        shapes = {"a": 1}

        def reading(number: int, value: int, at: str) -> Mutation:
            attributes = {"a": {"type": "Property", "value": value, "observedAt": f"2026-11-22T00:00:0{at}Z"}}
            return change.reading(f"urn:ngsi-ld:Sensor:{number}", ("Sensor",), attributes, shapes)

        said = [(1, 1, "3"), (2, 2, "1"), (1, 3, "4"), (1, 4, "2"), (2, 5, "1"), (1, 6, "4.5"), (2, 7, "0")]
        refused = change.create(read_entity(sensor(1, a=1), CORE_CONTEXT))

        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                readings = [reading(*one) for one in said]
                told = await store.write(lambda tx: tx.take("one", [*readings, refused], "s"))
                for one in readings:
                    await apply(store, one, "two", "s")
                for number in (1, 2):
                    together = await store.retrieve("one", f"urn:ngsi-ld:Sensor:{number}")
                    singly = await store.retrieve("two", f"urn:ngsi-ld:Sensor:{number}")
                    assert together is not None
                    assert singly is not None
                    assert (together.body, together.version) == (singly.body, singly.version)
                feeds = [(await store.changes(tenant, None, 99))[0] for tenant in ("one", "two")]
                left = [[(one.entity_id, one.op, one.raw) for one in feed] for feed in feeds]
                assert left[0] == left[1]
                assert len(left[0]) == len(said)
                assert [(entity_id, type(why)) for entity_id, why in told] == [(refused.entity_id, AlreadyExistsError)]

        run(body)

    def test_a_late_reading_goes_to_history_and_leaves_the_state(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:

                def reading(value: int, at: str) -> Mutation:
                    member = {"type": "Property", "value": value, "observedAt": at}
                    return change.ingest(read_entity(sensor(1, speed=member), CORE_CONTEXT))

                for value, at in (
                    (1, "2026-11-22T00:00:05Z"),
                    (2, "2026-11-22T00:00:04.9Z"),
                    (3, "2026-11-22T00:00:05.1Z"),
                ):
                    await apply(store, reading(value, at))
                stored = await store.retrieve("one", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.attributes()["speed"]["value"] == 3
                found, _ = await store.changes("one", None, 10)
                assert [one.op for one in found] == [Op.CREATED, Op.LATE, Op.UPDATED]

        run(body)

    def test_sources_and_rejects_are_counted_and_rejects_are_bounded(self, open_store: OpenStore) -> None:
        async def body() -> None:
            clock = Ticking()
            async with open_store(HubConfig(rejects_kept=5, stale_after_s=60), clock) as store:
                await store.write(lambda tx: tx.heard("one", "mqtt:air", 3))
                for number in range(8):
                    await store.write(lambda tx, n=number: tx.reject("one", "mqtt:air", f"bad {n}", b"x" * 9000))  # type: ignore[misc] # a default binds the number
                summary = await store.reject_summary("one")
                assert (summary.total, summary.by_source) == (8, {"mqtt:air": 8})
                assert [one.reason for one in summary.latest] == [f"bad {n}" for n in (7, 6, 5, 4, 3)]
                assert len(summary.latest[0].raw) == 4096
                [feed] = await store.feeds("one")
                assert (feed.readings, feed.rejects, feed.stale) == (3, 8, False)
                clock.now += timedelta(seconds=61)
                assert (await store.feeds("one"))[0].stale
                assert await store.feeds("two") == []

        run(body)

    def test_a_backup_is_whole_and_opens_by_itself(self, open_store: OpenStore, tmp_path: Path) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await asyncio.gather(*(apply(store, create(n)) for n in range(100)))
                writing = asyncio.gather(*(apply(store, create(n)) for n in range(100, 400)))
                await store.backup(tmp_path / "copy.sqlite3")
                await writing
                with pytest.raises(Exception, match="exists already"):
                    await store.backup(tmp_path / "copy.sqlite3")
            async with self.open_copy(tmp_path / "copy.sqlite3") as copy:
                count = parse_query({"type": "Sensor", "count": "true", "limit": "0"})
                entities = (await copy.query("one", count)).total
                found, _ = await copy.changes("one", None, 1000)
                assert entities == len(found) >= 100

        run(body)

    def test_an_observer_sees_each_change_before_and_after_in_the_order_of_the_feed(
        self, open_store: OpenStore
    ) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, create(1, a=0))
                seen: list[tuple[str, Observed]] = []
                store.observe(lambda _tx, tenant, observed: seen.extend((tenant, one) for one in observed))
                entity_id = "urn:ngsi-ld:Sensor:1"
                await asyncio.gather(*(apply(store, append(1, a=n)) for n in range(1, 6)), apply(store, create(2)))
                await apply(store, append(3, a=1))
                await apply(store, change.delete(entity_id))
                assert {tenant for tenant, _ in seen} == {"one"}
                changes = [one for _, one in seen]
                assert [one.seq for one in changes] == sorted(one.seq for one in changes)
                found, _ = await store.changes("one", None, 100)
                assert [one.entity_id for one in changes] == [one.entity_id for one in found][1:]
                own = [one for one in changes if one.entity_id == entity_id]
                told = [(_value(one.before), _value(one.after)) for one in own]
                assert told == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, None)]
                assert changes[5].before is None
                number = store.number("one")
                assert number is not None
                assert {one.seq >> 40 for one in changes} == {number}

        run(body)

    def test_what_an_observer_writes_commits_with_the_change_or_not_at_all(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:

                def note(tx: WriteTx, _tenant: str, observed: Sequence[Observed]) -> None:
                    for one in observed:
                        tx.session.execute("INSERT INTO meta VALUES (?, ?)", (f"seen.{one.entity_id}", str(one.seq)))
                        if one.entity_id.endswith(":13"):
                            raise RuntimeError("the observer is broken")

                store.observe(note)
                await apply(store, create(1))
                with pytest.raises(RuntimeError, match="broken"):
                    await apply(store, create(13))
                assert await store.retrieve("one", "urn:ngsi-ld:Sensor:13") is None
                sql = "SELECT name FROM meta WHERE name LIKE 'seen.%'"
                assert await store.read(lambda session: session.execute(sql)) == [("seen.urn:ngsi-ld:Sensor:1",)]
                found, _ = await store.changes("one", None, 10)
                assert len(found) == 1

        run(body)

    def test_a_read_sees_one_moment_and_cannot_write(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                await asyncio.gather(*(apply(store, create(n)) for n in range(20)))
                going_on = threading.Event()

                def counted_twice(session: Session) -> tuple[int, int]:
                    sql = "SELECT count(*) FROM change"
                    first = session.execute(sql)[0][0]
                    assert going_on.wait(20)
                    return first, session.execute(sql)[0][0]

                reading = asyncio.ensure_future(store.read(counted_twice))
                await asyncio.sleep(0)
                await asyncio.gather(*(apply(store, create(n)) for n in range(20, 40)))
                going_on.set()
                first, second = await reading
                assert first == second
                with pytest.raises(Exception, match=r"(?i)read-?only"):
                    await store.read(lambda session: session.execute("INSERT INTO meta VALUES ('x', 'y')"))
                assert (await store.read(lambda session: session.execute("SELECT count(*) FROM change")))[0][0] == 40

        run(body)

    def test_a_tenant_has_its_number_in_the_tables_once_written_to(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                assert store.number("one") is None
                await apply(store, create(1))
                await apply(store, create(1), tenant="two")
                numbers = {code: store.number(code) for code in ("one", "two")}
                rows = await store.read(lambda session: session.execute("SELECT code, id FROM tenant"))
                assert dict(rows) == numbers
                owners = await store.read(lambda session: session.execute("SELECT tenant FROM entity ORDER BY key"))
                assert [row[0] for row in owners] == [numbers["one"], numbers["two"]]

        run(body)

    def test_when_an_entity_expires_is_kept_beside_it(self, open_store: OpenStore) -> None:
        async def body() -> None:
            at = "2026-11-23T00:00:00Z"
            ms = int(datetime.fromisoformat(at).timestamp() * 1000)
            async with open_store(HubConfig(), Ticking()) as store:
                await apply(store, change.create(read_entity(sensor(1, a=1) | {"expiresAt": at}, CORE_CONTEXT)))
                await apply(store, create(2, a={"type": "Property", "value": 1, "expiresAt": at}))
                await apply(store, create(3, a=1))
            async with open_store(HubConfig(), Ticking()) as store:
                kept = [await store.retrieve("one", f"urn:ngsi-ld:Sensor:{n}") for n in (1, 2, 3)]
                assert [one.expires_ms for one in kept if one is not None] == [ms, ms, None]
                sql = "SELECT id FROM entity WHERE expires_ms <= ? ORDER BY key"
                due = await store.read(lambda session: session.execute(sql, (ms,)))
                assert [row[0] for row in due] == ["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"]

        run(body)

    def test_a_wake_is_heard_after_the_commit_and_not_without_one(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                heard = asyncio.Event()
                stop = store.listen("work", heard.set)

                def failing(tx: WriteTx) -> None:
                    tx.session.wake("work")
                    raise RuntimeError("not committed")

                with pytest.raises(RuntimeError):
                    await store.write(failing)
                await store.write(lambda tx: tx.session.wake("other"))
                assert not heard.is_set()
                await store.write(lambda tx: tx.session.wake("work"))
                await asyncio.wait_for(heard.wait(), 10)
                stop()
                heard.clear()
                await store.write(lambda tx: tx.session.wake("work"))
                assert not heard.is_set()

        run(body)

    def test_a_lease_is_had_when_nobody_else_has_it(self, open_store: OpenStore) -> None:
        async def body() -> None:
            async with open_store(HubConfig(), Ticking()) as store:
                for _ in range(2):
                    async with store.lease("rolling") as lease:
                        await asyncio.wait_for(lease.acquired(), 10)
                        assert lease.held
                        async with store.lease("rolling") as same:
                            await asyncio.wait_for(same.acquired(), 10)
                            assert same.held
                        assert lease.held

        run(body)

    def open_copy(self, path: Path) -> AbstractAsyncContextManager[Store]:
        raise NotImplementedError
