"""A new installation: its directory, its keys, its configuration file."""

from __future__ import annotations

from pathlib import Path

from madang.kernel.errors import ConflictError
from madang.site.config import KEY_FILES
from madang.site.keys import write_keys

_TEMPLATE = """# Madang. `madang config show` lists every setting; `madang config check` reads this file strictly.

[server]
host = "127.0.0.1"
port = {port}
# public_url = "https://madang.example.kr"

[stores]
dir = "."

[keys]
{keys}
"""


_NO_ADDRESS = '# public_url = "https://madang.example.kr"'


def initialise(directory: Path, *, port: int = 8080, public_url: str = "", more: str = "") -> Path:
    """Writes `madang.toml` and fresh keys into a directory; returns the file. Raises `ConflictError` if it is there.

    `public_url` is where people find the platform, left to be filled in where empty; `more` is TOML put after the first
    sections.
    """
    path = directory / "madang.toml"
    if path.exists():
        raise ConflictError(f"{path} exists already; nothing was changed")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_keys(directory / "keys")
    keys = "\n".join(f'{name} = {{ file = "keys/{file}" }}' for name, file in KEY_FILES.items())
    text = _TEMPLATE.format(port=port, keys=keys)
    if public_url:
        text = text.replace(_NO_ADDRESS, f'public_url = "{public_url}"')
    path.write_text(text + more, encoding="utf-8")
    return path
