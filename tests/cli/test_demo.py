"""`madang demo` brings up a whole simulated city and takes all of it down again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.site.serving import children_of, environment, free_port, is_alive, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@contextmanager
def demo(state: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Runs the demo until the block ends; waits until it says where to look."""
    said = state.with_suffix(".out")
    command = [sys.executable, "-m", "madang.cli", "demo", "--dir", str(state), "--port", str(port), "--no-police"]
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=environment() | {"COLUMNS": "160"}, stdout=output, stderr=output)
        try:
            until(lambda: b"Ctrl-C" in said.read_bytes() or process.poll() is not None, 200)
            assert process.poll() is None, said.read_text()
            yield process, said
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(60)


def test_a_city_comes_up_can_be_logged_into_ends_and_comes_up_again(tmp_path: Path) -> None:
    state, port = tmp_path / "demo", free_port()
    with demo(state, port) as (process, said):
        programs = children_of(process.pid)
        text = said.read_text()
        assert "SIMULATED" in text
        password = re.search(r"madang-[0-9a-f]{8}", text)
        assert password is not None
        for account in ("operator", "supervisor", "police", "officer", "auditor", "admin"):
            assert me(port, account, password.group())["mode_banner"] == "simulated"
        made = (state / "city" / "city.json").stat().st_mtime_ns
    assert process.returncode == 0
    assert not any(is_alive(pid) for pid in programs), "Ctrl-C ends everything it started"
    with demo(state, port) as (_, said):
        assert password.group() in said.read_text(), "the same city, the same accounts"
    assert (state / "city" / "city.json").stat().st_mtime_ns == made


def me(port: int, account: str, password: str) -> dict[str, object]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        client.get("/")
        token = {"X-CSRFToken": client.cookies.get("csrftoken") or ""}
        answer = client.post("/api/console/login", json={"username": account, "password": password}, headers=token)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = client.get("/api/console/me").json()
        return found
