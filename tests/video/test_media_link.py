"""Core and gateway together: the real link, the real store, a real media process, real pictures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
import pytest
import uvicorn
from django.conf import settings
from django.db import connections
from websockets.asyncio.client import connect

from madang.identity.actors import actor_of_agency
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.video.commands import (
    LeaseTicket,
    Recipient,
    close_case,
    close_lease,
    open_case,
    open_lease,
    put_sites,
    renew_lease,
    request_grant,
)
from madang.video.commands.leases import crash_close_view
from madang.video.config import VideoConfig
from madang.video.legal import LegalBasis
from madang.video.media.config import MediaConfig
from madang.video.media_process import media_config
from madang.video.medialink import MediaLink
from madang.video.models import Camera, Case, ProvisionRecord, VideoGrant, ViewSession
from madang.video.queries import rank_for_case
from tests.video.conftest import CORNER, ring
from tests.video.media_rig import Viewer, film, media_process, until

T = TypeVar("T")
pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def in_store(work: Callable[[], T]) -> Awaitable[T]:
    """Runs on a thread of its own, and gives its connection back."""

    def run() -> T:
        try:
            return work()
        finally:
            connections.close_all()

    return asyncio.to_thread(run)


@dataclass
class House:
    """Core's link and the gateway, up."""

    port: int
    server: uvicorn.Server
    police: Actor
    case: Case
    grant: VideoGrant

    async def ticket(self) -> LeaseTicket:
        camera = await in_store(lambda: self.grant.grant_cameras.first())
        assert camera is not None

        def lease() -> LeaseTicket:
            with civic.transaction() as tx:
                return open_lease(
                    tx,
                    self.police,
                    camera_id=camera.camera_id,
                    grant_id=self.grant.pk,
                    viewer_name="김순경",
                    now=system_clock(),
                )

        return await in_store(lease)

    async def view(self, ticket: LeaseTicket) -> Viewer:
        viewer = Viewer(
            await connect(f"ws://127.0.0.1:{self.port}/v1/view", max_size=None, proxy=None), ticket.lease_id
        )
        await viewer.socket.send(msgspec.json.encode({"lease": ticket.token}).decode())
        return viewer


def _prepare(authority: Authority, agency: Agency) -> tuple[Case, VideoGrant]:
    now = system_clock()
    police = actor_of_agency(agency)
    with civic.transaction() as tx:
        put_sites(tx, authority.code, ring(3, 60.0, mode_url=f"file://{film()}"), now, Mode.SIMULATED)
    with civic.transaction() as tx:
        case = open_case(
            tx,
            authority=authority.code,
            incident_id="incident-1",
            incident_number="2026-000001",
            basis=LegalBasis.URGENT_LIFE,
            purpose="강도 신고 대응",
            place=CORNER,
            radius_m=500,
            mode=Mode.SIMULATED,
            agency=agency.code,
            now=now,
        )
    offered = [ranked.id for ranked in rank_for_case(case.pk, 3)]
    assert len(offered) == 3
    with civic.transaction() as tx:
        grant = request_grant(
            tx,
            police,
            case_id=case.pk,
            recipient=Recipient("agency", agency.code),
            rights=["live"],
            camera_ids=offered,
            facts={"crime_class": "robbery", "code": 0},
            now=now,
        )
    assert grant.grant_cameras.count() == 3, grant.facts
    return case, grant


@asynccontextmanager
async def house(authority: Authority, agency: Agency) -> AsyncIterator[House]:
    case, grant = await in_store(lambda: _prepare(authority, agency))
    server = uvicorn.Server(
        uvicorn.Config(
            MediaLink(settings.MADANG_KEYS.media_secret),
            port=0,
            log_level="error",
            ws="websockets-sansio",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    config: MediaConfig = msgspec.structs.replace(
        media_config(VideoConfig(allow_file_sources=True), settings.MADANG_KEYS),
        core_link_url=f"ws://127.0.0.1:{port}/internal/media/link",
        port=0,
        heartbeat_timeout_s=2.2,
    )
    try:
        async with media_process(config) as media_port:
            yield House(media_port, server, actor_of_agency(agency), case, grant)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture(autouse=True)
def files_allowed(settings: object) -> None:
    """Tests play films from disk."""
    settings.MADANG_VIDEO = VideoConfig(allow_file_sources=True)  # type: ignore[attr-defined]  # pytest-django's wrapper


@pytest.fixture
def agency(authority: Authority, make_agency: Callable[..., Agency]) -> Agency:
    return make_agency()


def close(house_: House) -> None:
    with civic.transaction() as tx:
        close_case(tx, system_actor(house_.case.authority_id), house_.case.pk, "상황 종료", system_clock())


def test_closing_the_case_stops_the_pictures_and_every_view_is_in_the_books(
    authority: Authority, agency: Agency
) -> None:
    async def scenario() -> None:
        async with house(authority, agency) as it:
            await _linked(it)
            viewer = await it.view(await it.ticket())
            await viewer.hear(20)
            assert viewer.pictures >= 20
            await in_store(lambda: close(it))
            asked_at = time.monotonic()
            assert await viewer.closed() == 4403
            assert time.monotonic() - asked_at < 5
            await _until_store(lambda: ViewSession.objects.filter(ended_at__isnull=False).count() == 1)

    asyncio.run(scenario())
    view = ViewSession.objects.get()
    record = ProvisionRecord.objects.get()
    assert (view.end_code, view.crash_closed) == (4403, False)
    assert record.views == 1 and record.seconds == view.seconds > 0
    with civic.reading() as tx:
        actions = [row[0] for row in tx.execute("SELECT action FROM journal_audit ORDER BY seq")]
    assert (
        actions.index("video.lease.opened") < actions.index("video.view.started") < actions.index("video.view.stopped")
    )


def test_a_renewed_lease_goes_on_and_a_closed_one_ends_the_view(authority: Authority, agency: Agency) -> None:
    async def scenario() -> None:
        async with house(authority, agency) as it:
            await _linked(it)
            ticket = await it.ticket()
            viewer = await it.view(ticket)
            await viewer.hear(3)

            def renew() -> LeaseTicket:
                with civic.transaction() as tx:
                    return renew_lease(tx, it.police, ticket.lease_id, system_clock())

            again = await in_store(renew)
            await viewer.socket.send(msgspec.json.encode({"lease": again.token}).decode())
            await viewer.hear(viewer.pictures + 10)
            assert viewer.code is None

            def stop() -> None:
                with civic.transaction() as tx:
                    close_lease(tx, it.police, ticket.lease_id, system_clock())

            await in_store(stop)
            assert await viewer.closed() == 1000

    asyncio.run(scenario())


def test_when_core_is_gone_the_pictures_stop_and_the_view_is_closed_as_crashed(
    authority: Authority, agency: Agency
) -> None:
    async def scenario() -> None:
        async with house(authority, agency) as it:
            await _linked(it)
            viewer = await it.view(await it.ticket())
            await viewer.hear(3)
            it.server.should_exit = True
            assert await viewer.closed(8) == 4504

    asyncio.run(scenario())
    view = ViewSession.objects.select_related("lease").get()
    assert view.ended_at is None
    later: datetime = view.lease.expires_at
    with civic.transaction() as tx:
        crash_close_view(tx, view.pk, later.replace(year=later.year + 1))
    view.refresh_from_db()
    assert view.crash_closed and view.ended_at == view.lease.expires_at


def test_offered_cameras_are_opened_before_anyone_asks(authority: Authority, agency: Agency) -> None:
    async def scenario() -> None:
        async with house(authority, agency) as it:
            await _until_store(lambda: Camera.objects.filter(health="ok").count() >= 3)
            viewer = await it.view(await it.ticket())
            await viewer.hear(1)
            assert viewer.pictures == 1

    asyncio.run(scenario())


async def _linked(it: House) -> None:
    """Waits until the gateway hears core's heart."""
    import urllib.request

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{it.port}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    deadline = time.monotonic() + 8
    while not await asyncio.to_thread(answers):
        assert time.monotonic() < deadline, "the gateway never heard core"
        await asyncio.sleep(0.05)


async def _until_store(condition: Callable[[], bool], within_s: float = 8.0) -> None:
    deadline = time.monotonic() + within_s
    while not await in_store(condition):
        assert time.monotonic() < deadline, "it never came true in the store"
        await asyncio.sleep(0.05)


def test_the_link_refuses_whoever_lacks_the_secret() -> None:
    async def scenario() -> list[str]:
        sent: list[str] = []

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(message["type"])

        async def receive() -> dict[str, object]:
            return {"type": "websocket.connect"}

        for headers in ([], [(b"authorization", b"Bearer wrong")], [(b"authorization", b"Bearer ")]):
            await MediaLink("right")({"type": "websocket", "headers": headers}, receive, send)
        await MediaLink("")({"type": "websocket", "headers": [(b"authorization", b"Bearer ")]}, receive, send)
        return sent

    assert asyncio.run(scenario()) == ["websocket.close"] * 4
