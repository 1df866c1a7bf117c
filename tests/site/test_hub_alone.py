"""`madang hub`: a broker for this machine, open to it and closed to everybody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hub.live import hub_alone
from tests.site.serving import environment, free_port

SENSOR = {"id": "urn:ngsi-ld:Sensor:1", "type": "Sensor", "a": {"type": "Property", "value": 1}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub alone."""
    with hub_alone(tmp_path_factory.mktemp("alone")) as address:
        yield address


def test_what_was_acknowledged_is_there_after_the_next_start(tmp_path: Path) -> None:
    for status in (201, 409):
        with hub_alone(tmp_path) as url:
            assert httpx.post(f"{url}/ngsi-ld/v1/entities", json=SENSOR).status_code == status


def test_a_page_under_another_name_is_not_answered(url: str) -> None:
    for path in ("/ngsi-ld/v1/types", "/healthz", "/ngsi-ld/v1/openapi.json"):
        assert httpx.get(url + path).status_code == 200
        assert httpx.get(url + path, headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 -- refused here
def test_it_listens_to_nobody_outside_this_machine(tmp_path: Path, host: str) -> None:
    done = run(tmp_path, "--host", host)
    assert done.returncode == 78
    assert "this machine only" in done.stderr
    assert not (tmp_path / "hub.sqlite3").exists()


def test_a_store_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite3").write_bytes(b"not a store at all" * 1_000)
    done = run(tmp_path)
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert "hub.sqlite3" in done.stderr


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command where it is meant to fail."""
    command = [sys.executable, "-m", "madang.cli", "hub", "--port", str(free_port()), "--store", "hub.sqlite3"]
    return subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
