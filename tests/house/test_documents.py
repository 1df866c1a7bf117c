"""The documents stay true: commands exist, identifiers exist, generated parts are fresh, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#]+)\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    missing = [target for target in LINK.findall(document.read_text()) if not (document.parent / target).exists()]
    assert missing == []


def test_generated_parts_are_fresh() -> None:
    result = subprocess.run(
        [sys.executable, "tools/write_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_every_glossary_term_is_tied_to_an_identifier_that_exists() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.count("|") == 4]
    identifiers = [name for row in rows[2:] for name in re.findall(r"`([^`]+)`", row[3])]
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert len(identifiers) > 15
    assert [name for name in identifiers if not re.search(rf"\b{name}\b", sources)] == []


def commands_in(document: Path) -> list[list[str]]:
    """The `madang …` lines of a document's shell blocks, split into words without their comment."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line.split("#")[0].split("&&")[0].split() for block in blocks for line in block.splitlines()]
    return [words for words in lines if words[:1] == ["madang"]]


@pytest.mark.parametrize(
    "document",
    [ROOT / "README.md", ROOT / "README.ko.md", ROOT / "docs/operations.md", ROOT / "docs/hub.md"],
    ids=lambda path: path.name,
)
def test_every_documented_command_and_option_exists(document: Path) -> None:
    import click

    from madang.cli.command import cli

    for words in commands_in(document):
        command: click.Command = cli
        context = click.Context(cli)
        rest = words[1:]
        while isinstance(command, click.Group) and rest:
            found = command.get_command(context, rest[0])
            assert found is not None, f"{' '.join(words)}: no command {rest[0]!r}"
            command, rest = found, rest[1:]
        options = {name for parameter in command.params for name in parameter.opts}
        unknown = [word for word in rest if word.startswith("--") and word not in options]
        assert unknown == [], f"{' '.join(words)}: {unknown}"


def test_the_two_readmes_show_the_same_commands() -> None:
    def plain(path: str) -> list[list[str]]:
        return commands_in(ROOT / path)

    assert plain("README.md") == plain("README.ko.md")


def test_every_make_target_named_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for document in DOCUMENTS for name in re.findall(r"`make ([a-z]+)", document.read_text())}
    assert named <= targets
