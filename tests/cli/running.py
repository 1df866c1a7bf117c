"""Runs commands as a person at the keyboard does, several in one process so that tests stay quick."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.site.serving import Installation, environment

_SCRIPT = """
import contextlib, io, json, sys
from madang.cli.command import run
for arguments, typed in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    sys.stdin = io.StringIO(typed)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments, debug=False)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_all(home: Installation, *commands: str | tuple[str, str]) -> list[Done]:
    """Runs command lines one after another; a pair is a command and what is typed into it."""
    pairs = [(command, "") if isinstance(command, str) else command for command in commands]
    asked = [(["--config", str(home.config), *command.split()], typed) for command, typed in pairs]
    process = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=json.dumps(asked),
        env=environment() | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return [Done(*json.loads(line)) for line in process.stdout.splitlines()]
