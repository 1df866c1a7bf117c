"""What cameras notice becomes signals once; how things stand opens nothing; nobody else is called, no bomb goes off."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.connectors.onvif import wire
from madang.connectors.onvif.config import RULES, OnvifCamera, OnvifConfig, TopicRule
from madang.connectors.onvif.domain import Key, News, matching, news
from madang.connectors.onvif.pulling import Pulled, PullPoint
from madang.connectors.onvif.taking import CameraEvents
from madang.connectors.onvif.wire import Notice
from madang.identity.models import Authority
from madang.journal import civic
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.kernel.secret import Secret
from madang.response.signals.models import Signal
from madang.video.commands import SiteRow, put_sites
from madang.video.config import VideoConfig
from madang.video.models import Camera
from madang_demo.onvif_camera import OnvifCamera as Simulated
from tests.connectors.lending import Site
from tests.connectors.test_mqtt_door import until

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data")))
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
MOTION = "RuleEngine/CellMotionDetector/Motion"
transactional = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------------------------------------- what it means


def notice(operation: str, value: str = "true", topic: str = MOTION, item: str = "IsMotion", at: str = "") -> Notice:
    return Notice(topic, at, operation, {"Rule": "r"}, {item: value})


def test_how_things_stand_at_first_opens_nothing_and_only_changes_are_news() -> None:
    states: dict[Key, bool] = {}
    told = [("Initialized", "true"), ("Changed", "true"), ("Changed", "false"), ("Changed", "false"), ("Changed", "1")]
    assert [news(states, notice(*one), "") for one in told] == [None, None, News.ENDED, None, News.BEGAN]


def test_a_change_missed_while_the_connection_was_lost_is_news_when_it_is_back() -> None:
    states: dict[Key, bool] = {}
    news(states, notice("Initialized", "false"), "")
    assert news(states, notice("Initialized", "true"), "") is News.BEGAN
    assert news(states, notice("Deleted", "true"), "") is News.ENDED
    assert news(states, notice("Initialized", "true"), "") is None


def test_a_crossed_line_happens_each_time_and_a_list_of_classes_that_empties_ends() -> None:
    states: dict[Key, bool] = {}
    line = "RuleEngine/LineDetector/Crossed"
    assert news(states, notice("", "7", line, "ObjectId"), "") is News.HAPPENED
    assert news(states, notice("Changed", "8", line, "ObjectId"), "") is News.HAPPENED
    assert news(states, notice("Initialized", "0", line, "ObjectId"), "") is None
    seen = [notice("Changed", value, "RuleEngine/ObjectDetection/Object", "ClassTypes") for value in ("Human", "")]
    assert [news(states, one, "") for one in seen] == [News.BEGAN, News.ENDED]


@given(st.lists(st.tuples(st.sampled_from(["Initialized", "Changed", "Deleted"]), st.booleans()), max_size=30))
def test_nothing_begins_twice_without_an_end_whatever_a_camera_says(told: list[tuple[str, bool]]) -> None:
    states: dict[Key, bool] = {}
    found = [news(states, notice(operation, str(holds).lower()), "") for operation, holds in told]
    said = [one for one in found if one is not None]
    assert set(said) <= {News.BEGAN, News.ENDED}
    assert (News.BEGAN, News.BEGAN) not in set(pairwise(said))


# ------------------------------------------------------------------------------------------------- what comes


def page(*told: Notice, more: str = "") -> bytes:
    """An answer to PullMessages."""
    parts = []
    for one in told:
        items = [
            "".join(f"<tt:SimpleItem Name={quoteattr(name)} Value={quoteattr(value)}/>" for name, value in part.items())
            for part in (one.source, one.data)
        ]
        stamp = f" UtcTime={quoteattr(one.at)}" if one.at else ""
        stamp += f" PropertyOperation={quoteattr(one.operation)}" if one.operation else ""
        parts.append(
            f"<w:NotificationMessage><w:Topic>{one.topic}</w:Topic><w:Message><tt:Message{stamp}><tt:Source>{items[0]}"
            f"</tt:Source><tt:Data>{items[1]}</tt:Data></tt:Message></w:Message></w:NotificationMessage>"
        )
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://docs.oasis-open.org/wsn/b-2"'
        f' xmlns:tt="http://www.onvif.org/ver10/schema"><e:Body>{more}{"".join(parts)}</e:Body></e:Envelope>'
    ).encode()


def recorded() -> list[Notice]:
    path = DATA / "05_onvif_events" / "onvif_notifications.json"
    if not path.is_file():
        pytest.skip("the real data is absent (set MADANG_SHARED_DATA)")
    found = []
    for each in json.loads(path.read_text(encoding="utf-8")):
        topic, said = each["notification"]["Topic"]["_value_1"], each["notification"]["Message"]["_value_1"]
        parts = [
            {one["Name"]: one["Value"] for one in ((said.get(part) or {}).get("SimpleItem") or [])}
            for part in ("Source", "Data")
        ]
        found.append(Notice(topic, said.get("UtcTime") or "", said.get("PropertyOperation") or "", *parts))
    return found


def test_recorded_events_of_four_makers_are_read_and_find_their_classes() -> None:
    told = recorded()
    read = wire.notices(wire.parse(page(*told), 1_000_000))
    assert len(read) == len(told) == 24
    by_class: dict[str, set[str]] = {}
    for one in read:
        number = matching(RULES, one.topic, "x")
        by_class.setdefault(RULES[number].class_code if number is not None else "", set()).add(one.topic)
    assert by_class[""] == {"RuleEngine/MyRuleDetector/Package", "This/Rule/DoesNotExist"}
    assert "RuleEngine/LineDetector/Crossing" in by_class["intrusion"]
    assert by_class["device_tampered"] == {"RuleEngine/CellMotionDetector/Tamper"}
    assert all(wire.instant(one.at) for one in read if one.at)


BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'


@pytest.mark.parametrize("data", [BOMB, OUTSIDE, b"", b"<a>", b"\xff\xfe\x00", b"<a>" * 5_000, b"x" * 2_000_000])
def test_what_is_no_plain_xml_is_refused(data: bytes) -> None:
    with pytest.raises(MadangError):
        wire.parse(data, 1_000_000)


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_camera_names_is_read_within_bounds(topic: str, name: str, value: str) -> None:
    try:
        root = wire.parse(page(Notice(topic, value, name, {name: value}, {value: name})), 1_000_000)
    except MadangError:
        return
    for one in wire.notices(root):
        assert len(one.topic) <= 200


def test_the_digest_is_that_of_the_profile() -> None:
    login = wire.Login("u", "userpassword", b"LKqI6G/AikKCQrN0zqZFlg==", NOW)
    assert wire.password_digest(login, "2010-09-16T07:50:45Z") != ""
    assert "userpassword" not in repr(login)
    body = wire.request("Renew", "http://c/<x>", login, lease_s=60, pull_s=1).decode()
    assert "userpassword" not in body
    assert "http://c/&lt;x&gt;" in body


# ------------------------------------------------------------------------------------------------ a whole camera


@pytest.fixture
def city(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    rows = [SiteRow("GJ-1", name="정문", lon=128.889, lat=35.228, purpose="생활방범", road_address="김해대로 1")]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.SIMULATED)
    return authority.code


@pytest.fixture
def camera() -> Iterator[Simulated]:
    made = Simulated()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.drop_subscriptions()
    made.shutdown()
    thread.join(10)
    made.server_close()


@asynccontextmanager
async def listening(city: str, camera: Simulated, **more: Any) -> Any:  # Any: fields; an async iterator of both
    ours = OnvifCamera(camera="GJ-1/1", url=camera.url, username="events", password=Secret("secret"))
    config = OnvifConfig(authority=city, cameras=(ours,), pull_s=1, **more)
    events = CameraEvents("GJ-1/1", config, Site(), Mode.SIMULATED)
    point = PullPoint(ours, config, VideoConfig(), Site().clock, events.take)
    task = asyncio.create_task(point.run())
    try:
        yield point, events
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene()

    asyncio.run(run())


@transactional
def test_a_camera_is_pulled_its_changes_are_signals_at_its_place_and_the_subscription_is_given_back(
    city: str, camera: Simulated
) -> None:
    camera.set_state(MOTION, "IsMotion", "true")
    camera.set_state("RuleEngine/TamperDetector/Tamper", "IsTamper", "false")

    async def scene() -> None:
        async with listening(city, camera) as (_, events):
            await until(lambda: events.counts["told"] == 2, "how things stand is heard")
            await asyncio.to_thread(camera.set_state, "RuleEngine/TamperDetector/Tamper", "IsTamper", "true")
            await asyncio.to_thread(camera.happen, "RuleEngine/LineDetector/Crossed", "ObjectId", "4")
            await asyncio.to_thread(camera.set_state, MOTION, "IsMotion", "false")
            await until(lambda: events.counts["new"] == 3, "all is taken")

    play(scene)
    told = set(Signal.objects.values_list("class_code", "ending"))
    assert told == {("device_tampered", False), ("intrusion", False), ("motion", True)}
    assert set(Signal.objects.values_list("device", "lon")) == {(Camera.objects.get().pk, 128.889)}
    assert camera.asked[-1] == "Unsubscribe"
    assert camera.subscribers == 0


@transactional
def test_a_camera_whose_clock_is_an_hour_off_is_heard_by_the_time_of_arrival(city: str, camera: Simulated) -> None:
    camera.ahead = timedelta(hours=-1)

    async def scene() -> None:
        async with listening(city, camera) as (point, events):
            await until(lambda: point.subscriptions == 1, "the camera's own time is used to log in")
            await until(lambda: camera.subscribers == 1, "subscribed")
            await asyncio.to_thread(camera.happen, "RuleEngine/LineDetector/Crossed", "ObjectId", "4")
            await until(lambda: events.counts["new"] == 1, "it is taken")

    before = datetime.now(UTC)
    play(scene)
    signal = Signal.objects.get()
    assert datetime.fromisoformat(signal.observed_at) >= before
    assert datetime.fromisoformat(json.loads(signal.attributes)["device_time"]) < before


@transactional
def test_after_a_camera_forgot_its_subscribers_a_change_between_is_still_found(city: str, camera: Simulated) -> None:
    camera.set_state(MOTION, "IsMotion", "false")

    async def scene() -> None:
        async with listening(city, camera) as (point, events):
            await until(lambda: events.counts["told"] == 1, "how things stand is heard")
            await asyncio.to_thread(camera.drop_subscriptions)
            await asyncio.to_thread(camera.set_state, MOTION, "IsMotion", "true")
            await until(lambda: point.subscriptions == 2 and events.counts["new"] == 1, "it is found")

    play(scene)
    assert Signal.objects.get().class_code == "motion"


@transactional
@pytest.mark.parametrize("trick", ["elsewhere", "bomb", "large", "outside"])
def test_a_hostile_camera_is_refused_and_nobody_else_is_called(
    city: str, camera: Simulated, trick: str, caplog: pytest.LogCaptureFixture
) -> None:
    camera.elsewhere = "127.0.0.2:9" if trick == "elsewhere" else ""
    camera.answer_instead = {"bomb": BOMB, "large": b"<a>" + b" " * 2_000_000 + b"</a>"}.get(trick, b"")
    rules = VideoConfig(camera_networks=("10.0.0.0/8",)) if trick == "outside" else VideoConfig()
    ours = OnvifCamera(camera="GJ-1/1", url=camera.url, username="events", password=Secret("secret"))
    config = OnvifConfig(authority=city, cameras=(ours,), pull_s=1)

    async def taken(_pulled: Pulled) -> None:
        raise AssertionError("nothing should come")

    async def scene() -> None:
        point = PullPoint(ours, config, rules, Site().clock, taken)
        task = asyncio.create_task(point.run())
        await until(lambda: "ONVIF events of" in caplog.text, "it is told")
        assert point.subscriptions == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    play(scene)
    assert "PullMessages" not in camera.asked
    assert trick != "outside" or not camera.asked


@transactional
def test_the_same_notification_twice_is_one_signal_and_rules_may_name_a_camera(city: str) -> None:
    rules = (TopicRule(topic="Device/Trigger/*", item="LogicalState", camera="GJ-1/1", class_code="emergency_bell"),)
    config = OnvifConfig(authority=city, topics=rules)
    one = Notice("Device/Trigger/DigitalInput", "2026-11-22T02:59:58Z", "Changed", {"T": "1"}, {"LogicalState": "true"})
    for _ in range(2):  # as after a restart, which forgets the states
        events = CameraEvents("GJ-1/1", config, Site(NOW), Mode.SIMULATED)
        asyncio.run(events.take(Pulled([one], NOW)))
    signal = Signal.objects.get()
    assert (signal.class_code, signal.observed_at[:19]) == ("emergency_bell", "2026-11-22T02:59:58")
    other = CameraEvents("GJ-2/1", config, Site(NOW), Mode.SIMULATED)
    asyncio.run(other.take(Pulled([one], NOW)))
    assert other.counts["unknown"] == 1
