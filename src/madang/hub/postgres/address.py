"""Where the PostgreSQL is, and how each connection to it is made. Passwords come from libpq's own places only."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from psycopg import errors

from madang.hub.errors import StoreRefusedError, StoreUnavailableError
from madang.hub.postgres.arrays import register

SCHEMA = "hub"
"""The hub's tables stand in a schema of their own: the civic store may be in the same database."""

Connection = psycopg.Connection[tuple[Any, ...]]  # Any: column values

_ALWAYS = (f"search_path={SCHEMA},public", "jit=off", "timezone=UTC", "client_min_messages=warning")
_KEEPALIVE = "keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=15000 connect_timeout=5"
_OUTAGES = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.IdleInTransactionSessionTimeout,
)


class _KnownErrors(logging.Filter):
    """Drops psycopg's word on leaving a pipeline that failed: what failed is raised, and told by whoever catches it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().endswith("pipeline aborted")


logging.getLogger("psycopg").addFilter(_KnownErrors())


def check_address(address: str) -> None:
    """Raises `StoreRefusedError` for what is no address, or one with a password in it. Never repeats the address."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise StoreRefusedError(
            "hub.store is no PostgreSQL address", where="hub.store", hint="postgresql://USER@HOST/DATABASE"
        ) from None
    if parts.get("password"):
        raise StoreRefusedError(
            "hub.store has a password in it",
            where="hub.store",
            hint="Put it in PGPASSWORD or in a password file (PGPASSFILE), not in the configuration",
        )


def shown(address: str) -> str:
    """An address as it may be said: host and database, nobody's name."""
    parts = psycopg.conninfo.conninfo_to_dict(address)
    return f"PostgreSQL at {parts.get('host', 'the local socket')}, database {parts.get('dbname', '')}"


def connect(address: str, *settings: str) -> Connection:
    """One more connection, in autocommit, with server settings `name=value`; raises `StoreUnavailableError`."""
    options = " ".join(f"-c {setting}" for setting in (*_ALWAYS, *settings))
    try:
        whole = psycopg.conninfo.make_conninfo(address, **psycopg.conninfo.conninfo_to_dict(_KEEPALIVE))
        connection = psycopg.connect(whole, autocommit=True, application_name="madang-hub", options=options)
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(f"The store does not answer: {_first_line(error)}", hint="Try again") from error
    connection.prepare_threshold = 2
    register(connection)
    return connection


def is_outage(error: BaseException, connection: Connection) -> bool:
    """Whether the server or the way to it failed, rather than the statement."""
    return isinstance(error, psycopg.Error) and (connection.closed or isinstance(error, _OUTAGES))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
