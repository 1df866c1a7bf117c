"""`madang audit`: verify and export the audit chain."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from madang.journal.session import Row, Session
    from madang.site.config import Config

_PAGE_ROWS = 5_000


@click.group()
def audit() -> None:
    """Verify and export the audit chain."""


def _checkpoint_file(config: Config) -> Path | None:
    path = getattr(config.rooms.get("journal"), "checkpoint_file", None)
    return Path(path) if path else None


@audit.command()
@click.option("--stream", help="Only this city's chain.")
@click.option(
    "--checkpoints", type=click.Path(path_type=Path), help="The file to compare with; default: the configured one."
)
def verify(stream: str | None, checkpoints: Path | None) -> int:
    """Read every row and name the first that was changed, removed or added."""
    from madang.cli.house import open_house

    config = open_house()
    from django.conf import settings

    from madang.journal import civic
    from madang.journal.verify import verify as run

    own = _checkpoint_file(config)
    file = checkpoints or (own if own is not None and own.exists() else None)
    with civic.reading() as tx:
        report = run(tx, settings.MADANG_KEYS, checkpoint_file=file, stream=stream)
    erased = f", {report.erased:,} bodies erased" if report.erased else ""
    if report.first_broken is not None:
        broken = report.first_broken
        click.echo(f"BROKEN at {broken.stream or 'checkpoints'} row {broken.seq}: {broken.text}", err=True)
        return 1
    compared = f"{report.checkpoints:,} checkpoints" if file else "no checkpoint file"
    click.echo(f"good: {report.rows:,} rows{erased}, compared with {compared}")
    return 0


@audit.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--stream", help="Only this city's chain.")
def export(file: Path, stream: str | None) -> None:
    """Write the chain as JSON lines, without bodies, for an outside auditor; - for standard output."""
    from madang.cli.house import open_house

    open_house()
    from madang.journal import civic
    from madang.journal.audit import COLUMNS

    count = 0
    with civic.reading() as tx, _output(file) as output:
        for row in _rows(tx, ", ".join(COLUMNS), stream):
            output.write(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n")
            count += 1
    click.echo(f"{count:,} rows exported", err=True)


@contextlib.contextmanager
def _output(file: Path) -> Iterator[IO[str]]:
    if str(file) == "-":
        yield sys.stdout
        return
    with file.open("x", encoding="utf-8") as output:
        yield output


def _rows(tx: Session, columns: str, only: str | None) -> Iterator[Row]:
    from madang.journal.audit import streams

    for stream in [only] if only else streams(tx):
        after = 0
        while page := tx.execute(
            f"SELECT {columns} FROM journal_audit WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 -- constants
            [stream, after, _PAGE_ROWS],
        ):
            yield from page
            after += len(page)


@audit.command()
def checkpoints() -> None:
    """Show the signed checkpoints and the public key an outside auditor checks them with."""
    from madang.cli.house import open_house

    config = open_house()
    from django.conf import settings

    from madang.journal import checkpoint

    pem = checkpoint.public_pem(settings.MADANG_KEYS.checkpoint_private_pem)
    file = _checkpoint_file(config)
    click.echo(pem.decode().rstrip())
    if file is None or not file.exists():
        click.echo(f"no checkpoint has been signed yet ({file})")
        return
    found = list(checkpoint.read(file, pem))
    for item in found[-20:]:
        if isinstance(item, checkpoint.BadCheckpoint):
            click.echo(f"line {item.line}: BAD, {item.why}", err=True)
        else:
            click.echo(f"{item.at}  {item.stream} row {item.seq}  {item.hash}")
    click.echo(f"{len(found):,} checkpoints in {file}")
