"""`madang account`: cities, people and their roles."""

from __future__ import annotations

import sys
from pathlib import Path

import click

ROLES = ("operator", "supervisor", "police_liaison", "city_officer", "auditor", "administrator")


@click.group()
def account() -> None:
    """People who log in, and their roles."""


@account.command()
@click.argument("code")
@click.argument("name_ko")
@click.option("--name-en", default="")
@click.option("--lon", type=float, required=True, help="Where its map opens: longitude, WGS84.")
@click.option("--lat", type=float, required=True, help="Where its map opens: latitude, WGS84.")
def city(code: str, name_ko: str, name_en: str, lon: float, lat: float) -> None:
    """Add a city by its administrative CODE, or change its name."""
    from madang.cli.house import actor_at_the_keyboard, open_house
    from madang.kernel.geometry import judge

    fault = judge(lon, lat)
    if fault is not None:
        raise click.UsageError(f"longitude {lon} and latitude {lat} cannot be: {fault.value}")
    open_house()
    from madang.identity.commands import add_city
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    with civic.transaction() as tx:
        actor = actor_at_the_keyboard(code)
        add_city(tx, actor, code=code, name_ko=name_ko, name_en=name_en, lon=lon, lat=lat, now=system_clock())
    click.echo(f"{name_ko} ({code})")


@account.command()
@click.argument("username")
@click.option(
    "--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="May be given several times."
)
@click.option("--name", default="", help="The name others see.")
@click.option("--authority", help="The city's code; not needed where there is one city.")
@click.option("--agency", default="", help="The agency a police liaison comes from.")
@click.option(
    "--password-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Else it is asked for."
)
def create(
    username: str, roles: tuple[str, ...], name: str, authority: str | None, agency: str, password_file: Path | None
) -> None:
    """Make an account."""
    from madang.cli.house import actor_at_the_keyboard, city_code, open_house

    open_house()
    from madang.identity.commands import create_account
    from madang.identity.rights import Role
    from madang.journal import civic
    from madang.kernel.clock import system_clock

    code = city_code(authority)
    password = _password(password_file)
    with civic.transaction() as tx:
        create_account(
            tx,
            actor_at_the_keyboard(code),
            authority=code,
            username=username,
            password=password,
            name=name,
            roles=[Role(role) for role in roles],
            agency=agency,
            now=system_clock(),
        )
    click.echo(f"{username}: {', '.join(roles)} in {code}")


def _password(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@account.command("list")
@click.option("--authority", help="Only this city's.")
def list_(authority: str | None) -> None:
    """Show who there is and what they may do."""
    from rich.console import Console
    from rich.table import Table

    from madang.cli.house import open_house

    open_house()
    from madang.identity.models import Person

    table = Table("account", "name", "roles", "active")
    people = Person.objects.prefetch_related("role_assignments")
    for person in people.filter(authority=authority) if authority else people:
        held = [f"{item.role}@{item.authority_id}" for item in person.role_assignments.all()]
        table.add_row(person.username, person.name_ko, ", ".join(held), "yes" if person.is_active else "no")
    Console().print(table)


@account.command()
@click.argument("username")
def unlock(username: str) -> None:
    """Forget the failed logins of an account."""
    from axes.utils import reset

    from madang.cli.house import open_house

    open_house()

    click.echo(f"{reset(username=username)} failed logins of {username} forgotten")
