"""Checklists, the log, tasks and a hand-over in real browsers before a real server: by keyboard, free of axe faults."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.response.duty.working_city import working_city
from tests.site.serving import PASSWORD, Installation, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[3] / "src/madang/console/static/app/index.html"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(400),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; on Debian: apt-get install chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screen is not built; run: python hatch_build.py"),
]
expect.set_options(timeout=30_000)
Enter = Callable[[str, str], Page]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = working_city(tmp_path_factory.mktemp("work") / "city")
    with serving(made):
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


@pytest.fixture
def enter(browser: Browser, home: Installation) -> Iterator[Enter]:
    """Opens a screen of somebody's own, in a theme. A script error anywhere fails the test."""
    contexts = []
    errors: list[str] = []

    def open_screen(username: str, theme: str) -> Page:
        context = browser.new_context(viewport={"width": 1500, "height": 950}, locale="ko-KR", reduced_motion="reduce")
        contexts.append(context)
        context.add_init_script(f"localStorage.setItem('madang.screen', JSON.stringify({{theme: '{theme}'}}))")
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(home.url)
        page.get_by_label("아이디").fill(username)
        page.get_by_label("비밀번호").fill(PASSWORD)
        page.get_by_role("button", name="들어가기").click()
        expect(page.locator("[data-incident]")).to_have_count(3)
        return page

    yield open_screen
    for context in contexts:
        context.close()
    assert errors == []


def faults(page: Page) -> list[str]:
    """What axe complains of, in short."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def choose(page: Page, name: str) -> None:
    page.locator("[data-incident]", has_text=name).click()
    expect(page.locator("#incident-title", has_text=name)).to_be_visible()


def rest(page: Page) -> None:
    """No field holds the keys."""
    page.evaluate("document.activeElement.blur()")


def test_a_checklist_is_worked_through_by_keyboard_and_the_other_screen_follows(enter: Enter) -> None:
    kim, lee = enter("kim", "dark"), enter("lee", "light")
    for page in (kim, lee):
        choose(page, "쓰러짐")
        expect(page.locator("article.run")).to_be_visible()
    assert faults(kim) == []
    kim.keyboard.press("e")
    kim.keyboard.press("ArrowDown")
    kim.keyboard.press("ArrowUp")
    kim.keyboard.press("Enter")
    expect(lee.locator("li.done", has_text="움직이지 않음")).to_be_visible()
    expect(kim.get_by_label("확인한 내용")).to_be_focused()
    kim.keyboard.press("Enter")
    expect(kim.locator("li.open [role=alert]")).to_be_visible()
    assert faults(kim) == []
    kim.keyboard.type("119 접수 확인")
    kim.keyboard.press("Enter")
    expect(lee.locator("li.done", has_text="119 접수 확인")).to_be_visible()
    assert faults(lee) == []


def test_a_shift_is_handed_over_from_brief_to_acceptance_by_keyboard(enter: Enter) -> None:
    kim, lee = enter("kim", "light"), enter("lee", "dark")
    choose(kim, "침수")
    kim.keyboard.press("c")
    expect(kim.locator("header", has_text="담당 김관제")).to_be_visible()
    kim.keyboard.press("h")
    dialog = kim.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    assert "침수" in dialog.get_by_label("인계 내용").input_value()
    assert faults(kim) == []
    dialog.get_by_label("받을 사람").select_option(label=next_label(kim, "이야근"))
    dialog.get_by_role("button", name="인계 요청").press("Enter")
    expect(dialog.get_by_role("button", name="인계 거두기")).to_be_visible()
    expect(lee.locator("summary", has_text="인수 대기")).to_be_visible()
    expect(lee.locator("[data-incident]", has_text="침수")).to_contain_text("김관제")
    lee.keyboard.press("h")
    offer = lee.get_by_role("dialog")
    expect(offer.get_by_role("button", name="인수")).to_be_focused()
    assert faults(lee) == []
    lee.keyboard.press("Enter")
    expect(lee.locator("[data-incident]", has_text="침수")).to_contain_text("내 담당")
    expect(kim.locator("[data-incident]", has_text="침수")).to_contain_text("이야근")


def test_what_was_said_and_what_is_to_do_are_written_down(enter: Enter) -> None:
    page = enter("chief", "dark")
    choose(page, "시설물 고장")
    page.get_by_label("말한 쪽").fill("순찰 21호")
    page.get_by_label("내용 What was said").fill("현장 도착")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline-title + ol", has_text="순찰 21호 → 관제: 현장 도착")).to_be_visible()
    page.get_by_role("button", name="+ 할 일 쓰기").click()
    page.get_by_label("할 일What to do").fill("업체 회신 확인")
    page.keyboard.press("Enter")
    row = page.locator("li", has_text="업체 회신 확인").first
    row.get_by_role("button", name="맡기").click()
    expect(row).to_contain_text("박책임")
    assert faults(page) == []
    rest(page)
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog")
    dialog.locator("li", has_text="업체 회신 확인").get_by_role("button", name="완료").click()
    assert faults(page) == []
    dialog.get_by_label("결과").fill("회신 받음")
    page.keyboard.press("Enter")
    expect(dialog.locator("li", has_text="업체 회신 확인")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    rest(page)
    page.keyboard.press("r")
    page.get_by_role("dialog").get_by_role("button", name="고침").click()
    assert faults(page) == []
    page.get_by_role("dialog").get_by_label("고친 내용").fill("현장 도착, 이상 없음")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").locator("li.old")).to_have_count(1)


def next_label(page: Page, name: str) -> str:
    """The option that names this person, as it is shown."""
    options = page.get_by_role("dialog").get_by_label("받을 사람").locator("option").all_inner_texts()
    return next(option for option in options if name in option)
