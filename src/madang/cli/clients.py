"""`madang client`: programs that get access tokens for their id and secret (OAuth2 client credentials)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from madang.identity.rights import TypeRight

_SCOPES = "A scope such as read:AirQualityObserved, write:Sensor or history:*. May be repeated."


@click.group()
def client() -> None:
    """Programs that get access tokens for their id and secret."""


@client.command()
@click.argument("name")
@click.option("--allow", multiple=True, required=True, metavar="SCOPE", help=_SCOPES)
@click.option("--days", type=click.IntRange(min=1), default=365, show_default=True, help="How long it holds.")
@click.option("--authority", help="The city's code; not needed where there is one city.")
def add(name: str, allow: tuple[str, ...], days: int, authority: str | None) -> None:
    """Make a client and show its id and secret, the secret once."""
    from madang.cli.house import actor_at_the_keyboard, city_code, open_house

    config = open_house()
    from madang.identity.commands import add_client
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    city = city_code(authority)
    rights = scopes_given(allow)
    with civic.transaction() as tx:
        secret, row = add_client(
            tx,
            actor_at_the_keyboard(city),
            authority=city,
            name=name,
            rights=rights,
            lives=timedelta(days=days),
            longest=timedelta(days=config.identity.token_max_days),
            now=system_clock(),
        )
    click.echo(f"{row.pk} {secret}")
    click.echo(
        f"This is {name!r}: client id and secret, good for {days} days. The secret is not shown again.", err=True
    )


def scopes_given(words: tuple[str, ...]) -> tuple[TypeRight, ...]:
    """The rights named on the command line; raises `UsageError` for what is not a scope."""
    from madang.identity.scopes import BadScopeError, read_scopes

    try:
        return read_scopes(words)
    except BadScopeError as error:
        raise click.UsageError(str(error)) from None


@client.command()
@click.argument("client_id")
@click.option("--allow", multiple=True, metavar="SCOPE", help=_SCOPES + " Without any, the city is closed to it.")
@click.option("--authority", help="The city's code; not needed where there is one city.")
def allow(client_id: str, allow: tuple[str, ...], authority: str | None) -> None:
    """Set what a client may do in one city."""
    from madang.cli.house import actor_at_the_keyboard, city_code, open_house

    open_house()
    from madang.identity.commands import allow_client, client_named
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    city, rights = city_code(authority), scopes_given(allow)
    with civic.transaction() as tx:
        row = client_named(client_id)
        allow_client(tx, actor_at_the_keyboard(city), client=row, authority=city, rights=rights, now=system_clock())
    click.echo(f"{row.name} may now do {' '.join(allow) or 'nothing'} in {city}")


@client.command("list")
@click.option("--authority", help="Only clients that this city made or let in.")
def list_(authority: str | None) -> None:
    """Show every client: id, city, state, name and scopes."""
    from madang.cli.house import open_house

    open_house()
    from django.db.models import Q

    from madang.identity.models import Client
    from madang.kernel.clock import system_clock

    rows = Client.objects.prefetch_related("grants")
    if authority is not None:
        rows = rows.filter(Q(authority_id=authority) | Q(grants__authority_id=authority)).distinct()
    now = system_clock()
    for row in rows:
        state = "revoked" if row.revoked_at else "holds" if row.holds_at(now) else "expired"
        scopes = "; ".join(f"{grant.authority_id}: {' '.join(grant.scopes)}" for grant in row.grants.all())
        click.echo(f"{row.pk}\t{row.authority_id}\t{state}\t{row.name}\t{scopes}")


@client.command("renew-secret")
@click.argument("client_id")
def renew_secret(client_id: str) -> None:
    """Give a client a new secret and show it, once; the old one ends."""
    from madang.cli.house import actor_at_the_keyboard, open_house

    open_house()
    from madang.identity import commands
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    with civic.transaction() as tx:
        row = commands.client_named(client_id)
        secret = commands.renew_secret(tx, actor_at_the_keyboard(row.authority_id), client=row, now=system_clock())
    click.echo(secret)
    click.echo(f"This is the new secret of {row.name!r}. It is not shown again.", err=True)


@client.command()
@click.argument("client_id")
def revoke(client_id: str) -> None:
    """End a client and the access tokens it holds."""
    from madang.cli.house import actor_at_the_keyboard, open_house

    open_house()
    from madang.identity.commands import client_named, revoke_client
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    with civic.transaction() as tx:
        row = client_named(client_id)
        revoke_client(tx, actor_at_the_keyboard(row.authority_id), client=row, now=system_clock())
    click.echo(f"{row.name} is revoked")
