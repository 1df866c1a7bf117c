"""The simulated police room's book and the platform's agree at the end of the day, and what does not is told."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from madang_demo.police112.ledger import Ledger
from madang_demo.police112.reconcile import Books, compare
from tests.site.serving import environment, free_port, until

Json = dict[str, Any]  # Any: JSON values
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One message sent, one got, one view under which pictures were seen."""
    book = Ledger(tmp_path / "book.sqlite3")
    book.sending("m1", "c1", 1, "VideoRequest", b"one")
    book.attempted("m1", 202, "new")
    book.got("p1", "c1", "GrantOffer", b"offer")
    book.view_began("l1", "c1", "g1", "k1")
    book.view_ended("l1", fragments=3, media_s=1.0, first_s=0.1, close_code=4403, after_end_s=0.1)
    yield book
    book.close()


def row(direction: str, msg_id: str, body: bytes, state: str) -> Json:
    at = datetime.now(UTC).isoformat()
    return {"direction": direction, "msg_id": msg_id, "digest": sha256(body).hexdigest(), "at": at, "state": state}


def page(**replaced: Any) -> Json:
    whole: Json = {
        "messages": [row("in", "m1", b"one", "accepted"), row("out", "p1", b"offer", "delivered")],
        "views": [{"lease_id": "l1", "ended_at": "2026-11-22T00:00:00Z"}],
    }
    return whole | replaced


def differences(ledger: Ledger, *pages: Json) -> list[str]:
    books = Books(complete_from="2000-01-01T00:00:00Z")
    for one in pages:
        books.add(one)
    return compare(ledger, books, LONG_AGO)


def test_equal_books_have_no_difference(ledger: Ledger) -> None:
    assert differences(ledger, page()) == []


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"messages": []}, ["sent m1: we hold its receipt", "got p1: the platform has not booked it"]),
        (
            {"messages": [row("in", "m1", b"two", "accepted"), row("out", "p1", b"offer", "delivered")]},
            ["sent m1: our digest"],
        ),
        (
            {"messages": [row("in", "m1", b"one", "accepted"), row("out", "p1", b"other", "delivered")]},
            ["got p1: our digest"],
        ),
        ({"views": []}, ["view l1: we saw pictures"]),
        ({"views": [{"lease_id": "l1", "ended_at": None}]}, ["view l1: it is over"]),
    ],
    ids=["missing", "sent digest", "got digest", "view missing", "view open"],
)
def test_what_the_platform_lacks_or_has_otherwise_is_told(ledger: Ledger, theirs: Json, told: list[str]) -> None:
    found = differences(ledger, page(**theirs))
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True))


def test_what_we_lack_is_told_and_what_still_waits_is_not(ledger: Ledger) -> None:
    more = {"messages": [row("in", "m2", b"x", "accepted"), row("out", "p2", b"y", "delivered")], "views": []}
    waiting = {"messages": [row("out", "p3", b"z", "waiting")], "views": []}
    assert [one.partition(":")[0] for one in differences(ledger, page(), more, waiting)] == ["sent m2", "got p2"]


def test_a_message_booked_twice_is_told(ledger: Ledger) -> None:
    again = {"messages": [row("in", "m1", b"one", "accepted")], "views": []}
    assert "booked it 2 times" in differences(ledger, page(), again)[0]


# ----------------------------------------------------------------------------------- over a running platform


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running simulated city without calls; the configuration of its police room, set to quick calls."""
    state = tmp_path_factory.mktemp("state") / "demo"
    said = state.with_suffix(".out")
    command = [sys.executable, "-m", "madang.cli", "demo", "--dir", str(state), "--port", str(free_port())]
    with said.open("wb") as output:
        process = subprocess.Popen([*command, "--no-police"], env=environment(), stdout=output, stderr=output)
        try:
            until(lambda: b"Ctrl-C" in said.read_bytes() or process.poll() is not None, 240)
            assert process.poll() is None, said.read_text()
            config = state / "police112" / "police112.toml"
            quick = "per_minute = 120\nwatch_s = 3\ncameras = 1\n"
            config.write_text(config.read_text().replace("per_minute = 3.0\n", quick))
            yield config
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(60)


def police(config: Path, *words: str) -> tuple[int, Json]:
    """Runs the room to its end; its exit code and report."""
    command = [sys.executable, "-m", "madang_demo.police112", "--config", str(config), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout.count("\n") == 1, done.stderr
    report: Json = json.loads(done.stdout)
    return done.returncode, report


def told(config: Path, total: int) -> None:
    text = re.sub(r"\ntotal = \d+\n", "\n", config.read_text())
    config.write_text(f"{text}total = {total}\n")


@pytest.fixture(scope="module")
def day(room: Path) -> tuple[int, Json]:
    """How a day of four quick calls ended."""
    told(room, 4)
    return police(room)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_day_of_calls_ends_with_equal_books(day: tuple[int, Json]) -> None:
    code, report = day
    assert (code, report["reconciled"], report["differences"]) == (0, True, [])
    assert sum(report["calls"].values()) == 4
    assert report["views_with_pictures"] >= 2


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_interrupted_it_closes_its_calls_and_the_books_are_equal(room: Path) -> None:
    told(room, 0)
    book = room.parent / "ledger.sqlite3"
    command = [sys.executable, "-m", "madang_demo.police112", "--config", str(room)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        until(lambda: count(book, "views WHERE ended_at IS NULL") > 0, 60)
        process.terminate()
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    report = json.loads(out)
    assert (report["reconciled"], report["differences"], process.returncode) == (True, [], 0)
    assert count(book, "calls WHERE ended IS NULL") == 0
    assert count(book, "views WHERE ended_at IS NULL") == 0
    assert count(book, "calls WHERE ended = 'closed at the end of the day'") > 0


def spoil(statement: str) -> Callable[[Path], None]:
    def do(book: Path) -> None:
        with closing(sqlite3.connect(book)) as db, db:
            assert db.execute(statement).rowcount == 1

    return do


@pytest.mark.integration
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM sent WHERE rowid = (SELECT min(rowid) FROM sent WHERE status = 202)", "never sent it"),
        ("DELETE FROM got WHERE rowid = (SELECT min(rowid) FROM got WHERE kind = 'GrantOffer')", "we do not have it"),
        ("UPDATE sent SET digest = 'x' WHERE rowid = (SELECT min(rowid) FROM sent WHERE status = 202)", "digest is x"),
    ],
    ids=["sent row removed", "got row removed", "digest changed"],
)
def test_a_book_that_was_tampered_with_is_found_out(
    room: Path, day: tuple[int, Json], tmp_path: Path, statement: str, words: str
) -> None:
    assert police(room, "--reconcile")[0] == 0
    copy = tmp_path / "police112"
    shutil.copytree(room.parent, copy)
    spoil(statement)(copy / "ledger.sqlite3")
    code, report = police(copy / room.name, "--reconcile")
    assert (code, report["reconciled"]) == (1, False)
    assert len(report["differences"]) == 1
    assert words in report["differences"][0]


def count(book: Path, of: str) -> int:
    if not book.exists():
        return 0
    with closing(sqlite3.connect(f"file:{book}?mode=ro", uri=True)) as db:
        return int(db.execute(f"SELECT count(*) FROM {of}").fetchone()[0])
