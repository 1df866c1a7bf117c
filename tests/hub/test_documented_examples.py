"""Every example of docs/hub.md, run in the order of the page against a hub alone and a running city."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.hub.live import hub_alone
from tests.site.serving import Installation, copied, environment, free_port, serving, until

PAGE = Path(__file__).parents[2] / "docs" / "hub.md"
_BLOCK = re.compile(r"```(sh|python|json)\n(.*?)```", re.DOTALL)
SERVER = "madang hub "
"""The one command of the page that the test has already running."""


@dataclass(frozen=True)
class Example:
    """One block of the page, and what it is said to answer."""

    kind: str
    text: str
    answer: str = ""


def examples() -> list[Example]:
    """The blocks to run, each with the JSON that follows it."""
    found: list[Example] = []
    for kind, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "json":
            found[-1] = Example(found[-1].kind, found[-1].text, text)
        elif not text.startswith(SERVER):
            found.append(Example(kind, text))
    return found


class Endpoint(BaseHTTPRequestHandler):
    """Takes notifications."""

    heard: ClassVar[list[Any]] = []  # Any: JSON

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it
        """Says nothing."""


@contextmanager
def listening(port: int) -> Iterator[list[Any]]:  # Any: JSON
    Endpoint.heard.clear()
    with HTTPServer(("127.0.0.1", port), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Endpoint.heard
        server.shutdown()
        thread.join()


@dataclass
class Reader:
    """Somebody who does what the page says, on other ports."""

    home: Installation
    ports: dict[str, int]
    env: dict[str, str] = field(default_factory=dict)

    def run(self, example: Example) -> str:
        """What the example prints; fails where the example does."""
        text = example.text
        for documented, real in self.ports.items():
            text = text.replace(f"127.0.0.1:{documented}", f"127.0.0.1:{real}")
        if example.kind == "python":
            command = [sys.executable, "-c", text]
        else:
            command = ["bash", "-euo", "pipefail", "-c", f'madang() {{ {self._madang()} "$@"; }}\n{text}']
        done = subprocess.run(
            command, env=environment() | self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        if text.startswith("madang client add"):
            self.env["CLIENT_ID"], self.env["CLIENT_SECRET"] = done.stdout.split()
        return done.stdout

    def _madang(self) -> str:
        return shlex.join([sys.executable, "-m", "madang.cli", "--config", str(self.home.config)])


@pytest.fixture(scope="module")
def reader(template: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader with a hub alone and a city, both running."""
    folder = tmp_path_factory.mktemp("documented")
    port = free_port()
    home = copied(template, folder / "city")
    with hub_alone(folder, "--outward", "127.0.0.1", port=port), serving(home):
        yield Reader(home, {"1026": port, "8080": home.port, "9090": free_port()})


def shows(whole: Any, part: Any) -> bool:  # Any: JSON
    """Whether an answer has everything the page shows of it; lists are shown with all their items."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and shows(whole[name], value) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(whole) == len(part) and all(map(shows, whole, part))
    return bool(whole == part)


@pytest.mark.timeout(180)
def test_every_example_of_the_page_does_what_the_page_says(reader: Reader) -> None:
    done = 0
    with listening(reader.ports["9090"]) as heard:
        for example in examples():
            printed = reader.run(example)
            if example.answer:
                assert shows(json.loads(printed), json.loads(example.answer)), f"{example.text}\n{printed}"
            else:
                assert '"title"' not in printed, f"{example.text}\n{printed}"
            done += 1
        until(lambda: bool(heard), 20)
    assert done > 10
    expected = [{"id": "urn:ngsi-ld:AirQualityObserved:gimhae-1", "type": "AirQualityObserved", "pm10": 120}]
    assert json.dumps(expected) in PAGE.read_text(encoding="utf-8")
    assert heard[-1]["data"] == expected


def test_the_command_that_starts_the_hub_is_the_one_the_test_runs() -> None:
    commands = [text for kind, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")) if text.startswith(SERVER)]
    assert [shlex.split(command)[2::2] for command in commands] == [["--port", "--store", "--outward"]]
