"""The client for programs, against a real hub in another process: sync and async do the same."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import pytest

from madang.hub.client import (
    AlreadyExistsError,
    AsyncHubClient,
    BadRequestError,
    BatchResult,
    BearerToken,
    ClientCredentials,
    EntityQuery,
    HubClient,
    HubError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
    TemporalQuery,
    UnavailableError,
)
from madang.hub.client.calls import TRIES
from tests.hub.live import hub_alone
from tests.site.serving import free_port

_NUMBERS = count()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub in a process of its own."""
    with hub_alone(tmp_path_factory.mktemp("served")) as address:
        yield address


@pytest.fixture
def hub(url: str) -> Iterator[HubClient]:
    """A client of a tenant of the test's own."""
    with HubClient(url, tenant=f"city{next(_NUMBERS)}") as client:
        yield client


def sensor(number: int, **values: Any) -> dict[str, Any]:  # Any: JSON values
    made = {name: {"type": "Property", "value": value} for name, value in values.items()}
    return {"id": f"urn:ngsi-ld:Sensor:{number}", "type": "Sensor", **made}


def test_an_entity_from_creation_to_deletion(hub: HubClient) -> None:
    entity_id = hub.create_entity(sensor(1, a=1, b=2))
    assert entity_id == "urn:ngsi-ld:Sensor:1"
    hub.merge(entity_id, {"a": {"type": "Property", "value": 5}})
    assert hub.append(entity_id, {"c": {"type": "Property", "value": 3}}).ok
    kept = hub.append(entity_id, {"c": {"type": "Property", "value": 9}}, overwrite=False)
    assert (kept.ok, [name.rpartition("/")[2] for name in kept.not_updated or {}]) == (False, ["c"])
    assert hub.update(entity_id, {"b": {"type": "Property", "value": 7}}).ok
    hub.patch_attribute(entity_id, "b", {"unitCode": "CEL"})
    hub.replace_attribute(entity_id, "c", {"type": "Property", "value": 4})
    assert hub.entity(entity_id, options="keyValues") == {
        "id": entity_id,
        "type": "Sensor",
        "a": 5,
        "b": 7,
        "c": 4,
    }
    assert hub.entity(entity_id, pick=["b"])["b"]["unitCode"] == "CEL"
    hub.delete_attribute(entity_id, "c")
    hub.replace(entity_id, sensor(1, z=1))
    assert hub.entity(entity_id) == sensor(1, z=1)
    hub.delete(entity_id)
    with pytest.raises(NotFoundError):
        hub.entity(entity_id)


def test_refusals_are_exceptions_that_say_what_was_wrong(hub: HubClient, url: str) -> None:
    hub.create_entity(sensor(1))
    with pytest.raises(AlreadyExistsError) as exists:
        hub.create_entity(sensor(1))
    assert (exists.value.status, exists.value.kind) == (409, "AlreadyExists")
    with pytest.raises(BadRequestError) as bad:
        hub.create_entity({"id": "nothing", "type": "Sensor"})
    assert (bad.value.kind, bad.value.where) == ("BadRequestData", "id")
    with pytest.raises(NotFoundError), HubClient(url, tenant="nowhere") as other:
        other.types()


def test_a_query_goes_through_every_page(hub: HubClient) -> None:
    assert hub.upsert_many([sensor(number, a=number) for number in range(25)]).ok
    query = EntityQuery(type="Sensor", q="a>=5", page_size=7)
    assert [one["a"]["value"] for one in hub.entities(query)] == list(range(5, 25))
    assert hub.count(query) == 20
    assert list(hub.entities(EntityQuery(type="Nothing"))) == []


def test_a_query_by_place_and_with_names_of_its_own(url: str) -> None:
    address = {"@context": {"온도": "https://example.org/temperature"}}
    with HubClient(url, tenant=f"city{next(_NUMBERS)}") as hub:
        place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.88, 35.22]}}
        hub.create_entity(sensor(1) | {"location": place, "온도": {"type": "Property", "value": 3}} | address)
        near = EntityQuery(type="Sensor", near=(128.88, 35.2201, 100))
        assert [one["id"] for one in hub.entities(near)] == ["urn:ngsi-ld:Sensor:1"]
        assert list(hub.entities(EntityQuery(type="Sensor", near=(129.5, 35.2, 100)))) == []
        assert "https://example.org/temperature" in hub.entity("urn:ngsi-ld:Sensor:1")


def test_batches_tell_the_fate_of_every_item(hub: HubClient) -> None:
    made = hub.create_many([sensor(1, a=1), sensor(2, a=1)])
    assert (made.ok, len(made.created)) == (True, 2)
    again = hub.create_many([sensor(1), {"id": "no", "type": "Sensor"}, sensor(3)])
    assert (again.ok, again.success) == (False, ("urn:ngsi-ld:Sensor:3",))
    kinds = {one.entity_id: type(one.error) for one in again.errors}
    assert kinds == {"urn:ngsi-ld:Sensor:1": AlreadyExistsError, "no": BadRequestError}
    with pytest.raises(HubError):
        again.raise_for_errors()
    assert hub.update_many([sensor(1, b=1)]).ok
    assert hub.merge_many([{"id": "urn:ngsi-ld:Sensor:1", "a": {"type": "Property", "value": 2}}]).ok
    assert hub.upsert_many([sensor(1, only=1)], replace=True).ok
    assert hub.entity("urn:ngsi-ld:Sensor:1") == sensor(1, only=1)
    gone = hub.delete_many(["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2", "urn:ngsi-ld:Sensor:99"])
    assert [type(one.error) for one in gone.errors] == [NotFoundError]


def test_long_batches_are_sent_in_parts(hub: HubClient) -> None:
    result = hub.upsert_many([sensor(number) for number in range(2_300)])
    assert (result.ok, len(result.success)) == (True, 2_300)
    assert hub.delete_many([]) == BatchResult()


def test_types_attributes_and_contexts(hub: HubClient) -> None:
    hub.create_entity(sensor(1, a=1))
    assert (hub.types(), hub.attributes()) == (["Sensor"], ["a"])
    assert hub.type_info("Sensor")["entityCount"] == 1
    assert hub.attribute_info("a")["typeNames"] == ["Sensor"]
    address = hub.add_context({"온도": "https://example.org/temperature"})
    assert address in [one if isinstance(one, str) else one["URL"] for one in hub.contexts()]
    context_id = address.rpartition("/")[2]
    assert hub.get_context(context_id)["@context"]["온도"] == "https://example.org/temperature"
    hub.delete_context(context_id)
    with pytest.raises(NotFoundError):
        hub.get_context(context_id)


def at(hour: int, value: float) -> dict[str, Any]:  # Any: JSON values
    return {"type": "Property", "value": value, "observedAt": f"2026-01-01T{hour:02}:00:00Z"}


def test_history_is_written_read_aggregated_and_deleted(hub: HubClient) -> None:
    first = "urn:ngsi-ld:Sensor:1"
    hub.create_history({"id": first, "type": "Sensor", "a": [at(hour, hour) for hour in range(6)]})
    hub.add_history(first, {"a": [at(6, 6)]})
    everything = hub.history(first)
    assert everything.whole
    assert len(everything.entities[0]["a"]) == 7
    early = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    later = TemporalQuery(after=early, options="temporalValues")
    assert [value for value, _ in sorted(hub.history(first, later).entities[0]["a"]["values"])] == [3, 4, 5, 6]
    mean = hub.history(first, TemporalQuery(after=datetime(2025, 12, 31, tzinfo=UTC), aggregate=["max"], period="PT0S"))
    assert mean.entities[0]["a"]["max"][0][0] == 6
    hub.create_history({"id": "urn:ngsi-ld:Sensor:2", "type": "Sensor", "a": [at(1, 1)]})
    pages = list(
        hub.histories(EntityQuery(type="Sensor", page_size=1), TemporalQuery(after=datetime(2025, 1, 1, tzinfo=UTC)))
    )
    assert [one["id"] for page in pages for one in page.entities] == [first, "urn:ngsi-ld:Sensor:2"]
    hub.delete_history("urn:ngsi-ld:Sensor:2", "a")
    hub.delete_history(first)
    with pytest.raises(NotFoundError):
        hub.history(first)


def test_a_subscription_from_creation_to_its_end(hub: HubClient) -> None:
    made = hub.create_subscription(
        {
            "type": "Subscription",
            "entities": [{"type": "Sensor"}],
            "notification": {"endpoint": {"uri": "https://example.org/notify"}},
        }
    )
    assert hub.subscription(made)["status"] == "active"
    hub.update_subscription(made, {"isActive": False})
    assert [(one["id"], one["status"]) for one in hub.subscriptions()] == [(made, "paused")]
    hub.delete_subscription(made)
    assert list(hub.subscriptions()) == []


def test_the_asynchronous_client_does_the_same(url: str) -> None:
    async def body() -> None:
        async with AsyncHubClient(url, tenant=f"city{next(_NUMBERS)}") as hub:
            assert await hub.create_entity(sensor(1, a=1)) == "urn:ngsi-ld:Sensor:1"
            result = await hub.upsert_many([sensor(number, a=number) for number in range(30)])
            assert result.ok
            found = [one["id"] async for one in hub.entities(EntityQuery(type="Sensor", page_size=8))]
            assert len(found) == 30
            await asyncio.gather(*(hub.merge(one, {"a": {"type": "Property", "value": 0}}) for one in found))
            assert await hub.count(EntityQuery(type="Sensor", q="a==0")) == 30
            with pytest.raises(NotFoundError):
                await hub.delete("urn:ngsi-ld:Sensor:99")

    asyncio.run(asyncio.wait_for(body(), 60))


def test_both_clients_know_the_same_calls_with_the_same_arguments() -> None:
    def calls(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("__")
        }

    assert calls(HubClient) == calls(AsyncHubClient)


def test_the_client_brings_nothing_of_the_server_along() -> None:
    program = "import sys, json, madang.hub.client; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    ours = [name for name in modules if name.startswith("madang.") and not name.startswith("madang.hub.client")]
    assert ours == ["madang.hub"]
    assert not {"django", "apsw", "duckdb", "orjson", "shapely", "numpy"} & set(modules)


# ----------------------------------------------------------------------------- what goes wrong, on a wire of our own


class Wire:
    """A transport that answers from a list, and remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def hub(self, auth: httpx.Auth | None = None) -> HubClient:
        return HubClient("http://hub", transport=httpx.MockTransport(self), auth=auth)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def busy() -> httpx.Response:
    return httpx.Response(503, json={"type": "https://x/InternalError", "detail": "not now"})


def good() -> httpx.Response:
    return httpx.Response(200, json=sensor(1))


def test_what_only_reads_is_tried_again() -> None:
    for trouble in (busy(), httpx.ReadError("cut off"), httpx.ConnectError("refused")):
        wire = Wire(trouble, good())
        assert wire.hub().entity("urn:ngsi-ld:Sensor:1") == sensor(1)
    wire = Wire(*(busy() for _ in range(9)))
    with pytest.raises(UnavailableError):
        wire.hub().entity("urn:ngsi-ld:Sensor:1")
    assert len(wire.asked) == TRIES


def test_a_change_is_tried_again_only_when_it_never_left() -> None:
    made = httpx.Response(201, headers={"location": "/ngsi-ld/v1/entities/urn:ngsi-ld:Sensor:1"})
    assert Wire(httpx.ConnectError("refused"), made).hub().create_entity(sensor(1)) == "urn:ngsi-ld:Sensor:1"
    for trouble in (httpx.ReadError("cut off"), httpx.ReadTimeout("slow"), busy()):
        wire = Wire(trouble, made)
        with pytest.raises(UnavailableError):
            wire.hub().create_entity(sensor(1))
        assert len(wire.asked) == 1


def test_a_hub_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError) as error, HubClient(f"http://127.0.0.1:{free_port()}") as hub:
        hub.types()
    assert error.value.status == 0


def test_an_answer_that_is_no_problem_details_still_is_an_error() -> None:
    with pytest.raises(UnavailableError, match="Bad Gateway"):
        Wire(*(httpx.Response(502, text="<html>") for _ in range(TRIES))).hub().types()
    with pytest.raises(NotAllowedError):
        Wire(httpx.Response(403, json=["odd"])).hub().types()


def token(text: str, lives_s: int = 900) -> httpx.Response:
    return httpx.Response(200, json={"access_token": text, "token_type": "Bearer", "expires_in": lives_s})


def credentials() -> ClientCredentials:
    return ClientCredentials("http://hub/oauth2/token", "mdc-1", "hush", scope="read:*")


def test_a_token_is_fetched_once_shown_and_renewed_before_it_ends() -> None:
    wire = Wire(token("one"), good(), good(), token("two", lives_s=31), good())
    who = credentials()
    hub = wire.hub(who)
    hub.entity("a:1")
    hub.entity("a:1")
    assert [one.headers.get("authorization") for one in wire.asked] == [None, "Bearer one", "Bearer one"]
    assert b"grant_type=client_credentials" in wire.asked[0].content
    who._renew_at_s = 0.0
    hub.entity("a:1")
    assert wire.asked[-1].headers["authorization"] == "Bearer two"
    assert "hush" not in repr(who)


def test_a_token_refused_is_replaced_once() -> None:
    refused = [httpx.Response(401, json={"title": "no"}) for _ in range(2)]
    wire = Wire(token("one"), good(), refused[0], token("two"), good())
    hub = wire.hub(credentials())
    hub.entity("a:1")
    assert hub.entity("a:1") == sensor(1)
    with pytest.raises(NotAuthenticatedError):
        Wire(token("one"), refused[1]).hub(credentials()).entity("a:1")


def test_wrong_credentials_are_told_as_such() -> None:
    wire = Wire(httpx.Response(401, json={"error": "invalid_client", "error_description": "no"}))
    with pytest.raises(NotAuthenticatedError, match="invalid_client: no"):
        wire.hub(credentials()).types()
    wire = Wire(good())
    wire.hub(BearerToken("mdg_x_y")).entity("a:1")
    assert wire.asked[0].headers["authorization"] == "Bearer mdg_x_y"


def test_times_need_their_zone_and_say_what_they_mean() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert TemporalQuery(after=noon).parameters() == {"timerel": "after", "timeAt": "2026-01-01T12:00:00Z"}
    assert TemporalQuery(before=noon).parameters()["timerel"] == "before"
    both = TemporalQuery(after=noon, before=noon, aggregate=["avg", "max"], period="PT1H").parameters()
    assert (both["timerel"], both["aggrMethods"], both["options"]) == ("between", "avg,max", "aggregatedValues")
    with pytest.raises(ValueError, match="zone"):
        TemporalQuery(after=datetime(2026, 1, 1)).parameters()  # noqa: DTZ001 -- refused here
