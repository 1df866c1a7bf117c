"""The state of the lines to other agencies, asked of whichever linkages are installed.

A linkage tells it in its `queries.py`: `links(authority)` gives a row for each agency, with at least `name`, `agency`,
`state`, `last_heard_at` and `mode`. So a new linkage appears on the screens without a change here.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from django.apps import apps

LinkRow = dict[str, Any]  # Any: JSON values
OURS = "madang.linkages."
SHOWN = ("agency", "state", "last_heard_at", "mode")


def link_rows(authority: str) -> list[LinkRow]:
    """Every line of a city. `name` names one line: the linkage and the agency at its other end."""
    rows = [row for links in _linkages() for row in links(authority)]
    return [{**{key: row[key] for key in SHOWN}, "name": f"{row['name']}:{row['agency']['code']}"} for row in rows]


@lru_cache(maxsize=1)
def _linkages() -> tuple[Callable[[str], Iterable[LinkRow]], ...]:
    theirs = {point.value.partition(":")[0] for point in entry_points(group="madang.linkages")}
    packages = [config.name for config in apps.get_app_configs() if config.name.startswith(OURS)]
    modules = [f"{package}.queries" for package in sorted({*packages, *theirs})]
    return tuple(
        importlib.import_module(module).links for module in modules if importlib.util.find_spec(module) is not None
    )
