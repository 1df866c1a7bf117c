"""What bells say ends where it belongs: presses as signals, tests as inspections, every word as a sign of life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from madang.connectors.bell_line.config import BellLineConfig
from madang.connectors.bell_line.line import BATCH, BrokerLine, asgi_app
from madang.connectors.bell_line.taking import Line, take
from madang.connectors.bell_line.wire import Kind, read, said
from madang.facilities.commands import FacilityRow, plan_inspection, put_facilities
from madang.facilities.models import Facility, Outage
from madang.identity.models import Authority
from madang.identity.rights import Actor, ActorKind, Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.kernel.mqtt_line import Broker, MqttLine
from madang.response.signals.intake import Answer, Receipt
from madang.response.signals.models import Signal
from tests.connectors.test_mqtt_door import Broker as Mosquitto
from tests.connectors.test_mqtt_door import needs_broker, until

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROWS = (
    FacilityRow(
        "bell", "3000000:B-1", name="중앙공원 비상벨", lon=128.889, lat=35.228, police_link="yes", address="로 1"
    ),
    FacilityRow("bell", "B-2", name="시장 비상벨", lon=128.88, lat=35.22, last_inspected_on=date(2026, 9, 1)),
)
transactional = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city(authority: Authority) -> str:
    with civic.transaction() as tx:
        put_facilities(tx, authority.code, ROWS, NOW - timedelta(days=40), Mode.SIMULATED)
    return authority.code


def line(city: str, **more: Any) -> Line:  # Any: fields of the section
    return Line(city, Mode.SIMULATED, system_actor(city, "bell_line"), BellLineConfig(**more))


def tell(city: str, *messages: Mapping[str, object], now: datetime = NOW, **more: Any) -> list[Answer]:  # Any: as above
    with civic.transaction() as tx:
        return take(tx, line(city, **more), [said(one, now) for one in messages], now)


@pytest.mark.django_db
def test_a_press_is_a_signal_at_the_registers_place_and_says_that_the_police_is_linked(city: str) -> None:
    tell(city, {"kind": "press", "bell": "B-1", "id": "p1", "lon": 127.0, "lat": 37.0, "intercom": "ringing"})
    signal = Signal.objects.get()
    assert (signal.source, signal.device, signal.class_code) == ("bell", "B-1", "emergency_bell")
    assert (signal.lon, signal.lat) == (128.889, 35.228)
    assert "경찰 연계" in signal.text
    assert signal.ending is False
    assert Facility.objects.get(source_key="3000000:B-1").heard_at == NOW


@pytest.mark.django_db
def test_the_same_message_twice_is_one_signal_also_where_bells_have_no_ids(city: str) -> None:
    press = {"kind": "press", "bell": "B-1", "at": "2026-11-22T11:59:58+09:00"}
    tell(city, press)
    assert tell(city, press, press, now=NOW + timedelta(seconds=40))[0].receipt is Receipt.REPEATED
    assert Signal.objects.count() == 1


@pytest.mark.django_db
def test_a_bell_nobody_registered_is_taken_with_its_own_place_and_marked(city: str) -> None:
    tell(city, {"kind": "test", "bell": "X-9", "lon": 128.9, "lat": 35.2})
    signal = Signal.objects.get()
    assert (signal.lon, signal.lat) == (128.9, 35.2)
    assert json.loads(signal.attributes)["registered"] is False


@pytest.mark.django_db
def test_many_bells_nobody_registered_are_looked_up_together(city: str) -> None:
    """The store is locked meanwhile: a search of the register for each would hold up everybody."""

    def asked(count: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            tell(city, *({"kind": "heartbeat", "bell": f"stray-{count}-{n}"} for n in range(count)))
        return len(queries)

    assert asked(400) == asked(4)


@pytest.mark.django_db
def test_a_test_press_is_one_inspection_of_that_day_and_no_signal(city: str) -> None:
    for number in range(3):
        tell(city, {"kind": "test", "bell": "B-2", "id": f"t{number}", "intercom": "talking"})
    bell = Facility.objects.get(source_key="B-2")
    assert not Signal.objects.exists()
    assert bell.inspections.filter(state="done", done_on=date(2026, 11, 22), result="pass").count() == 1
    assert bell.last_inspected_on == date(2026, 11, 22)


@pytest.mark.django_db
def test_a_test_whose_intercom_fails_is_a_failed_inspection_with_an_outage(city: str) -> None:
    tell(city, {"kind": "test", "bell": "B-2", "id": "t", "intercom": "failed"})
    assert Facility.objects.get(source_key="B-2").last_inspection_result == "fail"
    assert Outage.objects.get().state == "open"


@pytest.mark.django_db
def test_where_tests_must_be_planned_an_unplanned_one_is_a_press(city: str) -> None:
    tell(city, {"kind": "test", "bell": "B-2", "id": "t1"}, tests_planned_only=True)
    assert "예정된 점검 없음" in Signal.objects.get().text
    bell = Facility.objects.get(source_key="B-2")
    with civic.transaction() as tx:
        plan_inspection(tx, system_actor(city), bell.pk, date(2026, 11, 22), "", NOW)
    tell(city, {"kind": "test", "bell": "B-2", "id": "t2"}, tests_planned_only=True)
    assert Signal.objects.count() == 1
    assert bell.inspections.filter(state="done").exists()


@pytest.mark.django_db
def test_a_heartbeat_makes_a_bell_watched_and_keeps_its_battery(city: str) -> None:
    tell(city, {"kind": "heartbeat", "bell": "B-1", "battery": 81.5}, heartbeat_s=60.0)
    bell = Facility.objects.get(source_key="3000000:B-1")
    assert (bell.heard_at, bell.expected_every_s, bell.attributes["battery"]) == (NOW, 60.0, 81.5)
    tell(city, {"kind": "heartbeat", "bell": "B-1", "at": "2026-11-21T00:00:00Z"})
    bell.refresh_from_db()
    assert bell.heard_at == NOW, "a late message does not turn the time back"
    assert not Signal.objects.exists()


@pytest.mark.django_db
def test_a_bell_that_fell_silent_after_heartbeats_is_an_outage(city: str) -> None:
    from madang.facilities.watching import hear

    tell(city, {"kind": "heartbeat", "bell": "B-1"}, heartbeat_s=60.0)
    tell(city, {"kind": "heartbeat", "bell": "B-2"}, heartbeat_s=60.0)
    later = NOW + timedelta(seconds=400)
    tell(city, {"kind": "heartbeat", "bell": "B-2"}, now=later)
    hear(city, [], later, Mode.SIMULATED)
    assert Outage.objects.get().facility.source_key == "3000000:B-1"


@pytest.mark.django_db
def test_intercom_while_pressed_annotates_a_reset_ends_and_an_idle_intercom_is_no_signal(city: str) -> None:
    tell(
        city,
        {"kind": "intercom", "bell": "B-1", "id": "i0", "intercom": "idle"},
        {"kind": "press", "bell": "B-1", "id": "p"},
        {"kind": "intercom", "bell": "B-1", "id": "i1", "intercom": "talking", "pressed": True},
        {"kind": "reset", "bell": "B-1", "id": "r"},
        {"kind": "tamper", "bell": "B-1", "id": "x"},
    )
    told = {one.source_id: (one.class_code, one.ending) for one in Signal.objects.all()}
    assert told == {
        "p": ("emergency_bell", False),
        "i1": ("emergency_bell", False),
        "r": ("emergency_bell", True),
        "x": ("device_tampered", False),
    }


@pytest.mark.parametrize("at", ["2031-01-01T00:00:00Z", "어제", "2026-11-22T03:00:00"])
def test_a_clock_that_cannot_be_believed_gives_way_to_the_time_of_arrival(at: str) -> None:
    one = said({"kind": "press", "bell": "B-1", "at": at}, NOW)
    assert (one.observed_at, one.device_time) == (NOW, at)


@given(
    st.one_of(st.binary(max_size=200), st.text().map(lambda text: json.dumps({"kind": "press", "bell": text}).encode()))
)
def test_whatever_comes_is_read_or_refused_by_name(payload: bytes) -> None:
    try:
        one = read(payload, "bells/B-7", NOW, 16_384)
    except (MadangError, ValueError) as error:
        assert str(error)
    else:
        assert one.kind is Kind.PRESS
        assert one.bell


class Site:
    """What the site lends, on one thread."""

    clock = staticmethod(system_clock)

    def __init__(self, actor: Actor | None = None) -> None:
        self.actor = actor

    async def run_civic(self, work: Callable[[], T]) -> T:
        return work()

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        return self.actor


def device(city: str) -> Actor:
    return Actor("token:7", ActorKind.TOKEN, "bells", {city: frozenset({Role.DEVICE})})


def post(site: Site, body: bytes, path: str = BATCH) -> tuple[int, Any]:  # Any: JSON
    sent: list[Any] = []  # Any: ASGI messages

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:  # Any: ASGI message
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "POST", "headers": []}
    asyncio.run(_called(asgi_app(site, BellLineConfig(), Mode.SIMULATED)(scope, receive, send)))
    return sent[0]["status"], json.loads(sent[1]["body"])


async def _called(answer: Awaitable[None]) -> None:
    await answer


@pytest.fixture
def in_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets database work be done on the loop's own thread."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


@transactional
@pytest.mark.usefixtures("in_loop")
def test_the_http_door_answers_each_bell_and_refuses_strangers(city: str) -> None:
    body = json.dumps(
        {"bells": [{"kind": "press", "bell": "B-1", "id": "h1"}, {"kind": "dance", "bell": "B-1"}]}
    ).encode()
    status, answer = post(Site(device(city)), body)
    assert status == 202
    assert [one["receipt"] for one in answer["answers"]] == ["new", "refused"]
    assert "kind" in answer["answers"][1]["reason"]
    assert post(Site(), body)[0] == 401
    assert post(Site(device("99999")), json.dumps({"authority": city, "bells": [{"kind": "press"}]}).encode())[0] in (
        403,
        404,
    )
    assert post(Site(device(city)), b'{"bells": 1}')[0] == 400
    assert Signal.objects.count() == 1


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.integration
@needs_broker
@transactional
@pytest.mark.usefixtures("in_loop")
def test_bells_at_a_real_broker_are_heard_and_broken_messages_stop_nobody(city: str, broker: Mosquitto) -> None:
    from gmqtt import Client
    from gmqtt.mqtt.constants import MQTTv311

    config = BellLineConfig(url=f"mqtt://127.0.0.1:{broker.port}", authority=city)
    taker = BrokerLine(config, Site(), Mode.SIMULATED)
    listening = MqttLine(Broker(config.url, config.client_id), [config.topic], taker.take)

    async def scene() -> None:
        task = asyncio.create_task(listening.run())
        await until(lambda: listening.connected, "the line connects")
        sender = Client("bells-of-a-test")
        await sender.connect("127.0.0.1", broker.port, version=MQTTv311)
        for payload in (b"\xff", b"[]", b'{"kind": "press", "id": "m1"}', b'{"kind": "press", "id": "m1"}'):
            sender.publish("bells/B-1", payload, qos=1)
        await until(lambda: taker.counts["repeated"] == 1 and taker.counts["unreadable"] == 2, "all is taken")
        await sender.disconnect()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert Signal.objects.get().device == "B-1"
