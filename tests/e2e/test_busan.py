"""The whole first slice on a real city's data: Busan's cameras, a police call, audited video in a real browser."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MADANG_SHARED_DATA", ROOT.parent / "shared" / "data"))
CCTV = DATA / "01_cctv_busan" / "busan_cctv_cp949.csv"
BOUNDARIES = DATA / "03_admin_boundaries" / "busan_hjd_2018.geojson"
FILM = DATA / "09_video" / "vtest_h264.mp4"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = ROOT / "src/madang/console/static/app/index.html"
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
]
HAEUNDAE = (129.1603, 35.1631)
"""A place with cameras around it, in 해운대구."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.data,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CCTV.exists(), reason="the real data is absent (set MADANG_SHARED_DATA)"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]


@dataclass(frozen=True)
class City:
    """A running demo on Busan's files."""

    state: Path
    port: int
    password: str
    output: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def madang(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the command line against this city."""
        command = [sys.executable, "-m", "madang.cli", "--config", str(self.state / "madang.toml"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """`madang demo --data` with Busan's CP949 file, its 206 districts and the fixed view of pedestrians."""
    files, state, port = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("state") / "demo", free_port()
    (files / "cctv.csv").symlink_to(CCTV)
    (files / "boundaries.geojson").symlink_to(BOUNDARIES)
    log = state.parent / "demo.log"
    command = [sys.executable, "-m", "madang.cli", "demo", "--dir", str(state), "--port", str(port), "--no-police"]
    command += ["--data", str(files), "--city", "26000:부산광역시", "--films", str(FILM)]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "COLUMNS": "160"})
    try:
        deadline_s = time.monotonic() + 400
        while "Ctrl-C" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.5)
        password = json.loads((state / "demo.json").read_text())["password"]
        yield City(state, port, password, log.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


class PoliceRoom:
    """The simulated police room, on a thread with a loop of its own, driven step by step."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._jobs: queue.Queue[Callable[[Any], Any] | None] = queue.Queue()  # Any: the desk's own coroutines
        self._answers: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        import asyncio

        asyncio.run(self._live())

    async def _live(self) -> None:
        import asyncio

        from madang_demo.police112.desk import Desk
        from madang_demo.police112.ledger import Ledger
        from madang_demo.police112.platform import Door, Platform, listen
        from madang_demo.police112.settings import load
        from madang_demo.police112.signing import Signer, Verifier

        settings = replace(load(self._config), watch_s=3600, cameras=1)
        self.ledger_path = settings.ledger
        ledger = Ledger(settings.ledger)
        platform = Platform(settings, ledger, Signer.read(settings.private_key, settings.key_id))
        desk = Desk(settings, platform, ledger)
        door = Door(settings, ledger, desk.heard)
        server = await listen(settings, door)
        door.verifier = Verifier(await platform.keys())
        while (job := await asyncio.to_thread(self._jobs.get)) is not None:
            try:
                self._answers.put(await job(desk))
            except Exception as error:  # noqa: BLE001 -- handed to the test's thread
                self._answers.put(error)
        server.should_exit = True
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
        await platform.close()
        ledger.close()

    def do(self, job: Callable[[Any], Any]) -> Any:  # Any: whatever the job answers
        """Runs `job(desk)` on the room's loop; raises what it raised."""
        self._jobs.put(job)
        answer = self._answers.get(timeout=120)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join(30)


@pytest.fixture(scope="module")
def police(city: City) -> Iterator[PoliceRoom]:
    room = PoliceRoom(city.state / "police112" / "police112.toml")
    yield room
    room.close()


@pytest.fixture(scope="module")
def page(city: City) -> Iterator[Any]:  # Any: playwright's page
    """An operator's browser, logged in."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1600, "height": 1000})
        opened.goto(city.address)
        opened.get_by_label("아이디").fill("operator")
        opened.get_by_label("비밀번호").fill(city.password)
        opened.get_by_role("button", name="들어가기").click()
        expect(opened.get_by_text("모의 SIMULATED").first).to_be_visible(timeout=20_000)
        yield opened
        browser.close()


def test_busan_s_file_is_imported_whole_with_its_dirt_reported(city: City) -> None:
    with sqlite3.connect(f"file:{city.state / 'civic.sqlite3'}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM video_site").fetchone()[0] == 15_737
        assert db.execute("SELECT count(*) FROM video_camera").fetchone()[0] == 20_526
        runs = dict(db.execute("SELECT kind, state FROM places_importrun").fetchall())
        issues = dict(db.execute("SELECT code, count(*) FROM places_importissue GROUP BY code").fetchall())
    assert runs == {"cctv": "done", "boundaries": "done"}
    assert sum(issues.values()) > 1_000


def test_the_map_of_busan_is_usable(city: City, page: Any) -> None:  # Any: playwright's page
    from playwright.sync_api import expect

    expect(page.locator("[data-map=drawn]")).to_be_visible(timeout=60_000)
    answer = page.request.get(f"{city.address}/api/console/cameras?bbox=128.7,34.9,129.4,35.4&limit=2500").json()
    assert answer["total"] > 20_000
    assert answer["clusters"]
    near = page.request.get(f"{city.address}/api/console/near?lon={HAEUNDAE[0]}&lat={HAEUNDAE[1]}&k=12").json()
    assert len(near) == 12
    assert all(camera["sees"] in {"yes", "unknown", "no"} for camera in near)


CALL = {
    "code": 0,
    "crime_class": "abduction",
    "place": {"lon": HAEUNDAE[0], "lat": HAEUNDAE[1], "accuracy_m": 20},
    "radius_m": 500,
    "basis": "pipa_18_2_3",
    "officer": {"id": "P-7", "name": "시험"},
}


def test_a_call_in_busan_gets_its_offer_plays_in_the_browser_and_stops_when_closed(
    city: City,
    police: PoliceRoom,
    page: Any,  # Any: playwright's page
) -> None:
    from playwright.sync_api import expect

    from madang_demo.police112.stories import Call

    call = Call("BUSAN-1", "plain", CALL, officer=CALL["officer"])  # type: ignore[arg-type]  # a literal above

    async def ask(desk: Any) -> Any:  # Any: the room's desk and offer
        began = time.monotonic()
        desk._ledger.call(call.number, call.story)
        await desk._say(call, "VideoRequest", call.facts)
        return await desk._offer(call, began)

    offer = police.do(ask)
    assert offer is not None
    assert offer["cameras"]

    async def look(desk: Any) -> Any:  # Any: an asyncio task
        import asyncio

        return asyncio.create_task(desk._view(call, offer["grant_id"], offer["cameras"][0]["camera_id"]))

    watching = police.do(look)
    page.locator("[data-incident]").first.click()
    page.keyboard.press("t")
    expect(page.locator("[data-phase=playing]").first).to_be_visible(timeout=30_000)
    video = page.locator("[data-phase=playing] video").first
    before = video.evaluate("v => v.currentTime")
    page.wait_for_function("([v, t]) => v.currentTime > t + 1", arg=[video.element_handle(), before], timeout=20_000)

    async def close(desk: Any) -> float:
        await desk._say(call, "CallClosed", {})
        return time.monotonic()

    closed_at = police.do(close)
    expect(page.locator("[data-phase=playing]")).to_have_count(0, timeout=5_000)
    assert time.monotonic() - closed_at < 6

    async def ended(_desk: Any) -> None:
        import asyncio

        await asyncio.wait_for(watching, 10)

    police.do(ended)
    with sqlite3.connect(police.ledger_path) as book:
        fragments, change, code, late = book.execute(
            "SELECT fragments, change, close_code, after_end_s FROM views WHERE dialogue = 'BUSAN-1'"
        ).fetchone()
    assert fragments > 10
    assert change > 0
    assert code == 4403
    assert late is None or late <= 5


def test_the_audit_verifies_and_a_tampered_row_is_named(city: City, tmp_path: Path) -> None:
    sound = city.madang("audit", "verify")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    copy = tmp_path / "copy"
    shutil.copytree(city.state, copy, ignore=shutil.ignore_patterns("broker", "logs", "civic.sqlite3*", "hub.sqlite3*"))
    with (
        sqlite3.connect(f"file:{city.state / 'civic.sqlite3'}?mode=ro", uri=True) as live,
        sqlite3.connect(copy / "civic.sqlite3") as kept,
    ):
        live.backup(kept)
    seq = 0
    with sqlite3.connect(copy / "civic.sqlite3") as db:
        seq = db.execute("SELECT max(seq) FROM journal_audit WHERE action LIKE '%view%'").fetchone()[0]
        assert seq
        db.execute("UPDATE journal_audit SET actor = 'person:nobody' WHERE seq = ?", (seq,))
    found = replace(city, state=copy).madang("audit", "verify")
    assert found.returncode != 0
    assert re.search(rf"\b{seq}\b", found.stdout + found.stderr), found.stdout + found.stderr
