"""`python -m madang_demo.city --out DIR --seed 7`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from madang_demo.city.build import make, write


def main(arguments: list[str] | None = None) -> int:
    """Makes the city and says what is in it."""
    parser = argparse.ArgumentParser(prog="python -m madang_demo.city", description="Make the simulated city's files.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same city")
    options = parser.parse_args(arguments)
    counts = write(make(options.seed), options.out, options.seed)
    sys.stdout.write(f"simulated city in {options.out}: {', '.join(f'{n} {name}' for name, n in counts.items())}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
