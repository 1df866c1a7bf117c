"""The screen's own checks: types and the pure logic, run with the Node that builds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.frontend.test_build import hook

__all__ = ["hook"]
FRONTEND = Path(__file__).parents[2] / "frontend"
pytestmark = pytest.mark.integration


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_screens_types_and_logic_hold(script: str, hook: object) -> None:
    if not (FRONTEND / "node_modules").is_dir():
        pytest.skip("the screen's libraries are not here; run: python hatch_build.py")
    npm, env = hook._npm()  # type: ignore[attr-defined]  # a module loaded by path has no type
    done = subprocess.run([*npm, "run", script], cwd=FRONTEND, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
