"""The house keeps its floors, and the check that says so can fail."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter with the project's contracts over the packages in `source`."""
    first = "import sys; sys.path.insert(0, sys.argv.pop(1))"
    program = f"{first}; from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, str(source), "--config", str(ROOT / ".importlinter"), "--no-cache"]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the sources that a test may spoil."""
    source = tmp_path / "src"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "static", "loops"))
    return source


def test_the_house_as_it_stands_keeps_every_contract() -> None:
    result = lint(SOURCE)
    assert result.returncode == 0, result.stdout + result.stderr


PLANTED = [
    ("madang/kernel/planted.py", "import madang.journal.session\n", "Floors"),
    ("madang/video/planted.py", "import madang.response.domain\n", "Floors"),
    ("madang/hub/planted.py", "def late() -> None:\n    import django.db\n", "The hub imports no Django"),
    ("madang/hub/client/planted.py", "import madang.hub.store\n", "client imports nothing of the server"),
    ("madang/response/domain.py", "import django.utils.timezone\n", "domain.py is pure"),
    ("madang_demo/planted.py", "import madang.kernel.ids\n", "import nothing of madang"),
    (
        "madang/linkages/planted/__init__.py",
        "import madang.linkages.police112.wire\n",
        "Linkages never import each other",
    ),
    ("madang/response/planted.py", "import av\n", "libav in the media process only"),
]


@pytest.mark.parametrize(("where", "what", "contract"), PLANTED, ids=[where for where, _, _ in PLANTED])
def test_a_planted_violation_is_named(house: Path, where: str, what: str, contract: str) -> None:
    target = house / where
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text((target.read_text() if target.exists() else "") + "\n" + what)
    result = lint(house)
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert result.returncode != 0
    assert any(contract in line for line in broken), result.stdout + result.stderr


IMPURE_CALLS = {"now", "utcnow", "today", "time", "monotonic", "random", "open", "print", "new_id"}


def impurities(text: str) -> list[str]:
    """Calls that ask the outside world, and awaits, with their lines."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef):
            found.append(f"{node.lineno}: await")
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in IMPURE_CALLS:
                found.append(f"{node.lineno}: {name}()")
    return found


def test_decisions_never_ask_the_clock_chance_or_the_world() -> None:
    domains = sorted((SOURCE / "madang").rglob("domain.py"))
    assert domains
    assert {str(path.relative_to(SOURCE)): impurities(path.read_text()) for path in domains} == {
        str(path.relative_to(SOURCE)): [] for path in domains
    }


def test_a_domain_that_asks_the_clock_is_caught() -> None:
    assert impurities("from datetime import datetime\nx = datetime.now()\n") == ["2: now()"]


FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}


def test_no_room_grows_a_place_without_a_name_of_its_own() -> None:
    names = {path for path in SOURCE.rglob("*") if path.stem in FORBIDDEN_NAMES}
    assert names == set()


def test_no_room_is_an_empty_shell() -> None:
    rooms = [path for path in (SOURCE / "madang").iterdir() if (path / "__init__.py").exists()]
    empty = [room.name for room in rooms if sum(len(file.read_text()) for file in room.rglob("*.py")) < 600]
    assert empty == []
