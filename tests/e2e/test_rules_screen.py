"""The rules pages in a real browser, before a real server and a real store."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.test_facilities_screen import FLAGS, faults
from tests.site.serving import PASSWORD, Installation, environment, install, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[2] / "src/madang/console/static/app/rules.html"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]

SEED = """
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.identity import commands
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.response.rules import commands as rules
from madang.response.rules.examples import EXAMPLES
actor, now = actor_at_the_keyboard("48250"), system_clock()
with civic.transaction() as tx:
    commands.add_city(tx, actor, code="48250", name_ko="김해시", name_en="Gimhae", lon=128.889, lat=35.228, now=now)
    for name, role in (("officer", "city_officer"), ("approver", "supervisor"), ("operator", "operator")):
        commands.create_account(
            tx, actor, authority="48250", username=name, password=%r, name=name, roles=[Role(role)], now=now
        )
    rules.draft(tx, actor, "48250", EXAMPLES[1][0], EXAMPLES[1][1], "시험", now)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = install(tmp_path_factory.mktemp("rules") / "city")
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    done = subprocess.run([sys.executable, "-c", SEED % PASSWORD], env=env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    with serving(home):
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


class Screen:
    """Somebody's browser at the rules pages."""

    def __init__(self, page: Page, home: Installation) -> None:
        self.page, self.home = page, home
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def log_in(self, username: str) -> None:
        self.page.goto(f"{self.home.url}/rules")
        self.page.get_by_label("아이디").fill(username)
        self.page.get_by_label("비밀번호").fill(PASSWORD)
        self.page.get_by_role("button", name="들어가기").click()
        expect(self.page.get_by_role("navigation", name="규칙")).to_be_visible(timeout=20_000)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.home.url}/rules{query}")
        self.settle()

    def settle(self) -> None:
        expect(self.page.locator("h2").first).to_be_visible(timeout=20_000)
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=20_000)


def screen_of(browser: Browser, home: Installation, username: str) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", locale="ko-KR")
    screen = Screen(context.new_page(), home)
    screen.log_in(username)
    yield screen
    context.close()
    assert screen.faults == []


@pytest.fixture(scope="module")
def officer(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "officer")


@pytest.fixture(scope="module")
def approver(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "approver")


VIEWS = {
    "list": "",
    "new": "?view=edit",
    "rule": "?view=rule&name=water-level-high",
    "tables": "?view=tables",
    "missing": "?view=rule&name=no-such",
}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_on_any_view_in_either_theme(officer: Screen, view: str, theme: str) -> None:
    page = officer.page
    page.evaluate(f"localStorage.setItem('madang.screen', JSON.stringify({{theme: '{theme}'}}))")
    page.goto(f"{officer.home.url}/rules{VIEWS[view]}")
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=20_000)
    expect(page.locator("main .card, main .state-message").first).to_be_visible()
    assert faults(page) == []


def test_a_value_is_changed_where_it_stands_in_the_sentence_by_keyboard_alone(officer: Screen) -> None:
    officer.open("?view=edit")
    page = officer.page
    sentence = page.locator(".live .first")
    expect(sentence).to_contain_text("비상벨의 비상벨 신호가 들어오면")
    hours = page.locator("[data-part='/conditions/0']")
    hours.focus()
    page.keyboard.press("Enter")
    start = page.locator(".inplace").get_by_label("부터")
    expect(start).to_be_focused()
    start.fill("2130")
    page.keyboard.press("Enter")
    expect(hours).to_be_focused()
    expect(sentence).to_contain_text("21:30–06:00에")
    assert faults(page) == []


def test_what_is_wrong_is_said_at_its_field_and_the_way_there_is_a_button(officer: Screen) -> None:
    officer.open("?view=edit")
    page = officer.page
    page.get_by_label("시작할 보기").select_option("water-level-high")
    reset = page.locator(".form [data-path='/when/reset']").last
    reset.fill("9")
    expect(reset).to_have_attribute("aria-invalid", "true", timeout=10_000)
    expect(page.get_by_text("해제값이 기준값을 넘습니다.")).to_have_count(2)
    page.locator(".findings").get_by_role("button", name="해제값이 기준값을 넘습니다.").click()
    expect(reset).to_be_focused()


def test_a_rule_goes_from_its_sentence_to_force_by_a_second_person_on_a_phone(
    officer: Screen, approver: Screen
) -> None:
    page, phone = officer.page, approver.page
    officer.open("?view=edit")
    page.get_by_label("왜 바꿉니까?").fill("밤에 놓친 벨이 있었습니다")
    page.get_by_role("button", name="저장하고 검사").click()
    page.wait_for_url("**view=rule**")
    page.get_by_role("button", name=re.compile("지난 30일 재현")).click()
    begin = page.get_by_role("button", name=re.compile("시험 운영 시작"))
    expect(begin).to_be_enabled(timeout=60_000)
    begin.click()
    link = page.get_by_role("link", name=re.compile("시행 승인 화면"))
    expect(link).to_be_visible(timeout=20_000)
    address = link.get_attribute("href")
    assert address is not None
    officer.open(address.removeprefix("/rules"))
    expect(page.get_by_role("button", name=re.compile("^시행"))).to_have_count(0)
    phone.set_viewport_size({"width": 360, "height": 740})
    approver.open(address.removeprefix("/rules"))
    expect(phone.get_by_text("밤에 놓친 벨이 있었습니다")).to_be_visible()
    assert phone.evaluate("document.querySelector('main').scrollWidth <= 360")
    assert faults(phone) == []
    expect(phone.get_by_role("button", name=re.compile("돌려보내기"))).to_be_disabled()
    phone.get_by_role("button", name=re.compile("^시행")).click()
    expect(phone.get_by_role("status").filter(has_text="처리했습니다")).to_be_visible()
    officer.open()
    expect(page.locator("tbody tr", has_text="night-bell")).to_contain_text("시행 중")


def test_a_gap_in_a_decision_table_is_shown_while_it_is_written(approver: Screen) -> None:
    page = approver.page
    page.set_viewport_size({"width": 1440, "height": 900})
    approver.open("?view=tables")
    card = page.locator("section.card", has_text="우선순위").first
    card.get_by_role("button", name=re.compile("표 고치기")).click()
    card.get_by_label("결과").select_option("1")
    expect(card.get_by_text("빈틈과 겹침이 없습니다.")).to_be_visible()
    card.get_by_label(re.compile("시.*부터")).first.fill("22")
    expect(card.get_by_text("빈틈: 맞는 줄이 없는 경우").first).to_be_visible()
    assert faults(page) == []


def test_an_operator_is_told_that_rules_are_not_theirs(browser: Browser, home: Installation) -> None:
    for screen in screen_of(browser, home, "operator"):
        expect(screen.page.get_by_text("규칙 화면을 볼 권한이 없습니다.")).to_be_visible()
        assert faults(screen.page) == []
