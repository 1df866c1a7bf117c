"""The wheel carries the built screens and everything else a closed network needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


NODE = {"node", "nodejs", "npm", "npx", "corepack"}


def path_without_node(folder: Path) -> str:
    """A folder with every program there is but Node's; what stands first on PATH is taken."""
    for one in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        for program in Path(one).iterdir() if Path(one).is_dir() else ():
            if program.name not in NODE and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tracked sources, built on a machine without Node."""
    checkout, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    built = ROOT / "src/madang/console/static/app"
    if built.exists():
        shutil.copytree(built, checkout / "src/madang/console/static/app")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    environment = {**os.environ, "PATH": path_without_node(tmp_path_factory.mktemp("programs"))}
    result = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return next(out.glob("madang-*.whl"))


@pytest.mark.timeout(300)
def test_the_wheel_carries_screens_schemas_loops_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = [
        "madang/console/static/app/index.html",
        "madang/linkages/police112/README.md",
        "madang/linkages/police112/manifest.toml",
        "madang_demo/loops/crossing.mp4",
        "madang/py.typed",
    ]
    assert [name for name in wanted if name not in names] == []
    assert any(name.startswith("madang/linkages/police112/schema/") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any("node_modules" in name or name.startswith("tests/") for name in names)


@pytest.mark.timeout(300)
def test_the_wheel_installs_and_answers_without_a_network(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    offline = ["unshare", "-n"] if os.geteuid() == 0 and shutil.which("unshare") else []
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    subprocess.run([*offline, *install, str(wheel)], check=True, capture_output=True)
    program = "import madang, sys; from madang.cli import main; print(madang.__file__); main(['version'])"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [*offline, sys.executable, "-c", program]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert str(target) in result.stdout
