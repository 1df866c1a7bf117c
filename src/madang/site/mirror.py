"""What rooms own is mirrored into the hub, one way: civic outbox → here → hub, keyed by id and version.

The hub can be rebuilt from the civic store, never the other way round. Nothing personal is announced, so nothing
personal can be mirrored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Protocol

from madang.journal.handlers import Delivery, OutboxMessage, Subscriber, subscribe
from madang.kernel.canonical import canonical_json, parse_json
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.ids import urn

NAME = "hub_mirror"
SOURCE = "madang"
_PATIENCE_S = 8.0


class Hub(Protocol):
    """The part of the hub a mirror needs."""

    async def upsert(
        self, tenant: str, entities: list[Mapping[str, Any]], *, source: str, versions: Mapping[str, int]
    ) -> Any: ...  # Any: its own result; entities are JSON


class Mirror:
    """The subscriber; it delivers only where a hub is open, which is core."""

    def __init__(self) -> None:
        self._hub: Hub | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        """Says which hub to write to, and the loop it lives on."""
        self._hub, self._loop = hub, loop

    def disconnect(self) -> None:
        """The hub is closing: what is announced from now on waits."""
        self._hub = self._loop = None

    def prepare(self, message: OutboxMessage) -> bytes:
        """The entity, as canonical JSON."""
        return canonical_json(incident_entity(message.body, message.mode.value))

    def deliver(self, delivery: Delivery) -> None:
        """Writes the entity unless the hub holds this version or a later one."""
        if self._hub is None or self._loop is None:
            raise TemporaryError("the hub is not open in this process")
        entity = parse_json(delivery.wire)
        versions = {entity["id"]: int(entity["version"]["value"])}
        work = self._hub.upsert(delivery.authority, [entity], source=SOURCE, versions=versions)
        try:
            result = asyncio.run_coroutine_threadsafe(_awaited(work), self._loop).result(_PATIENCE_S)
        except (FutureTimeout, RuntimeError) as error:
            raise TemporaryError(f"the hub did not answer: {error}") from None
        if result.errors:
            raise PermanentError(f"the hub refused the mirror: {result.errors[0]}")


async def _awaited(work: Any) -> Any:  # Any: the hub's own coroutine and result
    return await work


def incident_entity(body: Mapping[str, Any], mode: str) -> dict[str, Any]:  # Any: JSON values
    """An incident as NGSI-LD, from what `response` announces; unknown stays absent."""
    place = body["place"]
    entity: dict[str, Any] = {  # Any: JSON values
        "id": urn("Incident", body["id"]),
        "type": "Incident",
        "number": _property(body["number"]),
        "class": _property(body["class"]),
        "priority": _property(body["priority"]),
        "state": _property(body["state"]),
        "placeState": _property(place["state"]),
        "mode": _property(mode),
        "openedAt": _property({"@type": "DateTime", "@value": body["opened_at"]}),
        "version": _property(body["version"]),
    }
    if body.get("closed_at"):
        entity["closedAt"] = _property({"@type": "DateTime", "@value": body["closed_at"]})
    if place.get("district"):
        entity["district"] = _property(place["district"])
    if place["lon"] is not None and place["lat"] is not None:
        point = {"type": "Point", "coordinates": [place["lon"], place["lat"]]}
        entity["location"] = {"type": "GeoProperty", "value": point}
    return entity


def _property(value: object) -> dict[str, object]:
    return {"type": "Property", "value": value}


MIRROR = Mirror()


def register() -> None:
    """Subscribes to what is mirrored; every process that announces must have done so."""
    from madang.response.record import TOPICS

    subscribe(Subscriber(NAME, TOPICS, MIRROR.prepare, MIRROR.deliver, lanes=1))
