"""`madang agency`: linked agencies and the keys they sign with."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

KINDS = ("police", "fire", "coast_guard", "disaster", "military", "other")
MODES = ("live", "exercise", "simulated")


@click.group()
def agency() -> None:
    """Linked agencies and the keys they sign with."""


@agency.command()
@click.argument("code")
@click.argument("name_ko")
@click.option("--kind", type=click.Choice(KINDS), required=True)
@click.option("--name-en", default="")
@click.option("--endpoint", default="", help="Where the agency takes our messages, e.g. https://112.example.kr/madang")
@click.option("--mode", type=click.Choice(MODES), default="live", show_default=True)
@click.option("--authority", help="The city's code; not needed where there is one city.")
def add(code: str, name_ko: str, kind: str, name_en: str, endpoint: str, mode: str, authority: str | None) -> None:
    """Link an agency to a city."""
    from madang.cli.house import actor_at_the_keyboard, city_code, open_house

    open_house()
    from madang.identity.commands import add_agency
    from madang.identity.models import AgencyKind
    from madang.journal import civic
    from madang.kernel.clock import system_clock
    from madang.kernel.mode import Mode

    city = city_code(authority)
    with civic.transaction() as tx:
        add_agency(
            tx,
            actor_at_the_keyboard(city),
            authority=city,
            code=code,
            kind=AgencyKind(kind),
            name_ko=name_ko,
            name_en=name_en,
            endpoint_url=endpoint,
            mode=Mode(mode),
            now=system_clock(),
        )
    click.echo(f"{name_ko} ({code}) is linked to {city}; give it a key with: madang agency key-add {code} KEY_ID FILE")
    if endpoint and kind == "police":
        _warn_of_closed_way(endpoint)


def _warn_of_closed_way(endpoint: str) -> None:
    """Says so at once when the configuration lets nothing be sent to the endpoint."""
    from madang.kernel.errors import PermanentError
    from madang.linkages.police112.config import police112_config
    from madang.linkages.police112.sending import check_endpoint

    try:
        check_endpoint(endpoint, police112_config())
    except PermanentError as error:
        click.echo(f"warning: nothing can be sent to this agency yet: {error}, and restart", err=True)


@agency.command("key-add")
@click.argument("code")
@click.argument("key_id")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--days", type=click.IntRange(1, 3_650), help="How long it holds; without it, until it is revoked.")
def key_add(code: str, key_id: str, file: Path, days: int | None) -> None:
    """Add the public key in FILE (PEM) beside those the agency has."""
    from madang.cli.house import actor_at_the_keyboard, open_house

    open_house()
    from madang.identity.commands import add_key
    from madang.identity.models import Agency
    from madang.journal import civic
    from madang.kernel.clock import system_clock
    from madang.kernel.errors import NotFoundError

    found = Agency.objects.filter(code=code).first()
    if found is None:
        raise NotFoundError(f"there is no agency {code!r}; `madang agency list` shows those there are")
    now = system_clock()
    with civic.transaction() as tx:
        key = add_key(
            tx,
            actor_at_the_keyboard(found.authority_id),
            agency=found,
            key_id=key_id,
            public_pem=file.read_text(encoding="utf-8"),
            not_before_at=now,
            not_after_at=now + timedelta(days=days) if days else None,
            now=now,
        )
    click.echo(f"{key_id} ({key.algorithm}) holds for {code}" + (f" for {days} days" if days else " until revoked"))


@agency.command("key-revoke")
@click.argument("key_id")
def key_revoke(key_id: str) -> None:
    """End a key at once and for good."""
    from madang.cli.house import actor_at_the_keyboard, open_house

    open_house()
    from madang.identity.commands import revoke_key
    from madang.identity.models import AgencyKey
    from madang.journal import civic
    from madang.kernel.clock import system_clock
    from madang.kernel.errors import NotFoundError

    key = AgencyKey.objects.select_related("agency").filter(key_id=key_id).first()
    if key is None:
        raise NotFoundError(f"there is no key {key_id!r}")
    with civic.transaction() as tx:
        revoke_key(tx, actor_at_the_keyboard(key.agency.authority_id), key=key, now=system_clock())
    click.echo(f"{key_id} is revoked")


@agency.command("list")
def list_() -> None:
    """Show the agencies and their keys."""
    from rich.console import Console
    from rich.table import Table

    from madang.cli.house import open_house

    open_house()
    from madang.identity.models import Agency
    from madang.kernel.clock import system_clock

    now = system_clock()
    table = Table("agency", "name", "kind", "city", "mode", "keys that hold")
    for item in Agency.objects.prefetch_related("keys"):
        keys = ", ".join(key.key_id for key in item.keys.all() if key.valid_at(now))
        table.add_row(item.code, item.name_ko, item.kind, item.authority_id, item.mode, keys or "none")
    Console().print(table)
