"""What an operator can rely on at the screen, tried in a real browser against the contract's mock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.frontend.conftest import log_in
from tests.frontend.mock_city import Row, instant
from tests.frontend.mock_server import MockCity, RefusedError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def until(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    """Wait until something outside the page holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def choose(page: Page, incident: str) -> None:
    page.locator(f"[data-incident={incident}]").click()
    expect(page.locator("#timeline-title")).to_be_visible()


def tiles(page: Page, phase: str | None = None) -> Locator:
    return page.locator(f"[data-phase={phase}]" if phase else "[data-phase]")


def born(mock: MockCity, key: str = "i9", **parts: object) -> Row:
    """A new urgent incident, told on the live stream."""
    row = {**mock.city.incidents["i1"], "id": key, "number": "2026-000099", "pending_grants": 0, "version": 1, **parts}
    row["opened_at"] = row["updated_at"] = instant(datetime.now(UTC))
    mock.change("incident", row)
    return row


# --- coming in ---------------------------------------------------------------------------------------------------


def test_a_wrong_password_says_so_and_keeps_the_name(page: Page) -> None:
    log_in(page, password="wrong")
    expect(page.locator("form [role=alert]")).to_contain_text("맞지 않습니다")
    expect(page.get_by_label("아이디")).to_have_value("operator")


def test_a_locked_login_says_so(page: Page) -> None:
    for _ in range(4):
        log_in(page, password="wrong")
        expect(page.locator("form [role=alert]")).to_be_visible()
        expect(page.get_by_label("비밀번호")).to_have_value("")
    expect(page.locator("form [role=alert]")).to_contain_text("잠겼습니다")


def test_a_person_without_the_right_sees_no_incidents_but_the_map(page: Page) -> None:
    log_in(page, "officer")
    expect(page.locator("#queue")).to_contain_text("권한이 없습니다")
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("[data-incident]")).to_have_count(0)


def test_a_role_without_a_control_room_is_sent_to_the_back_office(page: Page, mock: MockCity) -> None:
    log_in(page, "auditor")
    expect(page.get_by_role("link", name="업무 관리 화면")).to_be_visible()
    assert mock.asked("/snapshot") == []


def test_an_ended_session_leads_back_to_the_login(desk: Page, mock: MockCity) -> None:
    mock.user = None
    mock.live_open = False
    expect(desk.get_by_text("로그인이 끝났습니다")).to_be_visible()


def test_simulated_is_said_on_every_screen(desk: Page) -> None:
    expect(desk.get_by_text("모의 SIMULATED").first).to_be_visible()


# --- the queue and the live line ---------------------------------------------------------------------------------


def test_the_most_urgent_incident_stands_first_with_shape_and_word(desk: Page) -> None:
    first = desk.locator("[data-incident]").first
    expect(first).to_contain_text("긴급")
    expect(first.locator("svg")).to_be_visible()
    expect(desk.locator("[data-incident=i2]")).to_contain_text("위치 미상")


def test_a_new_emergency_appears_and_is_spoken_to_screen_readers(desk: Page, mock: MockCity) -> None:
    expect(desk.locator(".chip", has_text="실시간")).to_be_visible()
    born(mock)
    expect(desk.locator("[data-incident=i9]")).to_contain_text("새 사건")
    expect(desk.locator("[aria-live=assertive]")).to_contain_text("긴급 폭행 2026-000099")


def test_what_happened_while_the_line_was_down_is_there_when_it_returns(desk: Page, mock: MockCity) -> None:
    mock.live_open = False
    expect(desk.get_by_text("다시 연결 중").first).to_be_visible()
    born(mock)
    mock.change("incident", mock.city.incidents["i4"], "remove")
    mock.live_open = True
    expect(desk.locator("[data-incident=i9]")).to_be_visible()
    expect(desk.locator("[data-incident=i4]")).to_have_count(0)
    assert len(mock.asked("/snapshot")) == 1


def test_a_reset_brings_a_fresh_snapshot(desk: Page, mock: MockCity) -> None:
    mock.city.incidents.pop("i4")
    mock.reset()
    expect(desk.locator("[data-incident=i4]")).to_have_count(0)
    assert len(mock.asked("/snapshot")) == 2


def test_an_incident_opens_by_its_address(desk: Page) -> None:
    choose(desk, "i3")
    desk.reload()
    expect(desk.locator("#incident-title")).to_contain_text("교통사고")


def test_filters_show_what_waits_for_a_hand(desk: Page) -> None:
    desk.get_by_role("button", name="할 일").click()
    expect(desk.locator("[data-incident]")).to_have_count(2)
    desk.get_by_role("button", name="내 담당").click()
    expect(desk.locator("#queue")).to_contain_text("해당하는 사건이 없습니다")


def test_a_feed_that_fell_silent_is_marked_stale(desk: Page) -> None:
    summary = desk.locator("summary", has_text="수신")
    expect(summary).to_contain_text("오래됨 1")
    summary.click()
    expect(desk.locator("li.chip", has_text="교통량")).to_contain_text("오래됨")
    expect(desk.locator("li.chip", has_text="대기질")).not_to_contain_text("오래됨")


# --- an incident -------------------------------------------------------------------------------------------------


def test_an_incident_shows_its_facts_cameras_and_grants(desk: Page) -> None:
    choose(desk, "i1")
    panel = desk.locator("article.panel")
    for text in ("폭행", "010-0000-0000", "김해중부경찰서", "±60 m", "112 신고로 접수", "방향 미상", "승인 대기"):
        expect(panel).to_contain_text(text)


def test_claiming_by_keyboard_sends_the_version_seen(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("c")
    expect(desk.locator("[data-incident=i1]")).to_contain_text("내 담당")
    assert mock.asked("/i1/claim") == [{"version": 1}]


def test_dismissing_needs_a_reason(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.get_by_role("button", name="해당 없음").click()
    desk.get_by_role("dialog").get_by_role("button", name="해당 없음").click()
    expect(desk.get_by_role("alert").filter(has_text="사유")).to_be_visible()
    assert mock.asked("/dismiss") == []
    desk.get_by_label("사유").fill("잘못 걸린 신고")
    desk.get_by_role("dialog").get_by_role("button", name="해당 없음").click()
    expect(desk.locator("[data-incident=i1]")).to_have_count(0)
    assert mock.asked("/dismiss")[0]["reason"] == "잘못 걸린 신고"


def test_a_waiting_grant_is_approved_by_keyboard_with_a_reason(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("g")
    desk.keyboard.type("현장 확인 필요")
    desk.get_by_role("dialog").get_by_role("button", name="승인").click()
    until(lambda: mock.city.grants["g1"]["state"] == "APPROVED")
    assert mock.asked("/g1/approve") == [{"reason": "현장 확인 필요"}]
    expect(desk.locator("li.waiting")).to_have_count(0)


def test_an_unlocated_call_is_placed_by_choosing_a_candidate(desk: Page, mock: MockCity) -> None:
    choose(desk, "i2")
    expect(desk.get_by_text("장소를 정해 주십시오").first).to_be_visible()
    desk.get_by_role("button", name="여기로: 서상동 수로왕릉길 편의점").click()
    expect(desk.locator("[data-incident=i2]")).not_to_contain_text("위치 미상")
    assert mock.asked("/i2/locate")[0]["how"] == "candidate"
    expect(desk.locator("#cameras-title")).to_contain_text("12")


def test_an_unlocated_call_is_placed_by_a_click_on_the_map(map_desk: Page, mock: MockCity) -> None:
    choose(map_desk, "i2")
    map_desk.get_by_role("button", name="지도에서 찍기").click()
    map_desk.locator("canvas").click(position={"x": 300, "y": 250})
    until(lambda: mock.asked("/i2/locate") != [])
    placed = mock.asked("/i2/locate")[0]
    assert placed["how"] == "map"
    assert abs(placed["lat"] - 35.23) < 0.05


def test_a_refusal_is_shown_in_the_servers_words(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    mock.refuse_acts = RefusedError(409, "그 사이 다른 사람이 맡았습니다.", "already claimed")
    desk.keyboard.press("c")
    expect(desk.get_by_role("status").filter(has_text="다른 사람이 맡았습니다")).to_be_visible()


def test_cameras_on_one_pole_open_as_a_list(map_desk: Page, mock: MockCity) -> None:
    map_desk.keyboard.press("Slash")
    map_desk.keyboard.type("008-1")
    expect(map_desk.locator("#hits [role=option]")).to_have_count(1)
    map_desk.keyboard.press("Enter")
    pole = map_desk.get_by_role("dialog", name="여기 있는 카메라")
    canvas = map_desk.locator("canvas")

    def opened() -> bool:
        canvas.click()
        return pole.is_visible()

    until(opened)
    expect(pole).to_contain_text("008-1")
    expect(pole).to_contain_text("009-1")
    pole.get_by_role("button", name=re.compile("^보기: .*009-1")).click()
    expect(tiles(map_desk, "playing")).to_have_count(1)


# --- pictures ----------------------------------------------------------------------------------------------------


def test_one_key_throws_the_net_and_pictures_move(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("t")
    expect(tiles(desk, "playing")).to_have_count(4)
    times = "[...document.querySelectorAll('video')].map((video) => video.currentTime)"
    before = desk.evaluate(times)
    desk.wait_for_function(f"(before) => {times}.every((now, index) => now > before[index] + 0.4)", arg=before)
    expect(tiles(desk).first).to_contain_text("김하늘")
    expect(tiles(desk).first).to_contain_text("2026-000042")
    expect(tiles(desk).first).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d KST"))
    assert {call["grant_id"] for call in mock.asked("/leases")} == {"g2"}


def test_the_net_is_thrown_around_the_map_centre_without_an_incident(map_desk: Page, mock: MockCity) -> None:
    map_desk.keyboard.press("t")
    until(lambda: len(mock.leases) == 4)
    assert all("incident_id" not in call and "grant_id" not in call for call in mock.asked("/leases"))


def test_a_view_renews_its_lease_and_gives_it_back_when_closed(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.get_by_role("button", name=re.compile("^보기: ")).first.click()
    expect(tiles(desk, "playing")).to_have_count(1)
    until(lambda: mock.leases["lease-1"]["renewed"] >= 1)
    until(lambda: len(mock.tokens) >= 2)
    assert mock.views_opened == 1
    tiles(desk).get_by_role("button", name=re.compile("^닫기: ")).click()
    until(lambda: not mock.leases["lease-1"]["open"])


def test_leaving_the_page_gives_every_lease_back(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("t")
    until(lambda: len(mock.leases) == 4)
    expect(tiles(desk, "playing")).to_have_count(4)
    desk.goto("about:blank")
    until(lambda: not any(lease["open"] for lease in mock.leases.values()))


def test_an_ended_grant_ends_the_picture_for_good_and_says_why(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.get_by_role("button", name=re.compile("^보기: ")).first.click()
    expect(tiles(desk, "playing")).to_have_count(1)
    mock.close_views_with = 4403
    expect(tiles(desk, "ended")).to_contain_text("승인이 끝났거나 회수")
    assert desk.evaluate("document.querySelector('video').src") == ""
    assert len(mock.leases) == 1


def test_a_cut_line_is_mended_with_a_new_lease(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.get_by_role("button", name=re.compile("^보기: ")).first.click()
    expect(tiles(desk, "playing")).to_have_count(1)
    mock.close_views_with = 4504
    until(lambda: mock.views_opened >= 2)
    mock.close_views_with = None
    expect(tiles(desk, "playing")).to_have_count(1)
    assert len(mock.leases) >= 2


def test_a_camera_that_speaks_h265_is_said_to_be_unplayable(desk: Page, mock: MockCity) -> None:
    mock.close_views_with = 4415
    choose(desk, "i1")
    desk.get_by_role("button", name=re.compile("^보기: ")).first.click()
    expect(tiles(desk, "unsupported")).to_contain_text("H.265")


def test_a_refused_view_can_be_opened_by_break_glass_with_a_reason(desk: Page, mock: MockCity) -> None:
    mock.refuse_leases = RefusedError(403, "이 카메라를 볼 근거가 없습니다.", "no grant covers it", "forbidden")
    choose(desk, "i3")
    desk.get_by_role("button", name=re.compile("^보기: ")).first.click()
    expect(tiles(desk, "refused")).to_contain_text("볼 근거가 없습니다")
    desk.keyboard.press("b")
    dialog = desk.get_by_role("dialog")
    expect(dialog).to_contain_text("24시간 안에 심사")
    dialog.get_by_role("button", name="기록하고 열기").click()
    assert mock.asked("/break-glass") == []
    dialog.get_by_label("무엇이 급박합니까").fill("칼을 든 사람이 보임")
    dialog.get_by_role("button", name="기록하고 열기").click()
    expect(tiles(desk, "playing")).to_have_count(1)
    assert mock.asked("/leases")[-1]["grant_id"] == next(key for key in mock.city.grants if key not in ("g1", "g2"))


def test_duty_starts_and_ends_with_the_time_left(desk: Page, mock: MockCity) -> None:
    desk.get_by_role("button", name="근무 시작").click()
    desk.get_by_role("dialog").get_by_role("button", name="근무 시작").click()
    shift = desk.get_by_role("button", name="근무 중")
    expect(shift).to_contain_text(re.compile(r"[78]:\d\d:\d\d"))
    shift.click()
    desk.get_by_role("dialog").get_by_role("button", name="근무 종료").click()
    expect(desk.get_by_role("button", name="근무 시작")).to_be_visible()
    assert mock.asked("/shift/start") == [{"hours": 8}]


# --- keys --------------------------------------------------------------------------------------------------------


def test_single_letter_keys_can_be_switched_off(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("Shift+Slash")
    desk.get_by_role("checkbox", name="한 글자 단축키").uncheck()
    desk.keyboard.press("Escape")
    expect(desk.get_by_role("dialog")).to_have_count(0)
    for key in "tcgnq":
        desk.keyboard.press(key)
    desk.get_by_role("button", name=re.compile("^투망")).first.click()
    expect(tiles(desk)).to_have_count(4)
    assert mock.asked("/claim") == []
    assert len(mock.asked("/leases")) == 4


def test_a_key_can_be_remapped_and_stays_so_after_a_reload(desk: Page, mock: MockCity) -> None:
    desk.keyboard.press("Shift+Slash")
    desk.get_by_role("button", name="바꾸기: 투망").click()
    desk.keyboard.press("z")
    desk.keyboard.press("Escape")
    desk.reload()
    expect(desk.locator("[data-incident]")).to_have_count(4)
    choose(desk, "i1")
    desk.keyboard.press("t")
    desk.keyboard.press("z")
    expect(tiles(desk)).to_have_count(4)


def test_letters_typed_into_a_field_are_no_commands(desk: Page, mock: MockCity) -> None:
    choose(desk, "i1")
    desk.keyboard.press("n")
    expect(desk.get_by_role("dialog").get_by_role("textbox", name="내용")).to_be_focused()
    desk.keyboard.type("tcxq")
    desk.get_by_role("dialog").get_by_role("button", name="저장").click()
    until(lambda: mock.asked("/i1/note") != [])
    assert mock.asked("/i1/note")[0]["text"] == "tcxq"
    assert mock.asked("/leases") == []


def test_everything_of_a_call_can_be_done_without_a_mouse(desk: Page, mock: MockCity) -> None:
    desk.keyboard.press("j")
    expect(desk.locator("[data-incident=i1]")).to_have_attribute("aria-current", "true")
    desk.keyboard.press("c")
    desk.keyboard.press("v")
    until(lambda: mock.city.incidents["i1"]["state"] == "VERIFYING")
    desk.keyboard.press("Slash")
    desk.keyboard.type("교통")
    expect(desk.locator("#hits [role=option]").first).to_contain_text("교통사고")
    desk.keyboard.press("Enter")
    expect(desk.locator("#incident-title")).to_contain_text("교통사고")


def test_the_skip_link_comes_first_and_leads_to_the_incidents(desk: Page) -> None:
    desk.evaluate("document.activeElement?.blur()")
    desk.keyboard.press("Tab")
    skip = desk.get_by_role("link", name=re.compile("건너뛰기"))
    expect(skip).to_be_focused()
    desk.keyboard.press("Enter")
    assert desk.evaluate("document.activeElement?.id") == "queue"


def test_sound_waits_for_a_gesture_and_mute_is_remembered(desk: Page) -> None:
    desk.get_by_role("button", name="소리 켬").click()
    desk.reload()
    expect(desk.get_by_role("button", name="소리 끔")).to_be_visible()


def test_the_screen_speaks_english_when_asked(desk: Page) -> None:
    desk.get_by_label("언어").select_option("en")
    expect(desk.locator("[data-incident=i1]")).to_contain_text("Assault")
    expect(desk.get_by_role("button", name="Throw the net").first).to_be_visible()
    assert desk.evaluate("document.documentElement.lang") == "en"


def test_nothing_is_fetched_from_outside(map_desk: Page, address: str) -> None:
    choose(map_desk, "i1")
    map_desk.keyboard.press("t")
    expect(tiles(map_desk, "playing")).to_have_count(4)
    names = map_desk.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in names if not name.startswith((address, "blob:", "data:"))] == []
