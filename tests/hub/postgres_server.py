"""A PostgreSQL of our own on a socket in a new folder, that tests may stop and start; and databases in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.journal.stores import missing_postgresql

ACCOUNT = "postgres"
_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "max_connections": "200",
    "deadlock_timeout": "200ms",
    "shared_buffers": "64MB",
}


def missing() -> str:
    """Why it cannot be tried here; empty when it can."""
    reason = missing_postgresql()
    if not reason and not [*Path("/usr/share/postgresql").glob("*/extension/postgis.control")]:
        return "PostGIS is not installed (apt install postgresql-postgis)"
    return reason


class Server:
    """One server. PostgreSQL refuses to run as root: then it runs as its own system user."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT)
            self._as_user = ["runuser", "-u", ACCOUNT, "--"]
        self._call("initdb", "-A", "trust", "-U", "madang", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        options = _SETTINGS | {"unix_socket_directories": f"'{folder}'"} | settings
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in options.items())

    def _call(self, program: str, *more: str) -> None:
        command = [*self._as_user, str(self._binaries / program), "-D", str(self.folder / "data"), *more]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=60)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._call("pg_ctl", "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops it: `immediate` leaves everything as a crash would."""
        self._call("pg_ctl", "-w", "-m", mode, "stop")

    def address(self, database: str = "postgres") -> str:
        """How to reach a database of it."""
        return f"postgresql://madang@/{database}?host={self.folder}"

    def database(self, template: str = "template1") -> str:
        """Makes a database of its own; gives its address."""
        name = f"hub_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')  # type: ignore[call-overload,unused-ignore] # our own name
        return self.address(name)


_EMPTY = """
DO $$ DECLARE one RECORD; BEGIN
    FOR one IN SELECT tablename AS name FROM pg_tables
        WHERE schemaname = 'hub' AND tablename NOT IN ('meta', 'journal_retention')
    LOOP
        EXECUTE format('DELETE FROM hub.%I', one.name);
    END LOOP;
    FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'hub' LOOP
        PERFORM setval(format('hub.%I', one.name)::regclass, 1, false);
    END LOOP;
    DELETE FROM hub.meta WHERE name NOT IN ('epoch', 'version');
END $$
"""


def empty(address: str) -> None:
    """Takes everything out of a hub store: much quicker than making another."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(_EMPTY)


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """A running server, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="madang-hub-pg-"))
    try:
        made = Server(folder, **settings)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
