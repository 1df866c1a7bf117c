"""The life of an import run, and the queue that uploads wait in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from madang.identity.rights import Actor, ActorKind, Role, system_actor
from madang.journal import civic
from madang.journal.models import AuditRow
from madang.kernel.errors import ConflictError, ForbiddenError
from madang.places import imports
from madang.places.config import PlacesConfig
from madang.places.domain import MOVES, FileRefusedError, State
from madang.places.models import ImportRun, RunState
from madang.places.workers import run_next

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from madang.identity.models import Authority

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()


def nothing(_log: imports.ImportLog) -> None:
    """An import that finds all as it should be."""


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes("표".encode())
    return path


def test_states_on_screen_are_the_states_of_the_rules() -> None:
    assert {state.value for state in State} == set(RunState.values)
    assert all(not MOVES[state] for state in (State.DONE, State.REFUSED, State.FAILED))


def test_a_run_tells_who_what_when_and_how_far(authority: Authority, upload: Path) -> None:
    def work(log: imports.ImportLog) -> None:
        log.expect(10)
        with civic.transaction() as tx:
            log.chunk(tx, 4, [])
        halfway = ImportRun.objects.get()
        assert (halfway.state, halfway.progress, halfway.total) == ("running", 4, 10)
        log.finish({"rows": 10}, {"note": 1})

    imports.perform("cctv", upload, authority.code, system_actor(authority.code), work)
    run = ImportRun.objects.get()
    assert (run.state, run.counts, run.filename, run.actor) == ("done", {"rows": 10}, "upload", "system:madang")
    assert run.started_at is not None
    assert run.ended_at is not None
    assert len(run.sha256) == 64
    assert json.loads(Path(run.report_path).read_bytes())["state"] == "done"


def test_a_refusal_ends_the_run_quietly_with_its_reason(authority: Authority, upload: Path) -> None:
    def work(_log: imports.ImportLog) -> None:
        raise FileRefusedError(expected="a table", found="a poem", hint="Look again", ko="표가 아닙니다")

    imports.perform("cctv", upload, authority.code, system_actor(authority.code), work)
    run = ImportRun.objects.get()
    assert (run.state, run.reason_ko) == ("refused", "표가 아닙니다")
    assert run.reason_en == "expected a table; found a poem. Look again"


def test_a_fault_ends_the_run_as_failed_and_is_raised(authority: Authority, upload: Path) -> None:
    def work(_log: imports.ImportLog) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        imports.perform("cctv", upload, authority.code, system_actor(authority.code), work)
    run = ImportRun.objects.get()
    assert run.state == "failed"
    assert "ZeroDivisionError" in run.reason_en


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    authority: Authority, upload: Path, settings: Settings
) -> None:
    settings.MADANG_PLACES = PlacesConfig(max_file_bytes=2)
    imports.perform("cctv", upload, authority.code, system_actor(authority.code), nothing)
    assert ImportRun.objects.get().state == "refused"


def test_each_run_leaves_audit_rows(authority: Authority, upload: Path) -> None:
    imports.perform("cctv", upload, authority.code, system_actor(authority.code), nothing)
    actions = list(AuditRow.objects.filter(stream=authority.code).order_by("seq").values_list("action", flat=True))
    assert actions == ["places.import.started", "places.import.done"]


def importer(seen: list[str]) -> Callable[..., ImportRun]:
    def run(
        path: Path, authority: str, actor: Actor, progress: Callable[[int, int], None], *, run_id: str = ""
    ) -> ImportRun:
        def work(_log: imports.ImportLog) -> None:
            seen.append(path.read_text("utf-8"))

        return imports.perform("cctv", path, authority, actor, work, progress, run_id=run_id)

    return run


def test_an_upload_waits_is_run_once_and_its_copy_removed(authority: Authority, upload: Path) -> None:
    officer = Actor("person:7", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})
    queued = imports.queue(officer, authority.code, "cctv", upload, "시설.csv", NOW)
    assert (queued.state, queued.filename) == ("queued", "시설.csv")
    seen: list[str] = []
    assert run_next({"cctv": importer(seen)}) is True
    assert run_next({"cctv": importer(seen)}) is False
    run = ImportRun.objects.get()
    assert (run.state, run.actor, run.filename, seen) == ("done", "person:7", "시설.csv", ["표"])
    assert not upload.exists()


def test_the_queue_goes_on_after_a_failure_and_a_lost_file(authority: Authority, upload: Path, tmp_path: Path) -> None:
    actor = system_actor(authority.code)
    imports.queue(actor, authority.code, "cctv", tmp_path / "lost", "lost.csv", NOW)
    imports.queue(actor, authority.code, "cctv", upload, "good.csv", NOW.replace(hour=4))
    seen: list[str] = []
    while run_next({"cctv": importer(seen)}):
        pass
    assert dict(ImportRun.objects.values_list("filename", "state")) == {"lost.csv": "failed", "good.csv": "done"}


def test_only_who_may_import_queues(authority: Authority, upload: Path) -> None:
    auditor = Actor("person:8", ActorKind.PERSON, "감사", {authority.code: frozenset({Role.AUDITOR})})
    with pytest.raises(ForbiddenError):
        imports.queue(auditor, authority.code, "cctv", upload, "x.csv", NOW)


def test_an_ended_run_is_never_run_again(authority: Authority, upload: Path) -> None:
    actor = system_actor(authority.code)
    run = imports.queue(actor, authority.code, "cctv", upload, "x.csv", NOW)
    imports.perform("cctv", upload, authority.code, actor, nothing, run_id=run.pk)
    with pytest.raises(ConflictError):
        imports.perform("cctv", upload, authority.code, actor, nothing, run_id=run.pk)
