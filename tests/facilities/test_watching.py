"""What speaks for itself: hub entities become facilities, silence becomes an outage, a broken line does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from madang.facilities.cameras import take_health, take_seen
from madang.facilities.commands import heard
from madang.facilities.domain import Silence
from madang.facilities.models import Facility, Outage, SeenSpan
from madang.facilities.queries import availability, month_window
from madang.facilities.watching import Voice, hear, voices
from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.journal import civic
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from tests.facilities.conftest import NOW, Fire, after, thing

pytestmark = pytest.mark.django_db(transaction=True)
AIR = "urn:ngsi-ld:AirQualityObserved:1"


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def hub_at(folder: Path, clock: Clock) -> AsyncIterator[Hub]:
    hub = await Hub.open(HubConfig(store=str(folder / "hub.sqlite3")), clock)
    try:
        yield hub
    finally:
        await hub.close()


def asked(folder: Path, known: dict[str, str], say: Callable[[Hub], Awaitable[object]]) -> list[Voice]:
    async def run() -> list[Voice]:
        async with hub_at(folder, Clock()) as hub:
            await say(hub)
            return await voices(hub, "48250", known)

    return asyncio.run(run())


def spoke(entity: str, at: float) -> Voice:
    return Voice(entity, "AirQualityObserved", after(at))


def round_at(city: str, at: float, *said: Voice) -> Silence:
    return hear(city, said, after(at), Mode.LIVE)


def state_of(kind: str) -> str:
    return thing(kind).condition


def test_an_entity_of_an_adopted_type_becomes_a_facility_once_with_its_place(tmp_path: Path, city: str) -> None:
    async def say(hub: Hub) -> None:
        place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.9, 35.2]}}
        await hub.ingest(
            "48250", [{"id": AIR + "2", "type": "AirQualityObserved", "pm10": 3, "location": place}], source="t"
        )
        await hub.ingest("48250", [{"id": "urn:ngsi-ld:Door:1", "type": "Door", "open": True}], source="t")
        bad = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0, 0]}}
        await hub.ingest("48250", [{"id": AIR + "3", "type": "AirQualityObserved", "location": bad}], source="t")

    found = asked(tmp_path, {}, say)
    assert {voice.entity_id for voice in found} == {AIR + "2", AIR + "3"}
    for _ in range(2):
        round_at(city, 1, *found)
    new = Facility.objects.filter(kind="sensor", source_key__in=[AIR + "2", AIR + "3"]).order_by("source_key")
    assert [(one.lon, one.lat, one.condition) for one in new] == [(128.9, 35.2, "working"), (None, None, "working")]


def test_a_facility_that_names_an_entity_hears_it_whatever_its_type(tmp_path: Path, city: str) -> None:
    async def say(hub: Hub) -> None:
        await hub.ingest("48250", [{"id": "urn:ngsi-ld:Door:1", "type": "Door", "open": True}], source="t")

    found = asked(tmp_path, {"urn:ngsi-ld:Door:1": "f", "urn:ngsi-ld:Door:2": "g"}, say)
    assert [(voice.entity_id, voice.row) for voice in found] == [("urn:ngsi-ld:Door:1", None)]


def test_a_sensor_that_stops_is_suspected_then_out_and_its_return_restores_it(city: str, fire: Fire) -> None:
    round_at(city, 0, spoke(AIR, 0))
    assert state_of("sensor") == "working"
    round_at(city, 170, spoke(AIR, 0))
    assert state_of("sensor") == "working"
    round_at(city, 190, spoke(AIR, 0))
    assert state_of("sensor") == "suspect"
    fire(320)
    assert state_of("sensor") == "out"
    assert Outage.objects.get().began_at == after(60)
    round_at(city, 400, spoke(AIR, 399))
    assert (state_of("sensor"), Outage.objects.get().state) == ("working", "restored")


def test_what_was_never_heard_is_unknown_and_not_out(city: str) -> None:
    round_at(city, 100_000)
    assert state_of("sensor") == "unknown"
    assert Outage.objects.count() == 0


def test_a_bell_is_judged_by_its_heartbeat_only_where_it_promised_one(city: str, fire: Fire) -> None:
    with civic.transaction() as tx:
        assert heard(tx, city, "bell", "3000000:A1", after(0), after(0))
        assert not heard(tx, city, "bell", "nobody", after(0), after(0))
    round_at(city, 90_000)
    assert state_of("bell") == "unknown"
    Facility.objects.filter(kind="bell").update(expected_every_s=600)
    round_at(city, 90_000)
    fire(90_200)
    assert state_of("bell") == "out"


def test_when_a_whole_line_falls_silent_nothing_behind_it_is_out(city: str) -> None:
    sensor = thing("sensor")
    Facility.objects.filter(pk=sensor.pk).update(attributes={"entity_type": "AirQualityObserved"})
    names = [AIR, *(f"{AIR}-{n}" for n in range(9))]
    new = [replace(spoke(name, 0), row=None) for name in names]
    for name in names[1:]:
        Facility.objects.create(
            authority_id=city, kind="sensor", source_key=name, feed_key=name, expected_every_s=60,
            attributes={"entity_type": "AirQualityObserved"}, registered_at=after(0),
        )  # fmt: skip
    round_at(city, 1, *new)
    found = round_at(city, 5_000, *new)
    assert found.broken_groups == ("hub:AirQualityObserved",)
    assert set(Facility.objects.filter(kind="sensor").values_list("condition", flat=True)) == {"unknown"}
    assert Outage.objects.count() == 0


def test_hearing_a_thing_every_second_does_not_write_every_second(city: str) -> None:
    for second in range(0, 600, 10):
        round_at(city, second, spoke(AIR, second))
    span = SeenSpan.objects.get(facility=thing("sensor"))
    assert (span.from_at, span.to_at >= after(590)) == (after(0), True)


def told(camera: str, health: str, reason: str, at: float, site: str = "site-1") -> dict[str, object]:
    return {
        "camera_id": camera,
        "site_source_key": site,
        "health": health,
        "reason": reason,
        "at": instant_text(after(at)),
    }


def test_a_site_is_down_while_any_of_its_cameras_is(city: str, fire: Fire) -> None:
    def hear_of(*said: dict[str, object], at: float) -> None:
        for one in said:
            with civic.transaction() as tx:
                take_health(tx, city, one, after(at))

    hear_of(told("c1", "degraded", "frozen", 0), told("c2", "offline", "silent", 1), at=1)
    fire(200)
    assert (thing("cctv").condition, Outage.objects.get().cause) == ("out", "silent")
    hear_of(told("c2", "ok", "", 300), at=300)
    assert thing("cctv").condition == "out"
    hear_of(told("c1", "ok", "", 250), at=310)
    assert thing("cctv").condition == "working"
    hear_of(told("c1", "offline", "silent", 100), at=320)
    assert thing("cctv").condition == "working", "late news changes nothing"


def test_a_camera_whose_codec_cannot_be_shown_is_no_outage(city: str, fire: Fire) -> None:
    with civic.transaction() as tx:
        take_health(tx, city, told("c1", "degraded", "", 0), after(0))
    fire(1_000)
    assert (thing("cctv").condition, Outage.objects.count()) == ("unknown", 0)


def test_sites_seen_working_are_known_for_a_day_and_the_rest_is_unknown(city: str) -> None:
    with civic.transaction() as tx:
        take_seen(tx, city, {"at": instant_text(NOW), "site_source_keys": ["site-1", "nobody"]}, NOW)
    assert [Facility.objects.get(source_key=key).condition for key in ("site-1", "site-2")] == ["working", "unknown"]
    later = NOW + timedelta(days=3)
    (row,) = [one for one in availability(city, "2026-11", later, by=("kind",)) if one["kind"] == "cctv"]
    days = (later - month_window(later)[0]).total_seconds() / 86_400
    assert (row["availability"], row["known_facilities"]) == (1.0, 1)
    assert row["coverage"] == pytest.approx(1 / (2 * days), rel=1e-3)
