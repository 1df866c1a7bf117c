"""The screen's own checks: types and the pure logic, run with the Node that builds it."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.frontend.test_build import ROOT, hook

__all__ = ["hook"]
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_the_screens_types_and_logic_hold(hook: ModuleType) -> None:
    if not (ROOT / "frontend" / "node_modules").is_dir():
        pytest.skip("the screen's libraries are not here; run: python hatch_build.py check")
    hook.check(ROOT)
