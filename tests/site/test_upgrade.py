"""An older store is upgraded with open incidents in it; what a later release wrote is refused by an earlier one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import madang.response.migrations as released
from tests.site.serving import Installation, copied, environment

OPEN = """
import json
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response.commands import OpenIncident, open_incident
wanted = OpenIncident(
    authority="48250", source="operator", mode=Mode.SIMULATED, class_text="robbery", code=0, note="흉기"
)
with civic.transaction() as tx:
    incident = open_incident(tx, actor_at_the_keyboard("48250"), wanted, system_clock())
print(json.dumps({"number": incident.number, "state": incident.state}))
"""
LATER_SETTINGS = """
from madang.site.settings import *
MIGRATION_MODULES = {"response": "later_response"}
"""
LATER_STEP = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("response", "%s")]
    operations = [migrations.AddField("incident", "later_note", models.CharField(max_length=20, default="old"))]
"""
UPGRADE = """
from madang.cli.command import setup_django
from madang.site.backup import before_upgrade
from madang.site.config import load
setup_django()
from madang.site.stores import prepare_stores
print(*(prepare_stores(load(), before_upgrade).missing for _ in range(2)))
"""


def python(home: Installation, script: str, path: Path | None = None) -> str:
    """Runs a script as a program of this release, or with the modules in `path` as a later one."""
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    if path is not None:
        env |= {"PYTHONPATH": str(path), "DJANGO_SETTINGS_MODULE": "later_settings"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=env, cwd=home.directory, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """A later release: this one and one more step."""
    folder = tmp_path / "later"
    steps = folder / "later_response"
    shutil.copytree(Path(os.fspath(released.__path__[0])), steps)
    last = max(path.stem for path in steps.glob("0*.py"))
    (steps / "9000_later.py").write_text(LATER_STEP % last)
    (folder / "later_settings.py").write_text(LATER_SETTINGS)
    return folder


def incidents(store: Path) -> list[dict[str, Any]]:  # Any: SQL values
    with closing(sqlite3.connect(store)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM response_incident ORDER BY id")]


def test_open_incidents_survive_an_upgrade_and_the_way_back_is_kept(
    template: Installation, later: Path, tmp_path: Path
) -> None:
    home = copied(template, tmp_path / "city")
    opened = json.loads(python(home, OPEN))
    store = home.directory / "civic.sqlite3"
    before = incidents(store)
    assert [row["number"] for row in before] == [opened["number"]]

    assert python(home, UPGRADE, later) == "('response.9000_later',) ()", "a second start finds nothing to do"
    assert incidents(store) == [row | {"later_note": "old"} for row in before]

    copies = list((home.directory / "backups").iterdir())
    assert len(copies) == 1
    assert incidents(copies[0] / "civic.sqlite3") == before

    refused = home.run("account", "list")
    assert refused.returncode == 78
    assert "response.9000_later is unknown here" in refused.stderr

    assert home.run("restore", "--yes", str(copies[0])).returncode == 0
    assert incidents(store) == before
    assert home.run("audit", "verify").returncode == 0
