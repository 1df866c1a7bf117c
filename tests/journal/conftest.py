"""Stores, keys and a clock for the journal's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.plugin import DjangoDbBlocker

from madang.journal.apsw_session import ApswStore
from madang.journal.django_session import DjangoStore
from madang.kernel.keyring import Keyring
from tests.journal import stores

AnyStore = DjangoStore | ApswStore
MakeStore = Callable[[], AnyStore]


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def keys() -> Keyring:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Keyring(
        audit_key=b"\x01" * 32,
        blob_key=b"\x02" * 32,
        lease_private_pem=b"",
        checkpoint_private_pem=pem,
        linkage_private_pem=b"",
        media_secret="",
    )


@pytest.fixture(scope="session")
def unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The journal's tests open databases of their own; Django's test database stays untouched."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def migrated_file(unblocked: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file as the migration makes it, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "civic.sqlite3"
    with stores.django_sqlite(path) as store:
        stores.migrate(store.alias)
        with store.reading() as tx:
            tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgresql(unblocked: None) -> Iterator[DjangoStore]:
    reason = stores.missing_postgresql()
    if reason:
        pytest.skip(reason)
    with stores.postgresql_server() as folder:
        alias = stores.add_alias(
            ENGINE="django.db.backends.postgresql",
            NAME="postgres",
            USER="madang",
            HOST=str(folder),
            OPTIONS={},
        )
        stores.migrate(alias)
        yield DjangoStore(alias)
        stores.drop_alias(alias)


STORAGES = ["django", "apsw", pytest.param("postgresql", marks=pytest.mark.integration)]


@pytest.fixture(params=STORAGES)
def make_store(request: pytest.FixtureRequest, unblocked: None, tmp_path: Path) -> Iterator[MakeStore]:
    """Makes empty stores of one kind; every promise is tried on each kind."""
    with ExitStack() as stack:
        count = iter(range(10_000))

        def make() -> AnyStore:
            path = tmp_path / f"store-{next(count)}.sqlite3"
            if request.param == "apsw":
                return stack.enter_context(stores.apsw_file(path))
            if request.param == "postgresql":
                store: DjangoStore = request.getfixturevalue("postgresql")
                stores.empty(store)
                return DjangoStore(store.alias)
            shutil.copy(request.getfixturevalue("migrated_file"), path)
            return stack.enter_context(stores.django_sqlite(path))

        yield make


@pytest.fixture
def store(make_store: MakeStore) -> AnyStore:
    return make_store()
