"""Resolves `pyproject.toml` into `requirements.lock` (run and build) and `requirements-dev.lock`, with hashes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD_EDITABLE = ["editables>=0.5", "pip>=24"]
HEADER = "# Written by `make lock`; edit pyproject.toml instead.\n"


def compile_lock(requirements: list[str], target: Path, constraint: Path | None = None) -> None:
    """Pins `requirements` and everything they need, with SHA-256 hashes, into `target`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "requirements.in"
        lines = requirements + ([f"-c {constraint}"] if constraint else [])
        source.write_text("\n".join(lines) + "\n")
        out = Path(folder) / "out.txt"
        options = ["--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-header", "--no-annotate"]
        options += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
        command = [sys.executable, "-m", "piptools", "compile", *options, "-o", str(out), str(source)]
        subprocess.run(command, check=True, cwd=folder)
        target.write_text(HEADER + out.read_text())


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = project["project"]["dependencies"] + project["build-system"]["requires"] + BUILD_EDITABLE
    compile_lock(run, ROOT / "requirements.lock")
    compile_lock(run + project["dependency-groups"]["dev"], ROOT / "requirements-dev.lock", ROOT / "requirements.lock")


if __name__ == "__main__":
    main()
