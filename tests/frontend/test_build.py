"""The screen is built when its sources changed, never otherwise, and says what is missing."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path, hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one source file, and a build that only notes that it ran."""
    sources = tmp_path / "frontend"
    (sources / "src").mkdir(parents=True)
    (sources / "package.json").write_text("{}")
    (sources / "src" / "App.svelte").write_text("one\n")

    def pretend(_sources: Path) -> None:
        output = tmp_path / hook.OUTPUT
        output.mkdir(parents=True, exist_ok=True)
        (output / "index.html").write_text("built")

    monkeypatch.setattr(hook, "_npm_build", pretend)
    return tmp_path


def test_an_unchanged_screen_is_built_once(hook: ModuleType, checkout: Path) -> None:
    assert [hook.build(checkout), hook.build(checkout)] == [True, False]


def test_any_changed_added_or_renamed_source_builds_again(hook: ModuleType, checkout: Path) -> None:
    app = checkout / "frontend" / "src" / "App.svelte"
    assert hook.build(checkout)
    app.write_text("two\n")
    assert hook.build(checkout)
    (app.parent / "Other.svelte").write_text("two\n")
    assert hook.build(checkout)
    app.rename(app.with_name("Renamed.svelte"))
    assert hook.build(checkout)


def test_libraries_tests_and_line_endings_do_not_count_as_changes(hook: ModuleType, checkout: Path) -> None:
    assert hook.build(checkout)
    for folder in ("node_modules", "tests"):
        (checkout / "frontend" / folder).mkdir()
        (checkout / "frontend" / folder / "x.ts").write_text("x")
    (checkout / "frontend" / "src" / "App.svelte").write_bytes(b"one\r\n")
    assert not hook.build(checkout)


def test_an_output_without_its_stamp_is_not_trusted(hook: ModuleType, checkout: Path) -> None:
    assert hook.build(checkout)
    (checkout / hook.OUTPUT / hook.STAMP).write_text("not json")
    assert hook.build(checkout)


def test_a_source_distribution_with_the_built_screen_needs_no_node(hook: ModuleType, tmp_path: Path) -> None:
    (tmp_path / hook.OUTPUT).mkdir(parents=True)
    (tmp_path / hook.OUTPUT / "index.html").write_text("built")
    assert not hook.build(tmp_path)


def test_neither_sources_nor_output_is_said_plainly(hook: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(hook.FrontendError, match="neither the screen's sources"):
        hook.build(tmp_path)


def test_a_word_it_does_not_know_is_refused(hook: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert hook.main(["chekc"]) == 1
    assert "chekc" in capsys.readouterr().err


def test_a_machine_without_network_is_told_what_to_do(hook: ModuleType) -> None:
    assert "needs no network" in hook._hint("npm error code ENOTFOUND registry")
    assert hook._hint("SyntaxError") == ""


def test_the_lock_names_no_registry_and_pins_every_library_by_digest() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    libraries = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in libraries.items() if "resolved" in entry] == []
    assert [name for name, entry in libraries.items() if "integrity" not in entry and not entry.get("inBundle")] == []


def test_every_library_of_the_screen_may_be_shipped() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    licences = {entry.get("license", "none named") for name, entry in lock["packages"].items() if name}
    assert [one for one in licences if re.search(r"GPL", str(one))] == []
