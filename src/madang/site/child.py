"""A process that `madang serve` starts: it runs core or worker and never outlives its supervisor."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

_WATCH_S = 1.0


def main(role: str, parent: int) -> int:
    """Runs a role until it ends or its parent does; returns the exit code."""
    _end_with_parent(parent)
    from madang.site.serve import run_role

    return run_role(role)


def _end_with_parent(parent: int) -> None:
    """A supervisor that was killed cannot end its children: they watch for it themselves."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
