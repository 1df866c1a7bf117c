"""The linkage behind a real server, over the civic test store, with a police system outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connections
from pytest_django.fixtures import Settings

from madang.identity.models import Agency, AgencyKey, Authority
from madang.journal import relay
from madang.kernel.keyring import Keyring
from madang.linkages.police112.link import asgi_app
from tests.linkages.police112.agency import Mailbox, PoliceSystem, Signing, public_pem
from tests.response.conftest import HALL, HARBOUR, NOW, furnish

__all__ = ["HALL", "HARBOUR", "NOW"]
T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class TestServices:
    """What the site would lend, with a clock that tests may move."""

    __test__ = False
    keyring: Keyring
    threads: ThreadPoolExecutor
    offset: timedelta = field(default_factory=timedelta)

    def clock(self) -> datetime:
        """Real time, moved by `offset`."""
        return datetime.now(UTC) + self.offset

    async def run_civic(self, work: Callable[[], T]) -> T:
        """Runs on the civic threads."""
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self.threads, work)


@dataclass
class Platform:
    """The running linkage and the relay behind it, stepped by hand."""

    origin: str
    services: TestServices

    def settle(self) -> None:
        """Handles, fires and delivers until nothing is due."""
        for _ in range(200):
            if not relay.run_once(self.services.clock):
                return
        raise AssertionError("the relay never comes to rest")


class Unsettled:
    """The app that is replaced once the origin is known."""

    app: Any = None  # Any: an ASGI app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI is untyped
        await self.app(scope, receive, send)


@dataclass
class Server:
    """A running server whose app each test brings along."""

    origin: str
    outer: Unsettled
    threads: ThreadPoolExecutor


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests, on a port of its own."""
    outer = Unsettled()
    config = uvicorn.Config(outer, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not running.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.005)
    pool = ThreadPoolExecutor(1)
    yield Server(f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}", outer, pool)
    running.should_exit = True
    thread.join(10)
    pool.submit(connections.close_all).result()
    pool.shutdown()


@pytest.fixture
def city(authority: Authority) -> Authority:
    """The city under test with its cameras."""
    return furnish(authority)


@pytest.fixture
def platform(transactional_db: None, city: Authority, server: Server, settings: Settings, keyring: Keyring) -> Platform:
    """The linkage behind that server."""
    settings.MADANG_LINKAGES = {"police112": {"origin": server.origin}}
    services = TestServices(keyring, server.threads)
    server.outer.app = asgi_app(services)
    return Platform(server.origin, services)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    """The agency's private key."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """The agency's own endpoint."""
    made = Mailbox()
    yield made
    made.close()


def register_key(agency: Agency, key_id: str, pem: str, algorithm: str = "ecdsa-p256-sha256") -> AgencyKey:
    """Registers a public key as the back office does."""
    return AgencyKey.objects.create(
        agency=agency, key_id=key_id, algorithm=algorithm, public_pem=pem, not_before_at=START
    )


@pytest.fixture
def agency(platform: Platform, make_agency: Callable[..., Agency], key: Any, mailbox: Mailbox) -> Agency:  # Any: a key
    """The police room as the platform knows it."""
    made = make_agency("gimhae-police")
    made.endpoint_url = mailbox.url
    made.save()
    register_key(made, "gimhae-1", public_pem(key))
    return made


@pytest.fixture
def police(platform: Platform, agency: Agency, key: ec.EllipticCurvePrivateKey) -> Iterator[PoliceSystem]:
    """The police room's own program."""
    system = PoliceSystem(platform.origin, agency.code, agency.authority_id, Signing(key, "gimhae-1"))
    yield system
    system.http.close()


@pytest.fixture
def neighbour(platform: Platform, make_agency: Callable[..., Agency]) -> Iterator[PoliceSystem]:
    """A second police room of the same city."""
    key = ec.generate_private_key(ec.SECP256R1())
    agency = make_agency("jinyeong-police")
    register_key(agency, "jinyeong-1", public_pem(key))
    system = PoliceSystem(platform.origin, agency.code, agency.authority_id, Signing(key, "jinyeong-1"))
    yield system
    system.http.close()


@pytest.fixture
def stranger(platform: Platform, other_authority: Authority) -> Iterator[PoliceSystem]:
    """A police room of another city."""
    key = ec.generate_private_key(ec.SECP256R1())
    agency = Agency.objects.create(
        code="busan-police", authority=other_authority, kind="police", name_ko="부산 경찰", mode="simulated"
    )
    register_key(agency, "busan-1", public_pem(key))
    system = PoliceSystem(platform.origin, agency.code, other_authority.code, Signing(key, "busan-1"))
    yield system
    system.http.close()


def request_body(**more: Any) -> dict[str, Any]:  # Any: JSON values
    """What a `VideoRequest` says; `more` replaces members."""
    return {
        "code": 1,
        "crime_class": "robbery",
        "place": {"lon": HALL.lon, "lat": HALL.lat, "accuracy_m": 20, "address": "김해대로 2401"},
        "radius_m": 500,
        "basis": "pipa_18_2_3",
        "officer": {"id": "P-1042", "name": "김순경"},
        "caller": {"phone": "010-1234-5678"},
        "text": "편의점 강도",
    } | more
