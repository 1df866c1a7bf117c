"""A real browser before the mock city. Skipped with a reason where Chromium or the built screen is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.frontend import mock_city
from tests.frontend.mock_server import APP, MockCity, Stage, served

FLAGS = [
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--no-sandbox",
    "--disable-dev-shm-usage",
]
WIDTH, HEIGHT = 1366, 768
expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium, drawing WebGL in software."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium on PATH; on Debian: apt-get install chromium")
    if not (APP / "index.html").is_file():
        pytest.skip("the screen is not built; run: python hatch_build.py")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def stage() -> Iterator[tuple[Stage, str]]:
    """The server and its address; it stays, so that the browser keeps what it has loaded."""
    stage = Stage()
    with served(stage) as address:
        yield stage, address


@pytest.fixture
def mock(stage: tuple[Stage, str]) -> Iterator[MockCity]:
    """A fresh city for each test."""
    city = stage[0].city = MockCity()
    yield city
    city.leave()


@pytest.fixture
def address(stage: tuple[Stage, str], mock: MockCity) -> str:
    return stage[1]


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce", locale="ko-KR")
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    """The login page of a browser that remembers nothing. A script error anywhere fails the test."""
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(address)
    opened.evaluate("localStorage.clear()")
    opened.reload()
    yield opened
    opened.close()
    assert faults == []


def log_in(page: Page, username: str = "operator", password: str = mock_city.PASSWORD) -> None:
    """Fill in the form and send it."""
    page.get_by_label("아이디").fill(username)
    page.get_by_label("비밀번호").fill(password)
    page.get_by_role("button", name="들어가기").click()


@pytest.fixture
def desk(page: Page) -> Page:
    """The screen of a logged-in operator, its queue filled. Without the map: drawing it in software is slow."""
    log_in(page, "seer")
    expect(page.locator("[data-incident]")).to_have_count(4)
    return page


@pytest.fixture
def map_desk(page: Page) -> Page:
    """The same with the map, drawn."""
    log_in(page)
    expect(page.locator("[data-incident]")).to_have_count(4)
    expect(page.locator("[data-map=drawn]")).to_be_visible()
    return page
