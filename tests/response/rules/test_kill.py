"""kill -9 while rules follow: what was acknowledged is told once by each rule, at once and by its timer."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.site.serving import Installation, copied, environment

CHILD = "tests.response.rules.following_child"
ROOT = Path(__file__).resolve().parents[3]
KILLS = 4


def _child(home: Installation, hub: Path, what: str) -> subprocess.Popen[str]:
    env = environment() | {
        "MADANG_CONFIG": str(home.config),
        "DJANGO_SETTINGS_MODULE": "madang.site.settings",
        "CHILD_HUB": str(hub),
    }
    command = [sys.executable, "-m", CHILD, what]
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _to_its_end(home: Installation, hub: Path, what: str) -> None:
    with _child(home, hub, what) as child:
        assert child.wait(100) == 0


def _killed(home: Installation, hub: Path, seconds: float) -> list[str]:
    """Works until the first reading was acknowledged and so long more, then is killed; what was acknowledged."""
    with _child(home, hub, "work") as child:
        assert child.stdout is not None
        said = [child.stdout.readline()]
        assert said[0], "the child did not begin"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            said.append(child.stdout.readline())
        child.kill()
        said += child.stdout.readlines()
    return [line.strip() for line in said if line.endswith("\n")]


@pytest.mark.integration
def test_nothing_is_lost_or_told_twice_when_the_process_is_killed_again_and_again(
    template: Installation, tmp_path: Path
) -> None:
    home, hub = copied(template, tmp_path / "city"), tmp_path / "hub.sqlite3"
    _to_its_end(home, hub, "prepare")
    chance = random.Random(4)
    acknowledged = [one for _ in range(KILLS) for one in _killed(home, hub, chance.uniform(0.3, 2.0))]
    _to_its_end(home, hub, "finish")
    with sqlite3.connect(f"file:{_civic(home)}?mode=ro", uri=True) as store:
        rows = store.execute(
            "SELECT v.name, f.device FROM rules_firing f JOIN rules_ruleversion v ON v.id = f.version_id"
        ).fetchall()
        signals = store.execute("SELECT rule, device FROM signals_signal").fetchall()
    told = Counter(rows)
    assert set(told.values()) == {1}
    assert {("at-once", one) for one in acknowledged} <= set(told)
    assert {("by-timer", one) for one in acknowledged} <= set(told)
    assert Counter((rule.partition("@")[0], device) for rule, device in signals) == told


def _civic(home: Installation) -> Path:
    return next(path for path in home.directory.rglob("*.sqlite3") if "civic" in path.name)
