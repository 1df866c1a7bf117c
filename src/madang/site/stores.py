"""Both stores at start: an older one is copied and upgraded, a newer one is refused in one line."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.kernel.errors import ConfigError, ConflictError

if TYPE_CHECKING:
    from pathlib import Path

    from django.db.migrations.loader import MigrationLoader

    from madang.site.config import Config

log = logging.getLogger(__name__)


class NewerStoreError(ConfigError):
    """A later release has written this store; this one would misread it."""

    code = "newer-store"


@contextlib.contextmanager
def only_one(config: Config) -> Iterator[None]:
    """Holds the state directory for one core (or one restore); raises `ConflictError` while another holds it."""
    config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (config.state_dir / "serve.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConflictError(f"a madang server is running on {config.state_dir}; stop it first") from None
        yield


@dataclass(frozen=True, slots=True)
class Standing:
    """How the civic store stands to this release."""

    unknown: tuple[str, ...]
    """Migrations applied to it that this release does not know: a later release wrote it."""
    missing: tuple[str, ...]
    """Migrations of this release it has not seen yet."""
    empty: bool
    """Whether nothing was ever written to it."""


def civic_standing() -> Standing:
    """Compares the civic store with this release. Needs `django.setup()`."""
    loader = _loader()
    applied, known = set(loader.applied_migrations), set(loader.disk_migrations)
    apps = {app for app, _ in known}
    replaced = {target for migration in loader.disk_migrations.values() for target in migration.replaces}
    unknown = sorted(key for key in applied - known if key[0] in apps and key not in replaced)
    missing = sorted(known - applied)
    return Standing(tuple(map(".".join, unknown)), tuple(map(".".join, missing)), empty=not applied)


def _loader() -> MigrationLoader:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    return MigrationLoader(connection, ignore_no_migrations=True)


def prepare_stores(config: Config, copy: Callable[[Config], Path] | None = None) -> Standing:
    """Makes the civic store fit for this release, and returns how it stood before.

    An older store is first copied by `copy` (both stores, consistently). Raises `NewerStoreError` for a newer one
    before anything is changed. The hub checks its own store when it opens.
    """
    config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    standing = civic_standing()
    if standing.unknown:
        raise NewerStoreError(
            f"{config.civic_path} was written by a newer release ({standing.unknown[0]} is unknown here); "
            "install that release, or restore an older backup",
            where=str(config.civic_path),
        )
    if standing.missing:
        _upgrade(config, standing, copy)
    return standing


def _upgrade(config: Config, standing: Standing, copy: Callable[[Config], Path] | None) -> None:
    from django.core.management import call_command

    if not standing.empty and copy is not None:
        log.warning("upgrading %s (%d steps); copy kept in %s", config.civic_path, len(standing.missing), copy(config))
    call_command("migrate", verbosity=0, interactive=False)
