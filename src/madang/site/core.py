"""The core and worker processes, each run by `madang serve --role …`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from socket import AF_INET, AF_INET6, create_server, socket
from types import FrameType
from typing import TYPE_CHECKING

import django

from madang.kernel.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

    from madang.site.asgi import Front
    from madang.site.config import Config

log = logging.getLogger(__name__)

GRACE_S = 1.5
"""How long ordinary requests may go on after SIGTERM, seconds."""
_WEBSOCKET_MESSAGE_BYTES = 1_000_000
_KEEP_ALIVE_S = 15
_CONCURRENT = 10_000
"""Connections at once, idle ones among them; beyond, uvicorn answers 503."""


def run_core(config: Config) -> int:
    """Serves until SIGTERM or SIGINT; returns the process's exit code."""
    from madang.site.asgi import build_app
    from madang.site.backup import before_upgrade
    from madang.site.stores import only_one, prepare_stores

    signal.signal(signal.SIGTERM, _end)
    django.setup()
    with only_one(config):
        prepare_stores(config, before_upgrade)
        app = build_app(config)
        server = _server(app, config)
        _collect_from_now_on()
        with contextlib.suppress(SystemExit):
            server.run(sockets=[_listen(config)])
    if app.refused:
        raise ConfigError(app.refused)
    code = 0 if server.started else 1
    _leave(code)
    return code


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM before the server listens, and once more from uvicorn when it has ended well."""
    raise SystemExit(0)


def run_worker(config: Config) -> int:
    """Runs the hungry background work until SIGTERM or SIGINT."""
    django.setup()
    _collect_from_now_on()
    asyncio.run(_work(config))
    _leave(0)
    return 0


def _collect_from_now_on() -> None:
    """Garbage is collected from here on, and what the start has made is never looked through again."""
    gc.freeze()
    gc.enable()


async def _work(config: Config) -> None:
    from madang.site.crew import Crew
    from madang.site.house import heavy_workers
    from madang.site.services import build_services

    loop = asyncio.get_running_loop()
    services = build_services(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, services.stopping.set)
    crew = Crew(heavy_workers(services))
    crew.start()
    await services.stopping.wait()
    await crew.stop()


def _server(app: Front, config: Config) -> uvicorn.Server:
    import uvicorn

    from madang.site.protocol import BoundedProtocol

    class Server(uvicorn.Server):
        """Closes the streams before it waits for connections to end: they would never."""

        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            await app.close_streams()
            await super().shutdown(sockets)

    own = config.server
    settings = uvicorn.Config(
        app,
        host=own.host,
        port=own.port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=BoundedProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(own.trusted_proxies),
        forwarded_allow_ips=list(own.trusted_proxies),
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(GRACE_S)),
        limit_concurrency=_CONCURRENT,
        ws_max_size=_WEBSOCKET_MESSAGE_BYTES,
        ssl_certfile=_file(config, own.tls_certificate),
        ssl_keyfile=_file(config, own.tls_key),
    )
    return Server(settings)


def _listen(config: Config) -> socket:
    """The listening socket; raises `ConfigError` for an address that cannot be used."""
    own = config.server
    family = AF_INET6 if ":" in own.host else AF_INET
    try:
        return create_server((own.host, own.port), family=family, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {own.host}:{own.port}: {error.strerror}; choose another with --port or [server] port"
        ) from None


def _file(config: Config, name: str) -> str | None:
    if not name:
        return None
    path = config.base / name
    if not path.is_file():
        raise ConfigError(f"{config.source}: [server] names {path}, which is not a file", where=str(config.source))
    return str(path)


def _leave(code: int) -> None:
    """Ends the process although a library's thread may still hang in a call that cannot be interrupted."""
    busy = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if busy:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
