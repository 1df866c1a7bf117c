"""Django gets whole requests only, and no slow client can hold its threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest
from a2wsgi import WSGIMiddleware

from madang.kernel.errors import TooLargeError, UnavailableError
from madang.site import pages
from madang.site.asgi_types import Asgi, Message, Scope
from madang.site.config import ServerConfig
from madang.site.pages import Pages
from tests.site.asgi import Answer, ask, scope

LENGTH = "content-length"


class Site:
    """A WSGI application that notes what reaches it."""

    def __init__(self, pieces: int = 1) -> None:
        self.bodies: list[bytes] = []
        self.environs: list[dict[str, Any]] = []  # Any: a WSGI environment
        self.pieces = pieces

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:  # Any: WSGI
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start("200 OK", [("Content-Type", "text/plain")])
        return (b"piece" * 1_000 for _ in range(self.pieces))


def pages_of(site: Site, *, uploads: bool = False, **limits: Any) -> Pages:  # Any: settings of [server]
    async def may_upload(_scope: Scope) -> bool:
        return uploads

    made = Pages(ServerConfig(**{"threads": 2, "max_body_bytes": 1_000, **limits}), may_upload)
    app: Any = site  # Any: a2wsgi's types know fewer WSGI applications than there are
    made._app = cast("Asgi", WSGIMiddleware(app, workers=2, send_queue_size=4))
    return made


def post(site: Site, chunks: list[bytes], *, leaves: bool = False, **how: Any) -> Answer:  # Any: settings
    headers = how.pop("headers", [(LENGTH, str(sum(map(len, chunks))))])
    path = how.pop("path", "/api/console/x")
    asked = scope(path, method="POST", headers=headers)
    return asyncio.run(ask(pages_of(site, **how), asked, chunks, leaves=leaves))


def test_a_body_in_pieces_reaches_django_whole() -> None:
    site = Site()
    assert post(site, [b"a" * 300, b"b" * 300, b""]).status == 200
    assert site.bodies == [b"a" * 300 + b"b" * 300]


def test_a_chunked_body_gets_its_length() -> None:
    site = Site()
    post(site, [b"a" * 10, b"b" * 10], headers=[("transfer-encoding", "chunked")])
    assert site.environs[0]["CONTENT_LENGTH"] == "20"
    assert "HTTP_TRANSFER_ENCODING" not in site.environs[0]


def test_a_client_that_leaves_in_the_middle_never_reaches_django() -> None:
    site = Site()
    answer = post(site, [b"amount=1", b"000000"], leaves=True, headers=[(LENGTH, "14")])
    assert site.bodies == []
    assert answer.status == 0


def test_a_header_with_an_underscore_cannot_pose_as_another() -> None:
    site = Site()
    post(site, [b""], headers=[(LENGTH, "0"), ("x_forwarded_for", "1.2.3.4"), ("cookie", "a=1"), ("cookie", "b=2")])
    assert "HTTP_X_FORWARDED_FOR" not in site.environs[0]
    assert site.environs[0]["HTTP_COOKIE"] == "a=1; b=2"


@pytest.mark.parametrize(
    ("path", "uploads", "taken"),
    [("/office/x", True, True), ("/office/x", False, False), ("/api/console/x", True, False)],
)
def test_a_large_file_is_taken_only_in_the_office_and_from_someone_logged_in(
    path: str, uploads: bool, taken: bool
) -> None:
    site = Site()
    if taken:
        assert post(site, [b"x" * 5_000], path=path, uploads=uploads, max_upload_bytes=9_000).status == 200
        assert site.bodies == [b"x" * 5_000]
    else:
        with pytest.raises(TooLargeError):
            post(site, [b"x" * 5_000], path=path, uploads=uploads, max_upload_bytes=9_000)
        assert site.bodies == []


def test_even_an_upload_has_a_limit() -> None:
    with pytest.raises(TooLargeError, match="9000"):
        post(Site(), [b"x" * 5_000, b"x" * 5_000], path="/office/x", uploads=True, max_upload_bytes=9_000)


def test_a_reader_that_stops_reading_gives_its_thread_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SLOW_READER_S", 0.05)
    site = Site(pieces=50)

    async def main() -> None:
        made = pages_of(site)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def never(_message: Message) -> None:
            await asyncio.Event().wait()

        asked = scope("/", headers=[(LENGTH, "0")])
        async with asyncio.timeout(10):
            await asyncio.gather(*(made(dict(asked), receive, never) for _ in range(4)))
            assert (await ask(made, scope("/", headers=[(LENGTH, "0")]))).status == 200

    asyncio.run(main())
    assert len(site.bodies) == 5


def test_more_requests_than_can_wait_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_WAITING_PER_THREAD", 1)

    async def main() -> None:
        made = pages_of(Site())

        async def silent() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        async def send(_message: Message) -> None:
            return None

        asked = scope("/", method="POST", headers=[(LENGTH, "5")])
        waiting = [asyncio.ensure_future(made(dict(asked), silent, send)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError):
            await made(dict(asked), silent, send)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(main())
