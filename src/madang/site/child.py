"""A process that `madang serve` starts: it runs one role and never outlives its supervisor."""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import sys
import threading
import time

MEDIA_MODULE = "madang.video.media"
_WATCH_S = 1.0


def main(role: str) -> int:
    """Runs a role until it ends; returns the exit code."""
    _end_with_parent(os.getppid())
    if role == "media":
        return run_media()
    from madang.site.serve import run_role

    return run_role(role)


def run_media() -> int:
    """Runs the media process in place of this one."""
    sys.argv = [MEDIA_MODULE]
    runpy.run_module(MEDIA_MODULE, run_name="__main__", alter_sys=True)
    return 0


def media_exists() -> bool:
    """Whether the media process is part of this installation."""
    try:
        return importlib.util.find_spec(f"{MEDIA_MODULE}.__main__") is not None
    except ModuleNotFoundError:
        return False


def _end_with_parent(parent: int) -> None:
    """A supervisor that was killed cannot end its children: they watch for it themselves."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
