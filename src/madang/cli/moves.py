"""`madang migrate-store`: a hub's store from one storage to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from madang.hub.moving import Moved, Progress


@click.command("migrate-store")
@click.argument("source")
@click.argument("target")
def migrate_store(source: str, target: str) -> int:
    """Copy the hub store SOURCE, whole, to the empty store TARGET, and compare every table.

    Either is a file or postgresql://USER@HOST/DATABASE (the password comes from PGPASSWORD or a password file). Stop
    the hub first. SOURCE stays as it is. Interrupted, it leaves the target empty: run it again.
    """
    from madang.hub.moving import MovedDifferentlyError, move

    try:
        with _bar() as progress:
            moved = move(source, target, progress)
    except MovedDifferentlyError as error:
        _tell(error.tables)
        raise
    _tell(moved)
    click.echo("Both agree. Now set hub.store to the target; cursors handed out before go on working.")
    _tell_of_history(source)
    return 0


def _tell_of_history(source: str) -> None:
    from madang.hub.config import HubConfig
    from madang.hub.history.history import folder_of

    folder = folder_of(HubConfig(store=source)).absolute()
    if any(folder.rglob("*.parquet")):
        click.echo(f"Older history stays in its files: set hub.history to {folder}, or to where you take that folder.")


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Bar(*columns, console=Console(stderr=True))
    task = bar.add_task("", total=None)

    def show(table: str, done: int, total: int) -> None:
        bar.start()
        bar.update(task, description=table, completed=done, total=total or None)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _tell(tables: list[Moved]) -> None:
    for one in sorted(tables, key=lambda moved: moved.table):
        if one.rows_from or one.rows_to or not one.same:
            said = "same" if one.same else f"DIFFERENT: {one.rows_to:,} rows, {one.digest_to}"
            click.echo(f"{one.table:24} {one.rows_from:>12,}  {one.digest_from}  {said}")
