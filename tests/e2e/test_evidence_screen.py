"""Evidence at the desk, in a real browser, before a real server, a real gateway and cameras of the farm."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from madang_demo.cameras import LOOPS, CameraFarm
from tests.site.serving import PASSWORD, Installation, environment, install, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[2] / "src/madang/console/static/app/index.html"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
SHOTS: Path | None = None

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]

SEED = """
from datetime import date
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.identity import commands
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.response.commands import OpenIncident, open_incident
from madang.response.domain import SaidPlace
from madang.video import commands as video
from madang.video.coverage import COVERAGE
from madang.video.evidence import commands as evidence
actor, now = actor_at_the_keyboard("48250"), system_clock()
corner = Point(128.8894, 35.2285)
rows = []
for n in range(4):
    at = destination(corner, 90 * n, 60)
    camera = video.CameraRow(number=1, azimuth_deg=(90 * n + 180) %% 360, hfov_deg=90, range_m=150,
        azimuth_surveyed_on=date(2026, 5, 1), kind="fixed", stream_source="%s/" + f"{n}.ts")
    rows.append(video.SiteRow(source_key=f"c{n}", name=f"중앙시장 {n + 1}번 입구", lon=at.lon, lat=at.lat,
        purpose="생활방범", pixels_mp=2.0, cameras=(camera,)))
with civic.transaction() as tx:
    commands.add_city(tx, actor, code="48250", name_ko="김해시", name_en="Gimhae", lon=128.889, lat=35.228, now=now)
    for name, role in (("kim", "operator"), ("lee", "operator"), ("park", "supervisor"), ("choi", "supervisor")):
        commands.create_account(
            tx, actor, authority="48250", username=name, password=%r, name=name, roles=[Role(role)], now=now
        )
    video.put_sites(tx, "48250", rows, now, Mode.LIVE)
COVERAGE.rebuild("48250")
with civic.transaction() as tx:
    open_incident(tx, actor, OpenIncident(authority="48250", source="operator", mode=Mode.LIVE,
        class_text="robbery", code=1, place=SaidPlace(corner.lon, corner.lat, 10.0, "중앙시장"), basis="pipa_18_2_3",
        note="편의점 강도, 남문 쪽으로 도주"), now)
    evidence.put_policy(tx, actor, authority="48250", camera_id=None, purpose="생활방범", seconds=10,
        legal_note="영상정보처리기기 운영·관리 방침 제7조", now=now)
"""


@pytest.fixture(scope="module")
def farm() -> Iterator[str]:
    server = CameraFarm(("127.0.0.1", 0), 8, LOOPS)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/cam"
    server.stopping.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, farm: str) -> Iterator[Installation]:
    home = install(tmp_path_factory.mktemp("evidence") / "city")
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    seed = [sys.executable, "-c", SEED % (farm, PASSWORD)]
    done = subprocess.run(seed, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    with serving(home):
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


class Desk:
    """Somebody's browser at the desk, with the incident chosen."""

    def __init__(self, browser: Browser, home: Installation, username: str) -> None:
        self.context = browser.new_context(
            viewport={"width": 1600, "height": 1000}, reduced_motion="reduce", locale="ko-KR", accept_downloads=True
        )
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(f"{home.url}/")
        self.page.get_by_label("아이디").fill(username)
        self.page.get_by_label("비밀번호").fill(PASSWORD)
        self.page.get_by_role("button", name="들어가기").click()
        self.page.get_by_role("button", name=re.compile("강도.*2026-")).click(timeout=30_000)
        self.section = self.page.locator("section.evidence")
        expect(self.section).to_be_visible(timeout=30_000)

    def item(self, state: str) -> Locator:
        return self.section.locator(f"li[data-evidence][data-state={state}]")

    def axe(self) -> list[str]:
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [f"{one['id']}: {node['target']} {node['html'][:160]}" for one in found for node in one["nodes"]]

    def shot(self, name: str) -> None:
        if SHOTS is not None:
            self.section.scroll_into_view_if_needed()
            self.page.screenshot(path=str(SHOTS / f"{name}.png"))

    def close(self) -> None:
        self.context.close()
        assert self.faults == []


def test_a_still_by_key_a_recording_a_lock_and_a_hand_over_by_three_people(
    browser: Browser, house: Installation
) -> None:
    home = house
    kim = Desk(browser, home, "kim")
    kim.page.get_by_role("button", name=re.compile("투망")).first.click()
    expect(kim.page.locator("article[data-phase=playing]").first).to_be_visible(timeout=30_000)
    kim.page.keyboard.press("Escape")
    kim.page.keyboard.press(".")
    expect(kim.item("KEPT")).to_have_count(1, timeout=20_000)
    picture = kim.item("KEPT").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth }") == 1280
    kim.shot("1-still")
    assert kim.axe() == []

    kim.section.get_by_role("button", name="녹화 권한 요청").click()
    record = kim.section.get_by_role("button", name=re.compile("녹화$"))
    expect(record).to_be_visible(timeout=15_000)
    record.click()
    kim.page.get_by_role("dialog").get_by_role("textbox").fill("도주 방향 기록")
    kim.page.get_by_role("dialog").get_by_role("button", name=re.compile("녹화")).click()
    expect(kim.item("TAKING")).to_have_count(1, timeout=20_000)
    kim.shot("2-recording")
    assert kim.axe() == []
    kim.item("TAKING").get_by_role("button", name="녹화 종료").click()
    expect(kim.item("KEPT")).to_have_count(2, timeout=20_000)

    still = kim.item("KEPT").filter(has=kim.page.locator("img"))
    still.get_by_role("button", name=re.compile("^잠금")).click()
    dialog = kim.page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill("재판 증거 보전")
    kim.shot("3-lock")
    assert kim.axe() == []
    dialog.get_by_role("button", name="잠금").click()
    expect(still.get_by_role("button", name=re.compile("^잠금 해제"))).to_be_disabled(timeout=10_000)

    park = Desk(browser, home, "park")
    for box in park.section.get_by_role("checkbox").all():
        box.check()
    park.section.get_by_role("button", name=re.compile("반출 요청")).click()
    form = park.page.get_by_role("dialog")
    form.get_by_label(re.compile("받는 기관")).fill("김해서부경찰서")
    form.get_by_label(re.compile("받는 사람")).fill("박형사")
    form.get_by_label(re.compile("법적 근거")).select_option(index=1)
    form.get_by_label(re.compile("목적")).fill("강도 사건 수사")
    park.shot("4-export-form")
    assert park.axe() == []
    form.get_by_role("button", name="반출 요청").click()
    expect(park.section.locator("li[data-export][data-state=REQUESTED]")).to_be_visible(timeout=10_000)
    expect(park.section.get_by_role("button", name="승인")).to_have_count(0)

    choi = Desk(browser, home, "choi")
    choi.section.locator("li[data-export]").get_by_role("button", name="승인").click()
    choi.page.get_by_role("dialog").get_by_role("button", name="승인").click()
    ready = park.section.locator("li[data-export][data-state=READY]")
    expect(ready).to_be_visible(timeout=40_000)
    park.shot("5-ready")
    assert park.axe() == []
    with park.page.expect_download() as download:
        ready.get_by_role("button", name=re.compile("내려받기")).click()
    package = Path(str(download.value.path()))
    with zipfile.ZipFile(io.BytesIO(package.read_bytes())) as opened:
        assert len([name for name in opened.namelist() if name.startswith("items/")]) == 2
    told = home.run("evidence", "verify", str(package))
    assert told.returncode == 0, told.stdout + told.stderr
    expect(park.section.locator("li[data-export][data-state=HANDED_OVER]")).to_be_visible(timeout=10_000)

    park.item("KEPT").filter(has=park.page.locator("img")).locator("button.picture").click()
    expect(park.page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible(timeout=10_000)
    park.shot("6-look")
    assert park.axe() == []
    park.page.keyboard.press("Escape")
    park.page.evaluate("document.documentElement.dataset.theme = 'light'")
    park.shot("7-light")
    assert park.axe() == []
    for desk in (kim, park, choi):
        desk.close()
