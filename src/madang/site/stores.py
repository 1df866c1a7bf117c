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


def hub_version(path: Path) -> int:
    """The version of the hub store's tables at `path`; 0 for a file that is not there or empty."""
    if not path.exists():
        return 0
    import apsw

    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.pragma("user_version"))
    finally:
        connection.close()


def newest_hub_version() -> int:
    """The version of the hub store's tables that this release writes."""
    from madang.hub.sqlite.schema import MIGRATIONS

    return len(MIGRATIONS)


def _loader() -> MigrationLoader:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    return MigrationLoader(connection, ignore_no_migrations=True)


def prepare_stores(config: Config, copy: Callable[[Config], Path] | None = None) -> Standing:
    """Makes the civic store fit for this release, and returns how it stood before; the hub upgrades its own.

    Older stores are first copied by `copy` (both, consistently). Raises `NewerStoreError` for a newer one before
    anything is changed.
    """
    config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    standing = civic_standing()
    if standing.unknown:
        raise NewerStoreError(
            f"{config.civic_path} was written by a newer release ({standing.unknown[0]} is unknown here); "
            "install that release, or restore an older backup",
            where=str(config.civic_path),
        )
    hub = hub_version(config.hub_path)
    if hub > newest_hub_version():
        raise NewerStoreError(
            f"{config.hub_path} was written by a newer release (version {hub}, this one knows {newest_hub_version()}); "
            "install that release, or restore an older backup",
            where=str(config.hub_path),
        )
    if copy is not None and not standing.empty and (standing.missing or 0 < hub < newest_hub_version()):
        log.warning("upgrading %s; a copy of both stores is kept in %s", config.state_dir, copy(config))
    if standing.missing:
        _migrate()
    return standing


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
