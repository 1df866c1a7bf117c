"""The citizens' pages: what is published, what is not, and a request from the form to its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from madang.identity.actors import actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import SEOUL, system_clock
from madang.kernel.mode import Mode
from madang.portal.config import PortalConfig
from madang.portal.models import Knock
from madang.video import commands as video
from madang.video.models import DisclosureRequest, ProvisionRecord, VideoGrant
from tests.conftest import MakePerson

pytestmark = pytest.mark.django_db


def provision(city: Authority, *, basis: str, at: datetime, mode: Mode = Mode.LIVE, act: str = "provision") -> None:
    """A register row as the video room writes it."""
    grant = VideoGrant.objects.create(
        authority=city,
        kind="case",
        state="EXPIRED",
        recipient_kind="agency",
        recipient_code="gimhae-police",
        agency_kind="police",
        requested_by="agency:gimhae-police",
        requested_at=at,
    )
    ProvisionRecord.objects.create(
        authority=city,
        grant=grant,
        act=act,
        incident_number="2026-000777",
        basis=basis,
        purpose="112 신고 대응: 실종",
        scope="카메라 3대",
        recipient_kind="agency",
        recipient_code="gimhae-police",
        from_at=at,
        to_at=at + timedelta(hours=1),
        cameras=3,
        seconds=120.0,
        mode=mode.value,
    )


def text_of(answer: Any) -> str:  # Any: the test client's response
    return str(answer.content.decode())


@pytest.fixture
def good(authority: Authority) -> dict[str, str]:
    """A form filled in rightly."""
    yesterday = system_clock().astimezone(SEOUL) - timedelta(days=1)
    return {
        "city": authority.code,
        "name": "홍길동",
        "phone": "010-1234-5678",
        "place": "내외동 중앙사거리 앞",
        "day": f"{yesterday:%Y-%m-%d}",
        "from_time": "10:00",
        "to_time": "11:00",
        "looks": "흰 모자",
        "agree": "on",
    }


def hand_in(client: Client, form: dict[str, str]) -> tuple[str, str]:
    """Receipt number and word of a request."""
    answer = client.post("/portal/video-request", form)
    assert answer.status_code == 200, text_of(answer)
    found = re.findall(r"<dd>([0-9A-Z-]+)</dd>", text_of(answer))
    return found[0], found[1]


# ---------------------------------------------------------------------------------------------- published


@pytest.mark.parametrize(
    "path", ["/portal/", "/portal/video-register", "/portal/video-request", "/portal/video-request/status"]
)
def test_every_page_is_korean_works_without_script_and_has_one_heading(authority: Authority, path: str) -> None:
    page = text_of(Client().get(path))
    assert '<html lang="ko">' in page
    assert "<script" not in page
    assert page.count("<h1>") == 1
    assert 'href="#content"' in page


def test_investigations_are_never_published(authority: Authority) -> None:
    at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    provision(authority, basis="pipa_18_2_7", at=at)
    provision(authority, basis="pipa_18_2_3", at=at)
    page = text_of(Client().get("/portal/video-register?year=2026"))
    assert "제18조제2항제3호" in page
    assert "(범죄 수사)" not in page
    assert "1건" in page


def test_no_case_number_and_no_use_of_our_own_is_published(authority: Authority) -> None:
    at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    provision(authority, basis="pipa_18_2_3", at=at)
    provision(authority, basis="city_duty", at=at, act="use")
    page = text_of(Client().get("/portal/video-register?year=2026"))
    assert "2026-000777" not in page
    assert "자체 관제" not in page


def test_months_are_korean_months(authority: Authority) -> None:
    provision(authority, basis="pipa_18_2_3", at=datetime(2026, 2, 28, 15, 30, tzinfo=UTC))
    page = text_of(Client().get("/portal/video-register?year=2026"))
    assert "2026-03" in page
    assert "2026-02" not in page


def test_simulated_and_real_are_never_shown_together(authority: Authority, settings: LazySettings) -> None:
    at = datetime(2026, 3, 2, 3, tzinfo=UTC)
    provision(authority, basis="pipa_18_2_3", at=at)
    provision(authority, basis="missing_persons_act", at=at, mode=Mode.SIMULATED)
    real = text_of(Client().get("/portal/video-register?year=2026"))
    assert "실종아동등" not in real
    assert "모의 운영" not in real
    settings.MADANG_CONSOLE = msgspec.structs.replace(settings.MADANG_CONSOLE, mode=Mode.SIMULATED)
    simulated = text_of(Client().get("/portal/video-register?year=2026"))
    assert "실종아동등" in simulated
    assert "제18조제2항제3호" not in simulated
    assert "모의 운영" in simulated


def test_another_citys_provisions_are_on_its_own_page(authority: Authority, other_authority: Authority) -> None:
    provision(other_authority, basis="pipa_18_2_3", at=datetime(2026, 3, 2, 3, tzinfo=UTC))
    here = text_of(Client().get(f"/portal/video-register?year=2026&city={authority.code}"))
    there = text_of(Client().get(f"/portal/video-register?year=2026&city={other_authority.code}"))
    assert "0건" in here
    assert "1건" in there


def test_the_same_lines_come_as_a_file(authority: Authority) -> None:
    provision(authority, basis="pipa_18_2_3", at=datetime(2026, 3, 2, 3, tzinfo=UTC))
    answer = Client().get("/portal/video-register.csv?year=2026")
    assert answer["Content-Type"].startswith("text/csv")
    assert "2026-03,개인정보 보호법 제18조제2항제3호" in answer.content.decode("utf-8-sig")


@pytest.mark.parametrize("year", ["", "abc", "99999999999", "-1", "１９９９", "3026"])
def test_an_odd_year_is_this_year(authority: Authority, year: str) -> None:
    answer = Client().get("/portal/video-register", {"year": year, "city": "nowhere"})
    assert answer.status_code == 200
    assert f"{system_clock().astimezone(SEOUL).year}년" in text_of(answer)


# ---------------------------------------------------------------------------------------------- a request


def test_a_request_gets_a_receipt_a_word_and_a_ten_day_due_date(good: dict[str, str]) -> None:
    receipt, _ = hand_in(Client(), good)
    row = DisclosureRequest.objects.get(receipt=receipt)
    assert row.due_at - row.received_at == timedelta(days=10)
    assert row.state == "received"


def test_what_the_citizen_wrote_lies_sealed(good: dict[str, str]) -> None:
    hand_in(Client(), good)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM video_disclosurerequest")
        (row,) = cursor.fetchall()
        cursor.execute("SELECT * FROM portal_knock")
        knocks = cursor.fetchall()
    stored = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in (*row, *knocks[0]))
    for told in ("홍길동", "010-1234-5678", "중앙사거리", "흰 모자", "127.0.0.1"):
        assert told.encode() not in stored


def test_receipt_and_word_show_how_it_stands_until_the_answer(good: dict[str, str], make_person: MakePerson) -> None:
    client = Client()
    receipt, word = hand_in(client, good)
    page = client.post("/portal/video-request/status", {"receipt": receipt, "secret": word})
    assert page.status_code == 200
    assert "접수됨" in text_of(page)
    assert page["Cache-Control"] == "no-store"
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    row = DisclosureRequest.objects.get()
    with civic.transaction() as tx:
        video.answer_disclosure(tx, officer, row.pk, "그 시간에 제공된 영상은 없습니다.", system_clock())
    page = client.post("/portal/video-request/status", {"receipt": receipt.lower(), "secret": word.replace("-", " ")})
    assert "그 시간에 제공된 영상은 없습니다." in text_of(page)


def test_a_wrong_word_and_a_wrong_number_look_the_same(good: dict[str, str]) -> None:
    client = Client()
    receipt, word = hand_in(client, good)
    wrong_word = client.post("/portal/video-request/status", {"receipt": receipt, "secret": "AAAA-AAAA"})
    wrong_number = client.post("/portal/video-request/status", {"receipt": "261122-AAAAAAAAAA", "secret": word})
    assert wrong_word.status_code == wrong_number.status_code == 404
    assert "맞는 청구가 없습니다" in text_of(wrong_word)
    assert "맞는 청구가 없습니다" in text_of(wrong_number)


def test_the_word_is_not_taken_from_an_address(good: dict[str, str]) -> None:
    client = Client()
    receipt, word = hand_in(client, good)
    page = client.get("/portal/video-request/status", {"receipt": receipt, "secret": word})
    assert receipt not in text_of(page)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "이름을"),
        ("phone", "not a number", "전화번호는"),
        ("place", "", "어디였는지"),
        ("day", "내일", "2026-11-22처럼"),
        ("day", "2999-01-01", "지난 시간만"),
        ("day", "2001-01-01", "1년이 지난"),
        ("from_time", "25:00", "14:30처럼"),
        ("to_time", "09:00", "뒤여야"),
        ("agree", "", "동의해야"),
        ("place", "\x00\x00\x00\x00\x00", "place-error"),
    ],
)
def test_each_mistake_is_told_beside_its_field_and_nothing_is_lost(
    good: dict[str, str], field: str, value: str, told: str
) -> None:
    answer = Client().post("/portal/video-request", {**good, field: value})
    assert answer.status_code == 422
    page = text_of(answer)
    assert told in page
    assert 'aria-invalid="true"' in page
    if field != "name":
        assert 'value="홍길동"' in page
    assert not DisclosureRequest.objects.exists()


def test_markup_in_a_field_stays_text(good: dict[str, str]) -> None:
    page = text_of(Client().post("/portal/video-request", {**good, "name": '"><b>x', "phone": ""}))
    assert "<b>x" not in page


def test_a_flood_from_one_address_is_slowed(good: dict[str, str], settings: LazySettings) -> None:
    settings.MADANG_PORTAL = PortalConfig(requests_per_day=2, lookups_per_hour=2)
    client = Client()
    for _ in range(2):
        hand_in(client, good)
    answer = client.post("/portal/video-request", good)
    assert answer.status_code == 429
    assert "나중에" in text_of(answer)
    assert Client(REMOTE_ADDR="203.0.113.9").post("/portal/video-request", good).status_code == 200
    for _ in range(2):
        assert client.post("/portal/video-request/status", {"receipt": "x", "secret": "y"}).status_code == 404
    assert client.post("/portal/video-request/status", {"receipt": "x", "secret": "y"}).status_code == 429


def test_a_flood_from_everywhere_cannot_fill_the_desk(good: dict[str, str], settings: LazySettings) -> None:
    settings.MADANG_PORTAL = PortalConfig(requests_per_day_overall=2)
    for number in range(3):
        Client(REMOTE_ADDR=f"203.0.113.{number}").post("/portal/video-request", good)
    assert DisclosureRequest.objects.count() == 2


def test_knocks_are_forgotten_after_a_day(good: dict[str, str]) -> None:
    hand_in(Client(), good)
    Knock.objects.update(at=system_clock() - timedelta(days=2))
    hand_in(Client(), good)
    assert Knock.objects.count() == 1


def test_a_machine_that_fills_every_field_is_not_taken(good: dict[str, str]) -> None:
    answer = Client().post("/portal/video-request", {**good, "website": "http://spam.example"})
    assert answer.status_code == 422
    assert not DisclosureRequest.objects.exists()


def test_the_form_needs_its_own_token(good: dict[str, str]) -> None:
    assert Client(enforce_csrf_checks=True).post("/portal/video-request", good).status_code == 403


def test_the_citizens_pages_open_without_any_city() -> None:
    for path in ("/portal/", "/portal/video-register", "/portal/video-request", "/portal/video-register.csv"):
        assert Client().get(path).status_code == 200


def test_agency_codes_are_shown_as_kinds(authority: Authority, make_agency: Callable[..., Agency]) -> None:
    make_agency()
    provision(authority, basis="pipa_18_2_3", at=datetime(2026, 3, 2, 3, tzinfo=UTC))
    assert "<td>경찰</td>" in text_of(Client().get("/portal/video-register?year=2026"))
