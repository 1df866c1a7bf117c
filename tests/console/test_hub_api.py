"""The data hub's screen asks: what is there, how fresh, what was wrong, how values went. Over a real hub and store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from madang.console.hub_line import LINE, QUESTIONS, HubLine
from madang.console.hub_rates import Rates
from madang.console.hub_rows import printable
from madang.hub.access import Access
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.hub import Hub
from madang.identity.models import Authority
from madang.identity.rights import Actor, ActorKind, Deed, Role, TypeRight
from madang.kernel.clock import instant_text, system_clock
from madang.kernel.errors import UnavailableError
from tests.console.conftest import Desk
from tests.console.test_api import audited
from tests.site.serving import free_port, until

pytestmark = pytest.mark.django_db
MakeDesk = Callable[..., Desk]
T = TypeVar("T")
AIR = "urn:ngsi-ld:AirQualityObserved:1"
QUICK: Any = {"outward_allow": ("127.0.0.1",), "notify_attempts": 1, "notify_backoff_s": 0.05}  # Any: any setting
NOON = datetime(2026, 11, 22, 3, tzinfo=UTC)


class Core:
    """A hub on a loop of its own thread, as in core."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.rates = Rates()
        self.hub = self.do(Hub.open(HubConfig(**QUICK, store=str(path))))
        LINE.connect(self.hub, self._loop, {"Incident", "Camera"}, self.rates)

    def do(self, work: Awaitable[T]) -> T:
        """Runs something on the hub's loop."""

        async def awaited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(30)

    def put(self, *entities: dict[str, Any], city: str = "48250") -> None:  # Any: JSON
        """Stores entities, which must be taken."""
        result = self.do(self.hub.upsert(city, list(entities), source="test"))
        assert result.errors == ()

    def close(self) -> None:
        LINE.disconnect()
        self.do(self.hub.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    opened = Core(tmp_path / "hub.sqlite3")
    yield opened
    opened.close()


def air(number: int = 1, pm10: float = 31, at: datetime = NOON, **more: Any) -> dict[str, Any]:  # Any: JSON
    return {
        "id": f"urn:ngsi-ld:AirQualityObserved:{number}",
        "type": "AirQualityObserved",
        "pm10": {"type": "Property", "value": pm10, "unitCode": "GQ", "observedAt": instant_text(at)},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.9, 35.2]}},
        **more,
    }


def test_the_overview_counts_entities_by_type_feeds_and_rejects(core: Core, desk: MakeDesk) -> None:
    core.put(air(1), air(2), {"id": "urn:ngsi-ld:Road:1", "type": "Road", "name": "김해대로"})
    core.do(core.hub.reject("48250", "mqtt:air", "not JSON", b"\xff{\x00"))
    seen = desk(Role.SUPERVISOR).get("/hub/overview").json()
    assert seen["types"] == [{"name": "AirQualityObserved", "count": 2}, {"name": "Road", "count": 1}]
    assert seen["store"]["kind"] == "sqlite"
    assert seen["store"]["bytes"] > 0
    assert seen["rejects"]["total"] == 1
    (reject,) = seen["rejects"]["latest"]
    assert (reject["source"], reject["reason"], reject["begins"]) == ("mqtt:air", "not JSON", "\\xff{\\x00")


def test_what_came_in_wrong_is_shown_only_to_those_who_tend_the_desks(core: Core, desk: MakeDesk) -> None:
    core.do(core.hub.reject("48250", "mqtt:air", "not JSON", b"secret"))
    seen = desk(Role.OPERATOR).get("/hub/overview").json()["rejects"]
    assert seen["examples_shown"] is False
    assert seen["latest"][0]["begins"] is None
    assert seen["latest"][0]["reason"] == "not JSON"


def test_another_city_s_entities_are_neither_counted_nor_found(core: Core, desk: MakeDesk) -> None:
    core.put(air(), city="26440")
    operator = desk(Role.OPERATOR)
    assert operator.get("/hub/overview").json()["types"] == []
    assert operator.get("/hub/entities").json()["total"] == 0
    assert operator.get(f"/hub/entity?id={AIR}").status_code == 404
    assert operator.get(f"/hub/series?id={AIR}&attribute=pm10&{span()}").status_code == 404


@pytest.mark.parametrize("path", ["overview", "entities", "entity?id=urn:x:1", "subscriptions"])
def test_who_may_not_read_the_hub_is_told_whom_to_ask(core: Core, desk: MakeDesk, path: str) -> None:
    answer = desk(Role.AUDITOR).get(f"/hub/{path}")
    assert answer.status_code == 403
    assert "문의" in answer.json()["ko"]


def test_entities_are_paged_and_found_by_type_text_pattern_and_query(core: Core, desk: MakeDesk) -> None:
    core.put(*[air(number, pm10=number) for number in range(1, 8)], {"id": "urn:ngsi-ld:Road:1", "type": "Road"})
    officer = desk(Role.CITY_OFFICER)

    def ids(query: str) -> list[str]:
        answer = officer.get(f"/hub/entities?{query}")
        assert answer.status_code == 200, answer.json()
        return [row["id"].rpartition(":")[2] for row in answer.json()["entities"]]

    assert ids("type=AirQualityObserved&sort=created&limit=3&offset=3") == ["4", "5", "6"]
    assert ids("search=Road:1") == ["1"]
    assert ids("search=urn:ngsi-ld:AirQualityObserved:7") == ["7"]
    assert ids("idPattern=Observed:[23]$&sort=created") == ["2", "3"]
    assert ids("type=AirQualityObserved&q=pm10>5&sort=created") == ["6", "7"]
    assert ids("search=(.*)") == []
    assert ids("search=장유·동 [1]") == []
    assert officer.get("/hub/entities?type=AirQualityObserved&limit=3").json()["total"] == 7


def test_a_condition_that_cannot_be_read_says_where(core: Core, desk: MakeDesk) -> None:
    core.put(air())
    operator = desk(Role.OPERATOR)
    for query in ("q=pm10>>1", "idPattern=(", "idPattern=a&search=b", "sort=colour", "limit=0"):
        answer = operator.get(f"/hub/entities?{query}")
        assert answer.status_code in (400, 422), query
        assert answer.json()["ko"], query


def test_an_entity_shows_each_attribute_by_kind_with_units_times_and_sub_attributes(core: Core, desk: MakeDesk) -> None:
    core.put(
        air(
            station={"type": "Relationship", "object": "urn:ngsi-ld:Station:1"},
            name={"type": "LanguageProperty", "languageMap": {"ko": "장유동", "en": "Jangyu"}},
            pm25=[
                {"type": "Property", "value": 3, "accuracy": {"type": "Property", "value": 0.5}},
                {"type": "Property", "value": 4, "datasetId": "urn:ngsi-ld:Dataset:b"},
            ],
        )
    )
    shown = desk(Role.OPERATOR).get(f"/hub/entity?id={AIR}").json()
    attributes = {one["name"]: one["instances"] for one in shown["attributes"]}
    assert shown["title"] == "장유동"
    assert attributes["pm10"][0]["unit"] == "GQ"
    assert attributes["pm10"][0]["observed_at"].startswith("2026-11-22T03:00:00")
    assert attributes["station"][0]["kind"] == "Relationship"
    assert attributes["station"][0]["value"] == "urn:ngsi-ld:Station:1"
    assert attributes["pm25"][0]["subs"][0] | {"name": "accuracy"} == attributes["pm25"][0]["subs"][0]
    assert attributes["pm25"][1]["dataset_id"] == "urn:ngsi-ld:Dataset:b"
    assert shown["places"][0]["geometry"]["coordinates"] == [128.9, 35.2]
    assert shown["raw"]["pm10"]["value"] == 31
    assert shown["created_at"] <= shown["modified_at"]


def span(begins: datetime = NOON - timedelta(hours=1), ends: datetime = NOON + timedelta(hours=1)) -> str:
    return f"from_at={instant_text(begins)}&to_at={instant_text(ends)}"


def test_numbers_come_as_they_were_while_few_and_in_buckets_while_many(core: Core, desk: MakeDesk) -> None:
    for minute in range(60):
        core.put(air(pm10=minute, at=NOON + timedelta(minutes=minute)))
    operator = desk(Role.OPERATOR)
    few = operator.get(f"/hub/series?id={AIR}&attribute=pm10&{span()}").json()
    assert (few["kind"], few["unit"], few["bucket_s"]) == ("numeric", "GQ", 0)
    assert few["avg"] == list(range(60))
    many = operator.get(f"/hub/series?id={AIR}&attribute=pm10&points=12&{span()}").json()
    assert many["bucket_s"] > 0
    assert sum(many["count"]) == 60
    assert len(many["at"]) <= 13
    assert all(low <= mean <= high for low, mean, high in zip(many["min"], many["avg"], many["max"], strict=True))


def test_what_is_no_number_comes_as_a_list_of_changes_newest_first(core: Core, desk: MakeDesk) -> None:
    for state in ("open", "closed"):
        core.put({"id": "urn:ngsi-ld:Door:1", "type": "Door", "state": {"type": "Property", "value": state}})
    now = system_clock()
    around = span(now - timedelta(minutes=5), now + timedelta(minutes=5))
    seen = desk(Role.OPERATOR).get(f"/hub/series?id=urn:ngsi-ld:Door:1&attribute=state&{around}").json()
    assert seen["kind"] == "changes"
    assert [one["value"] for one in seen["changes"]] == ["closed", "open"]


def test_a_range_that_makes_no_sense_is_refused(core: Core, desk: MakeDesk) -> None:
    core.put(air())
    for around in (span(NOON, NOON), span(NOON - timedelta(days=500), NOON), "from_at=now&to_at=then"):
        answer = desk(Role.OPERATOR).get(f"/hub/series?id={AIR}&attribute=pm10&{around}")
        assert answer.status_code == 400
        assert answer.json()["ko"]


def test_without_a_hub_in_this_process_the_screen_is_told_to_wait(desk: MakeDesk, authority: Authority) -> None:
    answer = desk(Role.OPERATOR).get("/hub/overview")
    assert answer.status_code == 503
    assert "데이터 허브" in answer.json()["ko"]


def test_a_hub_that_does_not_answer_holds_nobody_for_ever(core: Core) -> None:
    line, ended = HubLine(), threading.Event()
    line.connect(core.hub, core._loop)

    async def never(_hub: Hub) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(UnavailableError, match="did not answer"):
        line.ask(never, within_s=0.05)
    assert ended.wait(10)


def test_a_slow_hub_takes_only_a_few_threads_from_the_other_screens(core: Core) -> None:
    line, free, begun = HubLine(), threading.Event(), threading.Semaphore(0)
    line.connect(core.hub, core._loop)

    async def slow(_hub: Hub) -> None:
        begun.release()
        await asyncio.to_thread(free.wait, 20)

    asking = [threading.Thread(target=line.ask, args=(slow,)) for _ in range(QUESTIONS)]
    for thread in asking:
        thread.start()
    assert all(begun.acquire(timeout=10) for _ in asking)
    with pytest.raises(UnavailableError, match="wait already"):
        line.ask(slow, within_s=0.05)
    free.set()
    for thread in asking:
        thread.join(20)
    assert line.ask(lambda hub: hub.feeds("48250")) == []


def test_rates_tell_the_last_minute_and_each_minute_of_an_hour_and_nothing_unwatched() -> None:
    rates = Rates()
    for second in range(0, 181, 5):
        rates.note("48250", "mqtt:air", 600.0 + second, 100 + second * 2)
    assert rates.last_minute("48250", "mqtt:air") == 120
    hour = rates.last_hour("48250", "mqtt:air", 780.0)
    assert hour[-3:] == [110, 120, 120]
    assert hour[:-3] == [None] * 57
    assert rates.last_minute("26440", "mqtt:air") is None


def test_a_store_made_anew_does_not_make_a_rate_negative() -> None:
    rates = Rates()
    for at_s, readings in ((0.0, 500), (30.0, 530), (61.0, 4), (90.0, 10)):
        rates.note("48250", "mqtt:air", at_s, readings)
    minute = rates.last_minute("48250", "mqtt:air")
    assert minute is not None
    assert 0 <= minute <= 30
    assert all(count is None or count >= 0 for count in rates.last_hour("48250", "mqtt:air", 120.0))


def test_bytes_that_are_no_text_are_shown_as_escapes_and_cut() -> None:
    assert printable(b"\xff\xfe{}\n") == "\\xff\\xfe{}\\n"
    assert printable("가\u202e나".encode()) == "가\\u202e나"
    assert printable(b"a" * 500).endswith("…")


# -------------------------------------------------------------------------------------------- subscriptions


def subscribe(core: Core, uri: str, **more: Any) -> str:  # Any: JSON
    """A subscription of an integrator with a narrow token."""
    rule = TypeRight("AirQualityObserved", frozenset({Deed.READ, Deed.SUBSCRIBE}))
    actor = Actor("token:1", ActorKind.TOKEN, "seoul", {"48250": frozenset({Role.API_CLIENT})}, types=(rule,))
    raw = {
        "type": "Subscription",
        "subscriptionName": "먼지 알림",
        "entities": [{"type": "AirQualityObserved"}],
        "watchedAttributes": ["pm10"],
        "q": "pm10>80",
        "notification": {
            "endpoint": {"uri": uri, "receiverInfo": [{"key": "Authorization", "value": "Bearer hidden"}]}
        },
        **more,
    }
    access = Access(actor, "48250", ())
    return core.do(core.hub.subscriptions.create("48250", raw, CORE_CONTEXT, access, tenant_said=False))


def test_an_administrator_erases_an_entity_with_its_history_on_record(core: Core, desk: MakeDesk) -> None:
    core.put(air(1, pm10=4711), air(2))
    core.put(air(1, pm10=4712, at=NOON + timedelta(hours=1)))
    admin = desk(Role.ADMINISTRATOR)
    asked = {"id": AIR, "reason": "열람 등 요구 2026-14"}
    assert desk(Role.SUPERVISOR).post("/hub/erase", asked).status_code == 403
    assert admin.post("/hub/erase", asked | {"reason": " "}).status_code == 400
    assert admin.post("/hub/erase", asked).status_code == 200
    assert core.do(core.hub.retrieve("48250", AIR)) is None
    begins, ends = NOON - timedelta(days=1), system_clock() + timedelta(days=1)
    assert core.do(core.hub.series("48250", AIR, "pm10", begins, ends)).readings == 0
    assert admin.get("/hub/entities").json()["total"] == 1
    assert (audited("hub.erasure.asked"), audited("hub.erased")) == (1, 1)
    assert admin.post("/hub/erase", asked).status_code == 200, "repeating does no harm"


def test_one_attribute_is_erased_and_the_others_stay(core: Core, desk: MakeDesk) -> None:
    core.put(air(1, name={"type": "Property", "value": "김해 측정소"}))
    asked = {"id": AIR, "attribute": "name", "reason": "잘못 적은 이름"}
    assert desk(Role.ADMINISTRATOR).post("/hub/erase", asked).status_code == 200
    stored = core.do(core.hub.retrieve("48250", AIR))
    assert stored is not None
    assert {"name", "pm10"} & stored.attributes().keys() == {"pm10"}


def test_what_belongs_to_a_room_is_not_erased_here(core: Core, desk: MakeDesk) -> None:
    core.put({"id": "urn:ngsi-ld:Incident:1", "type": "Incident"})
    asked = {"id": "urn:ngsi-ld:Incident:1", "reason": "x"}
    assert desk(Role.ADMINISTRATOR).post("/hub/erase", asked).status_code == 403


def test_a_subscription_shows_what_it_watches_and_no_secret(core: Core, desk: MakeDesk) -> None:
    name = subscribe(core, f"http://127.0.0.1:{free_port()}/in?key=hidden")
    answer = desk(Role.OPERATOR).get("/hub/subscriptions")
    (row,) = answer.json()["subscriptions"]
    assert (row["id"], row["name"], row["state"]) == (name, "먼지 알림", "active")
    assert (row["types"], row["attributes"]) == (["AirQualityObserved"], ["pm10"])
    assert row["conditions"] == [{"name": "q", "value": "pm10>80"}]
    assert row["endpoint"].endswith("/in?***")
    assert "hidden" not in answer.content.decode()


def test_pausing_keeps_whose_rights_it_reads_with_and_is_audited(core: Core, desk: MakeDesk) -> None:
    name = subscribe(core, f"http://127.0.0.1:{free_port()}/")
    admin = desk(Role.ADMINISTRATOR)
    assert admin.post("/hub/subscriptions/pause", {"id": name, "reason": "점검"}).status_code == 200
    (row,) = admin.get("/hub/subscriptions").json()["subscriptions"]
    assert (row["state"], row["owner"]) == ("paused", "token:1")
    assert admin.post("/hub/subscriptions/resume", {"id": name, "reason": "점검 끝"}).status_code == 200
    assert admin.get("/hub/subscriptions").json()["subscriptions"][0]["state"] == "active"
    assert (audited("hub.subscription.paused"), audited("hub.subscription.resumed")) == (1, 1)
    assert admin.post("/hub/subscriptions/pause", {"id": name, "reason": "  "}).status_code == 400
    assert admin.post("/hub/subscriptions/pause", {"id": "urn:x:none", "reason": "점검"}).status_code == 404
    refused = desk(Role.SUPERVISOR).post("/hub/subscriptions/pause", {"id": name, "reason": "점검"})
    assert refused.status_code == 403


def parked(desk: Desk) -> list[dict[str, Any]]:  # Any: JSON
    """What waits for a person, once anything does."""
    until(lambda: bool(desk.get("/hub/parked").json()["parked"]))
    rows: list[dict[str, Any]] = desk.get("/hub/parked").json()["parked"]  # Any: JSON
    return rows


def test_a_parked_notification_is_retried_or_given_up_with_a_reason_and_audited(core: Core, desk: MakeDesk) -> None:
    name = subscribe(core, f"http://127.0.0.1:{free_port()}/")
    core.put(air(pm10=90))
    supervisor = desk(Role.SUPERVISOR)
    (row,) = parked(supervisor)
    assert (row["subscription_id"], row["entities"], row["attempts"]) == (name, [AIR], 1)
    assert row["reason"]
    assert supervisor.get(f"/hub/parked?subscription={name}").json()["parked"] == [row]
    assert supervisor.get("/hub/parked?subscription=urn:x:other").json()["parked"] == []
    assert supervisor.get("/hub/overview").json()["notifications"]["parked"] == 1
    said = supervisor.get(f"/hub/parked/body?id={row['id']}").json()["body"]
    assert (said["subscriptionId"], said["data"][0]["pm10"]["value"]) == (name, 90)
    assert supervisor.post("/hub/parked/retry", {"id": row["id"]}).status_code == 200
    (again,) = parked(supervisor)
    assert again["parked_at"] > row["parked_at"]
    assert supervisor.post("/hub/parked/give-up", {"id": row["id"], "reason": " "}).status_code == 400
    given = supervisor.post("/hub/parked/give-up", {"id": row["id"], "reason": "받는 곳이 없어짐"})
    assert given.status_code == 200
    assert supervisor.get("/hub/parked").json()["parked"] == []
    assert supervisor.post("/hub/parked/give-up", {"id": row["id"], "reason": "다시"}).status_code == 404
    assert (audited("hub.notification.retried"), audited("hub.notification.given_up")) == (1, 1)


def test_parked_notifications_are_for_supervisors_and_administrators_of_that_city(
    core: Core, desk: MakeDesk, other_authority: Authority
) -> None:
    subscribe(core, f"http://127.0.0.1:{free_port()}/")
    core.put(air(pm10=90))
    (row,) = parked(desk(Role.ADMINISTRATOR))
    assert desk(Role.OPERATOR).get("/hub/parked").status_code == 403
    assert desk(Role.OPERATOR).post("/hub/parked/retry", {"id": row["id"]}).status_code == 403
    stranger = desk(Role.SUPERVISOR, authority=other_authority)
    assert stranger.get("/hub/parked").json()["parked"] == []
    assert stranger.post("/hub/parked/retry", {"id": row["id"]}).status_code == 404
    for known in (row["id"], "1.9", "x", "9.1"):
        assert stranger.get(f"/hub/parked/body?id={known}").status_code == 404
    assert stranger.get("/hub/subscriptions").json()["subscriptions"] == []


def test_the_office_s_menu_leads_to_the_hub_and_opens_the_office_to_nobody_new(desk: MakeDesk) -> None:
    officer, operator = desk(Role.CITY_OFFICER), desk(Role.OPERATOR)
    assert "/office/hub/" in officer.client.get("/office/").content.decode()
    assert officer.client.get("/office/hub/")["Location"] == "/hub"
    assert operator.client.get("/office/").status_code == 302
    assert "/office/hub/" not in desk(Role.AUDITOR).client.get("/office/").content.decode()
