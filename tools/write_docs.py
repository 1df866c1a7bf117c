"""Keeps the generated parts of the documentation true: `python tools/write_docs.py [--check]`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; everything outside is written by people.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FLOORS = (
    ("cli",),
    ("site",),
    ("console", "portal"),
    ("linkages", "connectors"),
    ("response",),
    ("video",),
    ("places",),
    ("hub",),
    ("identity",),
    ("journal",),
    ("kernel",),
)


def import_map() -> str:
    """Which room calls which today, read from the imports."""
    import grimp

    graph = grimp.build_graph("madang", include_external_packages=False)
    rows = ["| room | calls | is called by |", "|---|---|---|"]
    rooms = [room for floor in FLOORS for room in floor]
    calls = {room: set[str]() for room in rooms}
    for importer in graph.modules:
        source = importer.split(".")[1:2]
        for imported in graph.find_modules_directly_imported_by(importer):
            target = imported.split(".")[1:2]
            if source and target and source != target and source[0] in calls and target[0] in calls:
                calls[source[0]].add(target[0])
    for room in rooms:
        callers = [other for other in rooms if room in calls[other]]
        below = [other for other in rooms if other in calls[room]]
        rows.append(f"| `{room}` | {', '.join(below) or '–'} | {', '.join(callers) or '–'} |")
    return "\n".join(rows)


def role_table() -> str:
    """What each role may do, from the table that decides."""
    from madang.identity.rights import ROLE_RIGHTS, Right, Role

    roles = list(Role)
    rows = ["| right | " + " | ".join(role.value for role in roles) + " |", "|---" * (len(roles) + 1) + "|"]
    for right in Right:
        marks = ["●" if right in ROLE_RIGHTS[role] else "" for role in roles]
        rows.append(f"| `{right.value}` | " + " | ".join(marks) + " |")
    return "\n".join(rows)


def error_table() -> str:
    """Every error the platform answers with, from the classes."""
    from madang.kernel.errors import MadangError

    for module in pkgutil.iter_modules([str(ROOT / "src" / "madang")]):
        if module.name in {"hub", "kernel", "journal", "identity"}:
            for part in pkgutil.iter_modules([str(ROOT / "src" / "madang" / module.name)]):
                if part.name == "errors":
                    importlib.import_module(f"madang.{module.name}.{part.name}")
    found = sorted(_subclasses(MadangError), key=lambda error: (error.status, error.code))
    rows = ["| code | status | meaning |", "|---|---|---|"]
    rows += [f"| `{error.code}` | {error.status} | {error.title} |" for error in found]
    return "\n".join(rows)


def _subclasses(base: type) -> Iterator[type]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


def config_table() -> str:
    """Every section and key of `madang.toml` with its default, from the types that read it."""
    from madang.site.config import SECTIONS

    parts = []
    for name, section in SECTIONS.items():
        parts.append(f"### `[{name}]`\n\n{(section.__doc__ or '').strip()}\n\n| key | type | default |\n|---|---|---|")
        for field in msgspec.structs.fields(section):
            default = field.default if field.default is not msgspec.NODEFAULT else "…"
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            kind = str(getattr(field.type, "__name__", field.type)).replace("|", "or").replace("typing.", "")
            shown = re.sub(r"[\w.]*\.(\w+)", r"\1", kind) if "." in kind else kind
            parts.append(f"| `{field.name}` | {shown} | `{default!r}` |")
        parts.append("")
    return "\n".join(parts).strip()


def command_table() -> str:
    """The `madang` commands with their first help line."""
    import click

    from madang.cli import main

    context = click.Context(main)
    rows = ["| command | does |", "|---|---|"]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        rows.append(f"| `madang {name}` | {command.get_short_help_str(100)} |")
    return "\n".join(rows)


WRITERS: dict[str, Callable[[], str]] = {
    "import-map": import_map,
    "roles": role_table,
    "errors": error_table,
    "config": config_table,
    "commands": command_table,
}


def rewrite(text: str) -> str:
    """The text with every generated part made anew."""

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}{WRITERS[match[2]]()}\n{match[3]}"

    return BLOCK.sub(fill, text)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "madang.site.settings")
    import django

    django.setup()
    stale = []
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        text = path.read_text()
        fresh = rewrite(text)
        if fresh != text:
            stale.append(path.relative_to(ROOT))
            if "--check" not in sys.argv:
                path.write_text(fresh)
    if stale and "--check" in sys.argv:
        sys.exit(f"out of date: {', '.join(map(str, stale))}; run `make docs`")


if __name__ == "__main__":
    main()
