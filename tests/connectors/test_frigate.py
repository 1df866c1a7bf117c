"""What Frigate sees is told once, by its own class, at our camera's place; its camera states are our health."""

from __future__ import annotations

import asyncio
import copy
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.connectors.frigate.config import ClassRule, FrigateConfig
from madang.connectors.frigate.taking import FrigateLine
from madang.connectors.frigate.wire import read
from madang.connectors.frigate.workers import listening
from madang.identity.models import Authority
from madang.journal import civic
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.kernel.mqtt_line import Heard
from madang.response.signals.models import Signal
from madang.video.commands import SiteRow, put_sites
from madang.video.models import Camera
from tests.connectors.lending import Site
from tests.connectors.test_mqtt_door import Broker, needs_broker, until

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data")))
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
START = NOW.timestamp() - 5
Json = dict[str, Any]  # Any: JSON members
transactional = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city(authority: Authority) -> str:
    rows = [SiteRow("GJ-1", name="정문", lon=128.889, lat=35.228, purpose="생활방범", road_address="김해대로 1")]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.SIMULATED)
    return authority.code


@pytest.fixture
def in_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets database work be done on the loop's own thread."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


pytestmark = pytest.mark.usefixtures("in_loop")


def line(city: str, now: datetime | None = NOW, **more: Any) -> FrigateLine:  # Any: fields of the section
    cameras = {"front_cam": "GJ-1/1", "front_door": "GJ-1/1", "lost": "GJ-9/1"}
    config = FrigateConfig(authority=city, cameras=cameras, **more)
    return FrigateLine(config, Site(now), Mode.SIMULATED)


def review(step: str = "new", **more: Any) -> Json:  # Any: members
    after = {
        "id": "1.5-abc",
        "camera": "front_cam",
        "start_time": START,
        "end_time": None,
        "severity": "alert",
        "thumb_path": "/media/thumb.webp",
        "data": {"detections": ["d1"], "objects": ["person"], "sub_labels": ["홍길동"], "zones": ["yard"], "audio": []},
    }
    return {"type": step, "before": {}, "after": after | more}


def tracked(ident: str = "d1", step: str = "update", **more: Any) -> Json:  # Any: members
    after = {"id": ident, "camera": "front_cam", "label": "person", "start_time": START, "end_time": None, "score": 0.8}
    return {"type": step, "before": {}, "after": after | more}


def heard(name: str, body: object, *, retained: bool = False) -> Heard:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Heard(f"frigate/{name}", payload, retained)


def take(taker: FrigateLine, *messages: Heard) -> FrigateLine:
    asyncio.run(taker.take(messages))
    return taker


@transactional
def test_a_review_is_told_when_it_is_new_when_its_class_changes_and_when_it_ends(city: str) -> None:
    taker = line(city)
    take(taker, heard("reviews", review(severity="detection")))
    take(taker, heard("reviews", review("update", severity="detection", data={"objects": ["person", "car"]})))
    take(taker, heard("reviews", review("update")), heard("reviews", review("update")))
    take(taker, heard("reviews", review("end", end_time=START + 4)))
    told = [(one.class_code, one.ending) for one in Signal.objects.order_by("seq")]
    assert told == [("object_seen", False), ("intrusion", False), ("intrusion", True)]
    assert taker.counts["repeated"] == 2


@transactional
def test_messages_brought_again_after_a_restart_tell_nothing_new(city: str) -> None:
    messages = [heard("reviews", review()), heard("reviews", review("end", end_time=START + 4))]
    take(line(city), *messages)
    later = take(line(city, NOW + timedelta(seconds=90)), *messages, *messages)
    assert Signal.objects.count() == 2
    assert later.counts["conflicting"] == 0


@transactional
def test_a_signal_stands_at_our_camera_and_carries_no_names_of_people(city: str) -> None:
    take(line(city), heard("events", tracked(recognized_license_plate="12가3456")), heard("reviews", review()))
    signal = Signal.objects.get()
    camera = Camera.objects.get()
    assert (signal.device, signal.lon, signal.lat, signal.confidence) == (camera.pk, 128.889, 35.228, 0.8)
    assert signal.media_ref == "/media/thumb.webp"
    row = json.dumps([signal.text, signal.attributes], ensure_ascii=False)
    assert "홍길동" not in row
    assert "3456" not in row
    assert "yard" in row


@transactional
def test_sub_labels_that_are_named_are_kept(city: str) -> None:
    data = {"objects": ["car"], "sub_labels": [["post_van", 0.9], "secret"]}
    take(line(city, sub_labels=("post_van",)), heard("reviews", review(data=data)))
    assert json.loads(Signal.objects.get().attributes)["sub_labels"] == ["post_van"]


@transactional
def test_a_camera_nobody_mapped_is_taken_without_a_place(city: str) -> None:
    take(line(city), heard("reviews", review(camera="lost")), heard("reviews", review(camera="new cam", id="x")))
    assert set(Signal.objects.values_list("device", "lon")) == {("frigate:lost", None), ("frigate:new cam", None)}


@transactional
def test_reviews_whose_objects_are_all_false_are_not_told_and_scores_are_judged(city: str) -> None:
    taker = line(city, classes=(ClassRule(class_code="intrusion", label="person", least_score=0.7),))
    take(taker, heard("events", tracked(false_positive=True)), heard("reviews", review()))
    assert not Signal.objects.exists()
    take(taker, heard("events", tracked(false_positive=False, score=0.5)), heard("reviews", review()))
    assert not Signal.objects.exists()
    take(taker, heard("events", tracked(score=0.5, top_score=0.9)), heard("reviews", review()))
    assert Signal.objects.get().confidence == 0.9


@transactional
def test_rules_follow_zones_and_cameras_in_their_order(city: str) -> None:
    rules = (
        ClassRule(class_code="ignore", zone="road"),
        ClassRule(class_code="loitering", zone="yard", camera="front_cam", priority=2),
        ClassRule(class_code="object_seen"),
    )
    data = {"objects": ["person"], "zones": ["road", "yard"]}
    take(line(city, classes=rules), heard("reviews", review(data=data)), heard("reviews", review(id="b")))
    signal = Signal.objects.get()
    assert (signal.class_code, signal.priority) == ("loitering", 2)


@transactional
def test_old_retained_messages_are_no_news_and_a_clock_ahead_is_not_believed(city: str) -> None:
    taker = take(line(city), heard("reviews", review(start_time=START - 3_600), retained=True))
    assert taker.counts["old"] == 1
    take(taker, heard("reviews", review(start_time=START + 86_400)))
    signal = Signal.objects.get()
    assert "device_time" in json.loads(signal.attributes)


@transactional
def test_the_state_of_a_camera_becomes_its_health(city: str) -> None:
    take(line(city), heard("front_cam/status/detect", b"offline"), heard("lost/status/detect", b"offline"))
    assert Camera.objects.get().health == "offline"
    take(line(city), heard("front_cam/status/detect", b"disabled"))
    assert Camera.objects.get().health == "offline"
    take(line(city), heard("front_cam/status/detect", b"online"))
    assert Camera.objects.get().health == "ok"


MEMBERS = st.sampled_from(["type", "after", "id", "camera", "start_time", "data"])
VALUES = st.recursive(st.none() | st.text() | st.floats(), lambda x: st.lists(x) | st.dictionaries(MEMBERS, x))


@given(st.binary(max_size=80) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    for name in ("reviews", "events", "a/status/detect", "x"):
        try:
            read(f"frigate/{name}", payload, "frigate", 262_144)
        except (MadangError, ValueError) as error:
            assert str(error)


def samples() -> list[Json]:
    path = DATA / "05_frigate_mqtt" / "frigate_mqtt_samples.json"
    if not path.is_file():
        pytest.skip("the real data is absent (set MADANG_SHARED_DATA)")
    found: list[Json] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.integration
@needs_broker
@transactional
def test_the_documented_messages_come_through_a_real_broker(city: str, broker: Broker) -> None:
    from gmqtt import Client
    from gmqtt.mqtt.constants import MQTTv311

    by_topic = {each["topic_heading"].strip("`"): each["payload"] for each in samples()}
    taker = line(city, now=None, url=f"mqtt://127.0.0.1:{broker.port}")
    config = FrigateConfig(url=f"mqtt://127.0.0.1:{broker.port}", authority=city)
    ended = copy.deepcopy(by_topic["frigate/reviews"])
    ended["type"], ended["after"]["end_time"] = "end", ended["after"]["start_time"] + 20

    async def scene() -> None:
        listener = listening(config, taker)
        task = asyncio.create_task(listener.run())
        await until(lambda: listener.connected, "the line connects")
        sender = Client("frigate-of-a-test")
        await sender.connect("127.0.0.1", broker.port, version=MQTTv311)
        for topic, payload in by_topic.items():
            if topic.startswith("frigate/"):
                sender.publish(topic, json.dumps(payload), qos=0)
        sender.publish("frigate/reviews", b'{"type": "new"', qos=0)
        sender.publish("frigate/reviews", json.dumps(ended), qos=1)
        await until(lambda: taker.counts["new"] == 2 and taker.counts["unreadable"] == 1, "all is taken")
        await sender.disconnect()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    told = set(Signal.objects.values_list("class_code", "source_id", "ending"))
    ident = by_topic["frigate/reviews"]["after"]["id"]
    assert told == {("intrusion", f"{ident}:intrusion", False), ("intrusion", f"{ident}:end", True)}
