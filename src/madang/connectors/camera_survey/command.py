"""Imports a camera survey (CSV, or JSON with a `cameras` list) into the cameras of a city."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from madang.connectors.camera_survey.parse import BAD_STREAM, NO_CAMERA, REQUIRED, member_of, read_row
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.mode import Mode
from madang.places import imports, tabular
from madang.places.domain import FileRefusedError, Issue
from madang.video.commands.sites import check_stream
from madang.video.commands.survey import SurveyRow, put_survey
from madang.video.sources import SourceRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "survey"
EXPECTED = "a camera survey (개방자치단체코드, 관리번호, 카메라번호, then 방위각, 화각, 유효거리, 측량일자, 영상주소 …)"
EXPECTED_KO = "카메라 측량 파일(개방자치단체코드·관리번호·카메라번호·방위각·영상주소 등)"
MAX_JSON = 100_000_000
Line = tuple[int, "Mapping[str, object]"]


def run(
    path: Path,
    authority: str,
    actor: Actor,
    progress: Callable[[int, int], None] = imports.silent,
    *,
    run_id: str = "",
    mode: Mode = Mode.LIVE,
    clock: Clock = system_clock,
) -> ImportRun:
    """Imports `path`; what a row does not tell is left as it is, and importing again changes nothing."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority, actor, clock)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str, actor: Actor, clock: Clock) -> None:
    lines, done, missing = _lines(path), 0, 0
    log.expect(imports.count_lines(path))
    while chunk := list(islice(lines, imports.config().chunk_rows)):
        issues: list[Issue] = []
        rows = list(_rows(chunk, issues))
        with civic.transaction() as tx:
            unknown = put_survey(tx, actor, authority, [row for _, row in rows], clock())
            issues += _nowhere(rows, unknown)
            log.chunk(tx, len(chunk), issues)
        log.told()
        done, missing = done + len(rows) - len(unknown), missing + len(unknown)
    log.run.total = log.run.progress
    log.finish({"rows": log.run.progress, "cameras": done, "not_found": missing}, {})


def _rows(chunk: list[Line], issues: list[Issue]) -> Iterator[tuple[int, SurveyRow]]:
    for number, values in chunk:
        row, found = read_row(number, values)
        issues += found
        if row is not None:
            yield number, _with_usable_stream(number, row, issues)


def _with_usable_stream(number: int, row: SurveyRow, issues: list[Issue]) -> SurveyRow:
    """One refused address must not stop the file; the address itself, which may hold a password, is not repeated."""
    if row.stream_url is None:
        return row
    try:
        check_stream(row.stream_url)
    except SourceRefusedError as error:
        issues.append(BAD_STREAM.at(number, "stream_url", error.detail))
        return replace(row, stream_url=None)
    return row


def _nowhere(rows: list[tuple[int, SurveyRow]], unknown: list[SurveyRow]) -> Iterator[Issue]:
    missing = {id(row) for row in unknown}
    for number, row in rows:
        if id(row) in missing:
            yield NO_CAMERA.at(number, value=f"{row.source_key} #{row.number}")


def _lines(path: Path) -> Iterator[Line]:
    head = tabular.first_bytes(path)
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    return _json(path) if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else _table(path, head)


def _json(path: Path) -> Iterator[Line]:
    if path.stat().st_size > MAX_JSON:
        raise _refused(f"a JSON file of {path.stat().st_size:,} bytes; at most {MAX_JSON:,} are taken")
    try:
        cameras = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf")).get("cameras")
    except orjson.JSONDecodeError as error:
        raise _refused(f"JSON that cannot be read ({error})") from None
    if not isinstance(cameras, list):
        raise _refused("JSON without a list named cameras")
    return ((number, camera if isinstance(camera, dict) else {}) for number, camera in enumerate(cameras, 1))


def _table(path: Path, head: bytes) -> Iterator[Line]:
    table = tabular.find_table(path, head, lambda header: sum(member_of(title) is not None for title in header))
    names = [member_of(title) for title in table.header] if table is not None else []
    if table is None or not set(names) >= REQUIRED:
        raise _refused(
            f"a file beginning: {', '.join(table.header[:8]) if table else head[:60].decode('utf-8', 'replace')}"
        )
    return (
        (row.number, {name: value for name, value in zip(names, row.values, strict=False) if name})
        for row in table.rows()
    )


def _refused(found: str) -> FileRefusedError:
    return FileRefusedError(expected=EXPECTED, found=found, ko=f"{EXPECTED_KO}이 아닙니다: {found}")
