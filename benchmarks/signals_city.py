"""A city for the benchmarks of signals: an installation of its own, its core as a process, devices that report."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import demo_city
from madang.site.setup import initialise

CITY = "48250"
WEST, SOUTH, STEP = 128.80, 35.17, 0.05
"""Twelve square districts, four by three, from this corner; degrees."""

_SEED = """
import json, sys
from datetime import timedelta
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from madang.identity import commands
from madang.identity.models import Person, TokenKind
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.places.commands import BoundaryRow, put_boundaries
from madang.video.models import DutyShift
CITY, WEST, SOUTH, STEP = %r, %r, %r, %r
actor, now = actor_at_the_keyboard(CITY), system_clock()
def square(w, s):
    e, n = w + STEP, s + STEP
    return {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}, (w, s, e, n)
rows = []
for x in range(4):
    for y in range(3):
        shape, box = square(WEST + x * STEP, SOUTH + y * STEP)
        rows.append(BoundaryRow(f"{x}{y}", f"제{x}{y}동", f"D{x}{y}", shape, box))
with civic.transaction() as tx:
    commands.add_city(tx, actor, code=CITY, name_ko="시험시", name_en="Test", lon=128.9, lat=35.24, now=now)
    put_boundaries(tx, CITY, rows)
    for n in range(4):
        commands.create_account(tx, actor, authority=CITY, username=f"op{n}", password="a good long secret",
                                name=f"관제{n}", roles=[Role.OPERATOR], now=now)
    raw, _ = commands.issue_token(tx, actor, authority=CITY, kind=TokenKind.DEVICE, name="sensors", types=[],
                                  lives=timedelta(days=1), longest=timedelta(days=1), now=now)
    people = list(Person.objects.filter(username__startswith="op").order_by("username"))
    for person in people:
        DutyShift.objects.create(authority_id=CITY, person=person, from_at=now - timedelta(hours=1),
                                 to_at=now + timedelta(hours=11), accepted_at=now)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(people[0].pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = people[0].get_session_auth_hash()
session.create()
print(json.dumps({"token": raw, "cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}))
"""


@dataclass(frozen=True, slots=True)
class Home:
    """An installation: its folder, its port, a device's token and an operator's cookie."""

    folder: Path
    port: int
    token: str
    cookie: str

    @property
    def environment(self) -> dict[str, str]:
        """What its own programs run in."""
        return demo_city.environment() | {"MADANG_CONFIG": str(self.folder / "madang.toml")}

    @property
    def store(self) -> Path:
        """The civic store."""
        return next(self.folder.glob("civic*.sqlite3"))


def settle_in(folder: Path) -> Home:
    """A new city with four operators on duty, twelve districts, a device token and an open session."""
    port = demo_city.free_port()
    initialise(folder, port=port, more=f"\n[video]\nmedia_port = {demo_city.free_port()}\n")
    home = Home(folder, port, "", "")
    script = _SEED % (CITY, WEST, SOUTH, STEP)
    made = subprocess.run(
        [sys.executable, "-c", script], env=home.environment, check=True, capture_output=True, text=True, timeout=180
    )
    return Home(folder, port, **json.loads(made.stdout.splitlines()[-1]))


@contextmanager
def core(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """The core process, from when it answers until the end; it may be killed meanwhile."""
    config = str(home.folder / "madang.toml")
    command = [sys.executable, "-m", "madang.cli", "--config", config, "serve", "--role", "core"]
    with demo_city.running(command, home.folder / "core.log") as process:
        url = f"http://127.0.0.1:{home.port}/healthz"
        deadline = time.monotonic() + 120
        while not demo_city.answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((home.folder / "core.log").read_text(errors="replace")[-2000:])
            time.sleep(0.02)
        yield process


def report(
    number: int, device: int, class_code: str, lon: float, lat: float, **more: Any
) -> dict[str, Any]:  # Any: JSON
    """A signal as a device posts it."""
    return {
        "source": "sensor",
        "source_id": f"r-{number}",
        "device": f"D-{device}",
        "class": class_code,
        "observed_at": datetime.now(UTC).isoformat(),
        "lon": lon,
        "lat": lat,
        **more,
    }


class Line:
    """One kept-open HTTP/1.1 connection, one request at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes, path: str = "/signals/v1/batch") -> tuple[int, bytes]:
        """Status and body of the answer; `OSError` or `EOFError` when there is none."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._home.port)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._home.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._writer.write(head.encode() + body)
            await self._writer.drain()
            return await self._answer()
        except (OSError, EOFError):
            self.close()
            raise

    async def _answer(self) -> tuple[int, bytes]:
        assert self._reader is not None
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        length = int(lower[at : lower.index(b"\r\n", at)])
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Lets the connection go; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._writer = self._reader = None
