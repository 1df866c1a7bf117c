"""`madang serve`: starts core, media and worker, keeps them running, ends them together."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from madang.kernel.errors import ConfigError, MadangError
from madang.site.config import INSECURE_KEYS_ENV, Config, load
from madang.site.restarts import next_start

log = logging.getLogger(__name__)

EXIT_REFUSED = 78
"""A process that cannot start as configured ends with this (`EX_CONFIG`): starting it again would not help."""
ROLES = ("core", "media", "worker")
_ENDING_S = 8.0
_TICK_S = 0.1


@dataclass
class Child:
    """One process of ours and its history."""

    role: str
    vital: bool = False
    process: subprocess.Popen[bytes] | None = None
    ended_s: list[float] = field(default_factory=list)
    start_at_s: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children, starts them again, and gives up when core cannot be kept up."""

    def __init__(self, config: Config, roles: Sequence[str], on_ready: Callable[[], None]) -> None:
        self._config = config
        self._on_ready = on_ready
        self._stop = threading.Event()
        self._children = [Child(role, vital=role == roles[0]) for role in roles if role != "worker"]
        self._later = [Child(role) for role in roles if role == "worker"]
        self._ready = "core" not in roles

    def begin(self) -> None:
        """Starts the first process at once, so that it gets going while this one still prepares itself."""
        self._look_after(self._children[0])

    def run(self) -> int:
        """Returns the exit code: 0 after SIGTERM or SIGINT, else that of core."""
        with _on_signals(self._stop.set):
            code = self._loop()
        self._end_all()
        return code

    def _loop(self) -> int:
        while not self._stop.is_set():
            for child in self._children:
                code = self._look_after(child)
                if code is not None:
                    return code
            if not self._ready and self._core_answers():
                self._ready = True
                self._children += self._later  # core has brought the stores up to date
                self._on_ready()
            self._stop.wait(_TICK_S)
        return 0

    def _look_after(self, child: Child) -> int | None:
        """Starts what is due; an exit code when there is no point in going on."""
        now_s = time.monotonic()
        if child.process is None:
            if now_s >= child.start_at_s:
                child.process = self._start(child.role)
            return None
        code = child.process.poll()
        return None if code is None else self._ended(child, code, now_s)

    def _ended(self, child: Child, code: int, now_s: float) -> int | None:
        child.process = None
        child.ended_s = [*child.ended_s[-20:], now_s]
        wait_s = next_start(child.ended_s, now_s)
        if child.vital and (code == EXIT_REFUSED or wait_s is None):
            if code != EXIT_REFUSED:
                log.error("%s ended %d times in a minute; giving up", child.role, len(child.ended_s))
            return code or 1
        child.start_at_s = now_s + (wait_s if wait_s is not None else 60.0)
        log.error("%s ended with code %d; starting it again in %.1f s", child.role, code, child.start_at_s - now_s)
        return None

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        if role == "media":
            return start_media(self._config)
        command = [sys.executable, "-m", "madang.site.child", role, str(os.getpid())]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _core_answers(self) -> bool:
        own = self._config.server
        scheme = "https" if own.tls_certificate else "http"
        url = f"{scheme}://{own.probe_host}:{own.port}/healthz"
        if scheme == "https":
            return self._accepts()
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 -- our own address, always http
                return bool(answer.status == 200)
        except OSError:
            return False

    def _accepts(self) -> bool:
        import socket

        try:
            with socket.create_connection((self._config.server.probe_host, self._config.server.port), 1):
                return True
        except OSError:
            return False

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None and child.running]
        for process in running:
            process.terminate()
        deadline_s = time.monotonic() + _ENDING_S
        for process in running:
            try:
                process.wait(max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("process %d did not end in %.0f s; killing it", process.pid, _ENDING_S)
                process.kill()
                process.wait()


@contextmanager
def _on_signals(act: Callable[[], None]) -> Iterator[None]:
    def handler(_number: int, _frame: FrameType | None) -> None:
        act()

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def serve(config: Config, role: str, *, insecure: bool, on_ready: Callable[[], None]) -> int:
    """Runs the platform, or one role of it, in the foreground; returns the exit code."""
    os.umask(0o077)  # what is written here is for the platform's own account alone
    if not config.has_keys:
        os.environ[INSECURE_KEYS_ENV] = _insecure_keys(config, allowed=insecure)
        config = load()
    if role in ("core", "worker"):
        return run_role(role)
    supervisor = Supervisor(config, ROLES if role == "all" else (role,), on_ready)
    supervisor.begin()
    _set_up_logs("serve")
    return supervisor.run()


def _set_up_logs(role: str) -> None:
    from madang.site import logs

    logs.set_up(role)


def start_media(config: Config) -> subprocess.Popen[bytes]:
    """Starts the media gateway and hands it its configuration; it gets no private key and no path to one."""
    from madang.site.keys import keyring_from
    from madang.video.config import VideoConfig
    from madang.video.media_process import config_line, media_command, media_config

    section = config.rooms["video"]
    assert isinstance(section, VideoConfig)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MADANG_")}
    process = subprocess.Popen(
        media_command(), env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(config_line(media_config(section, keyring_from(config.keys))))
        process.stdin.close()
    return process


def _insecure_keys(config: Config, *, allowed: bool) -> str:
    """A directory of keys made up for trying things out; raises `ConfigError` where that was not asked for."""
    if not allowed:
        where = str(config.source or "there is no madang.toml, so it")
        raise ConfigError(
            f"{where} names no [keys]; `madang init DIR` makes them (or try things out with --insecure-dev)"
        )
    directory = config.state_dir / "insecure-keys"
    if not directory.exists():
        from madang.site.keys import write_keys

        write_keys(directory)
    return str(directory)


def run_role(role: str) -> int:
    """Runs core or worker in this process; returns the exit code."""
    gc.disable()  # nothing of what starting makes is garbage; enabled again when it is done
    _set_up_logs(role)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "madang.site.settings")
    try:
        config = load()
        from madang.site import core

        return core.run_core(config) if role == "core" else core.run_worker(config)
    except MadangError as error:
        log.error("%s", error.detail)
        return EXIT_REFUSED
