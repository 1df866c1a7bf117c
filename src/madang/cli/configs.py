"""`madang config`, `madang init`, `madang version`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from madang.site.config import Config


@click.group()
def config() -> None:
    """Check or show the configuration."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(file: Path | None) -> None:
    """Read the configuration as strictly as the server does."""
    from madang.site.config import load
    from madang.site.keys import keyring_from

    loaded = load(file)
    if loaded.has_keys:
        keyring_from(loaded.keys)
    click.echo(f"{loaded.source or 'no file: the defaults'}: good" + ("" if loaded.has_keys else " (no [keys] yet)"))


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def show(file: Path | None) -> None:
    """Show every setting with its value; secrets only by where they come from."""
    from madang.site.config import load

    loaded = load(file)
    click.echo(f"# {loaded.source or 'no file: the defaults'}")
    for line in _lines(loaded):
        click.echo(line)


def _lines(loaded: Config) -> Iterator[str]:
    import msgspec

    own = {name: getattr(loaded, name) for name in ("server", "stores", "outward", "keys")}
    sections = {name: msgspec.structs.asdict(body) for name, body in {**own, **loaded.rooms}.items()}
    sections |= {f"linkages.{name}": body for name, body in loaded.linkages.items()}
    for name, body in sections.items():
        yield f"\n[{name}]"
        yield from (f"{key} = {_shown(value)}" for key, value in body.items())


def _shown(value: Any) -> str:  # Any: whatever a setting can be
    from madang.kernel.secret import Secret

    if isinstance(value, Secret):
        return f"*** ({value.origin})" if value else "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_shown(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple | frozenset):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value) if isinstance(value, int | float) else f'"{"" if value is None else value}"'


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def init(directory: Path) -> None:
    """Write DIRECTORY/madang.toml and fresh keys beside it."""
    from madang.site.setup import initialise

    path = initialise(directory)
    click.echo(f"{path} and its keys are written. Keep {directory / 'keys'} safe: backups do not hold the keys.")
    click.echo(f"Next: madang --config {path} serve")


@click.command()
def version() -> None:
    """Show the version."""
    from madang import __version__

    click.echo(f"madang {__version__}")
