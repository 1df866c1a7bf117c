"""Keeps the generated parts of the documentation true: `python tools/write_docs.py [--check]`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; everything outside is written by people.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import os
import pkgutil
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from madang.kernel.errors import MadangError
from madang.kernel.secret import Secret

ROOT = Path(__file__).resolve().parents[1]
CLAUSES = ROOT / "tools" / "ngsi_ld_clauses.toml"
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
    for module in pkgutil.iter_modules([str(ROOT / "src" / "madang")]):
        if module.name in {"hub", "kernel", "journal", "identity"}:
            for part in pkgutil.iter_modules([str(ROOT / "src" / "madang" / module.name)]):
                if part.name == "errors":
                    importlib.import_module(f"madang.{module.name}.{part.name}")
    found = sorted(_subclasses(MadangError), key=lambda error: (error.status, error.code))
    rows = ["| code | status | meaning |", "|---|---|---|"]
    rows += [f"| `{error.code}` | {error.status} | {error.title} |" for error in found]
    return "\n".join(rows)


def _subclasses(base: type[MadangError]) -> Iterator[type[MadangError]]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


def config_table() -> str:
    """Every section and key of `madang.toml` with its default, from the types that read it."""
    from madang.linkages.police112.config import Police112Config
    from madang.site.config import section_types

    sections: dict[str, type[msgspec.Struct]] = {**section_types(), "linkages.police112": Police112Config}
    return "\n".join(itertools.chain.from_iterable(_section(*item) for item in sections.items())).strip()


def _section(name: str, section: type[msgspec.Struct]) -> Iterator[str]:
    """The table of one section; then those of the sections inside it."""
    yield f"### `[{name}]`\n\n{inspect.getdoc(section) or ''}\n\n| key | default | meaning |\n|---|---|---|"
    meanings = _meanings(section)
    inside: list[tuple[str, type[msgspec.Struct]]] = []
    for field in msgspec.structs.fields(section):
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        if isinstance(default, msgspec.Struct):
            inside.append((f"{name}.{field.name}", type(default)))
            continue
        shown = "" if isinstance(default, Secret) else f"`{msgspec.to_builtins(default, enc_hook=str)!r}`"
        yield f"| `{field.name}` | {shown.replace('|', chr(92) + '|')} | {meanings.get(field.name, '')} |"
    yield ""
    for item in inside:
        yield from _section(*item)


def _meanings(section: type) -> dict[str, str]:
    """The text that stands under each field in the source."""
    body = ast.parse(inspect.getsource(section).lstrip()).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in itertools.pairwise(body.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split()).replace("|", "\\|")
    return found


def command_table() -> str:
    """The `madang` commands with what each does."""
    from madang.cli.command import COMMANDS

    rows = ["| command | does |", "|---|---|"]
    rows += [f"| `madang {name}` | {text} |" for name, (_, text) in sorted(COMMANDS.items())]
    return "\n".join(rows)


def hub_clauses() -> str:
    """What of the NGSI-LD specification the hub does, and the tests that hold each clause."""
    rows = ["| clause | | state | note | held by |", "|---|---|---|---|---|"]
    for number, title, state, note, *held in tomllib.loads(CLAUSES.read_text())["clauses"]:
        files = [
            path.name
            for one in (held or [number])
            for path in sorted((ROOT / "tests/hub/clauses").glob(f"test_{one.replace('.', '_')}_[a-z]*.py"))
        ]
        shown = ", ".join(f"`{name}`" for name in files) if state != "not" else ""
        rows.append(f"| {number} | {title} | {state} | {note} | {shown} |")
    return "\n".join(rows)


def hub_operations() -> str:
    """Every operation of the hub with its clauses, from the list that is its router."""
    from madang.hub.http.app import OPERATIONS

    rows = ["| method | path | operation | clauses |", "|---|---|---|---|"]
    operations = sorted(OPERATIONS, key=lambda one: (one.path, one.method))
    rows += [f"| {one.method} | `{one.path}` | {one.summary} | {', '.join(one.clauses)} |" for one in operations]
    return "\n".join(rows)


WRITERS: dict[str, Callable[[], str]] = {
    "import-map": import_map,
    "roles": role_table,
    "errors": error_table,
    "config": config_table,
    "commands": command_table,
    "hub-clauses": hub_clauses,
    "hub-operations": hub_operations,
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
