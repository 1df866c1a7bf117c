"""`madang bench`: the project's benchmarks, from a checkout of its sources."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> int:
    """Run the benchmarks (from the sources' top folder); ARGUMENTS name some of them, or --quick."""
    sys.path.insert(0, "")
    if importlib.util.find_spec("benchmarks.__main__") is None:
        raise click.ClickException("the benchmarks are part of the sources, not of the package; run this in a checkout")
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], check=False).returncode
