"""Every call of the client as a value: what is sent, how the answer is read. Pure; both clients run the same calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

import httpx

from madang.hub.client.errors import HubError, UnavailableError, error_of
from madang.hub.client.queries import EntityQuery, TemporalQuery
from madang.hub.client.results import (
    BatchResult,
    Entity,
    Json,
    TemporalPage,
    UpdateResult,
    batch_result,
    update_result,
)

T = TypeVar("T")
Body = Mapping[str, Any] | Sequence[Any]  # Any: JSON values

BASE = "/ngsi-ld/v1"
LINK_REL = "http://www.w3.org/ns/json-ld#context"
BATCH_SIZE = 1_000
"""Longer batches are sent in parts of so many items."""
TRIES = 3
_JSON = "application/json"
_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `reads` says that asking twice changes nothing: only then is an unclear failure tried again."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    media: str = _JSON
    reads: bool = False

    def arguments(self, context: str | None) -> dict[str, Any]:  # Any: the arguments of httpx.Client.build_request
        """What httpx needs to build the request; `context` is the address of the client's @context."""
        headers = {"Accept": _JSON}
        linked = context is not None and self.media != "application/ld+json"
        if linked:
            headers["Link"] = f'<{context}>; rel="{LINK_REL}"; type="application/ld+json"'
        arguments: dict[str, Any] = {"params": dict(self.parameters), "headers": headers}
        if self.body is not None:
            headers["Content-Type"] = self.media
            arguments["json"] = self.body
        return arguments

    def result(self, response: httpx.Response) -> T:
        """The answer, read; raises `HubError` for a refusal."""
        if response.is_success:
            return self.read(response)
        raise error_of(response)

    def again_after_s(self, failed: httpx.TransportError | httpx.Response, attempt: int) -> float | None:
        """How long to wait before trying again, seconds; None when that is not safe or not worth it.

        Whatever was never sent may be sent; an unclear failure of a change is told to the caller instead.
        """
        if attempt >= TRIES:
            return None
        pause_s = 0.2 * 2 ** (attempt - 1)
        if isinstance(failed, httpx.Response):
            wanted = failed.headers.get("retry-after", "")
            if failed.status_code not in _AGAIN or not self.reads:
                return None
            return min(float(wanted), 30.0) if wanted.isdigit() else pause_s
        unsent = isinstance(failed, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        return pause_s if unsent or self.reads else None


def unreachable(error: httpx.TransportError) -> HubError:
    """The hub could not be reached, or the connection broke."""
    return UnavailableError(0, {"title": "The hub could not be reached", "detail": f"{type(error).__name__}: {error}"})


def _nothing(_response: httpx.Response) -> None:
    return None


def _json(response: httpx.Response) -> Json:
    return response.json()


def _created(response: httpx.Response) -> str:
    """The id in the Location of what was created."""
    return unquote(response.headers["location"].rpartition("/")[2])


def _updated(response: httpx.Response) -> UpdateResult:
    return update_result(response.status_code, response.json() if response.content else None)


def media_of(*bodies: Body) -> str:
    """JSON-LD where a body brings its @context."""
    return "application/ld+json" if any(isinstance(body, Mapping) and "@context" in body for body in bodies) else _JSON


def entity_path(entity_id: str, *more: str) -> str:
    """The path of an entity, or of something in it."""
    return "/".join(["/entities", *(quote(part, safe=":") for part in (entity_id, *more))])


def _shown(attrs: Iterable[str], pick: Iterable[str], options: str, lang: str) -> dict[str, str]:
    said = {"attrs": ",".join(attrs), "pick": ",".join(pick), "options": options, "lang": lang}
    return {name: value for name, value in said.items() if value}


# Entities.


def create_entity(entity: Mapping[str, Any]) -> Call[str]:  # Any: JSON values
    return Call("POST", "/entities", _created, body=entity, media=media_of(entity))


def get_entity(entity_id: str, attrs: Iterable[str], pick: Iterable[str], options: str, lang: str) -> Call[Entity]:
    return Call("GET", entity_path(entity_id), _json, _shown(attrs, pick, options, lang), reads=True)


def page_of(query: EntityQuery, offset: int) -> Call[tuple[list[Entity], bool]]:
    """One page and whether there are more."""
    page = {"limit": str(query.page_size), "offset": str(offset)}
    return Call("GET", "/entities", _page, query.parameters() | page, reads=True)


def _page(response: httpx.Response) -> tuple[list[Entity], bool]:
    return response.json(), "next" in response.links


def count_of(query: EntityQuery) -> Call[int]:
    parameters = query.parameters() | {"limit": "0", "count": "true"}
    return Call("GET", "/entities", _count, parameters, reads=True)


def _count(response: httpx.Response) -> int:
    return int(response.headers["ngsild-results-count"])


def merge_entity(entity_id: str, fragment: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    return Call("PATCH", entity_path(entity_id), _nothing, body=fragment, media=media_of(fragment))


def replace_entity(entity_id: str, entity: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    return Call("PUT", entity_path(entity_id), _nothing, body=entity, media=media_of(entity))


def delete_entity(entity_id: str) -> Call[None]:
    return Call("DELETE", entity_path(entity_id), _nothing)


def append_attributes(
    entity_id: str,
    fragment: Mapping[str, Any],
    overwrite: bool,  # Any: JSON values
) -> Call[UpdateResult]:
    options = {} if overwrite else {"options": "noOverwrite"}
    path = entity_path(entity_id, "attrs")
    return Call("POST", path, _updated, options, fragment, media_of(fragment))


def update_attributes(entity_id: str, fragment: Mapping[str, Any]) -> Call[UpdateResult]:  # Any: JSON values
    return Call("PATCH", entity_path(entity_id, "attrs"), _updated, body=fragment, media=media_of(fragment))


def patch_attribute(entity_id: str, name: str, fragment: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    path = entity_path(entity_id, "attrs", name)
    return Call("PATCH", path, _nothing, body=fragment, media=media_of(fragment))


def replace_attribute(entity_id: str, name: str, attribute: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    path = entity_path(entity_id, "attrs", name)
    return Call("PUT", path, _nothing, body=attribute, media=media_of(attribute))


def delete_attribute(entity_id: str, name: str, dataset_id: str, every: bool) -> Call[None]:
    parameters = ({"datasetId": dataset_id} if dataset_id else {}) | ({"deleteAll": "true"} if every else {})
    return Call("DELETE", entity_path(entity_id, "attrs", name), _nothing, parameters)


# Batches.


def batches(kind: str, items: Sequence[Any], options: str = "") -> list[Call[BatchResult]]:  # Any: entities or ids
    """A batch, in as many parts as it needs."""
    parts = [items[start : start + BATCH_SIZE] for start in range(0, len(items), BATCH_SIZE)]
    return [_batch(kind, part, options) for part in parts]


def _batch(kind: str, items: Sequence[Any], options: str) -> Call[BatchResult]:  # Any: entities or ids
    ids = tuple(str(one.get("id", "") if isinstance(one, Mapping) else one) for one in items)

    def read(response: httpx.Response) -> BatchResult:
        return batch_result(response.status_code, response.json() if response.content else None, ids)

    parameters = {"options": options} if options else {}
    return Call("POST", f"/entityOperations/{kind}", read, parameters, items, media_of(*items))


# Temporal.

_TEMPORAL = "/temporal/entities"


def create_history(entity: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    return Call("POST", _TEMPORAL, _nothing, body=entity, media=media_of(entity))


def add_history(entity_id: str, fragment: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    path = f"{_TEMPORAL}/{quote(entity_id, safe=':')}/attrs"
    return Call("POST", path, _nothing, body=fragment, media=media_of(fragment))


def get_history(entity_id: str, query: TemporalQuery) -> Call[TemporalPage]:
    path = f"{_TEMPORAL}/{quote(entity_id, safe=':')}"
    return Call("GET", path, _history, query.parameters(), reads=True)


def histories(query: EntityQuery, time: TemporalQuery, offset: int) -> Call[tuple[TemporalPage, bool]]:
    parameters = {**query.parameters(), **time.parameters(), "limit": str(query.page_size), "offset": str(offset)}

    def read(response: httpx.Response) -> tuple[TemporalPage, bool]:
        return _history(response), "next" in response.links

    return Call("GET", _TEMPORAL, read, parameters, reads=True)


def _history(response: httpx.Response) -> TemporalPage:
    body = response.json()
    return TemporalPage(
        tuple(body if isinstance(body, list) else [body]),
        response.headers.get("content-range", "") if response.status_code == 206 else "",
    )


def delete_history(entity_id: str, attribute: str) -> Call[None]:
    path = f"{_TEMPORAL}/{quote(entity_id, safe=':')}"
    return Call("DELETE", f"{path}/attrs/{quote(attribute, safe=':')}" if attribute else path, _nothing)


# Subscriptions, discovery, contexts.


def create_subscription(subscription: Mapping[str, Any]) -> Call[str]:  # Any: JSON values
    return Call("POST", "/subscriptions", _created, body=subscription, media=media_of(subscription))


def get_subscription(subscription_id: str) -> Call[Json]:
    return Call("GET", _one("/subscriptions", subscription_id), _json, reads=True)


def page_of_subscriptions(offset: int) -> Call[tuple[list[Entity], bool]]:
    return Call("GET", "/subscriptions", _page, {"limit": "100", "offset": str(offset)}, reads=True)


def update_subscription(subscription_id: str, fragment: Mapping[str, Any]) -> Call[None]:  # Any: JSON values
    path = _one("/subscriptions", subscription_id)
    return Call("PATCH", path, _nothing, body=fragment, media=media_of(fragment))


def delete_subscription(subscription_id: str) -> Call[None]:
    return Call("DELETE", _one("/subscriptions", subscription_id), _nothing)


def type_names() -> Call[list[str]]:
    return Call("GET", "/types", lambda response: list(response.json()["typeList"]), reads=True)


def type_info(name: str) -> Call[Json]:
    return Call("GET", _one("/types", name), _json, reads=True)


def attribute_names() -> Call[list[str]]:
    return Call("GET", "/attributes", lambda response: list(response.json()["attributeList"]), reads=True)


def attribute_info(name: str) -> Call[Json]:
    return Call("GET", _one("/attributes", name), _json, reads=True)


def add_context(context: Json) -> Call[str]:
    body = context if isinstance(context, Mapping) and "@context" in context else {"@context": context}

    def located(response: httpx.Response) -> str:
        return str(response.url.join(response.headers["location"]))

    return Call("POST", "/jsonldContexts", located, body=body, media=_JSON)


def context_urls(kind: str) -> Call[list[Json]]:
    return Call("GET", "/jsonldContexts", _json, {"kind": kind} if kind else {}, reads=True)


def get_context(context_id: str) -> Call[Json]:
    return Call("GET", _one("/jsonldContexts", context_id), _json, reads=True)


def delete_context(context_id: str) -> Call[None]:
    return Call("DELETE", _one("/jsonldContexts", context_id), _nothing)


def _one(path: str, name: str) -> str:
    return f"{path}/{quote(name.removeprefix('/'), safe=':')}"
