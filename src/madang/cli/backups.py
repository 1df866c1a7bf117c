"""`madang backup` and `madang restore`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path) -> None:
    """Copy both stores to the directory or archive TARGET (.tar, .tar.gz), while the platform runs or not."""
    from madang.kernel.clock import system_clock
    from madang.site.backup import back_up
    from madang.site.config import load

    path = back_up(load(), target, now=system_clock(), progress=_say)
    click.echo(f"{path} holds both stores. The keys are not in it: keep a copy of them elsewhere.")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(source: Path, yes: bool) -> None:
    """Put a backup in place of both stores. What was there is moved aside, not deleted."""
    from madang.cli.command import setup_django
    from madang.kernel.clock import system_clock
    from madang.site.backup import restore as run
    from madang.site.config import load

    config = load()
    if not yes:
        click.confirm(f"Replace both stores in {config.state_dir} by {source}?", abort=True)
    setup_django()
    aside = run(config, source, now=system_clock(), progress=_say)
    click.echo("restored" + (f"; what was there is in {aside}" if aside else ""))
    if config.hub_address:
        click.echo(f"The hub is in {config.hub_path}: madang migrate-store moves it into an empty PostgreSQL database.")


def _say(step: str) -> None:
    click.echo(f"  {step}", err=True)
