"""Runs the benchmarks and writes `docs/benchmarks.md`: `python -m benchmarks [--quick] [NAME …]`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.result import Result

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
MODULES = (
    "hub_http",
    "hub_batch",
    "hub_mqtt",
    "hub_start",
    "hub_history",
    "hub_subscriptions",
    "hub_postgres",
    "video_nearest",
    "import_cctv",
    "geocode",
    "call_to_offer",
    "video_first_frame",
    "first_answer",
    "signals_live",
    "signals_storm",
    "signals_crash",
    "rules",
)

HEAD = """# Benchmarks

Ratios and limits measured in one run, because machines differ and this one was shared. Medians unless a percentile is
named. *The limit* is bare code doing the same work with the same durability. Run again with `make bench` (or
`make bench ARGS=--quick`, `make bench ARGS=hub_http` for one).

The hub's ratios are of requests, entities or readings per second of CPU of the process that serves or receives; wall
figures stand in the name. Queries *never asked before* are answered from columns of attribute values, which the hub
keeps once such queries come; those *asked before* and unchanged since, from the page kept ready. The call → offer
figure needs the machine to itself: five calls a second are near what one core process can do.

"""


def machine() -> str:
    """One line about what this ran on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} at {commit.stdout.strip() or 'unknown'}: {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, CPython {platform.python_version()}.\n\n"
    )


def row(result: Result) -> str:
    """One line of the table."""
    sign = "≥" if result.at_least else "≤"
    verdict = "reached" if result.reached else "**missed**"
    figures = f"{result.ours:,.4g} | {result.limit:,.4g} | {result.unit} | {result.ratio:.2f} | {sign} {result.goal:g}"
    return f"| {result.name} | {figures} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones of {', '.join(MODULES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, not how fast")
    options = parser.parse_args()
    lines = ["| what | ours | limit or peer | unit | ratio | goal | |", "|---|---|---|---|---|---|---|"]
    missed = False
    for name in options.names or MODULES:
        for result in importlib.import_module(f"benchmarks.{name}").run(options.quick):
            lines.append(row(result))
            missed = missed or not result.reached
            print(lines[-1], flush=True)
    if not options.quick and not options.names:
        PAGE.write_text(HEAD + machine() + "\n".join(lines) + "\n")
    sys.exit(1 if missed and not options.quick else 0)


if __name__ == "__main__":
    main()
