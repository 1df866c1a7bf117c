"""A hub in a process of its own, open on a free port of this machine, for tests that speak HTTP to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.site.serving import environment, free_port, until


@contextmanager
def hub_alone(directory: Path, *arguments: str, port: int = 0) -> Iterator[str]:
    """Runs `madang hub` until the block ends; gives its address, without a slash at the end."""
    port = port or free_port()
    command = [sys.executable, "-m", "madang.cli", "hub", "--port", str(port), "--store", "hub.sqlite3", *arguments]
    log = (directory / "hub.log").open("wb")
    process = subprocess.Popen(
        command, cwd=directory, env=environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url) or process.poll() is not None, 60)
        assert process.poll() is None, (directory / "hub.log").read_text()
        yield url
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        log.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
