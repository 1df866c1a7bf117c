"""`python -m madang.video.media`: reads its configuration and serves until told to stop or its parent is gone."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from madang.video.media.config import MediaConfig, read_config
from madang.video.media.gateway import Gateway


def main() -> int:
    """Entry point; 2 when the configuration cannot be used."""
    parser = argparse.ArgumentParser(prog="madang.video.media", description="Madang's media gateway")
    parser.add_argument("--config", type=Path, help="JSON configuration file; without it, standard input is read")
    arguments = parser.parse_args()
    data = arguments.config.read_bytes() if arguments.config else sys.stdin.buffer.readline()
    try:
        config = read_config(data)
    except msgspec.MsgspecError as error:
        sys.stderr.write(f"media: the configuration cannot be used: {error}\n")
        return 2
    with suppress(KeyboardInterrupt):
        asyncio.run(run(config))
    return 0


async def run(config: MediaConfig) -> None:
    """Serves until SIGTERM or SIGINT. Tells on standard output which port it listens on."""
    gateway = Gateway(config)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    server = await gateway.listen()
    port = next(iter(server.sockets)).getsockname()[1]
    sys.stdout.write(f'{{"listening":{port}}}\n')
    sys.stdout.flush()
    running = asyncio.create_task(gateway.run())
    parent = os.getppid()
    while not stopping.is_set() and not running.done() and os.getppid() == parent:
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.5)
    await gateway.shut()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    server.close()
    await server.wait_closed()


if __name__ == "__main__":
    sys.exit(main())
