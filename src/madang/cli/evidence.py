"""`madang evidence`: check a package of video evidence, and show the key others check it with."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def evidence() -> None:
    """Check packages of video evidence."""


@evidence.command()
@click.argument("file", type=_PATH)
@click.option("--key", type=_PATH, help="The city's public key (PEM). Default: this installation's own.")
def verify(file: Path, key: Path | None) -> int:
    """Check every file of a package: whole, named by the manifest, and signed by the city."""
    from madang.video.evidence.checking import check_package

    public = key.read_bytes() if key is not None else _own_key()
    report = check_package(file, public)
    for line in report.lines:
        click.echo(f"{'good' if line.good else 'BAD '}  {line.what}: {line.text}", err=not line.good)
    if not report.good:
        click.echo("BROKEN: do not rely on this package", err=True)
        return 1
    click.echo(f"good: {report.told}")
    return 0


@evidence.command()
def key() -> None:
    """Show the public key that recipients check packages with."""
    click.echo(_own_key().decode().rstrip())


def _own_key() -> bytes:
    from madang.cli.house import open_house

    open_house()
    from django.conf import settings

    from madang.video.evidence.signing import public_pem

    return public_pem(settings.MADANG_KEYS.checkpoint_private_pem)
