"""Which rooms there are: their doors and their workers, put together for one process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING

from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.site.asgi import Door
from madang.site.asgi_types import Scope
from madang.site.config import linkage_packages
from madang.site.crew import Crew
from madang.site.mirror import MIRROR
from madang.site.pages import Pages
from madang.site.statics import PREFIX, Statics

if TYPE_CHECKING:
    from madang.site.services import Services


@asynccontextmanager
async def assemble(services: Services) -> AsyncIterator[Sequence[Door]]:
    """Opens the hub, gathers every door, runs core's workers; ends them in the opposite order."""
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(services.civic.close)
        hub = await _open_hub(services, stack)
        pages = Pages(services.config.server, lambda scope: _is_logged_in(services, scope))
        doors = [*hub, *_rooms(services), *_linkages(services), *_for_people(pages)]
        crew = Crew(core_workers(services))
        crew.start()
        stack.push_async_callback(crew.stop)
        warming = asyncio.create_task(asyncio.to_thread(pages.warm))
        stack.callback(warming.cancel)
        yield doors


def core_workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """Everything core runs in the background: the rooms', the linkages', the brokers'."""
    from madang.connectors.mqtt.workers import workers as mqtt
    from madang.console.workers import workers as console
    from madang.facilities.workers import workers as facilities
    from madang.journal.workers import workers as journal
    from madang.video.evidence.workers import workers as evidence
    from madang.video.workers import workers as video

    ours = [*journal(services.clock), *video(), *evidence(services), *facilities(services)]
    ours += [*_response_workers(services), *console(services)]
    for channel in ("smtp", "sms_gateway", "broadcast", "bell_line", "frigate", "onvif"):
        ours += importlib.import_module(f"madang.connectors.{channel}.workers").workers(services)
    ours += mqtt(services)  # type: ignore[arg-type]  # wants a hub that is open, as it is in core by now
    theirs = [point.value.partition(":")[0] for point in entry_points(group="madang.connectors")]
    for package in (*linkage_packages().values(), *theirs):
        module = _part(package, "workers")
        if module is not None:
            ours += module.workers(services)
    return ours


def _response_workers(services: Services) -> Iterator[ThreadWorker | LoopWorker]:
    """The workers of response and of each of its sub-rooms."""
    for name in ("", ".signals", ".duty", ".sop", ".messaging", ".rules", ".review"):
        yield from importlib.import_module(f"madang.response{name}.workers").workers(services)


def heavy_workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """Everything the worker process runs: what is long and hungry, and must not slow down core."""
    from madang.connectors.workers import workers as imports

    return [*imports(services)]


def _part(package: str, name: str) -> ModuleType | None:
    """A module that a linkage or connector may have, or None. Its own faults are not hidden."""
    full = f"{package}.{name}"
    return importlib.import_module(full) if importlib.util.find_spec(full) is not None else None


async def _open_hub(services: Services, stack: contextlib.AsyncExitStack) -> list[Door]:
    from madang.hub.config import HubConfig
    from madang.hub.http.app import HubApp
    from madang.hub.hub import Hub

    config = services.config.rooms["hub"]
    assert isinstance(config, HubConfig)
    services.hub, services.owned_types = await Hub.open(config, services.clock), OWNED_TYPES
    stack.push_async_callback(services.hub.close)
    services.hub.subscriptions.actor_today = services.actor_today
    MIRROR.connect(services.hub, asyncio.get_running_loop())
    stack.callback(MIRROR.disconnect)
    app = HubApp(services.hub, services.authenticate, OWNED_TYPES)
    limit = config.max_body
    return [Door("hub", "/ngsi-ld/", app, limit=limit), Door("ingest", "/ingest/", app, limit=limit)]


OWNED_TYPES = frozenset({"Camera", "Incident"})
"""Entity types that a room mirrors into the hub: nobody outside writes them."""


def _rooms(services: Services) -> Iterator[Door]:
    from madang.connectors.bell_line.workers import door as bells
    from madang.console.live import asgi_app as live
    from madang.identity.api import MAX_BODY, TokenEndpoint
    from madang.response.signals.api import asgi_app as signals
    from madang.video.medialink import MediaLink

    limit = services.config.server.max_body_bytes
    tokens = TokenEndpoint(services.run_civic, services.clock, services.keyring.blob_key, services.config.identity)
    yield Door("oauth2", "/oauth2/", tokens, limit=MAX_BODY)
    yield Door("live", "/api/console/live", live(services), limit=limit, streams=True)
    yield Door("signals", "/signals/", signals(services), limit=limit)
    yield Door("bells", "/bells/", bells(services), limit=limit)
    link = MediaLink(services.keyring.media_secret)
    yield Door("media", "/internal/media/link", link, limit=limit, streams=True)


def _linkages(services: Services) -> Iterator[Door]:
    limit = services.config.server.max_body_bytes
    for name, package in linkage_packages().items():
        link = _part(package, "link")
        if link is not None:
            yield Door(f"linkage.{name}", f"/linkages/{name}/", link.asgi_app(services), limit=limit, streams=True)


def _for_people(pages: Pages) -> Iterator[Door]:
    yield Door("static", PREFIX, Statics(), for_programs=False)
    yield Door("pages", "/", pages, limit=None, for_programs=False)


async def _is_logged_in(services: Services, scope: Scope) -> bool:
    """Whether a request comes from an open session: only then is a large upload taken at all."""
    from madang.site.session import person_behind

    return await services.run_civic(lambda: person_behind(scope)) is not None
