"""Fails when a test run skipped what this machine was prepared for: `python tools/no_skips.py junit.xml`.

Tests marked `data` may skip where the real data is absent; everything else must have run.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

ABSENT_DATA = "MADANG_SHARED_DATA"


def skipped(path: str) -> list[str]:
    """The tests that were skipped for another reason than absent data, each with its reason."""
    root = ElementTree.parse(path).getroot()  # noqa: S314 -- written by pytest a moment ago
    found = []
    for case in root.iter("testcase"):
        mark = case.find("skipped")
        reason = mark.get("message", "") if mark is not None else ABSENT_DATA
        if ABSENT_DATA not in reason:
            found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


def main() -> None:
    found = skipped(sys.argv[1])
    if found:
        sys.stderr.write(
            "These tests were skipped although CI installs what they need:\n  " + "\n  ".join(found) + "\n"
        )
        raise SystemExit(1)


if __name__ == "__main__":
    main()
