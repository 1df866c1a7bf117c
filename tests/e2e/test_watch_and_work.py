"""From signal to signed report by keyboard alone, across a shift change, with the core killed in the middle.

One bell, a crowd of sensor alarms and a camera that flaps reach a running platform from programs of their own. Nobody
here touches a mouse: a press of one anywhere fails the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.e2e.watched_city import City, filming, kill_outright, watched_city
from tests.site.serving import PASSWORD, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
APP = Path(__file__).resolve().parents[2] / "src/madang/console/static/app"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
SHOTS = os.environ.get("MADANG_SCREENSHOTS", "")
"""A folder for pictures of each step, to be looked at; none are taken without it."""
MOST_TABS = 200
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not (APP / "review.html").exists(), reason="the screens are not built; run `make front`"),
]
expect.set_options(timeout=30_000)
_NO_MOUSE = "addEventListener('pointerdown', () => localStorage.setItem('mouse', location.href), true);"


class Person:
    """Somebody at a screen with a keyboard and nothing else."""

    def __init__(self, browser: Browser, city: City, name: str, theme: str) -> None:
        self.name, self.url = name, city.home.url
        self.context: BrowserContext = browser.new_context(
            viewport={"width": 1600, "height": 1000}, locale="ko-KR", reduced_motion="reduce", accept_downloads=True
        )
        self.context.add_init_script(_NO_MOUSE)
        self.context.add_init_script(f"localStorage.setItem('madang.screen', JSON.stringify({{theme: '{theme}'}}))")
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.shots = 0
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.name}: {error}"))

    # ------------------------------------------------------------------------------------------- the keyboard

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def command(self, key: str) -> None:
        """A single-letter key of the desk: no field may hold the keys, so Escape first leaves what is open."""
        expect(self.page.locator("dialog")).to_have_count(0)
        if self.page.evaluate("document.activeElement?.matches('input, textarea, select')"):
            self.press("Shift+Tab")
        self.press(key)

    def reach(self, target: Locator, back: bool = False) -> None:
        """Tabs until `target` holds the focus, as somebody without a mouse must be able to."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("node => node === document.activeElement"):
                return
            self.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"{target} cannot be reached with Tab")

    def push(self, target: Locator) -> None:
        self.reach(target)
        self.press("Enter")

    def choose(self, name: str) -> Locator:
        """The row of an incident of the queue, chosen by stepping through it."""
        row = self.page.locator("[data-incident]", has_text=name).first
        expect(row).to_be_visible()
        rows = self.page.locator("[data-incident]").count()
        for key in ["k"] * rows + ["j"] * (rows - 1):
            if row.get_attribute("aria-current") == "true":
                break
            self.command(key)
            self.page.wait_for_timeout(50)
        expect(row).to_have_attribute("aria-current", "true")
        expect(self.page.locator("#incident-title", has_text=name)).to_be_visible()
        return row

    def say(self, key: str, text: str, button: str) -> None:
        """Opens a sheet that asks for words, gives them and sends it."""
        self.command(key)
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_role("textbox")).to_be_focused()
        self.type(text)
        self.push(dialog.get_by_role("button", name=button).last)
        expect(dialog).to_have_count(0)

    # --------------------------------------------------------------------------------------------- the screens

    def enter(self, path: str = "/") -> None:
        """Logs in where the address leads."""
        self.page.goto(self.url + path)
        expect(self.page.get_by_label("아이디")).to_be_focused()
        self.type(self.name)
        self.press("Tab")
        self.type(PASSWORD)
        self.press("Enter")
        expect(self.page.get_by_label("비밀번호")).to_have_count(0)

    def shoot(self, what: str) -> None:
        if SHOTS:
            self.shots += 1
            self.page.screenshot(path=f"{SHOTS}/{self.name}-{self.shots:02}-{what}.png")

    def leave(self) -> None:
        assert self.page.evaluate("localStorage.getItem('mouse')") is None, "a mouse was used"
        self.context.close()
        assert self.faults == []


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    made = watched_city(tmp_path_factory.mktemp("watch"))
    with filming(made):
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


def state(person: Person, name: str, text: str) -> None:
    expect(person.page.locator("[data-incident]", has_text=name).first).to_contain_text(text)


def take_on(kim: Person, name: str) -> None:
    """Claimed, looked into, and found to be so."""
    kim.choose(name)
    kim.command("c")
    state(kim, name, "내 담당")
    kim.command("v")
    state(kim, name, "확인 중")
    kim.command("a")
    state(kim, name, "대응 중")


def look_and_tick(kim: Person) -> None:
    """The nearest cameras on the wall, and the first step of the checklist."""
    kim.command("t")
    expect(kim.page.locator("[data-phase=playing]").first).to_be_visible()
    kim.command("e")
    kim.press("ArrowDown", "ArrowUp", "Enter")
    expect(kim.page.locator("article.run li.done").first).to_be_visible()
    kim.shoot("watched")
    kim.command("q")


def see_that_the_camera_is_shelved(kim: Person) -> None:
    kim.command("y")
    shelf = kim.page.get_by_role("dialog").locator("[data-shelf]", has_text="CAM-80")
    expect(shelf).to_contain_text("반복 신호")
    kim.shoot("shelf")
    kim.press("Escape")
    expect(kim.page.get_by_role("dialog")).to_have_count(0)


def hand_over(kim: Person, lee: Person) -> None:
    """Offered by the one, accepted by the other; until then the first stays responsible."""
    kim.command("h")
    dialog = kim.page.get_by_role("dialog")
    kim.reach(dialog.get_by_label("받을 사람"))
    options = dialog.get_by_label("받을 사람").locator("option").all_inner_texts()
    for _ in range(next(n for n, text in enumerate(options) if "이야근" in text)):
        kim.press("ArrowDown")
    kim.shoot("hand-over")
    kim.push(dialog.get_by_role("button", name="인계 요청"))
    expect(dialog.get_by_role("button", name="인계 거두기")).to_be_visible()
    kim.press("Escape")
    state(lee, "비상벨", "김관제")
    lee.command("h")
    offer = lee.page.get_by_role("dialog")
    lee.reach(offer.get_by_role("button", name="인수"))
    lee.shoot("offer")
    lee.press("Enter")
    state(lee, "비상벨", "내 담당")
    lee.press("Escape")


def ended(scene: subprocess.Popen[bytes]) -> None:
    """Ends devices that may still wait for a platform that is gone."""
    scene.terminate()
    scene.wait(20)


def close(lee: Person, name: str, how: str) -> None:
    lee.choose(name)
    lee.say("x", how, "종료")
    expect(lee.page.locator("[data-incident]", has_text=name)).to_have_count(0)


def review(chief: Person, name: str) -> None:
    """The supervisor, who never answered for it, looks the incident over and signs."""
    page = chief.page
    chief.push(page.locator("a.thing", has_text=name))
    chief.push(page.get_by_role("button", name="검토 시작"))
    questions = page.locator("ol.questions > li")
    expect(questions.get_by_role("button", name="예").first).to_be_visible()
    for number in range(questions.count()):
        chief.push(questions.nth(number).get_by_role("button", name="예"))
        expect(questions.nth(number).get_by_role("button", name="예")).to_have_attribute("aria-pressed", "true")
    chief.shoot("checklist")
    chief.push(page.get_by_role("button", name="서명").last)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    chief.type("신호부터 종결까지 절차를 지켰음")
    chief.push(dialog.get_by_role("button", name="서명").last)
    expect(page.get_by_text("서명 완료").first).to_be_visible()
    chief.shoot("signed")


def signed_report(chief: Person, into: Path) -> Path:
    """The signed document as a file, fetched by its link."""
    link = chief.page.locator("a[download]", has_text="서명본").first
    with chief.page.expect_download() as waiting:
        chief.push(link)
    path = into / "report.json"
    waiting.value.save_as(path)
    return path


def test_from_a_signal_to_a_signed_report_by_keyboard_alone(city: City, browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(serving(city.home))
        kim, lee = Person(browser, city, "kim", "dark"), Person(browser, city, "lee", "light")
        kim.enter()
        lee.enter()
        scenes = [city.scene("bell"), city.scene("crowd", "--count", "120", "--seconds", "20")]
        scenes.append(city.scene("flap", "--count", "40", "--seconds", "20"))
        for scene in scenes:
            stack.callback(ended, scene)
        take_on(kim, "비상벨")
        look_and_tick(kim)
        take_on(kim, "인파 밀집")
        see_that_the_camera_is_shelved(kim)
        kim.choose("비상벨")
        kim.say("n", "비상벨 통화로 확인, 순찰차 요청", "저장")
        kill_outright(first)
        expect(kim.page.locator("p.stale").first).to_be_visible()
        kim.shoot("core-gone")
        stack.enter_context(serving(city.home))
        for person in (kim, lee):
            expect(person.page.locator("[data-incident]")).to_have_count(3)
        state(lee, "비상벨", "김관제")
        expect(kim.page.locator("#timeline-title + ol", has_text="순찰차 요청")).to_be_visible()
        hand_over(kim, lee)
        close(lee, "비상벨", "귀가 확인")
        close(lee, "인파 밀집", "해산")
        lee.choose("침입")
        lee.say("x", "나뭇가지, 카메라 점검 요청", "종료")
        chief = Person(browser, city, "chief", "light")
        chief.enter("/review")
        review(chief, "비상벨")
        report = signed_report(chief, tmp_path)
        checked = city.home.run("review", "verify", str(report))
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "이야근" in json.dumps(json.loads(report.read_text(encoding="utf-8")), ensure_ascii=False)
        for person in (kim, lee, chief):
            person.leave()
