"""The life of an import: queued, running, then done, refused or failed, with a report on screen and as files.

A run that was killed leaves what its committed chunks wrote; importing the file again repairs it.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.db.models import Q

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.kernel.clock import Clock, instant_text, system_clock
from madang.kernel.errors import ConflictError, NotFoundError
from madang.kernel.mode import Mode
from madang.places.config import PlacesConfig
from madang.places.domain import MOVES, FileRefusedError, Issue, State
from madang.places.models import ImportRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from madang.journal.session import Session

READ_BYTES = 1 << 20
CACHE_KB = 65_536
HEARTBEAT_S = 10.0
RETENTION = "administration"
ISSUE_COLUMNS = ("row", "severity", "code", "column", "value", "reason_ko", "reason_en")


def config() -> PlacesConfig:
    """The room's settings; defaults where the site gives none."""
    found = getattr(settings, "MADANG_PLACES", None)
    return found if isinstance(found, PlacesConfig) else PlacesConfig()


def reports_dir() -> Path:
    """Where reports are written, made if need be."""
    folder = Path(settings.BASE_DIR) / config().reports_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class ImportLog:
    """One running import: keeps its row, its issues and its files up to date."""

    run: ImportRun
    progress: Callable[[int, int], None] = silent
    clock: Clock = system_clock
    _kept: Counter[str] = field(default_factory=Counter)
    _writer: Any = None  # Any: the csv module does not name its writer's type

    def expect(self, total: int) -> None:
        """Says how many rows there are to do."""
        self.run.total = total
        self.progress(0, total)

    def chunk(self, tx: Session, rows: int, issues: Iterable[Issue]) -> None:
        """Notes that `rows` more rows are written, with their issues, in the transaction that writes them."""
        self.run.progress += rows
        self.run.total = max(self.run.total, self.run.progress)
        self._keep(tx, issues)
        ImportRun.objects.filter(pk=self.run.pk).update(
            progress=self.run.progress, total=self.run.total, heartbeat_at=self.clock()
        )

    def told(self) -> None:
        """Tells whoever watches, after the commit."""
        self.progress(self.run.progress, self.run.total)

    def alive(self, done: int, total: int) -> None:
        """Tells how far a long step without rows of its own has come, and that the run still lives."""
        now = self.clock()
        if self.run.heartbeat_at is None or (now - self.run.heartbeat_at).total_seconds() > HEARTBEAT_S:
            self.run.heartbeat_at = now
            ImportRun.objects.filter(pk=self.run.pk).update(heartbeat_at=now)
        self.progress(done, total)

    def _keep(self, tx: Session, issues: Iterable[Issue]) -> None:
        most = config().issues_kept
        rows = []
        for issue in issues:
            texts = (issue.column, issue.value, issue.ko, issue.en)
            self._writer.writerow((issue.row_number, issue.level, issue.code, *(_as_text(text) for text in texts)))
            self._kept[issue.code] += 1
            if self._kept[issue.code] <= most:
                rows.append(_issue_row(self.run.pk, issue))
        tx.executemany(
            'INSERT INTO places_importissue (run_id, row_number, severity, code, "column", value, message_ko,'
            " message_en) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def finish(self, counts: dict[str, int], report: dict[str, Any]) -> None:  # Any: JSON
        """Keeps the result that the end of the run will write."""
        self.run.counts, self.run.report = counts, report

    @contextmanager
    def files(self) -> Iterator[None]:
        """Opens the issue file beside the report for the time of the run."""
        path = reports_dir() / f"{self.run.pk}.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            self._writer = csv.writer(file)
            self._writer.writerow(ISSUE_COLUMNS)
            yield


def _issue_row(run_id: str, issue: Issue) -> tuple[object, ...]:
    texts = (issue.column[:100], issue.value[:200], issue.ko[:300], issue.en[:300])
    return (run_id, issue.row_number, issue.level.value, issue.code, *(_storable(text) for text in texts))


def _as_text(text: str) -> str:
    """A cell that a spreadsheet shows and never computes: a hostile file's `=…` comes back in its report."""
    plain = _storable(text)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@", "\t")) else plain


def _storable(text: str) -> str:
    """Text that every store takes: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def queue(actor: Actor, authority: str, kind: str, stored: Path, filename: str, now: datetime) -> ImportRun:
    """Notes an uploaded file as waiting; the import worker takes it."""
    require(actor, Right.IMPORT_DATA, Thing(authority))
    with civic.transaction() as tx:
        run = ImportRun.objects.create(
            authority_id=authority,
            kind=kind,
            filename=_storable(filename)[:255],
            stored_path=str(stored),
            actor=actor.id,
            queued_at=now,
        )
        tx.wake("imports")
    return run


def perform(
    kind: str,
    path: Path,
    authority: str,
    actor: Actor,
    work: Callable[[ImportLog], None],
    progress: Callable[[int, int], None] = silent,
    *,
    run_id: str = "",
    mode: Mode = Mode.LIVE,
    clock: Clock = system_clock,
) -> ImportRun:
    """Does the `work` of an import as one run: done, refused on `FileRefusedError`, or failed on all else (raised).

    Raises `ForbiddenError` without the right and `ConflictError` while another of its kind runs in this city.
    """
    require(actor, Right.IMPORT_DATA, Thing(authority))
    log = ImportLog(_begin(kind, path, authority, actor, run_id, mode, clock()), progress, clock)
    try:
        with log.files(), _roomy():
            _check_size(path)
            log.run.sha256 = sha256_of(path)
            work(log)
    except FileRefusedError as refusal:
        _end(log, State.REFUSED, refusal.ko, f"{refusal.detail}. {refusal.hint}".strip())
    except BaseException as error:
        _end(log, State.FAILED, "가져오다가 멈추었습니다. 다시 가져오면 이어집니다.", _brief(error))
        raise
    else:
        _end(log, State.DONE, "", "")
    return log.run


@contextmanager
def _roomy() -> Iterator[None]:
    """Gives SQLite room to keep its indexes in memory for the time of an import; a third faster at 375,000 rows."""
    with civic.reading() as session:
        if session.dialect != "sqlite":
            yield
            return
        (before,) = session.execute("PRAGMA cache_size")[0]
        session.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        try:
            yield
        finally:
            session.execute(f"PRAGMA cache_size = {int(before)}")


def _brief(error: BaseException) -> str:
    return f"stopped by {type(error).__name__}; import the file again, which repairs what was written"


def _begin(kind: str, path: Path, authority: str, actor: Actor, run_id: str, mode: Mode, now: datetime) -> ImportRun:
    with civic.transaction() as tx:
        _refuse_second(kind, authority, now, run_id)
        run = _queued(run_id, authority) if run_id else ImportRun(authority_id=authority, kind=kind, queued_at=now)
        _move(run, State.RUNNING)
        run.filename = run.filename or _storable(path.name)[:255]
        run.actor, run.mode = run.actor or actor.id, mode.value
        run.started_at = run.heartbeat_at = now
        run.save(force_insert=not run_id)
        _audit(tx, run, "started", now)
    return run


def _queued(run_id: str, authority: str) -> ImportRun:
    run = ImportRun.objects.filter(pk=run_id, authority_id=authority).first()
    if run is None:
        raise NotFoundError(ko="가져오기를 찾을 수 없습니다.")
    return run


def _move(run: ImportRun, to: State) -> None:
    if to not in MOVES[State(run.state)]:
        raise ConflictError(f"this import is {run.state} already", ko="이미 끝난 가져오기입니다.")
    run.state = to.value


def _refuse_second(kind: str, authority: str, now: datetime, run_id: str) -> None:
    """One import of a kind at a time: two would undo each other. A run not heard of for long was interrupted."""
    others = ImportRun.objects.filter(authority_id=authority, kind=kind, state=State.RUNNING.value).exclude(pk=run_id)
    stale = Q(heartbeat_at__lt=now - timedelta(seconds=config().stale_run_s))
    others.filter(stale).update(
        state=State.FAILED.value,
        ended_at=now,
        reason_ko="중단되었습니다. 다시 가져오면 이어집니다.",
        reason_en="interrupted; import the file again, which repairs what was written",
    )
    busy = others.first()
    if busy is not None:
        raise ConflictError(
            f"{busy.filename} is being imported ({busy.progress} rows done)",
            hint=f"Wait for it; if it was killed, it is given up after {config().stale_run_s} s without progress",
            ko=f"'{busy.filename}'을(를) 가져오는 중입니다. 끝난 뒤 다시 하십시오.",
        )


def _end(log: ImportLog, state: State, ko: str, en: str) -> None:
    run, now = log.run, log.clock()
    _move(run, state)
    run.ended_at, run.reason_ko, run.reason_en = now, _storable(ko), _storable(en)
    run.report_path = str(reports_dir() / f"{run.pk}.json")
    with civic.transaction() as tx:
        run.save()
        _audit(tx, run, state.value, now)
    Path(run.report_path).write_bytes(
        orjson.dumps(report_of(run), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )


def report_of(run: ImportRun) -> dict[str, Any]:  # Any: JSON
    """The report of a run as its file says it; every bad row is in the CSV file of the same name."""
    return {
        "run": run.pk,
        "authority": run.authority_id,
        "kind": run.kind,
        "file": run.filename,
        "sha256": run.sha256,
        "state": run.state,
        "reason": {"ko": run.reason_ko, "en": run.reason_en},
        "started_at": instant_text(run.started_at) if run.started_at else None,
        "ended_at": instant_text(run.ended_at) if run.ended_at else None,
        "counts": run.counts,
        **run.report,
        "issues_file": f"{run.pk}.csv",
    }


def _audit(tx: Session, run: ImportRun, what: str, now: datetime) -> None:
    civic.audit(
        tx,
        authority=run.authority_id,
        actor=run.actor,
        action=f"places.import.{what}",
        thing=f"import:{run.pk}",
        mode=Mode(run.mode),
        now=now,
        body={"kind": run.kind, "file": run.filename, "sha256": run.sha256, "counts": run.counts},
        retention=RETENTION,
    )


def _check_size(path: Path) -> None:
    size, most = path.stat().st_size, config().max_file_bytes
    if size > most:
        raise FileRefusedError(
            expected=f"a file of at most {most} bytes",
            found=f"{size} bytes",
            hint="Import it in parts",
            ko=f"파일이 너무 큽니다: {size:,} 바이트(최대 {most:,}). 나누어 가져오십시오.",
        )


def sha256_of(path: Path) -> str:
    """The digest of a file, read in pieces."""
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            sum_.update(piece)
    return sum_.hexdigest()


def count_lines(path: Path) -> int:
    """How many lines a file has: what a progress bar needs before the rows are known."""
    lines = 0
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            lines += piece.count(b"\n")
    return lines
