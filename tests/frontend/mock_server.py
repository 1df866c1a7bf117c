"""The console's API and the media process as the contract words them, in one small server, for the screen's tests.

Run it by hand (`python -m tests.frontend.mock_server 8090`) to work on the screen without a city.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mimetypes
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from tests.frontend import mock_city, mock_work
from tests.frontend.mock_city import Row, instant
from tests.frontend.mock_media import Film, film
from tests.frontend.mock_signals import Signals

APP = Path(__file__).parents[2] / "src" / "madang" / "console" / "static" / "app"
Message = MutableMapping[str, Any]  # Any: ASGI messages
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
KEEP_ALIVE_S = 1.0
PAGES = {"/wall": "wall.html"}
STEPS = {
    "verify": "VERIFYING",
    "activate": "ACTIVE",
    "stabilise": "STABILISED",
    "dismiss": "DISMISSED",
    "close": "CLOSED",
}


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, ko: str, en: str, code: str = "refused") -> None:
        super().__init__(en)
        self.status, self.ko, self.en, self.code = status, ko, en, code


class MockCity:
    """The ASGI application. `calls` keeps what the screen asked, `change()` is for tests to move the city."""

    def __init__(self) -> None:
        self.city = mock_city.build()
        self.film: Film | None = film()
        self.seq = 100
        self.changes: list[tuple[int, Row]] = []
        self.calls: list[tuple[str, str, Row]] = []
        self.leases: dict[str, Row] = {}
        self.user: str | None = None
        self.duty: Row | None = None
        self.wrong_logins = 0
        self.refuse_leases: RefusedError | None = None
        self.refuse_acts: RefusedError | None = None
        self.views_opened = 0
        self.tokens: list[str] = []
        self._resets = 0
        self.close_views_with: int | None = None
        self.live_open = True
        self.signals = Signals(self.city, self.change)
        self.desk: Row | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._moved = asyncio.Event()

    # --- what tests do ---------------------------------------------------------------------------------------------

    def change(self, kind: str, row: Row, op: str = "upsert", ref: str | None = None) -> None:
        """Put a row into the city and tell it on the live stream. From any thread."""
        table = {"incident": "incidents", "grant": "grants", "task": "tasks", "feed": "feeds", "link": "links"}.get(
            kind
        )
        key = ref or str(row.get("id") or row.get("name"))
        if table is not None:
            rows: dict[str, Row] = getattr(self.city, table)
            rows.pop(key, None)
            if op == "upsert":
                rows[key] = row
        self.seq += 1
        told = {"kind": kind, "ref": key, "op": op, "row": row if op == "upsert" else None}
        self.changes.append((self.seq, told))
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._moved.set)

    def reset(self) -> None:
        """Tell every live reader that its cursor is unknown."""
        self._resets += 1
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._moved.set)

    def leave(self) -> None:
        """The curtain falls: live streams of this city end."""
        self.live_open = False
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._moved.set)

    def asked(self, path: str) -> list[Row]:
        """The bodies of the calls whose path ends so."""
        return [body for _, called, body in self.calls if called.endswith(path)]

    # --- ASGI ------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        if scope["type"] == "websocket":
            await self._view(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        path = str(scope["path"])
        if not path.startswith("/api/console"):
            await self._file(path, send)
            return
        query = {key: value[0] for key, value in parse_qs(scope["query_string"].decode()).items()}
        body = await _body(receive)
        name = path.removeprefix("/api/console")
        if name != "/live":
            self.calls.append((scope["method"], name, body))
        try:
            if name == "/live":
                await self._live(scope, query, send)
                return
            answer = self._answer(scope["method"], name, query, body)
        except RefusedError as refusal:
            problem = {"status": refusal.status, "code": refusal.code, "ko": refusal.ko, "detail": refusal.en}
            await _respond(send, refusal.status, json.dumps(problem).encode(), "application/problem+json")
            return
        await _respond(send, 200, json.dumps(answer).encode(), "application/json")

    async def _file(self, path: str, send: Send) -> None:
        page = APP / PAGES.get(path, "index.html")
        file = APP / path.removeprefix("/static/app/") if path.startswith("/static/app/") else page
        if not file.is_file() or APP not in file.resolve().parents:
            await _respond(send, 404, b"", "text/plain")
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        await _respond(send, 200, file.read_bytes(), kind, keep="/assets/" in path)

    # --- the API ---------------------------------------------------------------------------------------------------

    def _answer(self, method: str, name: str, query: dict[str, str], body: Row) -> object:
        if name == "/login":
            return self._login(body)
        if self.user is None:
            raise RefusedError(401, "로그인이 필요합니다.", "log in")
        parts = name.strip("/").split("/")
        handler = getattr(self, f"_{method.lower()}_{parts[0].replace('-', '_')}", None)
        if handler is None:
            raise RefusedError(404, "찾을 수 없습니다.", f"no {name}")
        return handler(parts[1:], query, body)

    def _login(self, body: Row) -> Row:
        if self.wrong_logins >= 3:
            raise RefusedError(429, "로그인 실패가 많아 잠겼습니다.", "locked", "locked-out")
        if body.get("username") not in mock_city.PEOPLE or body.get("password") != mock_city.PASSWORD:
            self.wrong_logins += 1
            raise RefusedError(401, "아이디 또는 비밀번호가 맞지 않습니다.", "wrong")
        self.user, self.wrong_logins = str(body["username"]), 0
        return self._me()

    def _me(self) -> Row:
        name, rights = mock_city.PEOPLE[self.user or "operator"]
        home = {"code": "48250", "name_ko": "김해시", "name_en": "Gimhae", "lon": mock_city.LON, "lat": mock_city.LAT}
        other = {"code": "26000", "name_ko": "부산시", "name_en": "Busan", "lon": 129.07, "lat": 35.18, "zoom": 11}
        return {
            "person": {"id": "person:1", "name": name},
            "authority": {**home, "zoom": 13},
            "authorities": [{**home, "zoom": 13}, other],
            "roles": ["operator"],
            "roles_ko": ["관제요원"],
            "rights": rights,
            "on_duty": self.duty,
            "office": False,
            "media_url": "/v1/view",
            "mode_banner": "simulated",
            "version": "0.1.0",
        }

    def _get_me(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return self._me()

    def _post_me(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return self._me()

    def _post_logout(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        self.user = None
        return {}

    def _post_shift(self, parts: list[str], _query: Row, body: Row) -> Row:
        now = datetime.now(UTC)
        hours = float(body.get("hours", 8))
        ends = instant(now + timedelta(hours=hours))
        self.duty = {"from_at": instant(now), "to_at": ends} if parts[0] == "start" else None
        return self._me()

    def _get_roster(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        shifts = (
            [] if self.duty is None else [{"id": "s1", "person": {"id": "person:1", "name": "김하늘"}, **self.duty}]
        )
        return {"shifts": shifts}

    def _get_snapshot(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return {
            "cursor": str(self.seq),
            **{key: self._seen(key) for key in ("incidents", "grants", "tasks", "links", "feeds")},
            "counters": {"dead_letters": 1, "rejects": 2, "alarms": 0},
            "now": instant(datetime.now(UTC)),
        }

    def _seen(self, table: str) -> list[Row]:
        """The rows of a table that the person at the screen may see."""
        rights = mock_city.PEOPLE[self.user or "operator"][1]
        open_to_all = table in ("links", "feeds")
        return list(getattr(self.city, table).values()) if open_to_all or "view_incident" in rights else []

    def _get_incidents(self, parts: list[str], _query: Row, _body: Row) -> object:
        row = self._incident(parts[0])
        if "evidence" in parts:
            return mock_work.evidence(row["id"])
        if "deeds" in parts:
            return {"deeds": mock_work.deeds(row["id"])}
        if len(parts) > 1 and parts[1] != "messages":
            raise RefusedError(404, "찾을 수 없습니다.", f"no {'/'.join(parts)}")
        if "messages" in parts:
            answers = {"choices": mock_work.choices, "preview": mock_work.listeners}
            return answers[parts[-1]]() if parts[-1] in answers else mock_work.messages(row["id"])
        place = row["place"]
        granted = next((g["id"] for g in self._grants_of(row) if g["state"] == "APPROVED"), None)
        cameras = [] if place["lon"] is None else mock_city.ranked(self.city, place["lon"], place["lat"], 12, granted)
        return {
            **row,
            "caller": {"phone": "010-0000-0000", "name": "홍길동"},
            "timeline": self.city.timelines.get(row["id"], []),
            "cameras": cameras,
            "grants": self._grants_of(row),
            "tasks": [task for task in self.city.tasks.values() if task["incident_id"] == row["id"]],
        }

    def _incident(self, key: str) -> Row:
        if key not in self.city.incidents:
            raise RefusedError(404, "사건을 찾을 수 없습니다.", "no such incident")
        return self.city.incidents[key]

    def _grants_of(self, incident: Row) -> list[Row]:
        return [grant for grant in self.city.grants.values() if grant["incident_id"] == incident["id"]]

    def _post_incidents(self, parts: list[str], _query: Row, body: Row) -> Row:
        if not parts:
            return self._open(body)
        if self.refuse_acts is not None:
            raise self.refuse_acts
        row = {**self._incident(parts[0])}
        row["version"] += 1
        self._step(row, parts[1], body)
        self._note(row, parts[1], str(body.get("text") or body.get("reason") or ""))
        self.change("incident", row)
        return row

    def _step(self, row: Row, step: str, body: Row) -> None:
        if step in STEPS:
            row["state"] = STEPS[step]
        if step == "claim":
            row["owner"] = {"id": "person:1", "name": mock_city.PEOPLE["operator"][0]}
        if step == "close":
            row["closed_at"] = instant(datetime.now(UTC))
        if step == "locate":
            row["place"] = {
                **row["place"],
                "state": "located",
                "lon": body["lon"],
                "lat": body["lat"],
                "accuracy_m": 20,
            }
            row["candidates"] = []
            for task in [task for task in self.city.tasks.values() if task["incident_id"] == row["id"]]:
                self.change("task", task, "remove")

    def _note(self, row: Row, kind: str, text: str) -> None:
        entries = self.city.timelines.setdefault(row["id"], [])
        entries.append(
            {
                "seq": len(entries) + 1,
                "at": instant(datetime.now(UTC)),
                "actor": mock_city.PEOPLE["operator"][0],
                "kind": kind,
                "text_ko": f"{kind} {text}".strip(),
                "text_en": f"{kind} {text}".strip(),
            }
        )

    def _open(self, body: Row) -> Row:
        row = {**self.city.incidents["i4"], "id": f"n{self.seq}", "number": f"2026-{900 + self.seq:06d}", "version": 1}
        row |= {
            "note": body["note"],
            "priority": body["priority"],
            "class_code": body["class_code"],
            "source": "operator",
        }
        row["opened_at"] = instant(datetime.now(UTC))
        self.change("incident", row)
        return row

    def _post_grants(self, parts: list[str], _query: Row, body: Row) -> Row:
        if not parts:
            row = mock_city.grant_row(
                f"g{self.seq}", self._incident(body["incident_id"]), "PENDING_HUMAN", body["camera_ids"]
            )
            self.change("grant", row)
            return row
        row = {**self.city.grants[parts[0]]}
        states = {"approve": "APPROVED", "deny": "DENIED", "revoke": "REVOKED"}
        row |= {"state": states.get(parts[1], row["state"]), "reason": body["reason"], "version": row["version"] + 1}
        row["expires_at"] = instant(datetime.now(UTC) + timedelta(minutes=30))
        self.change("grant", row)
        return row

    def _post_break_glass(self, _parts: list[str], _query: Row, body: Row) -> Row:
        row = mock_city.grant_row(f"g{self.seq}", self.city.incidents["i1"], "APPROVED", body["camera_ids"])
        row |= {"kind": "break_glass", "reason": body["reason"], "incident_id": None, "incident_number": None}
        self.refuse_leases = None
        self.change("grant", row)
        return row

    # --- signals, duty and the wall --------------------------------------------------------------------------------

    def _get_signals(self, parts: list[str], query: Row, _body: Row) -> object:
        if parts[0] == "storms" and len(parts) > 1:
            return self.signals.find(parts[1], query)
        if parts[0] == "of":
            return self.signals.page(self.signals.signals.get(parts[1], []), query)
        ended = query.get("ended") == "true"
        answers: dict[str, Callable[[], object]] = {
            "storms": lambda: {"storms": self.signals.storms()},
            "events": lambda: self.signals.find(None, query),
            "load": self.signals.alarm_load,
            "talkers": lambda: {"devices": self.signals.talkers()},
            "shelves": lambda: {
                "shelves": [row for row in self.signals.shelves.values() if (row["ended_at"] is not None) == ended]
            },
        }
        return answers[parts[0]]()

    def _post_signals(self, parts: list[str], _query: Row, body: Row) -> Row:
        if self.refuse_acts is not None:
            raise self.refuse_acts
        if parts[0] == "events":
            return self.signals.split(parts[1])
        if parts[0] == "merge":
            return self.signals.merge(body["incident_id"], body["into_id"])
        if parts[0] == "reports":
            row = self._open({"note": body["text"], "priority": 2, "class_code": body["class_code"]})
            return {"id": "sig-new", "incident_id": row["id"], "receipt": "new"}
        if len(parts) == 1:
            return self.signals.shelve(body["device"], body["reason"], automatic=False, source=body["source"])
        shelf = self.signals.shelves[parts[1]]
        shelf |= {"ended_at": instant(datetime.now(UTC)), "ended_by": {"id": "person:1", "name": "김하늘"}}
        return shelf

    def _get_desk(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return {"authority": "48250", "desk": self.desk}

    def _post_desk(self, _parts: list[str], _query: Row, body: Row) -> Row:
        self.desk = {**body, "person": "person:1", "authority": "48250"}
        return {"ok": True}

    def _get_sops(self, parts: list[str], _query: Row, _body: Row) -> Row:
        return mock_work.checklists(parts[1])

    def _post_presence(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return {"written": True, "lost": 0}

    def _get_duty(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return mock_work.board()

    def _get_handovers(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return {"incidents": [], "tasks": [], "brief": ""}

    def _get_log(self, _parts: list[str], query: Row, _body: Row) -> Row:
        return {"entries": mock_work.log_entries(query.get("incident_id"))}

    def _get_cameras(self, parts: list[str], query: dict[str, str], _body: Row) -> Row:
        if parts:
            return next(camera for camera in self.city.cameras if camera["id"] == parts[0])
        west, south, east, north = (float(part) for part in query["bbox"].split(","))
        columns = list(self.city.cameras[0])
        inside = [row for row in self.city.cameras if west <= row["lon"] <= east and south <= row["lat"] <= north]
        rows = [[row[column] for column in columns] for row in inside]
        return {"columns": columns, "rows": rows, "total": len(rows), "clipped": False, "clusters": []}

    def _get_near(self, _parts: list[str], query: dict[str, str], _body: Row) -> list[Row]:
        return mock_city.ranked(self.city, float(query["lon"]), float(query["lat"]), int(query["k"]), None)

    def _get_search(self, _parts: list[str], query: dict[str, str], _body: Row) -> Row:
        words = query["q"]
        return {
            "cameras": [row for row in self.city.cameras if words in row["label"]][:8],
            "incidents": [
                row for row in self.city.incidents.values() if words in row["number"] or words in row["class_ko"]
            ],
            "places": [row for row in self.city.incidents["i2"]["candidates"] if words in row["label"]],
        }

    def _get_ground(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return {"tiles": None, "min_zoom": 6, "made_at": None}

    def _get_describe(self, _parts: list[str], query: Row, _body: Row) -> Row:
        mark = {
            "name": "가온시청",
            "distance_m": 118.0,
            "ko": "가온시청 남동쪽 120 m",
            "en": "120 m south-east of 가온시청",
        }
        return {
            "ko": "가람동 가온로 12 앞, 가온시청 남동쪽 120 m",
            "en": "가온로 12, 가람동; 120 m south-east of 가온시청",
            "address": "김해시 가온로 12 (가람동)",
            "district": "가람동",
            "road": None,
            "landmarks": [mark],
        }

    def _get_basemap(self, _parts: list[str], _query: Row, _body: Row) -> Row:
        return mock_city.basemap()

    def _post_leases(self, parts: list[str], _query: Row, body: Row) -> Row:
        if self.refuse_leases is not None:
            raise self.refuse_leases
        if not parts:
            key = f"lease-{len(self.leases) + 1}"
            self.leases[key] = {"camera": body["camera_id"], "open": True, "renewed": 0}
        else:
            key = parts[0]
            if parts[1] == "close":
                self.leases[key]["open"] = False
                return {}
            self.leases[key]["renewed"] += 1
        return {
            "lease_id": key,
            "token": f"token-of-{key}-{self.leases[key]['renewed']}",
            "url": "/v1/view",
            "expires_at": instant(datetime.now(UTC) + timedelta(seconds=30)),
            "renew_after_s": 2,
            "overlay": {"viewer": mock_city.PEOPLE["operator"][0], "incident": "2026-000042", "mode": "simulated"},
        }

    # --- the live stream and the pictures --------------------------------------------------------------------------

    async def _live(self, scope: Message, query: dict[str, str], send: Send) -> None:
        if self.user is None:
            raise RefusedError(401, "로그인이 필요합니다.", "log in")
        if not self.live_open:
            raise RefusedError(503, "실시간 연결을 열 수 없습니다.", "the live stream is down")
        headers = dict(scope["headers"])
        at = int(headers.get(b"last-event-id", query.get("cursor", "0").encode()) or 0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await self._tell(send, f'event: hello\ndata: {{"cursor": "{at}"}}\n\n')
        resets = self._resets
        while self.live_open:
            if self._resets > resets:
                resets = self._resets
                await self._tell(send, "event: reset\ndata: {}\n\n")
            for seq, told in [item for item in self.changes if item[0] > at]:
                at = seq
                await self._tell(send, f"id: {seq}\nevent: change\ndata: {json.dumps(told)}\n\n")
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), KEEP_ALIVE_S)
                continue
            await self._tell(send, ": keep-alive\n\n")
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send, text: str) -> None:
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _view(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        first = await receive()
        token = json.loads(first.get("text") or "{}").get("lease", "")
        if not str(token).startswith("token-of-"):
            await send({"type": "websocket.close", "code": 4401, "reason": "lease not valid"})
            return
        self.views_opened += 1
        listening = asyncio.create_task(self._hear(receive, str(token)))
        try:
            await self._play(send, listening)
        finally:
            listening.cancel()

    async def _hear(self, receive: Receive, first: str) -> None:
        self.tokens.append(first)
        while (message := await receive())["type"] != "websocket.disconnect":
            self.tokens.append(json.loads(message.get("text") or "{}").get("lease", ""))

    async def _play(self, send: Send, listening: asyncio.Task[None]) -> None:
        if self.film is None:
            await send({"type": "websocket.close", "code": 4503, "reason": "no film"})
            return
        shown = {"type": "ready", "codec": self.film.codec, "width": self.film.width, "height": self.film.height}
        await send({"type": "websocket.send", "text": json.dumps(shown)})
        await send({"type": "websocket.send", "bytes": self.film.init})
        for fragment in self.film.fragments:
            if listening.done():
                return
            if self.close_views_with is not None:
                await send({"type": "websocket.close", "code": self.close_views_with, "reason": "told to"})
                return
            await send({"type": "websocket.send", "bytes": fragment})
            await asyncio.sleep(self.film.frame_s)


async def _body(receive: Receive) -> Row:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return dict(json.loads(body)) if body else {}


async def _respond(send: Send, status: int, body: bytes, kind: str, *, keep: bool = False) -> None:
    headers = [(b"content-type", kind.encode()), (b"set-cookie", b"csrftoken=mock; Path=/")]
    headers.append((b"cache-control", b"max-age=3600, immutable" if keep else b"no-store"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Stage:
    """One server for many tests: whatever city is on stage answers."""

    def __init__(self) -> None:
        self.city = MockCity()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await self.city(scope, receive, send)


@contextlib.contextmanager
def served(mock: MockCity | Stage, port: int = 0) -> Iterator[str]:
    """The mock on a free port; its address."""
    config = uvicorn.Config(mock, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the mock server did not start")
        thread.join(0.02)
    try:
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        (mock.city if isinstance(mock, Stage) else mock).live_open = False
        server.should_exit = True
        thread.join(10)


def main() -> None:
    """Serve until interrupted."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8090
    with served(MockCity(), port) as address, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"{address}  operator / {mock_city.PASSWORD}\n")
        threading.Event().wait()


if __name__ == "__main__":
    main()
