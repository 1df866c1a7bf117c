"""Runs the benchmarks and writes `docs/benchmarks.md`: `python -m benchmarks [--quick] [--publish] [NAME …]`."""

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
`make bench ARGS=--quick`, `make bench ARGS=hub_http` for one, `make bench ARGS="--publish hub_http"` to renew its part
of this page).

The hub's ratios are of requests, entities or readings per second of CPU of the process that serves or receives; wall
figures stand in the name. Queries *never asked before* are answered from columns of attribute values, which the hub
keeps once such queries come; those *asked before* and unchanged since, from the page kept ready. Older changes are not
moved to history files while requests are measured. The MQTT connector reads QoS 0 packets before the client library's
own dispatch does; both of its peers use the library as it is. The figures of calls and signals need the machine to
themselves: a few calls a second are near what one core process can do.

"""
MARK = "## "


def machine() -> str:
    """One line about what this ran on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} at {commit.stdout.strip() or 'unknown'}: {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, CPython {platform.python_version()}."
    )


def row(result: Result) -> str:
    """One line of the table."""
    sign = "≥" if result.at_least else "≤"
    verdict = "reached" if result.reached else "**missed**"
    figures = f"{result.ours:,.4g} | {result.limit:,.4g} | {result.unit} | {result.ratio:.2f} | {sign} {result.goal:g}"
    return f"| {result.name} | {figures} | {verdict} |"


def part(lines: list[str]) -> str:
    """A benchmark's part of the page: when and where, and its table."""
    table = ["| what | ours | limit or peer | unit | ratio | goal | |", "|---|---|---|---|---|---|---|", *lines]
    return machine() + "\n\n" + "\n".join(table) + "\n"


def publish(parts: dict[str, str]) -> None:
    """Writes the page with these parts renewed; the others stay as they were measured."""
    known = parts_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    known |= parts
    page = "\n".join(f"{MARK}{name}\n\n{known[name]}" for name in MODULES if name in known)
    PAGE.write_text(HEAD + page, encoding="utf-8")


def parts_of(page: str) -> dict[str, str]:
    """The parts of a page written before, by benchmark."""
    pieces = ("\n" + page).split("\n" + MARK)[1:]
    return {name: text.strip() + "\n" for name, _, text in (piece.partition("\n") for piece in pieces)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones of {', '.join(MODULES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, not how fast")
    parser.add_argument("--publish", action="store_true", help="write what is measured to docs/benchmarks.md")
    options = parser.parse_args()
    missed = False
    for name in options.names or MODULES:
        lines = []
        for result in importlib.import_module(f"benchmarks.{name}").run(options.quick):
            lines.append(row(result))
            missed = missed or not result.reached
            print(lines[-1], flush=True)
        if not options.quick and (options.publish or not options.names):
            publish({name: part(lines)})
    sys.exit(1 if missed and not options.quick else 0)


if __name__ == "__main__":
    main()
