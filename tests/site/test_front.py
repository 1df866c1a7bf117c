"""Every request passes the same guards, whatever room it is for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from madang.kernel.errors import ConfigError, ForbiddenError, UnavailableError
from madang.kernel.secret import Secret
from madang.site.asgi import Door, Front
from madang.site.asgi_types import Asgi, Message, Receive, Scope, Send
from madang.site.config import Config, ServerConfig
from madang.site.keys import generate_keyring
from madang.site.services import CivicThreads, Services
from tests.site.asgi import Answer, ask, scope

ECHO_LIMIT = 1_000


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body it got."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("a secret detail")


async def refusing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ForbiddenError("not yours", ko="권한이 없습니다.")


async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Never ends by itself."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await asyncio.Event().wait()


async def socket(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.Event().wait()


DOORS = (
    Door("echo", "/echo", echo, limit=ECHO_LIMIT),
    Door("page", "/page", echo, limit=ECHO_LIMIT, for_programs=False),
    Door("office", "/office/", echo, limit=ECHO_LIMIT, for_programs=False),
    Door("broken", "/broken", broken),
    Door("refusing", "/refusing", refusing),
    Door("stream", "/stream", stream, streams=True),
    Door("socket", "/socket", socket, streams=True),
)

Use = Callable[[Front], Awaitable[None]]


def with_front(use: Use, server: ServerConfig | None = None) -> Front:
    """Opens a front as a server does, uses it, closes it."""
    config = Config(base=Path("/nowhere"), server=server or ServerConfig())
    services = Services(config=config, keyring=generate_keyring(), civic=CivicThreads(1, 4))

    @asynccontextmanager
    async def assemble(_services: Services) -> AsyncIterator[Sequence[Door]]:
        yield DOORS

    front = Front(services, assemble)

    async def main() -> None:
        async with living(front):
            await use(front)

    asyncio.run(main())
    services.civic.close()
    return front


@asynccontextmanager
async def living(app: Asgi) -> AsyncIterator[None]:
    """Lifespan, as the server speaks it."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(app({"type": "lifespan"}, told.get, heard.put))
    await told.put({"type": "lifespan.startup"})
    first = await heard.get()
    assert first["type"] == "lifespan.startup.complete", first
    yield
    await told.put({"type": "lifespan.shutdown"})
    assert (await heard.get())["type"] == "lifespan.shutdown.complete"
    await task


def answer_of(asked: Scope, chunks: Sequence[bytes] = (b"",), server: ServerConfig | None = None) -> Answer:
    got: list[Answer] = []

    async def use(front: Front) -> None:
        got.append(await ask(front, asked, chunks))

    with_front(use, server)
    return got[0]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST"])
def test_loopback_names_are_answered(host: str) -> None:
    assert answer_of(scope("/echo", host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example", "10.0.0.1"])
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    answer = answer_of(scope("/echo", host=host))
    assert answer.status == 400
    assert "allowed_hosts" in answer.json["hint"]


def test_configured_hosts_are_answered() -> None:
    server = ServerConfig(public_url="https://madang.gimhae.example", allowed_hosts=(".city.example",))
    for host, status in [("madang.gimhae.example", 200), ("a.city.example", 200), ("city.example.evil", 400)]:
        assert answer_of(scope("/echo", host=host), server=server).status == status, host


def test_a_health_check_is_answered_whatever_name_it_uses() -> None:
    answer = answer_of(scope("/healthz", host="10.4.4.4:8080"))
    assert (answer.status, answer.json["status"]) == (200, "ok")


def test_a_body_within_the_limit_arrives_whole() -> None:
    asked = scope("/echo", method="POST", headers=[("transfer-encoding", "chunked")])
    assert answer_of(asked, [b"a" * 400, b"b" * 400, b"c" * 200]).body == b"a" * 400 + b"b" * 400 + b"c" * 200


@pytest.mark.parametrize(
    ("headers", "chunks"),
    [
        ([("content-length", "1001")], [b"x" * 1_001]),
        ([("content-length", "52428800")], [b"x" * 65_536] * 3 + [b""]),
        ([("transfer-encoding", "chunked")], [b"x" * 400] * 3),
        ([("content-length", "10")], [b"x" * 400] * 3),
    ],
)
def test_a_body_beyond_the_limit_is_refused_and_its_sender_hears_it(
    headers: list[tuple[str, str]], chunks: list[bytes]
) -> None:
    answer = answer_of(scope("/echo", method="POST", headers=headers), chunks)
    assert answer.status == 413
    assert answer.json["code"] == "too-large"
    assert answer.headers[b"connection"] == b"close"


def test_a_body_that_dawdles_is_dropped() -> None:
    got: list[Answer] = []

    async def use(front: Front) -> None:
        asked = scope("/echo", method="POST", headers=[("content-length", "5")])
        got.append(await ask(front, asked, []))

    with_front(use, ServerConfig(body_timeout_s=0.05))
    assert got[0].status == 400
    assert "did not arrive" in got[0].json["detail"]


def test_a_rooms_refusal_becomes_a_problem_in_both_languages() -> None:
    answer = answer_of(scope("/refusing"))
    assert answer.status == 403
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert answer.json["ko"] == "권한이 없습니다."


def test_a_fault_tells_nothing_of_itself() -> None:
    answer = answer_of(scope("/broken"))
    assert answer.status == 500
    assert b"secret" not in answer.body


def test_an_unknown_path_is_not_found() -> None:
    assert answer_of(scope("/nowhere")).status == 404


def test_what_a_browser_shows_carries_every_guard() -> None:
    headers = answer_of(scope("/page")).headers
    policy = headers[b"content-security-policy"].decode()
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert "object-src 'none'" in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert b"strict-transport-security" not in headers


def test_only_the_office_may_evaluate_its_menus() -> None:
    assert b"unsafe-eval" in answer_of(scope("/office/x")).headers[b"content-security-policy"]
    assert b"unsafe-eval" not in answer_of(scope("/page")).headers[b"content-security-policy"]


def test_answers_to_programs_are_not_to_be_sniffed() -> None:
    assert answer_of(scope("/echo")).headers[b"x-content-type-options"] == b"nosniff"


def test_over_tls_browsers_are_told_to_stay_there() -> None:
    server = ServerConfig(public_url="https://madang.example")
    assert b"strict-transport-security" in answer_of(scope("/page", host="madang.example"), server=server).headers


def test_streams_end_when_the_server_stops() -> None:
    answers: list[Answer] = []

    async def use(front: Front) -> None:
        async with asyncio.timeout(10):
            open_now = asyncio.create_task(ask(front, scope("/stream")))
            while not front._open:
                await asyncio.sleep(0.005)
            await front.close_streams()
            answers.append(await open_now)
            answers.append(await ask(front, scope("/stream")))

    with_front(use)
    assert answers[0].body == b"hello"
    assert answers[0].finished
    assert answers[1].status == 503, "nothing new is opened while stopping"


def test_a_websocket_is_told_that_the_service_restarts() -> None:
    sent: list[Message] = []

    async def use(front: Front) -> None:
        connected: asyncio.Queue[Message] = asyncio.Queue()
        await connected.put({"type": "websocket.connect"})

        async def send(message: Message) -> None:
            sent.append(message)

        async with asyncio.timeout(10):
            running = asyncio.ensure_future(front(scope("/socket", kind="websocket"), connected.get, send))
            while not sent:
                await asyncio.sleep(0.005)
            await front.close_streams()
            await running

    with_front(use)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 1012


@pytest.mark.parametrize(("path", "host"), [("/echo", "localhost"), ("/socket", "evil.example"), ("/no", "localhost")])
def test_a_websocket_elsewhere_is_refused(path: str, host: str) -> None:
    sent: list[Message] = []

    async def use(front: Front) -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        await front(scope(path, kind="websocket", host=host), asyncio.Event().wait, send)  # type: ignore[arg-type]  # never asked

    with_front(use)
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_start_that_fails_is_told_to_the_server() -> None:
    @asynccontextmanager
    async def assemble(_services: Services) -> AsyncIterator[Sequence[Door]]:
        raise ConfigError("the hub store is of a newer release")
        yield ()

    services = Services(config=Config(), keyring=generate_keyring(), civic=CivicThreads(1, 1))
    told: list[Message] = []

    async def main() -> None:
        async def receive() -> Message:
            return {"type": "lifespan.startup"}

        async def send(message: Message) -> None:
            told.append(message)

        await front({"type": "lifespan"}, receive, send)

    front = Front(services, assemble)
    asyncio.run(main())
    assert [message["type"] for message in told] == ["lifespan.startup.failed"]
    assert front.refused == "the hub store is of a newer release"


METRICS = [("authorization", "Bearer right")]


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("", [], 200),
        ("", [("x-forwarded-for", "203.0.113.9")], 403),
        ("right", [], 403),
        ("right", [("authorization", "Bearer wrong")], 403),
        ("right", METRICS, 200),
    ],
)
def test_metrics_are_for_this_machine_or_for_the_token(token: str, headers: list[tuple[str, str]], status: int) -> None:
    server = ServerConfig(metrics_token=Secret(token))
    assert answer_of(scope("/metrics", headers=headers), server=server).status == status


def test_requests_are_counted_by_door_and_status() -> None:
    async def use(front: Front) -> None:
        for path in ("/echo", "/echo", "/refusing"):
            await ask(front, scope(path))
        body = (await ask(front, scope("/metrics"))).body.decode()
        assert 'madang_requests_total{door="echo",status="200"} 2.0' in body
        assert 'madang_requests_total{door="refusing",status="403"} 1.0' in body

    with_front(use)


def test_work_for_the_civic_store_is_bounded_and_the_rest_is_told_to_come_back() -> None:
    import threading

    release = threading.Event()

    async def main() -> None:
        threads = CivicThreads(1, 2)
        running = [asyncio.create_task(threads.run(release.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="3 requests wait"):
            await threads.run(lambda: None)
        release.set()
        assert await asyncio.gather(*running) == [True, True, True]
        assert await threads.run(lambda: "again") == "again"
        threads.close()

    asyncio.run(main())
