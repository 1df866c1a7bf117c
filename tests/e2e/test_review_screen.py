"""The review screen in a real browser, before a real server and a real store: from a closed call to a signed report."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.site.serving import PASSWORD, Installation, environment, install, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[2] / "src/madang/console/static/app/review.html"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
PICTURES = os.environ.get("MADANG_PICTURES", "")
"""A folder where pictures of each view are left, for people to look at."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]

SEED = """
from datetime import timedelta
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
import shapely
from madang.identity import commands
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.places.ground import MapFeature
from madang.places.mapping import publish_ground, publish_tiles
from madang.places.models import BaseKind
from madang.response import commands as response
from madang.response.commands import OpenIncident
from madang.response.domain import SaidPlace
from madang.response.config import SignalsConfig
from madang.response.duty.commands import accept_handover, hand_over
from madang.response.models import Incident
from madang.response.signals import intake
from madang.response.signals.intake import Draft
from madang.response.signals.settlement import Settlement
from madang.video.commands import SiteRow, put_sites
from madang.video.models import DutyShift, GrantCamera, Lease, VideoGrant, ViewSession
CITY, LON, LAT = "48250", 128.8890, 35.2280
actor, now = actor_at_the_keyboard(CITY), system_clock()
start = now - timedelta(hours=3)
def s(seconds):
    return start + timedelta(seconds=seconds)
with civic.transaction() as tx:
    commands.add_city(tx, actor, code=CITY, name_ko="김해시", name_en="Gimhae", lon=LON, lat=LAT, now=now)
    for name, role, said in (("kim", "operator", "김관제"), ("lee", "operator", "이교대"), ("choi", "supervisor", "최검토"),
                             ("moon", "city_officer", "문주무")):
        commands.create_account(tx, actor, authority=CITY, username=name, password=%r, name=said, roles=[Role(role)], now=now)
    rows = [SiteRow(f"cam-{n}", name=f"시장 앞 {n}", lon=LON + 0.0006 * (n - 2), lat=LAT + 0.0004 * (n %% 3 - 1), purpose="생활방범") for n in range(5)]
    put_sites(tx, CITY, rows, now, Mode.LIVE)
def f(kind, shape, rank=0, name=""):
    return MapFeature(kind, "", name, "", rank, 0.0, shape)
ground = [f(BaseKind.ROAD, shapely.LineString([(LON - 0.02, LAT + d), (LON + 0.02, LAT + d + 0.001)]), 0 if n == 2 else 2) for n, d in enumerate((-0.004, -0.002, 0.0005, 0.002, 0.0035))]
ground += [f(BaseKind.ROAD, shapely.LineString([(LON + d, LAT - 0.02), (LON + d - 0.001, LAT + 0.02)]), 3) for d in (-0.004, -0.002, 0.001, 0.003)]
ground += [f(BaseKind.WATER, shapely.LineString([(LON - 0.02, LAT - 0.003), (LON + 0.02, LAT - 0.001)]).buffer(0.0004))]
ground += [f(BaseKind.BUILDING, shapely.box(LON + x * 0.0009, LAT + y * 0.0007, LON + x * 0.0009 + 0.0004, LAT + y * 0.0007 + 0.0003)) for x in range(-5, 6) for y in range(-4, 5)]
ground += [f(BaseKind.LABEL, shapely.Point(LON - 0.001, LAT + 0.0012), 0, "동상시장")]
publish_ground(CITY, ground, "test", now)
publish_tiles(CITY, now)
person = {row.username: actor_of_person(row) for row in Person.objects.all()}
kim, lee = person["kim"], person["lee"]
for who in ("kim", "lee"):
    DutyShift.objects.create(authority_id=CITY, person=Person.objects.get(username=who), from_at=s(-3600), to_at=s(7200), accepted_at=s(-3600))
drafts = [Draft(authority=CITY, mode=Mode.LIVE, source="bell" if n == 0 else "sensor", source_id=f"b-{n}", device=f"{'bell' if n == 0 else 'sensor'}-{n %% 3}",
                class_code="fire", observed_at=s(n * 4), lon=LON + 0.0004 * n, lat=LAT, accuracy_m=20.0, text="불이 보입니다", priority=1) for n in range(4)]
with civic.transaction() as tx:
    intake.accept(tx, system_actor(CITY, "시험"), drafts, s(20))
Settlement(civic.store, lambda: s(22), SignalsConfig()).run_once()
incident = Incident.objects.filter(authority_id=CITY).order_by("opened_at").first()
assert incident is not None, "the signals made no incident"
key = incident.id
with civic.transaction() as tx:
    response.claim(tx, kim, key, s(55))
    response.verify(tx, kim, key, s(80))
    response.add_note(tx, kim, key, "시장 2층에서 연기, 김관제가 119 통화", s(95))
grant = VideoGrant.objects.filter(case__incident_id=key).order_by("requested_at").first()
if grant is not None:
    for n, link in enumerate(GrantCamera.objects.filter(grant=grant).select_related("camera")[:3]):
        common = dict(authority_id=CITY, grant=grant, camera=link.camera, viewer=kim.id, viewer_name=kim.name, mode="live")
        lease = Lease.objects.create(**common, opened_at=s(60), expires_at=s(90))
        ViewSession.objects.create(**common, lease=lease, started_at=s(62 + 20 * n), ended_at=s(150 + 40 * n), seconds=88.0 + 20 * n)
with civic.transaction() as tx:
    offer = hand_over(tx, kim, CITY, lee.id, "시장 화재", s(200))
    accept_handover(tx, lee, offer.id, s(240))
    response.activate(tx, lee, key, s(250))
    response.close_incident(tx, lee, key, "소방 진화 완료", s(1800))
for n in range(30):
    wanted = OpenIncident(authority=CITY, source="operator", mode=Mode.LIVE, class_text="disturbance", code=(1, 2, 3, 4)[n %% 4], place=SaidPlace(LON, LAT, 10.0))
    with civic.transaction() as tx:
        other = response.open_incident(tx, kim, wanted, s(2000 + 25 * n))
        response.claim(tx, lee if n %% 3 else kim, other.id, s(2000 + 25 * n + 40))
        if n < 3:
            response.close_incident(tx, lee if n %% 3 else kim, other.id, "계도", s(2000 + 25 * n + 200))
"""  # noqa: E501 -- a script, one thought a line


def faults(page: Page) -> list[str]:
    """What axe found, a line each."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:160]}" for one in found for node in one["nodes"]]


def furnish(home: Installation) -> None:
    """The city of these tests: a fire that was handed over, and thirty disturbances."""
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    done = subprocess.run([sys.executable, "-c", SEED % PASSWORD], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = install(tmp_path_factory.mktemp("reviews") / "city")
    furnish(home)
    with serving(home):
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


class Screen:
    """Somebody's browser at the reviews."""

    def __init__(self, page: Page, home: Installation) -> None:
        self.page, self.home = page, home
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def log_in(self, username: str) -> None:
        self.page.goto(f"{self.home.url}/review")
        self.page.get_by_label("아이디").fill(username)
        self.page.get_by_label("비밀번호").fill(PASSWORD)
        self.page.get_by_role("button", name="들어가기").click()
        expect(self.page.get_by_role("heading", level=1, name="사후 검토")).to_be_visible(timeout=20_000)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.home.url}/review{query}")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=20_000)

    def theme(self, theme: str) -> None:
        self.page.evaluate(f"localStorage.setItem('madang.screen', JSON.stringify({{theme: '{theme}'}}))")

    def open_fire(self) -> None:
        self.open("?q=화재")
        self.page.locator("a.thing").first.click()
        expect(self.page.get_by_role("heading", name="지도에서 다시 보기")).to_be_visible(timeout=20_000)
        expect(self.page.locator("[data-map=drawn]")).to_be_visible(timeout=30_000)

    def picture(self, name: str, *, whole: bool = True) -> None:
        if PICTURES:
            if whole:
                self.page.set_viewport_size({"width": 1440, "height": 2000})
            self.page.screenshot(path=f"{PICTURES}/{name}.png")
            self.page.set_viewport_size({"width": 1440, "height": 900})


def screen_of(browser: Browser, home: Installation, username: str) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", locale="ko-KR")
    screen = Screen(context.new_page(), home)
    screen.log_in(username)
    yield screen
    context.close()
    assert screen.faults == []


@pytest.fixture(scope="module")
def reviewer(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "choi")


@pytest.fixture(scope="module")
def officer(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "moon")


def test_from_a_closed_incident_to_a_signed_report_by_keyboard_alone(reviewer: Screen, home: Installation) -> None:
    page = reviewer.page
    reviewer.open_fire()
    page.get_by_role("button", name="검토 시작").press("Enter")
    questions = page.locator(".questions > li")
    expect(questions).to_have_count(9)
    expect(page.get_by_role("button", name="서명", exact=False)).to_be_disabled()
    for number in range(8):
        button = questions.nth(number).get_by_role("button", name=re.compile("^예"))
        button.press("Enter")
        expect(button).to_have_attribute("aria-pressed", "true")
    questions.nth(8).get_by_role("button", name=re.compile("아니요")).press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    assert faults(page) == []
    page.keyboard.type("통화 내용을 메모에 적었다")
    dialog.get_by_role("button", name=re.compile("아니요인")).press("Enter")
    expect(questions.nth(8)).to_contain_text("통화 내용을")
    page.get_by_role("button", name=re.compile("의견 쓰기")).press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("김관제가 35초 만에 담당했다")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("의견 쓰기")).press("Enter")
    expect(page.locator(".findings")).to_contain_text("35초")
    page.get_by_role("button", name=re.compile("교훈 쓰기")).press("Enter")
    expect(page.get_by_role("dialog").get_by_label("담당")).to_have_value(re.compile("person:"))
    page.keyboard.press("Tab")
    page.keyboard.type("시장 2층 감지기를 점검한다")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("교훈 쓰기")).press("Enter")
    expect(page.get_by_role("cell", name=re.compile("감지기를 점검"))).to_be_visible()
    reviewer.picture("one-open-dark")
    page.get_by_role("button", name=re.compile("^서명")).press("Enter")
    page.keyboard.type("첫 신호부터 진화까지 절차대로 대응하였다. 인수인계에 공백이 없었다.")
    assert faults(page) == []
    page.get_by_role("dialog").get_by_role("button", name=re.compile("검토 서명")).press("Enter")
    expect(page.get_by_role("link", name=re.compile("서명본")).first).to_be_visible()
    expect(page.locator(".questions button")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("PDF")).click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    if PICTURES:
        download.value.save_as(f"{PICTURES}/report.pdf")
    with page.expect_download() as signed:
        page.get_by_role("link", name=re.compile("서명본")).first.click()
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    command = [sys.executable, "-m", "madang.cli", "review", "verify", str(signed.value.path())]
    checked = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
    assert "good" in checked.stdout


def test_the_slider_moves_the_list_and_the_moment(reviewer: Screen) -> None:
    page = reviewer.page
    reviewer.open_fire()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("li[aria-current=step]").first).to_contain_text(re.compile("접수|화재"))
    first = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") != first


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("view", ["list", "one", "lessons", "load", "nothing"])
def test_axe_finds_nothing_on_any_view_in_either_theme(reviewer: Screen, view: str, theme: str) -> None:
    reviewer.theme(theme)
    if view == "one":
        reviewer.open_fire()
    else:
        reviewer.open({"list": "", "nothing": "?q=없는것"}.get(view, f"?view={view}&by=shift"))
    expect(reviewer.page.locator("h2").first).to_be_visible()
    reviewer.picture(f"{view}-{theme}")
    assert faults(reviewer.page) == []


def test_an_officer_reads_codes_instead_of_names_and_is_offered_nothing_to_review(officer: Screen) -> None:
    page = officer.page
    officer.open_fire()
    expect(page.get_by_role("button", name=re.compile("검토 시작|의견 쓰기|추록"))).to_have_count(0)
    text = page.locator("main").inner_text()
    assert "P1" in text
    assert "김관제" not in text
    officer.open("?view=load")
    assert "김관제" not in page.locator("main").inner_text()


def test_somebody_without_the_right_is_told_so(browser: Browser, home: Installation) -> None:
    for screen in screen_of(browser, home, "kim"):
        expect(screen.page.get_by_role("heading", name=re.compile("권한이 없습니다"))).to_be_visible()
        assert faults(screen.page) == []


def test_when_the_server_is_silent_what_was_seen_stays_with_its_age(officer: Screen) -> None:
    page = officer.page
    officer.open()
    rows = page.locator("tbody tr").count()
    assert rows > 0
    page.route("**/api/console/reviews**", lambda route: route.abort())
    expect(page.get_by_text("갱신하지 못함")).to_be_visible(timeout=30_000)
    assert page.locator("tbody tr").count() == rows
