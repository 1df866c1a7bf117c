"""axe finds nothing to complain of, on any view, in either theme."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.frontend.conftest import log_in
from tests.frontend.mock_server import MockCity, RefusedError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
OPTIONS = {"resultTypes": ["violations"]}


def faults(page: Page) -> list[str]:
    """What axe found, a line each: rule, where, why."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary'].splitlines()[1:2]} {node['html'][:160]}"
        for one in found
        for node in one["nodes"]
    ]


def choose(page: Page, incident: str) -> None:
    page.locator(f"[data-incident={incident}]").click()
    expect(page.locator("#timeline-title")).to_be_visible()


def incident(page: Page) -> None:
    choose(page, "i1")


def unlocated(page: Page) -> None:
    choose(page, "i2")


def wall(page: Page) -> None:
    choose(page, "i1")
    page.keyboard.press("t")
    expect(page.locator("[data-phase=playing]")).to_have_count(4)


def shortcuts(page: Page) -> None:
    page.keyboard.press("Shift+Slash")


def break_glass(page: Page) -> None:
    choose(page, "i1")
    page.keyboard.press("b")


def reason(page: Page) -> None:
    choose(page, "i1")
    page.keyboard.press("g")


def new_incident(page: Page) -> None:
    page.keyboard.press("i")


def duty(page: Page) -> None:
    page.get_by_role("button", name="근무 시작").click()


def search(page: Page) -> None:
    page.keyboard.press("Slash")
    page.keyboard.type("동")
    expect(page.locator("#hits [role=option]").first).to_be_visible()


def menus(page: Page) -> None:
    page.locator("summary", has_text="수신").click()
    page.locator("summary", has_text="김하늘").click()


def tidy(page: Page) -> None:
    """Back to the bare desk."""
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press("q")
    page.locator("details[open] > summary").evaluate_all("(all) => all.forEach((one) => one.click())")
    page.get_by_role("button", name="진행").click()


def by_key(page: Page, key: str, wanted: str) -> None:
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press(key)
    expect(page.get_by_role("dialog").locator(wanted).first).to_be_visible()


def work(page: Page) -> None:
    """An incident with a checklist, messages and a log."""
    choose(page, "i3")
    expect(page.get_by_text("영상으로 현장 확인")).to_be_visible()


def signals(page: Page) -> None:
    choose(page, "i4")
    expect(page.locator("[data-signals] li").first).to_be_visible()


def merge(page: Page) -> None:
    choose(page, "i4")
    by_key(page, "u", "li")


def shelves(page: Page) -> None:
    by_key(page, "y", "[data-shelf]")


def report(page: Page) -> None:
    by_key(page, "Shift+I", "textarea")


def load(page: Page) -> None:
    page.locator("[data-load] summary").click()


def tasks(page: Page) -> None:
    by_key(page, "d", "li")


def log(page: Page) -> None:
    by_key(page, "r", "form")


def handover(page: Page) -> None:
    by_key(page, "h", "dl")


def nothing(page: Page) -> None:
    page.get_by_role("button", name="내 담당").click()


VIEWS: list[Callable[[Page], None]] = [
    nothing,
    incident,
    unlocated,
    wall,
    shortcuts,
    break_glass,
    reason,
    new_incident,
    duty,
    search,
    menus,
    work,
    signals,
    merge,
    shelves,
    report,
    load,
    tasks,
    log,
    handover,
]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_view_of_the_desk_is_free_of_axe_violations(desk: Page, mock: MockCity, theme: str) -> None:
    desk.evaluate("(theme) => localStorage.setItem('madang.screen', JSON.stringify({ theme }))", theme)
    found: dict[str, list[str]] = {}
    mock.signals.behind("i4")
    mock.signals.shelve("SN-0041")
    desk.reload()
    for view in VIEWS:
        expect(desk.locator("[data-incident]")).to_have_count(4)
        view(desk)
        found[view.__name__] = faults(desk)
        tidy(desk)
    mock.refuse_leases = RefusedError(403, "이 카메라를 볼 근거가 없습니다.", "no grant covers it", "forbidden")
    wall_refused(desk)
    found["refused"] = faults(desk)
    mock.live_open = False
    expect(desk.get_by_text("화면이 옛 정보일 수 있습니다")).to_be_visible()
    found["stale"] = faults(desk)
    assert told(found) == ""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_storm_is_free_of_axe_violations(desk: Page, mock: MockCity, theme: str) -> None:
    desk.evaluate("(theme) => localStorage.setItem('madang.screen', JSON.stringify({ theme }))", theme)
    desk.reload()
    mock.signals.storm()
    desk.locator("[data-incident=storm1]").click()
    desk.locator("[data-event]").first.click()
    found = {"panel": faults(desk)}
    desk.evaluate("document.activeElement?.blur()")
    desk.keyboard.press("f")
    desk.get_by_role("dialog").locator("[data-event]").first.click()
    found["sheet"] = faults(desk)
    desk.keyboard.press("o")
    expect(desk.get_by_role("dialog").get_by_role("status").filter(has_text="새 사건으로")).to_be_visible()
    found["toast"] = faults(desk)
    assert told(found) == ""


@pytest.mark.parametrize("layout", ["full", "video", "queue"])
def test_the_wall_is_free_of_axe_violations(desk: Page, mock: MockCity, address: str, layout: str) -> None:
    mock.signals.storm(40)
    desk.goto(f"{address}/wall?layout={layout}&incident=i1")
    expect(desk.locator("[data-wall-incident=storm1]")).to_be_visible()
    if layout != "queue":
        expect(desk.locator("[data-phase=playing]")).to_have_count(4)
    assert faults(desk) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_map_is_free_of_axe_violations(map_desk: Page, theme: str) -> None:
    map_desk.get_by_text("범례").click()
    if theme == "light":
        map_desk.get_by_role("button", name="화면 밝기").click()
    assert faults(map_desk) == []


def told(found: dict[str, list[str]]) -> str:
    """Every violation on a line of its own."""
    return "\n".join(f"{view}: {line}" for view, lines in found.items() for line in lines)


def wall_refused(page: Page) -> None:
    """Tiles that were refused, over the whole middle."""
    choose(page, "i1")
    page.keyboard.press("t")
    page.keyboard.press("w")
    expect(page.locator("[data-phase=refused]")).to_have_count(4)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_login_and_the_view_without_rights_are_free_of_axe_violations(page: Page, theme: str) -> None:
    page.evaluate("(theme) => localStorage.setItem('madang.screen', JSON.stringify({ theme }))", theme)
    page.reload()
    log_in(page, password="wrong")
    expect(page.locator("form [role=alert]")).to_be_visible()
    assert faults(page) == []
    log_in(page, "officer")
    expect(page.locator("canvas")).to_be_visible()
    assert faults(page) == []
