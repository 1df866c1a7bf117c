"""Real servers for tests: their directory, their ports, their start and their end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from madang.site.setup import initialise

START_S = 90.0
PASSWORD = "a good long secret"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """A new city's directory and the environment its commands run in."""

    directory: Path
    port: int

    @property
    def config(self) -> Path:
        return self.directory / "madang.toml"

    @property
    def media_port(self) -> int:
        return int(_media(self.config.read_text(encoding="utf-8")).partition("=")[2])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "madang.cli", "--config", str(self.config), *arguments]

    def run(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
            env=environment() | (env or {}),
        )


def environment() -> dict[str, str]:
    """This process's environment without what tests have set for themselves."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MADANG_") and name != "DJANGO_SETTINGS_MODULE"
    }


def install(directory: Path, more: str = "") -> Installation:
    """Writes a new installation on free ports."""
    port, media = free_port(), free_port()
    initialise(directory, port=port, more=f"\n[video]\nmedia_port = {media}\n{more}")
    return Installation(directory, port)


def copied(template: Installation, directory: Path) -> Installation:
    """An installation like another, on ports of its own: quicker than making a store anew."""
    shutil.copytree(template.directory, directory)
    home = Installation(directory, free_port())
    text = template.config.read_text(encoding="utf-8")
    for old, new in ((f"port = {template.port}", f"port = {home.port}"), (_media(text), f"media_port = {free_port()}")):
        text = text.replace(old, new, 1)
    home.config.write_text(text, encoding="utf-8")
    return home


def _media(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("media_port"))


_SEED = """
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.identity import commands
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import system_clock
actor, now = actor_at_the_keyboard("48250"), system_clock()
with civic.transaction() as tx:
    commands.add_city(tx, actor, code="48250", name_ko="김해시", name_en="Gimhae", lon=128.889, lat=35.228, now=now)
    commands.create_account(
        tx, actor, authority="48250", username="kim", password=%r, name="김관제", roles=[Role.OPERATOR], now=now
    )
"""


def seed(home: Installation) -> None:
    """Adds one city and one operator, `kim`."""
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    subprocess.run([sys.executable, "-c", _SEED % PASSWORD], env=env, check=True, timeout=90)


@contextmanager
def serving(home: Installation, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `madang serve` until the block ends; waits until it answers."""
    log = (home.directory / "serve.log").open("wb")
    process = subprocess.Popen(
        home.command("serve", *arguments), env=environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
    )
    try:
        until(lambda: answers(home) or process.poll() is not None, START_S)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        log.close()


def answers(home: Installation) -> bool:
    """Whether core answers."""
    try:
        return httpx.get(f"{home.url}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for something to hold; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """The processes a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process is there and not just waiting to be buried."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
