"""What commands that touch the civic store share: opening it, and in whose name they act."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from madang.cli.command import setup_django
from madang.kernel.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from madang.identity.rights import Actor
    from madang.site.config import Config


def open_house() -> Config:
    """Loads the configuration and makes the civic store ready. Refuses to write with keys that would be forgotten."""
    from madang.site.backup import before_upgrade
    from madang.site.config import load
    from madang.site.stores import prepare_stores

    config = load()
    if not config.has_keys:
        raise ConfigError(
            f"{config.source or 'there is no madang.toml, so it'} names no [keys]; `madang init DIR` makes them"
        )
    setup_django()
    prepare_stores(config, before_upgrade)
    return config


def actor_at_the_keyboard(authority: str) -> Actor:
    """Whoever runs the command, acting with the platform's rights in one city; the audit names the account."""
    from madang.identity.rights import system_actor

    return system_actor(authority, f"cli:{getpass.getuser()}")


def city_code(given: str | None) -> str:
    """The city meant: the one given, else the only one there is."""
    from madang.identity.commands import city_named
    from madang.identity.models import Authority

    if given is not None:
        return str(city_named(given).code)
    codes = list(Authority.objects.values_list("code", flat=True)[:2])
    if len(codes) != 1:
        raise NotFoundError(
            "name the city with --authority CODE" if codes else "there is no city yet; `madang account city` adds one"
        )
    return str(codes[0])
