"""Where compiled @contexts come from: built in, from a configured file, or fetched once from an allowed address."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import orjson

from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json, compile_context, remote_addresses
from madang.hub.errors import BadRequestDataError, LdContextNotAvailableError
from madang.hub.names import CORE_ADDRESS, core_document
from madang.hub.outward import Outward
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.errors import MadangError

_MAX_DOCUMENTS = 32
_MAX_BYTES = 2_000_000
_MAX_COMPILED = 512
_REFUSED_KEEP_S = 30.0
_ACCEPT = "application/ld+json, application/json"


class ContextSource:
    """Compiles each @context once. An address that fails is not asked again for half a minute."""

    def __init__(self, config: HubConfig, outward: Outward | None = None) -> None:
        self._config = config
        self._outward = outward or Outward(config.outward_allow)
        self._compiled: dict[str, tuple[float, Context]] = {}
        self._documents: dict[str, tuple[float, Json]] = {}
        self._refused: dict[str, tuple[float, MadangError]] = {}
        self._fetching: dict[str, asyncio.Task[Json]] = {}

    async def get(self, source: Json) -> Context:
        """The compiled form of an @context value; raises `BadRequestDataError` or `LdContextNotAvailableError`."""
        if source is None or (isinstance(source, str) and CORE_ADDRESS.match(source)):
            return CORE_CONTEXT
        key = source if isinstance(source, str) else digest(_canonical(source))
        known = self._compiled.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        documents = await self._collect(source)
        compiled = compile_context(source, documents)
        if len(self._compiled) >= _MAX_COMPILED:
            self._compiled.pop(next(iter(self._compiled)))
        self._compiled[key] = (time.monotonic() + self._config.context_keep_s, compiled)
        return compiled

    async def _collect(self, source: Json) -> dict[str, Json]:
        documents: dict[str, Json] = {}
        waiting = list(remote_addresses(source))
        while waiting:
            address = waiting.pop()
            if address in documents:
                continue
            if len(documents) >= _MAX_DOCUMENTS:
                raise BadRequestDataError(f"The @context pulls in more than {_MAX_DOCUMENTS} others", where="@context")
            documents[address] = await self._document(address)
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
        try:
            body = await self._read(address)
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._refuse(
                address, LdContextNotAvailableError(f"{address} is not JSON", where="@context")
            ) from None
        except MadangError as error:
            raise self._refuse(address, error) from None
        if len(self._documents) >= _MAX_COMPILED:
            self._documents.pop(next(iter(self._documents)))
        self._documents[address] = (time.monotonic() + self._config.context_keep_s, document)
        return document

    def _refuse(self, address: str, error: MadangError) -> LdContextNotAvailableError:
        if len(self._refused) >= _MAX_COMPILED:
            self._refused.pop(next(iter(self._refused)))
        self._refused[address] = (time.monotonic() + _REFUSED_KEEP_S, error)
        return LdContextNotAvailableError(error.detail, where="@context", hint=error.hint)

    async def _read(self, address: str) -> bytes:
        file = self._config.context_files.get(address)
        if file is not None:
            return await asyncio.to_thread(_read_file, file)
        if CORE_ADDRESS.match(address):
            return orjson.dumps(core_document())
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
