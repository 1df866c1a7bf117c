"""The platform as its users start it: `madang demo` and `madang serve` as processes, on free ports, ended again."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from madang_demo.police112.stories import Spot, read_spots

ROOT = Path(__file__).resolve().parents[1]
CITY = "48250:김해시(모의)"
_READY_S = 900.0
_END_S = 30.0
_HEADER = (
    "개방자치단체코드,관리번호,관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,"
    "보관일수,설치연월,관리기관전화번호,WGS84위도,WGS84경도,데이터기준일자,데이터갱신구분,데이터갱신시점,최종수정시점"
)


def make_files(folder: Path, cameras: int) -> list[Spot]:
    """A city's files with so many cameras along its streets; returns where people live."""
    command = [sys.executable, "-m", "madang_demo.city", "--out", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())
    (folder / "cameras_survey.json").unlink()
    spots = read_spots(folder / "addresses.csv")
    dice = random.Random(7)
    rows = [_HEADER, *(_site(number, dice.choice(spots), dice) for number in range(1, cameras + 1))]
    (folder / "cctv.csv").write_bytes("\r\n".join(rows).encode("cp949"))
    return spots


def _site(number: int, spot: Spot, dice: random.Random) -> str:
    """A site with one camera, within some eighty metres of an address."""
    lat, lon = spot.lat + dice.uniform(-0.0007, 0.0007), spot.lon + dice.uniform(-0.0009, 0.0009)
    pixels = dice.choice((200, 200, 400))
    return (
        f"9990000,BM-{number:05d},김해시(모의),{spot.address} 앞 {number},,다목적,1,{pixels},,30,2024-05,055-000-0112,"
        f"{lat:.7f},{lon:.7f},2026-06-30,I,2026-07-01 02:00:00,2026-07-01 02:00:00"
    )


def environment() -> dict[str, str]:
    """Ours without any setting of a madang that may be running here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MADANG_", "DJANGO_"))}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), kept.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


@contextmanager
def demo(state: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`madang demo` without calls, from when it answers until it has ended."""
    port = port_of(state) if (state / "madang.toml").exists() else free_port()
    log = state.with_suffix(".log")
    command = [sys.executable, "-m", "madang.cli", "demo", "--dir", str(state), "--port", str(port), "--no-police"]
    with running([*command, *options], log) as process:
        url = f"http://127.0.0.1:{port}/healthz"
        deadline_s = time.monotonic() + _READY_S
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the demo did not come up: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        yield process


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours in a session of its own; asked to end afterwards, then made to."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(), start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def answers(url: str, *also: int) -> bool:
    """Whether a GET is answered with 200 or one of the other statuses."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 -- our own address, always http
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in also
    except OSError:
        return False


def port_of(state: Path) -> int:
    """Where a demo that was set up listens."""
    return int(tomllib.loads((state / "madang.toml").read_text(encoding="utf-8"))["server"]["port"])


def core_of(root: int) -> int:
    """The process id of core among the descendants of process `root`."""
    parents = {int(path.parent.name): int(path.read_text().rpartition(")")[2].split()[1]) for path in _stats()}
    for pid in parents:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"madang.site.child" in words and b"core" in words and root in _ancestors(pid, parents):
            return pid
    raise RuntimeError("there is no core process")


def _stats() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while pid in parents:
        pid = parents[pid]
        found.add(pid)
    return found


def status_mb(pid: int, field: str) -> float:
    """A memory field of `/proc/PID/status` in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
