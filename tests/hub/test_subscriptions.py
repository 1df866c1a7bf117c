"""Subscriptions that keep promises: nothing lost, in order, nobody delayed by others, what fails seen by a person."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.hub.subscriptions import outgoing
from madang.hub.subscriptions.desk import Health
from madang.identity.rights import Actor, ActorKind, Deed, Role, TypeRight
from madang.kernel.errors import NotFoundError
from tests.hub.certificates import certified
from tests.hub.clauses.subscribing import (
    PATIENCE_S,
    QUICK,
    Desk,
    Receiver,
    client_of,
    desk,
    good,
    receiving,
    subscription,
    turns,
    until,
)
from tests.hub.client import Client, Json, run, sensor
from tests.hub.conftest import OpenHub

ID = "urn:ngsi-ld:Subscription:1"


async def _write(one: Desk, values: Iterable[int]) -> None:
    for value in values:
        await good(one.client.post("/entityOperations/upsert", [sensor(1, a=value)]))


def _values(receiver: Receiver, path: str = "/told") -> list[int]:
    return [one.entity["a"]["value"] for one in receiver.at(path)]


async def _health(hub: Hub, subscription_id: str = ID) -> Health:
    return next(one for one in await hub.subscriptions.health("open") if one.id == subscription_id)


def test_notifications_come_in_the_order_of_the_changes(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe()
            await _write(one, range(150))
            await one.receiver.wait(150)
            assert _values(one.receiver) == [*range(150)]

    run(test)


def test_an_endpoint_that_accepts_and_never_answers_delays_nobody(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub, notify_timeout_s=30.0) as one:
            one.receiver.answers["/asleep"] = lambda: None
            await one.subscribe("/asleep")
            await one.subscribe("/asleep")
            await one.subscribe()
            await _write(one, range(20))
            await one.receiver.wait(20)
            assert _values(one.receiver) == [*range(20)]
            assert len(one.receiver.at("/asleep")) == 2

    run(test)


def test_many_dead_endpoints_do_not_starve_the_one_that_answers(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub, notify_timeout_s=30.0, notify_backoff_s=60.0, notify_backoff_max_s=60.0) as one:
            await one.subscribe()
            await _write(one, range(1))
            await one.receiver.wait(1)
            for number in range(200):
                path = f"/dead/{number % 2}"
                one.receiver.answers[path] = (lambda: None) if number % 2 else (lambda: 500)
                await one.subscribe(path)
            await _write(one, range(1, 10))
            await one.receiver.wait(10)
            assert _values(one.receiver) == [*range(10)]

    run(test)


def test_a_failed_notification_is_sent_again_under_the_same_id_before_the_next(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = turns(500, 500, 204)
            await one.subscribe()
            await _write(one, range(2))
            got = await one.receiver.wait(4)
            assert len({each.body["id"] for each in got[:3]}) == 1
            assert _values(one.receiver) == [0, 0, 0, 1]

    run(test)


def test_what_keeps_failing_is_parked_with_the_reason_and_goes_again_when_a_person_says_so(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = turns(500, 500, 500, 204)
            await one.subscribe(id=ID, subscriptionName="meters")
            await _write(one, range(3))
            await one.receiver.wait(5)
            assert _values(one.receiver) == [0, 0, 0, 1, 2]
            (parked,) = await one.hub.subscriptions.parked("open")
            assert (parked.subscription_id, parked.attempts) == (ID, 3)
            assert parked.reason == "the endpoint answered 500"
            assert parked.entity_ids == ("urn:ngsi-ld:Sensor:1",)
            health = await _health(one.hub)
            assert (health.name, health.state, health.parked, health.pending) == ("meters", "parked", 1, 0)
            assert (health.times_sent, health.times_failed) == (5, 3)
            await one.hub.subscriptions.retry("open", parked.key)
            again = (await one.receiver.wait(6))[5]
            assert again.body["id"] == parked.notification_id
            assert await one.hub.subscriptions.parked("open") == []
            assert (await _health(one.hub)).state == "ok"

    run(test)


def test_a_person_gives_up_a_parked_one_and_it_is_counted(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = lambda: 400
            await one.subscribe(id=ID)
            await _write(one, range(1))
            await one.receiver.wait(3)
            parked = await _parked(one.hub)
            with pytest.raises(NotFoundError):
                await one.hub.subscriptions.give_up("other", parked, "not theirs")
            await one.hub.subscriptions.give_up("open", parked, "the receiver is gone")
            with pytest.raises(NotFoundError):
                await one.hub.subscriptions.retry("open", parked)
            health = await _health(one.hub)
            assert (health.parked, health.dropped) == (0, 1)
            assert health.reason == "given up: the receiver is gone"

    run(test)


async def _parked(hub: Hub) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await hub.subscriptions.parked("open")):
            await asyncio.sleep(0.01)
    return found[0].key


def test_a_full_queue_drops_the_oldest_and_says_how_many(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub, notify_queue_max=5, notify_attempts=10_000) as one:
            one.receiver.answers["/told"] = lambda: 503
            await one.subscribe(id=ID)
            await _write(one, range(12))
            async with asyncio.timeout(PATIENCE_S):
                while (await _health(one.hub)).dropped != 7:
                    await asyncio.sleep(0.05)
            one.receiver.answers["/told"] = lambda: 204
            await until(lambda: _values(one.receiver)[-1] == 11)
            assert _values(one.receiver)[-5:] == [7, 8, 9, 10, 11]

    run(test)


def test_what_waits_is_delivered_after_a_restart_and_what_was_delivered_is_not(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with receiving() as receiver:
            async with open_hub(**QUICK) as hub:
                one = Desk(hub, client_of(hub), receiver)
                await one.subscribe(id=ID)
                await _write(one, range(3))
                await receiver.wait(3)
                receiver.answers["/told"] = lambda: 503
                await one.client.send("PATCH", f"/subscriptions/{ID}", {"description": "kept"})
                await _write(one, range(3, 5))
            receiver.got.clear()
            receiver.answers.clear()
            async with open_hub(**QUICK) as hub:
                assert (await client_of(hub).get(f"/subscriptions/{ID}")).json["description"] == "kept"
                await receiver.wait(2)
                assert _values(receiver) == [3, 4]

    run(test)


def test_a_hub_killed_between_change_and_delivery_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with receiving() as receiver:
            acknowledged, begun = -1, set()
            for _ in range(3):
                begun.add(acknowledged + 1)
                child = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "tests.hub.subscribing_child", str(tmp_path / "hub.sqlite3"), receiver.uri()),
                    str(acknowledged + 1),
                    stdout=asyncio.subprocess.PIPE,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                )
                assert child.stdout is not None
                for _ in range(40):
                    acknowledged = int(await child.stdout.readline())
                child.kill()
                rest = (await child.stdout.read()).decode().split("\n")[:-1]
                acknowledged = int(rest[-1]) if rest else acknowledged
                await child.wait()
            hub = await _reopened(tmp_path / "hub.sqlite3")
            try:
                await until(lambda: bool(receiver.got) and receiver.got[-1].entity["n"]["value"] >= acknowledged)
            finally:
                await hub.close()
            heard = [one.entity["n"]["value"] for one in receiver.got]
            first_times = [*dict.fromkeys(heard)]
            assert first_times == [*range(len(first_times))]
            assert len(first_times) > acknowledged
            for number in set(heard) - begun:
                ids = {one.body["id"] for one in receiver.got if one.entity["n"]["value"] == number}
                assert len(ids) == 1, "a repeated notification keeps its id"

    run(test)


async def _reopened(path: Path) -> Hub:
    from madang.hub.config import HubConfig

    return await Hub.open(HubConfig(store=str(path), **QUICK))


def test_a_time_interval_goes_on_after_a_restart(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with receiving() as receiver:
            async with open_hub(**QUICK) as hub:
                one = Desk(hub, client_of(hub), receiver)
                await good(one.client.post("/entities", sensor(1, a=1)))
                await one.subscribe(timeInterval=0.5)
                await receiver.wait(1)
            heard = len(receiver.got)
            async with open_hub(**QUICK):
                await receiver.wait(heard + 2)

    run(test)


def test_where_a_name_points_is_judged_again_at_each_delivery(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with desk(open_hub, outward_allow=("127.0.0.1",)) as one:
            found = ["203.0.113.1"]

            def rebound(*_args: object, **_more: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
                return [(2, 1, 6, "", (found.pop(0) if len(found) > 1 else found[0], 0))]

            monkeypatch.setattr(socket, "getaddrinfo", rebound)
            uri = f"http://rebound.example:{one.receiver.port}/told"
            answer = await one.client.post("/subscriptions", subscription(uri, id=ID))
            assert answer.status == 400, "203.0.113.0/24 is no global address"
            found[:] = ["8.8.8.8", "127.0.0.2"]
            await good(one.client.post("/subscriptions", subscription(uri, id=ID)))
            await _write(one, range(1))
            await _parked(one.hub)
            assert one.receiver.got == []
            assert "private address" in (await _health(one.hub)).reason

    run(test)


def test_an_https_endpoint_is_believed_only_with_a_certificate_for_its_name(
    open_hub: OpenHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = certified(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outgoing.trust.cache_clear()
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)

    async def test() -> None:
        async with receiving(secure) as receiver, open_hub(**QUICK) as hub:
            one = Desk(hub, client_of(hub), receiver)
            for host in ("localhost", "127.0.0.1"):
                uri = f"https://{host}:{receiver.port}/{host}"
                await good(one.client.post("/subscriptions", subscription(uri, id=f"urn:x:{host}")))
            await _write(one, range(1))
            await receiver.wait(1, "/localhost")
            await _parked(hub)
            assert receiver.at("/127.0.0.1") == []
            assert (await _health(hub, "urn:x:localhost")).state == "ok"

    run(test)
    outgoing.trust.cache_clear()


def test_a_redirect_is_not_followed(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = lambda: 307
            await one.subscribe(id=ID)
            await _write(one, range(1))
            await _parked(one.hub)
            assert (await _health(one.hub)).reason == "the endpoint answered 307"

    run(test)


def test_a_name_server_that_does_not_answer_delays_nobody(open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = threading.Event()
    real = socket.getaddrinfo

    def asleep(host: str, *args: Any, **more: Any) -> Any:  # Any: as socket has it
        if host.endswith(".example"):
            answering.wait(PATIENCE_S)
            return []
        return real(host, *args, **more)

    async def test() -> None:
        async with desk(open_hub, notify_timeout_s=0.3) as one:
            names = [subscription(f"http://{n}.example/x", id=f"urn:x:{n}") for n in range(12)]
            for document in names:
                await good(one.client.post("/subscriptions", document))
            monkeypatch.setattr(socket, "getaddrinfo", asleep)
            await one.subscribe(endpoint={"uri": f"http://localhost:{one.receiver.port}/told"})
            await _write(one, range(5))
            await one.receiver.wait(5)
            answering.set()

    run(test)


def test_no_secret_stands_in_health_parked_lists_or_logs(open_hub: OpenHub, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = lambda: 500
            caplog.set_level(logging.DEBUG)
            info = [{"key": "Authorization", "value": "Bearer geheim"}]
            await one.subscribe(id=ID, endpoint={"receiverInfo": info})
            mqtt = subscription("mqtt://user:geheim@127.0.0.1:9/topic", id="urn:x:mqtt")
            await good(one.client.post("/subscriptions", mqtt))
            await _write(one, range(1))
            await until(lambda: len(one.receiver.got) >= 3)
            async with asyncio.timeout(PATIENCE_S):
                while len(await one.hub.subscriptions.parked("open")) < 2:
                    await asyncio.sleep(0.01)
            shown = f"{await one.hub.subscriptions.health('open')} {await one.hub.subscriptions.parked('open')}"
            assert "geheim" not in shown + caplog.text
            assert "mqtt://***@127.0.0.1:9/topic" in shown

    run(test)


def _actor(name: str, *types: TypeRight) -> Actor:
    return Actor(f"token:{name}", ActorKind.TOKEN, name, {"gimhae": frozenset({Role.API_CLIENT})}, types=types)


_ALL = frozenset(Deed)


def _client(hub: Hub, actor: Actor) -> Client:
    async def known(_headers: object) -> Actor:
        return actor

    return Client(HubApp(hub, known), token="x")


def test_a_subscription_tells_only_what_its_maker_may_read(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with receiving() as receiver, open_hub(**QUICK) as hub:
            some = _client(hub, _actor("some", TypeRight("Sensor", _ALL), TypeRight("Meter", _ALL)))
            every = _client(hub, _actor("every", TypeRight("*", _ALL)))
            refused = await some.post("/subscriptions", subscription(receiver.uri(), entities=[{"type": "Camera"}]))
            assert refused.status == 403
            watching = {"watchedAttributes": ["a"], "entities": [{"type": "Sensor,Meter"}]}
            await good(some.post("/subscriptions", subscription(receiver.uri(), id=ID, **watching)))
            for kind in ("Camera", "Sensor"):
                await good(every.post("/entities", {"id": f"urn:x:{kind}", "type": kind, "a": 1}))
            (got,) = await receiver.wait(1)
            assert got.entity["id"] == "urn:x:Sensor"
            shown: dict[str, Json] = (await every.get(f"/subscriptions/{ID}")).json
            assert shown["notification"]["endpoint"]["uri"] == receiver.uri()

    run(test)


def test_who_loses_a_right_is_told_nothing_more_not_even_what_waits(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with receiving() as receiver, open_hub(**QUICK) as hub:
            whole = _actor("one", TypeRight("Sensor", _ALL), TypeRight("Meter", _ALL))
            client, today = _client(hub, whole), {"token:one": whole}

            async def actor_today(actor_id: str, _authority: str) -> Actor | None:
                return today.get(actor_id)

            hub.subscriptions.actor_today = actor_today
            await good(client.post("/subscriptions", subscription(receiver.uri(), entities=[{"type": "Sensor,Meter"}])))
            receiver.answers["/told"] = lambda: 503
            await good(client.post("/entities", {"id": "urn:x:1", "type": "Meter", "a": 1}))
            await receiver.wait(1)
            today["token:one"] = _actor("one", TypeRight("Sensor", _ALL))
            await hub.subscriptions.review_rights()
            heard = len(receiver.got)
            receiver.answers.clear()
            await good(client.post("/entities", {"id": "urn:x:2", "type": "Meter", "a": 1}))
            await good(client.post("/entities", {"id": "urn:x:3", "type": "Sensor", "a": 1}))
            await until(lambda: receiver.got[-1].entity["id"] == "urn:x:3")
            under_way = 1
            assert {one.entity["id"] for one in receiver.got[heard + under_way :]} <= {"urn:x:3"}
            assert "urn:x:2" not in {one.entity["id"] for one in receiver.got}
            del today["token:one"]
            await hub.subscriptions.review_rights()
            heard = len(receiver.got)
            await good(client.post("/entities", {"id": "urn:x:4", "type": "Sensor", "a": 1}))
            async with asyncio.timeout(PATIENCE_S):
                while any(one.pending for one in await hub.subscriptions.health("gimhae")):
                    await asyncio.sleep(0.01)
            assert len(receiver.got) == heard

    run(test)


def test_secrets_of_a_subscription_are_shown_to_its_owner_alone(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with receiving() as receiver, open_hub(**QUICK) as hub:
            one, other = (_client(hub, _actor(name, TypeRight("*", _ALL))) for name in ("one", "other"))
            info = {"receiverInfo": [{"key": "Authorization", "value": "geheim"}]}
            await good(one.post("/subscriptions", subscription(receiver.uri(), id=ID, endpoint=info)))
            assert b"geheim" in (await one.get(f"/subscriptions/{ID}")).body
            assert b"geheim" not in (await other.get(f"/subscriptions/{ID}")).body
            assert b"geheim" not in (await other.get("/subscriptions")).body

    run(test)
