"""Storms, shelves, signals and the alarm load at the desk; the wall beside it. A real browser, the contract's mock."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.frontend.conftest import log_in
from tests.frontend.mock_server import MockCity, RefusedError
from tests.frontend.mock_signals import TRUE_ONE
from tests.frontend.test_screen import born, choose, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def storm(desk: Page, mock: MockCity) -> Page:
    """A desk at which a storm of three thousand events broke loose."""
    mock.signals.storm()
    expect(desk.locator("[data-incident=storm1]")).to_contain_text("3,000")
    return desk


def row(page: Page, incident: str) -> Locator:
    return page.locator(f"[data-incident={incident}]")


def top_of(page: Page, incident: str) -> float:
    box = row(page, incident).bounding_box()
    assert box is not None
    return box["y"]


def key(page: Page, pressed: str) -> None:
    """A command key, with the focus nowhere in particular."""
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press(pressed)


# --- the queue ---------------------------------------------------------------------------------------------------


def test_a_storm_is_one_row_whose_counts_grow_and_whose_priorities_are_seen(storm: Page, mock: MockCity) -> None:
    expect(storm.locator("[data-incident]")).to_have_count(5)
    expect(row(storm, "storm1")).to_contain_text("334")
    mock.signals.grow(250)
    expect(row(storm, "storm1")).to_contain_text("3,250")


def test_urgent_incidents_stand_above_a_storm(storm: Page) -> None:
    order = storm.locator("[data-incident]").evaluate_all("(all) => all.map((one) => one.dataset.incident)")
    assert order[:3] == ["i1", "i2", "storm1"]


def test_no_row_moves_under_the_pointer_when_an_emergency_comes(storm: Page, mock: MockCity) -> None:
    row(storm, "i4").hover()
    before = top_of(storm, "i4")
    born(mock)
    expect(row(storm, "i9")).to_be_visible()
    until(lambda: abs(top_of(storm, "i4") - before) < 1.5)
    assert top_of(storm, "i9") < top_of(storm, "i4")
    assert storm.locator("ul.urgent [data-incident=i9]").count() == 1


def test_the_chosen_row_stays_where_it_is_when_others_come(storm: Page, mock: MockCity) -> None:
    choose(storm, "i3")
    storm.locator("article.panel").hover()
    storm.evaluate("document.activeElement?.blur()")
    before = top_of(storm, "i3")
    born(mock, "n1", priority=2)
    born(mock, "n2", priority=1)
    expect(row(storm, "n1")).to_be_attached()
    expect(row(storm, "n2")).to_be_visible()
    until(lambda: abs(top_of(storm, "i3") - before) < 1.5)


def test_an_incident_that_ends_under_the_pointer_goes_only_when_the_hand_has_left(storm: Page, mock: MockCity) -> None:
    row(storm, "i4").hover()
    mock.change("incident", {**mock.city.incidents["i3"], "state": "CLOSED", "version": 9})
    expect(row(storm, "i3")).to_contain_text("종료")
    storm.locator("h1").hover()
    expect(row(storm, "i3")).to_have_count(0)


def test_the_queue_is_narrowed_to_a_class_but_never_to_hide_what_is_urgent(storm: Page) -> None:
    storm.get_by_label("종별").first.select_option("facility_fault")
    expect(storm.locator("[data-incident]")).to_have_count(3)
    expect(row(storm, "i4")).to_be_visible()
    expect(row(storm, "i1")).to_be_visible()


def test_one_key_leads_to_ones_own_and_back(desk: Page) -> None:
    key(desk, "Shift+M")
    expect(desk.locator("#queue")).to_contain_text("해당하는 사건이 없습니다")
    key(desk, "Shift+M")
    expect(desk.locator("[data-incident]")).to_have_count(4)


def test_the_alarm_load_is_told_by_shape_word_and_number(desk: Page, mock: MockCity) -> None:
    expect(desk.locator("[data-load=calm]")).to_contain_text("● 여유")
    mock.signals.load = {"new_items": 20, "new_urgent": 4}
    desk.reload()
    flood = desk.locator("[data-load=flood]")
    expect(flood).to_contain_text("▲ 폭주")
    expect(flood.locator("summary")).to_contain_text("12/10")
    flood.locator("summary").click()
    expect(flood).to_contain_text("이야근")


# --- inside a storm ----------------------------------------------------------------------------------------------


def test_what_matters_is_found_in_a_storm_split_out_with_one_key_and_taken_back(storm: Page, mock: MockCity) -> None:
    choose(storm, "storm1")
    key(storm, "f")
    dialog = storm.get_by_role("dialog")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    storm.keyboard.type("잠김")
    found = dialog.locator("[data-event]")
    expect(found).to_have_count(1)
    expect(found).to_contain_text(TRUE_ONE)
    dialog.get_by_role("listbox").focus()
    storm.keyboard.press("ArrowDown")
    expect(found).to_have_attribute("aria-selected", "true")
    storm.keyboard.press("o")
    until(lambda: mock.asked("/events/e1234/split") != [])
    expect(dialog.get_by_role("status").filter(has_text="새 사건으로")).to_be_visible()
    dialog.get_by_role("button", name="되돌리기").click()
    until(lambda: mock.signals.events["e1234"]["incident_id"] == "storm1")
    assert mock.asked("/signals/merge")[0]["into_id"] == "storm1"


def test_a_long_list_draws_only_what_is_seen_and_goes_to_its_end_by_keyboard(storm: Page) -> None:
    choose(storm, "storm1")
    options = storm.locator("[data-events] [role=option]")
    expect(options.first).to_have_attribute("aria-setsize", "3000")
    assert options.count() < 40
    storm.locator("[data-events] [role=listbox]").focus()
    storm.keyboard.press("End")
    last = storm.locator("[data-events] [aria-posinset='3000']")
    expect(last).to_be_visible()
    expect(last).to_have_attribute("aria-selected", "true")
    expect(last).to_contain_text("P3")


def test_events_are_filtered_by_class_and_priority(storm: Page) -> None:
    choose(storm, "storm1")
    panel = storm.locator("[data-events]")
    panel.get_by_role("button", name="침수 750").click()
    expect(panel.get_by_role("status")).to_have_text("750 건")
    panel.get_by_label("긴급도").select_option("2")
    expect(panel.get_by_role("status")).not_to_have_text("750 건")
    panel.get_by_role("button", name="조건 지우기").click()
    expect(panel.get_by_role("status")).to_have_text("3,000 건")


def test_nothing_is_redrawn_under_the_hand_until_it_is_asked_for(storm: Page, mock: MockCity) -> None:
    choose(storm, "storm1")
    panel = storm.locator("[data-events]")
    first = panel.locator("[data-event]").first
    first.click()
    held = first.inner_text()
    mock.signals.grow(100)
    again = panel.get_by_role("button", name="새 신호가 있습니다")
    expect(again).to_be_visible()
    expect(panel.get_by_role("status")).to_have_text("3,000 건")
    assert first.inner_text().splitlines()[:3] == held.splitlines()[:3]
    again.click()
    expect(panel.get_by_role("status")).to_have_text("3,100 건")


# --- signals, merging, shelves, reports ---------------------------------------------------------------------------


def test_the_signals_behind_an_incident_say_when_who_what_and_whether_late(desk: Page, mock: MockCity) -> None:
    mock.signals.behind("i1")
    choose(desk, "i1")
    signals = desk.locator("[data-signals]")
    for text in ("센서 SN-0000", "확신 87%", "영상 있음", "늦게 옴 400s", "규칙 fall@3", "사건을 엶"):
        expect(signals).to_contain_text(text)


def test_an_incident_is_merged_and_separated_again(desk: Page, mock: MockCity) -> None:
    mock.signals.behind("i4")
    choose(desk, "i4")
    key(desk, "u")
    dialog = desk.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("교통")
    dialog.get_by_role("button", name=re.compile("^병합: ")).click()
    expect(row(desk, "i4")).to_have_count(0)
    assert mock.asked("/signals/merge") == [{"incident_id": "i4", "into_id": "i3"}]
    key(desk, "Shift+U")
    until(lambda: len(mock.asked("/events/of-i4/split")) == 1)
    expect(desk.get_by_role("status").filter(has_text="되돌렸습니다")).to_be_visible()


def test_an_urgent_incident_is_never_offered_a_storm_to_go_into(storm: Page) -> None:
    choose(storm, "i1")
    key(storm, "u")
    dialog = storm.get_by_role("dialog")
    expect(dialog).to_contain_text("교통사고")
    expect(dialog.get_by_role("list")).not_to_contain_text("경보 폭주")
    expect(dialog).to_contain_text("되돌릴 수 없습니다")


def test_a_refusal_is_seen_above_an_open_sheet(desk: Page, mock: MockCity) -> None:
    choose(desk, "i4")
    key(desk, "u")
    mock.refuse_acts = RefusedError(409, "그 사이 다른 사람이 병합했습니다.", "already merged")
    desk.get_by_role("dialog").get_by_role("button", name=re.compile("^병합: ")).first.click()
    told = desk.get_by_role("dialog").get_by_role("status").filter(has_text="다른 사람이 병합했습니다")
    expect(told).to_be_visible()
    seen = "(one) => { const b = one.getBoundingClientRect();"
    seen += " return one.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)); }"
    assert told.evaluate(seen)


def test_shelved_devices_are_shown_with_the_time_left_and_let_go_with_a_reason(desk: Page, mock: MockCity) -> None:
    mock.signals.shelve("SN-0041", "1분에 60번 울림")
    key(desk, "y")
    dialog = desk.get_by_role("dialog")
    for text in ("SN-0041", "자동", "1분에 60번 울림", "214"):
        expect(dialog).to_contain_text(text)
    expect(dialog).to_contain_text(re.compile(r"해제까지 2\d:\d\d"))
    dialog.get_by_role("button", name="보류 해제: SN-0041").click()
    dialog.get_by_role("button", name="보류 해제").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    desk.get_by_role("textbox", name="사유").first.fill("수리 끝남")
    desk.keyboard.press("Enter")
    expect(dialog.locator("[data-shelf]")).to_have_count(0)
    assert mock.asked("/unshelve") == [{"reason": "수리 끝남"}]


def test_a_talkative_device_is_shelved_by_hand_with_minutes_and_a_reason(storm: Page, mock: MockCity) -> None:
    key(storm, "y")
    dialog = storm.get_by_role("dialog")
    dialog.get_by_role("button", name="보류: SN-0011").click()
    storm.keyboard.type("거미줄에 반응")
    dialog.get_by_label("보류 시간").select_option("60")
    dialog.get_by_role("button", name=re.compile("^보류 ?(Shelve)?$")).click()
    expect(dialog.locator("[data-shelf]")).to_contain_text("SN-0011")
    told = next(body for body in mock.asked("/signals/shelves") if body)
    assert (told["device"], told["minutes"], told["reason"]) == ("SN-0011", 60, "거미줄에 반응")


def test_a_report_is_entered_by_keyboard_and_its_incident_opens(desk: Page, mock: MockCity) -> None:
    key(desk, "Shift+I")
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("내용").fill("가로등 아래 사람이 쓰러져 있다고 함")
    dialog.get_by_label("내용").press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator("#incident-title")).to_be_visible()
    told = mock.asked("/signals/reports")
    assert [one["informant"] for one in told] == ["citizen"]
    assert told[0]["report_id"]


def test_a_report_that_is_refused_says_so_in_its_sheet_and_loses_nothing(desk: Page, mock: MockCity) -> None:
    key(desk, "Shift+I")
    dialog = desk.get_by_role("dialog")
    mock.refuse_acts = RefusedError(400, "입력한 내용을 확인하십시오.", "check it")
    dialog.get_by_label("내용").fill("연기가 남")
    dialog.get_by_role("button", name="신고 넣기").click()
    expect(dialog.get_by_role("alert")).to_contain_text("확인하십시오")
    expect(dialog.get_by_label("내용")).to_have_value("연기가 남")


# --- the wall ----------------------------------------------------------------------------------------------------


@pytest.fixture
def wall(context: BrowserContext, desk: Page, address: str) -> Iterator[Page]:
    """A second monitor in the operator's browser, by its address alone."""
    del desk
    page = context.new_page()
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{address}/wall?layout=video")
    yield page
    page.close()


def test_the_wall_follows_the_desk_and_shows_what_it_shows(wall: Page, desk: Page, mock: MockCity) -> None:
    expect(wall.locator("[data-wall=following]")).to_be_visible()
    choose(desk, "i1")
    expect(wall.locator("header .now")).to_contain_text("폭행")
    desk.keyboard.press("t")
    expect(wall.locator("[data-phase=playing]")).to_have_count(4)
    assert len(mock.asked("/leases")) == 8
    choose(desk, "i3")
    expect(wall.locator("header .now")).to_contain_text("교통사고")
    assert len(mock.asked("/leases")) == 8


def test_the_wall_is_the_same_after_a_reload_and_asks_nothing_of_anybody(wall: Page, desk: Page) -> None:
    choose(desk, "i3")
    expect(wall.locator("header .now")).to_contain_text("교통사고")
    wall.reload()
    expect(wall.locator("header .now")).to_contain_text("교통사고")
    assert wall.get_by_role("dialog").count() == 0
    for pressed in "tcxi":
        wall.keyboard.press(pressed)
    assert wall.get_by_role("dialog").count() == 0
    assert "/wall?layout=video" in wall.url


def test_a_wall_on_another_machine_learns_it_from_the_server(wall: Page, desk: Page, mock: MockCity) -> None:
    desk.goto("about:blank")
    mock.desk = {"person": "person:1", "authority": "48250", "incident_id": "i3", "tiles": [], "enlarged": ""}
    expect(wall.locator("header .now")).to_contain_text("교통사고")


def test_a_wall_of_one_incident_stays_with_it(wall: Page, desk: Page, address: str) -> None:
    wall.goto(f"{address}/wall?layout=video&incident=i1&tiles=4")
    choose(desk, "i3")
    expect(wall.locator("[data-wall=pinned]")).to_be_visible()
    expect(wall.locator("header .now")).to_contain_text("폭행")
    expect(wall.locator("[data-phase=playing]")).to_have_count(4)


def test_the_wall_gives_its_leases_back_when_it_is_closed(wall: Page, desk: Page, mock: MockCity, address: str) -> None:
    del desk
    wall.goto(f"{address}/wall?layout=video&incident=i1&tiles=1")
    expect(wall.locator("[data-phase=playing]")).to_have_count(1)
    wall.goto("about:blank")
    until(lambda: not any(lease["open"] for lease in mock.leases.values()))


def test_the_wall_comes_back_by_itself_when_somebody_logs_in_at_the_desk(
    wall: Page, desk: Page, mock: MockCity
) -> None:
    mock.user = None
    wall.reload()
    expect(wall.get_by_label("아이디")).to_be_visible()
    desk.reload()
    log_in(desk, "seer")
    expect(wall.locator("[data-wall]")).to_be_visible()


def test_the_wall_shows_what_is_most_pressing_and_counts_the_rest(wall: Page, mock: MockCity) -> None:
    for index in range(30):
        born(mock, f"w{index}", priority=3)
    mock.signals.storm(50)
    expect(wall.locator("[data-wall-incident]").first).to_contain_text("긴급")
    expect(wall.locator("[data-wall-incident=i1]")).to_be_visible()
    expect(wall.locator("li.hidden")).to_contain_text(re.compile(r"＋\d+"))


def test_a_person_without_the_right_sees_no_incidents_on_the_wall(wall: Page, mock: MockCity) -> None:
    mock.user = "auditor"
    wall.reload()
    expect(wall.get_by_text("권한이 없습니다")).to_be_visible()
    assert wall.locator("[data-wall-incident]").count() == 0
