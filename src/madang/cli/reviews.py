"""`madang review`: check signed after-action reports, and show the key they are checked with."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def review() -> None:
    """Check signed after-action reports."""


@review.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The public key (PEM) of the city that signed; default: this installation's.",
)
def verify(file: Path, key: Path | None) -> int:
    """Check the signature, the text and the names of a signed report (JSON)."""
    from madang.kernel.clock import parse_instant, seoul_text
    from madang.response.review.documents import BadFileError
    from madang.response.review.documents import verify as check

    pem = _key(key)
    try:
        checked = check(file.read_bytes(), pem)
    except BadFileError as error:
        click.echo(f"BAD: {file}: {error}", err=True)
        return 1
    document = checked.document
    made = seoul_text(parse_instant(document["made_at"]))
    names = f", {checked.names} names as signed" if checked.names else ", without names"
    click.echo(f"good: {document['incident']['number']} document {document['number']}, made {made} KST{names}")
    click.echo(f"SHA-256 {checked.digest}, key {checked.key_id}")
    return 0


@review.command()
def key() -> None:
    """Show the public key that this installation's reports are checked with."""
    click.echo(_key(None).decode().rstrip())


def _key(given: Path | None) -> bytes:
    from madang.response.review.documents import public_key_of

    if given is not None:
        return public_key_of(given.read_bytes())
    from madang.cli.house import open_house

    open_house()
    from django.conf import settings

    return public_key_of(settings.MADANG_KEYS.checkpoint_private_pem)
