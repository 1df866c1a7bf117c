"""A process that serves an open hub on loopback, as `madang serve` does, and says its port. Argument: the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys

import uvicorn
import uvloop

from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub


async def main(path: str) -> None:
    """Serves until terminated."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    hub = await Hub.open(HubConfig(store=path))
    app = HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1")
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", lifespan="off", log_level="warning")
    os.write(1, f"{listening.getsockname()[1]}\n".encode())
    try:
        await uvicorn.Server(config).serve(sockets=[listening])
    finally:
        await hub.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(main(sys.argv[1]))
