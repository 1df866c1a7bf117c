"""The synchronous client: the calls of `calls`, run on the calling thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

import httpx

from madang.hub.client import calls
from madang.hub.client.calls import BASE, Call
from madang.hub.client.queries import EntityQuery, TemporalQuery
from madang.hub.client.results import BatchResult, Entity, Json, TemporalPage, UpdateResult

T = TypeVar("T")
Fragment = Mapping[str, Any]  # Any: an entity's attributes are of its own making


class HubClient:
    """One hub, seen from one tenant. For one thread at a time; close it, or use it with `with`.

    `url` is the hub's address (`http://127.0.0.1:1026`); `auth` is a `BearerToken` or `ClientCredentials`; `context`
    the address of the @context of everything that does not bring its own. Refusals are raised as `HubError`. What
    only reads is tried again when the hub cannot be reached; a change only where it certainly never arrived.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | None = None,
        tenant: str = "",
        context: str | None = None,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        self.context = context
        self._http = httpx.Client(
            base_url=url.rstrip("/") + BASE, auth=auth, headers=headers, timeout=timeout_s, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def run(self, call: Call[T]) -> T:
        """Runs one call, again where that is safe; raises `HubError`."""
        request = self._http.build_request(call.method, call.path, **call.arguments(self.context))
        attempt = 0
        while True:
            attempt += 1
            failed: httpx.TransportError | httpx.Response
            try:
                failed = self._http.send(request)
            except httpx.TransportError as error:
                failed = error
            pause_s = call.again_after_s(failed, attempt)
            if pause_s is not None:
                time.sleep(pause_s)
            elif isinstance(failed, httpx.Response):
                return call.result(failed)
            else:
                raise calls.unreachable(failed) from failed

    # Entities.

    def create_entity(self, entity: Fragment) -> str:
        """Creates an entity; returns its id (clause 5.6.1)."""
        return self.run(calls.create_entity(entity))

    def entity(
        self, entity_id: str, *, attrs: Iterable[str] = (), pick: Iterable[str] = (), options: str = "", lang: str = ""
    ) -> Entity:
        """One entity (clause 5.7.1); raises `NotFoundError`. `options` are `sysAttrs`, `keyValues`, `concise` …"""
        return self.run(calls.get_entity(entity_id, attrs, pick, options, lang))

    def entities(self, query: EntityQuery) -> Iterator[Entity]:
        """Every entity that answers the query, page by page (clause 5.7.2).

        Pages are cut when they are asked for: what is created or deleted meanwhile may be missed or come twice.
        """
        offset, more = 0, True
        while more:
            page, more = self.run(calls.page_of(query, offset))
            yield from page
            offset += query.page_size

    def count(self, query: EntityQuery) -> int:
        """How many entities answer the query (clause 6.3.13)."""
        return self.run(calls.count_of(query))

    def merge(self, entity_id: str, fragment: Fragment) -> None:
        """Merges a fragment into an entity (clause 5.6.17); `urn:ngsi-ld:null` removes."""
        self.run(calls.merge_entity(entity_id, fragment))

    def replace(self, entity_id: str, entity: Fragment) -> None:
        """Puts an entity in the place of what is there (clause 5.6.18)."""
        self.run(calls.replace_entity(entity_id, entity))

    def delete(self, entity_id: str) -> None:
        """Deletes an entity (clause 5.6.6)."""
        self.run(calls.delete_entity(entity_id))

    def append(self, entity_id: str, fragment: Fragment, *, overwrite: bool = True) -> UpdateResult:
        """Adds attributes (clause 5.6.3)."""
        return self.run(calls.append_attributes(entity_id, fragment, overwrite))

    def update(self, entity_id: str, fragment: Fragment) -> UpdateResult:
        """Changes attributes that are there (clause 5.6.2)."""
        return self.run(calls.update_attributes(entity_id, fragment))

    def patch_attribute(self, entity_id: str, name: str, fragment: Fragment) -> None:
        """Changes part of one attribute (clause 5.6.4)."""
        self.run(calls.patch_attribute(entity_id, name, fragment))

    def replace_attribute(self, entity_id: str, name: str, attribute: Fragment) -> None:
        """Puts an attribute in the place of what is there (clause 5.6.19)."""
        self.run(calls.replace_attribute(entity_id, name, attribute))

    def delete_attribute(self, entity_id: str, name: str, *, dataset_id: str = "", every: bool = False) -> None:
        """Deletes an attribute, or one instance of it (clause 5.6.5)."""
        self.run(calls.delete_attribute(entity_id, name, dataset_id, every))

    # Batches: each item stands or fails by itself.

    def create_many(self, entities: Sequence[Fragment]) -> BatchResult:
        """Creates entities (clause 5.6.7)."""
        return self._batch(calls.batches("create", entities))

    def upsert_many(self, entities: Sequence[Fragment], *, replace: bool = False) -> BatchResult:
        """Creates entities or changes their attributes (clause 5.6.8)."""
        return self._batch(calls.batches("upsert", entities, "replace" if replace else "update"))

    def update_many(self, entities: Sequence[Fragment], *, overwrite: bool = True) -> BatchResult:
        """Adds and changes attributes of entities that are there (clause 5.6.9)."""
        return self._batch(calls.batches("update", entities, "" if overwrite else "noOverwrite"))

    def merge_many(self, entities: Sequence[Fragment]) -> BatchResult:
        """Merges fragments, each with its id (clause 5.6.20)."""
        return self._batch(calls.batches("merge", entities))

    def delete_many(self, ids: Sequence[str]) -> BatchResult:
        """Deletes entities by id (clause 5.6.10)."""
        return self._batch(calls.batches("delete", ids))

    def _batch(self, parts: list[Call[BatchResult]]) -> BatchResult:
        result = BatchResult()
        for part in parts:
            result += self.run(part)
        return result

    # History.

    def history(self, entity_id: str, query: TemporalQuery | None = None) -> TemporalPage:
        """The history of an entity (clause 5.7.3)."""
        return self.run(calls.get_history(entity_id, query or TemporalQuery()))

    def histories(self, query: EntityQuery, time: TemporalQuery | None = None) -> Iterator[TemporalPage]:
        """The histories of every entity that answers the query, page by page (clause 5.7.4)."""
        offset, more = 0, True
        while more:
            found, more = self.run(calls.histories(query, time or TemporalQuery(), offset))
            yield found
            offset += query.page_size

    def create_history(self, entity: Fragment) -> None:
        """Writes the history of an entity from elsewhere (clause 5.6.11)."""
        self.run(calls.create_history(entity))

    def add_history(self, entity_id: str, fragment: Fragment) -> None:
        """Adds attribute instances to a history (clause 5.6.12)."""
        self.run(calls.add_history(entity_id, fragment))

    def delete_history(self, entity_id: str, attribute: str = "") -> None:
        """Deletes the history of an entity, or of one attribute (clauses 5.6.16, 5.6.13)."""
        self.run(calls.delete_history(entity_id, attribute))

    # Subscriptions.

    def create_subscription(self, subscription: Fragment) -> str:
        """Creates a subscription; returns its id (clause 5.8.1)."""
        return self.run(calls.create_subscription(subscription))

    def subscription(self, subscription_id: str) -> Json:
        """One subscription (clause 5.8.3)."""
        return self.run(calls.get_subscription(subscription_id))

    def subscriptions(self) -> Iterator[Json]:
        """Every subscription of the tenant (clause 5.8.4)."""
        offset, more = 0, True
        while more:
            page, more = self.run(calls.page_of_subscriptions(offset))
            yield from page
            offset += 100

    def update_subscription(self, subscription_id: str, fragment: Fragment) -> None:
        """Changes a subscription (clause 5.8.2)."""
        self.run(calls.update_subscription(subscription_id, fragment))

    def delete_subscription(self, subscription_id: str) -> None:
        """Ends a subscription (clause 5.8.5)."""
        self.run(calls.delete_subscription(subscription_id))

    # Discovery and contexts.

    def types(self) -> list[str]:
        """The entity types there are (clause 5.7.5)."""
        return self.run(calls.type_names())

    def type_info(self, name: str) -> Json:
        """One type: how many entities, which attributes (clause 5.7.7)."""
        return self.run(calls.type_info(name))

    def attributes(self) -> list[str]:
        """The attributes there are (clause 5.7.8)."""
        return self.run(calls.attribute_names())

    def attribute_info(self, name: str) -> Json:
        """One attribute: its kinds and the types that have it (clause 5.7.10)."""
        return self.run(calls.attribute_info(name))

    def add_context(self, context: Json) -> str:
        """Hosts an @context; returns its address (clause 5.13.2)."""
        return self.run(calls.add_context(context))

    def contexts(self, kind: str = "") -> list[Json]:
        """The addresses of the @contexts known (clause 5.13.3)."""
        return self.run(calls.context_urls(kind))

    def get_context(self, context_id: str) -> Json:
        """One @context (clause 5.13.4)."""
        return self.run(calls.get_context(context_id))

    def delete_context(self, context_id: str) -> None:
        """Removes an @context (clause 5.13.5)."""
        self.run(calls.delete_context(context_id))
