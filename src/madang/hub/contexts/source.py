"""Where compiled @contexts come from: built in, from a configured file, or fetched once from an allowed address."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json, compile_context, remote_addresses
from madang.hub.contexts.shelf import Kept, Kind, Shelf
from madang.hub.errors import BadRequestDataError, LdContextNotAvailableError, OperationNotSupportedError
from madang.hub.names import CORE_ADDRESS, core_document
from madang.hub.outward import Fetched, Outward
from madang.hub.store import Store
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import MadangError
from madang.kernel.ids import new_id

log = logging.getLogger("madang.hub")

_MAX_DOCUMENTS = 32
_MAX_BYTES = 2_000_000
_MAX_COMPILED = 512
_MAX_USAGE = 4_096
_SHORTEST_KEEP_S, _LONGEST_KEEP_S = 1.0, 30 * 86_400.0
_REFUSED_KEEP_S = 30.0
_ACCEPT = "application/ld+json, application/json"


PATH = "/ngsi-ld/v1/jsonldContexts/"
_SERVED = re.compile(r"(?:https?://[^/?#]+)?" + re.escape(PATH) + r"([\w.:-]{1,200})\Z")


@dataclass(slots=True)
class Usage:
    """How often an @context was used since the hub started, and when last (ms since 1970)."""

    hits: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Compiled:
    until: float
    context: Context
    addresses: frozenset[str]


class ContextSource:
    """Compiles each @context once. An address that fails is not asked again for half a minute.

    With a store, what was fetched outlives a restart and answers, though old, while its address does not; addresses
    of this hub's own served @contexts are read from the store, never over HTTP.
    """

    def __init__(
        self,
        config: HubConfig,
        outward: Outward | None = None,
        store: Store | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._config = config
        self._outward = outward or Outward(config.outward_allow)
        self._shelf = Shelf(store) if store is not None else None
        self._clock = clock
        self._compiled: dict[str, _Compiled] = {}
        self._documents: dict[str, tuple[float, Json]] = {}
        self._refused: dict[str, tuple[float, MadangError]] = {}
        self._fetching: dict[str, asyncio.Task[Json]] = {}
        self._made: set[str] = set()
        self.usage: dict[str, Usage] = {}
        """By address or, for @contexts served here, by local id."""

    async def get(self, source: Json) -> Context:
        """The compiled form of an @context value; raises `BadRequestDataError` or `LdContextNotAvailableError`."""
        if source is None or (isinstance(source, str) and CORE_ADDRESS.match(source)):
            return CORE_CONTEXT
        key = source if isinstance(source, str) else digest(_canonical(source))
        known = self._compiled.get(key)
        if known is None or known.until <= time.monotonic():
            documents = await self._collect(source)
            compiling = partial(compile_context, source, documents)
            context = await asyncio.to_thread(compiling) if documents else compiling()
            known = _Compiled(self._until(documents), context, frozenset(documents))
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[key] = known
        if known.addresses:
            self._note(known.addresses)
        return known.context

    def _until(self, addresses: Iterable[str]) -> float:
        """Until when what is compiled from these documents holds: as long as the first of them."""
        held = (self._documents[one][0] for one in addresses if one in self._documents)
        return min((time.monotonic() + self._config.context_keep_s, *held))

    def _note(self, addresses: Iterable[str]) -> None:
        now_ms = self._now_ms()
        for address in addresses:
            used = self.usage.setdefault(self.local_id(address) or address, Usage())
            used.hits += 1
            used.last_ms = now_ms
        while len(self.usage) > _MAX_USAGE:
            self.usage.pop(next(iter(self.usage)))

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

    @staticmethod
    def local_id(address: str) -> str:
        """The local id in an address under which an @context is served here, else ""."""
        found = _SERVED.match(address)
        return found[1] if found else ""

    # What is kept (clause 5.13).

    @property
    def shelf(self) -> Shelf:
        """The kept @contexts; raises `OperationNotSupportedError` where there is no store."""
        if self._shelf is None:
            raise OperationNotSupportedError("@contexts are not kept here")
        return self._shelf

    async def host(self, tenant: str, source: Json, kind: Kind = Kind.HOSTED, context_id: str = "") -> str:
        """Keeps an @context to be served; its local id. Raises `BadRequestDataError` for one that makes no sense."""
        stand_ins: dict[str, Json] = {address: {"@context": {}} for address in remote_addresses(source)}
        compile_context(source, stand_ins)
        kept = Kept(context_id or new_id(), tenant, kind, "", {"@context": source}, self._now_ms())
        await self.shelf.put(kept)
        return kept.id

    async def address_of(self, names: Context, origin: str = "") -> str:
        """Where an @context can be had: its own address, or one made for it here (kind ImplicitlyCreated).

        `origin` is where clients reach this hub (`http://host:port`); `hub.public_url` where it is not said.
        """
        if isinstance(names.source, str):
            return names.source
        context_id = "implicit-" + digest(_canonical(names.source))[:32]
        if context_id not in self._made and self._shelf is not None:
            if await self._shelf.by_id(context_id) is None:
                await self.host("", names.source, Kind.IMPLICIT, context_id)
            if len(self._made) >= _MAX_COMPILED:
                self._made.clear()
            self._made.add(context_id)
        return (origin or self._config.public_url) + PATH + context_id

    async def reload(self, kept: Kept) -> None:
        """Fetches a cached @context anew; raises `LdContextNotAvailableError` and keeps the old one."""
        self._refused.pop(kept.address, None)
        try:
            document, keep_s = await self._load(kept.address)
        except MadangError as error:
            raise LdContextNotAvailableError(error.detail, where="@context", hint=error.hint) from None
        if not isinstance(document, dict) or "@context" not in document:
            raise LdContextNotAvailableError(f"{kept.address} holds no @context", where="@context")
        try:
            compile_context(kept.address, await self._collect(kept.address, {kept.address: document}))
        except BadRequestDataError as error:
            raise LdContextNotAvailableError(error.detail, where="@context") from None
        await self._keep(kept.address, document, keep_s, kept.id)
        self.forget(kept)
        self._documents[kept.address] = (time.monotonic() + keep_s, document)

    async def drop(self, kept: Kept) -> None:
        """Removes a kept @context and everything compiled from it."""
        await self.shelf.drop(kept.id)
        self.forget(kept)

    def forget(self, kept: Kept) -> None:
        """Compiles anew, from now on, what was compiled from it."""
        self._made.discard(kept.id)
        self._documents = {
            address: known
            for address, known in self._documents.items()
            if address != kept.address and self.local_id(address) != kept.id
        }
        self._compiled = {
            key: known
            for key, known in self._compiled.items()
            if not any(one == kept.address or self.local_id(one) == kept.id for one in known.addresses)
        }
        self.usage.pop(kept.address or kept.id, None)

    async def _collect(self, source: Json, given: Mapping[str, Json] | None = None) -> dict[str, Json]:
        documents: dict[str, Json] = {}
        waiting = list(remote_addresses(source))
        while waiting:
            address = waiting.pop()
            if address in documents:
                continue
            if len(documents) >= _MAX_DOCUMENTS:
                raise BadRequestDataError(f"The @context pulls in more than {_MAX_DOCUMENTS} others", where="@context")
            documents[address] = given[address] if given and address in given else await self._document(address)
            if isinstance(documents[address], dict):
                waiting.extend(remote_addresses(documents[address].get("@context")))
        return documents

    async def _document(self, address: str) -> Json:
        now = time.monotonic()
        known = self._documents.get(address)
        if known is not None and known[0] > now:
            return known[1]
        refused = self._refused.get(address)
        if refused is not None and refused[0] > now:
            raise LdContextNotAvailableError(refused[1].detail, where="@context", hint=refused[1].hint)
        task = self._fetching.get(address)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(address))
            self._fetching[address] = task
            task.add_done_callback(lambda _: self._fetching.pop(address, None))
        return await asyncio.shield(task)

    async def _fetch(self, address: str) -> Json:
        """A document from the shelf while it is fresh, else from its address; an old copy where that fails."""
        keep_s = self._config.context_keep_s
        copy = await self._shelved(address)
        if copy is not None and (copy.expires_ms is None or copy.expires_ms > self._now_ms()):
            document = copy.document
            if copy.expires_ms is not None:
                keep_s = min(keep_s, (copy.expires_ms - self._now_ms()) / 1000)
        else:
            try:
                document, keep_s = await self._load(address)
                await self._keep(address, document, keep_s)
            except MadangError as error:
                refusal = self._refuse(address, error)
                if copy is None:
                    raise refusal from None
                log.warning("%s does not answer; its copy of before is used", address)
                document, keep_s = copy.document, _REFUSED_KEEP_S
        if len(self._documents) >= _MAX_COMPILED:
            self._documents.pop(next(iter(self._documents)))
        self._documents[address] = (time.monotonic() + keep_s, document)
        return document

    async def _shelved(self, address: str) -> Kept | None:
        if self._shelf is None or address in self._config.context_files:
            return None
        if context_id := self.local_id(address):
            return await self._shelf.by_id(context_id)
        return await self._shelf.by_address(address)

    async def _keep(self, address: str, document: Json, keep_s: float, context_id: str = "") -> None:
        """Keeps what was fetched; a store that cannot write now does not stand in the way of using it."""
        if self._shelf is None or address in self._config.context_files or not isinstance(document, dict):
            return
        now_ms = self._now_ms()
        until_ms = now_ms + int(keep_s * 1000)
        body = {"@context": document.get("@context")}
        try:
            await self._shelf.put(Kept(context_id or new_id(), "", Kind.CACHED, address, body, now_ms, until_ms))
        except MadangError:
            log.warning("a fetched @context could not be kept", exc_info=True)

    async def _load(self, address: str) -> tuple[Json, float]:
        """A document and for how many seconds it is good: as its server says, or as configured (clause 6.3.16)."""
        fetched = await self._read(address)
        keep_s = self._config.context_keep_s if fetched.keep_s is None else min(fetched.keep_s, _LONGEST_KEEP_S)
        try:
            return orjson.loads(fetched.body), max(keep_s, _SHORTEST_KEEP_S) if fetched.keep_s is not None else keep_s
        except orjson.JSONDecodeError:
            raise LdContextNotAvailableError(f"{address} is not JSON", where="@context") from None

    def _refuse(self, address: str, error: MadangError) -> LdContextNotAvailableError:
        if len(self._refused) >= _MAX_COMPILED:
            self._refused.pop(next(iter(self._refused)))
        self._refused[address] = (time.monotonic() + _REFUSED_KEEP_S, error)
        return LdContextNotAvailableError(error.detail, where="@context", hint=error.hint)

    async def _read(self, address: str) -> Fetched:
        file = self._config.context_files.get(address)
        if file is not None:
            return Fetched(await asyncio.to_thread(_read_file, file))
        if CORE_ADDRESS.match(address):
            return Fetched(orjson.dumps(core_document()))
        timeout_s = self._config.context_timeout_s
        return await self._outward.fetch(address, timeout_s=timeout_s, max_bytes=_MAX_BYTES, accept=_ACCEPT)


def _read_file(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise LdContextNotAvailableError(
            f"The configured context file {file} cannot be read: {error.strerror}"
        ) from None


def _canonical(source: Json) -> bytes:
    try:
        return canonical_json(source)
    except TypeError:
        raise BadRequestDataError("The @context cannot be read", where="@context") from None
