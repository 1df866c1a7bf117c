"""Which rooms there are: their doors and their workers, put together for one process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING

from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.site.asgi import Door
from madang.site.asgi_types import Scope
from madang.site.config import linkage_names
from madang.site.crew import Crew
from madang.site.mirror import MIRROR
from madang.site.pages import Pages
from madang.site.statics import PREFIX, Statics

if TYPE_CHECKING:
    from madang.site.services import Services

log = logging.getLogger(__name__)

_CORE_ROOMS = ("response", "console", "portal", "connectors.mqtt")
_HEAVY_ROOMS = ("connectors",)
"""Rooms whose background work is long and hungry: it runs in the worker process, beside core."""


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


def module_if_present(name: str) -> ModuleType | None:
    """A module by its full name, or None where it does not exist. Its own faults are not hidden."""
    try:
        if importlib.util.find_spec(name) is None:
            return None
    except ModuleNotFoundError:
        return None
    return importlib.import_module(name)


def core_workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """Everything core runs in the background."""
    from madang.journal.workers import workers as journal_workers
    from madang.video.workers import workers as video_workers

    names = [f"madang.{room}.workers" for room in _CORE_ROOMS]
    names += [f"madang.linkages.{name}.workers" for name in linkage_names()]
    names += [f"{point.value.partition(':')[0]}.workers" for point in entry_points(group="madang.connectors")]
    return [*journal_workers(services.clock), *video_workers(), *_workers(services, names)]


def heavy_workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """Everything the worker process runs."""
    return list(_workers(services, [f"madang.{room}.workers" for room in _HEAVY_ROOMS]))


def _workers(services: Services, names: Sequence[str]) -> Iterator[ThreadWorker | LoopWorker]:
    for name in names:
        module = module_if_present(name)
        if module is not None and hasattr(module, "workers"):
            yield from module.workers(services)


async def _open_hub(services: Services, stack: contextlib.AsyncExitStack) -> list[Door]:
    module = module_if_present("madang.hub.hub")
    faces = module_if_present("madang.hub.app")
    if module is None or faces is None:
        return []
    config = services.config.rooms["hub"]
    services.hub = await module.Hub.open(config, services.clock)
    stack.push_async_callback(services.hub.close)
    MIRROR.connect(services.hub, asyncio.get_running_loop())
    stack.callback(MIRROR.disconnect)
    app = faces.HubApp(services.hub, services.authenticate, owned_types=OWNED_TYPES, open_mode=False)
    limit = int(getattr(config, "max_body", services.config.server.max_body_bytes))
    return [Door("hub", "/ngsi-ld/", app, limit=limit), Door("ingest", "/ingest/", app, limit=limit)]


OWNED_TYPES = frozenset({"Camera", "Incident"})
"""Entity types that a room mirrors into the hub: nobody outside writes them."""


def _rooms(services: Services) -> Iterator[Door]:
    limit = services.config.server.max_body_bytes
    live = module_if_present("madang.console.live")
    if live is not None and hasattr(live, "asgi_app"):
        yield Door("live", "/api/console/live", live.asgi_app(services), limit=limit, streams=True)
    from madang.video.medialink import MediaLink

    link = MediaLink(services.keyring.media_secret)
    yield Door("media", "/internal/media/link", link, limit=limit, streams=True)


def _linkages(services: Services) -> Iterator[Door]:
    """One door for each linkage; those of others come by the entry point group `madang.linkages`."""
    limit = services.config.server.max_body_bytes
    theirs = {point.name: point.value.partition(":")[0] for point in entry_points(group="madang.linkages")}
    for name in linkage_names():
        package = theirs.get(name, f"madang.linkages.{name}")
        link = module_if_present(f"{package}.link")
        if link is not None and hasattr(link, "asgi_app"):
            yield Door(f"linkage.{name}", f"/linkages/{name}/", link.asgi_app(services), limit=limit, streams=True)


def _for_people(pages: Pages) -> Iterator[Door]:
    yield Door("static", PREFIX, Statics(), for_programs=False)
    yield Door("pages", "/", pages, limit=None, for_programs=False)


async def _is_logged_in(services: Services, scope: Scope) -> bool:
    """Whether a request comes from an open session: only then is a large upload taken at all."""
    from madang.site.session import person_behind

    return await services.run_civic(lambda: person_behind(scope)) is not None
