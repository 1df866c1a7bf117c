"""`madang token`: credentials of devices and programs."""

from __future__ import annotations

from datetime import timedelta

import click


@click.group()
def token() -> None:
    """Credentials of devices and programs."""


@token.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["device", "api"]),
    required=True,
    help="A device ingests; a program reads and writes the hub.",
)
@click.option("--read", multiple=True, metavar="TYPE", help="An entity type it may read; * for all. May be repeated.")
@click.option("--write", multiple=True, metavar="TYPE", help="An entity type it may write or ingest. May be repeated.")
@click.option(
    "--allow",
    multiple=True,
    metavar="SCOPE",
    help="Any other scope, such as history:AirQualityObserved or subscribe:*.",
)
@click.option("--days", type=click.IntRange(min=1), default=180, show_default=True, help="How long it holds.")
@click.option("--authority", help="The city's code; not needed where there is one city.")
def create(
    name: str,
    kind: str,
    read: tuple[str, ...],
    write: tuple[str, ...],
    allow: tuple[str, ...],
    days: int,
    authority: str | None,
) -> None:
    """Make a token and show it, once."""
    from madang.cli.clients import scopes_given
    from madang.cli.house import actor_at_the_keyboard, city_code, open_house

    words = (*(f"read:{name}" for name in read), *(f"write:{name}" for name in write), *allow)
    if not words and kind != "device":
        raise click.UsageError("a program's token without --read, --write or --allow would open nothing")
    config = open_house()
    from madang.identity.commands import issue_token
    from madang.identity.models import TokenKind
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    city = city_code(authority)
    with civic.transaction() as tx:
        raw, row = issue_token(
            tx,
            actor_at_the_keyboard(city),
            authority=city,
            kind=TokenKind(kind),
            name=name,
            types=scopes_given(words),
            lives=timedelta(days=days),
            longest=timedelta(days=config.identity.token_max_days),
            now=system_clock(),
        )
    click.echo(raw)
    click.echo(f"This is {name!r} ({row.pk}), good for {days} days. It is not shown again.", err=True)


@token.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """End a token by the id that was shown with it."""
    from madang.cli.house import actor_at_the_keyboard, open_house

    open_house()
    from madang.identity.commands import revoke_token
    from madang.identity.models import Token
    from madang.journal import civic
    from madang.kernel.clock import system_clock
    from madang.kernel.errors import NotFoundError

    row = Token.objects.filter(pk=token_id).first()
    if row is None:
        raise NotFoundError(f"there is no token with the id {token_id!r}")
    with civic.transaction() as tx:
        revoke_token(tx, actor_at_the_keyboard(row.authority_id), token=row, now=system_clock())
    click.echo(f"{row.name} is revoked")
