"""The hub by itself: an open NGSI-LD broker for this machine alone, without people, rooms or keys."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from madang.hub.access import is_loopback
from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.kernel.errors import ConfigError, MadangError
from madang.site.asgi import healthz
from madang.site.asgi_types import Receive, Scope, Send
from madang.site.config import ServerConfig
from madang.site.guards import Hosts, send_problem
from madang.site.protocol import BoundedProtocol

log = logging.getLogger(__name__)


@dataclass
class HubAlone:
    """The hub as an ASGI application that opens its store when it starts and closes it when it ends."""

    config: HubConfig
    host: str
    refused: str = ""
    """Why the hub could not be opened, if it could not."""

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise ConfigError(
                f"the hub by itself asks nobody for a credential: it listens on this machine only, not on {self.host}",
                where="--host",
                hint="For others, run `madang serve` and give them tokens or clients",
            )
        self._app: HubApp | None = None
        self._hosts = Hosts(ServerConfig(host=self.host))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point. A page opened under another name than this machine's is not answered."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and self._app is not None:
            try:
                self._hosts.check(scope)
            except MadangError as error:
                await send_problem(send, error.problem())
            else:
                await (healthz if scope["path"] == "/healthz" else self._app)(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            hub = await Hub.open(self.config)
        except MadangError as error:
            self.refused = error.detail
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        self._app = HubApp(hub, None, open_mode=True, bound_host=self.host)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._app = None
        await hub.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # only handed on
        await super().startup(sockets)  # type: ignore[arg-type]  # as it came
        if self.started:
            self._on_ready()


def run_alone(config: HubConfig, host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serves the hub until Ctrl-C or SIGTERM; raises `ConfigError` when it cannot be opened."""
    app = HubAlone(config, host)
    settings = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(SystemExit):  # uvicorn's own way to end; ours tells why
        _Server(settings, on_ready).run()
    if app.refused:
        raise ConfigError(app.refused, where="store")
