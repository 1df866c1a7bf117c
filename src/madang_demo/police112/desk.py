"""The desk of the simulated room: takes calls, asks for video, looks at it, closes, reports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets

from madang_demo.police112.film import Film
from madang_demo.police112.ledger import Ledger
from madang_demo.police112.platform import Message, Platform, RefusedError
from madang_demo.police112.settings import Settings
from madang_demo.police112.stories import Call

log = logging.getLogger("police112")

OFFER_WAIT_S = 90.0
"""How long a call waits for cameras: an operator and a supervisor have thirty seconds each."""


@dataclass
class Dialogue:
    """What the room knows of one call."""

    offers: dict[str, Message] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    seq: int = 0

    def current(self) -> Message | None:
        """The newest offer whose grant has not ended and which names a camera."""
        alive = [offer for grant, offer in self.offers.items() if grant not in self.ended and offer["cameras"]]
        return alive[-1] if alive else None


@dataclass
class View:
    """One camera being looked at. `seen`: seconds to the first fragment, and when the last came."""

    lease_id: str
    number: str
    grant_id: str
    camera_id: str
    film: Film = field(default_factory=Film)
    seen: dict[str, float] = field(default_factory=dict)
    opened: float = field(default_factory=time.monotonic)
    code: int | None = None


async def _finish(tasks: Sequence[asyncio.Task[None]], budget_s: float) -> None:
    """Waits for tasks, then drops those that take longer."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=max(0.0, budget_s))
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Desk:
    """Runs calls side by side; `heard` is fed by the door."""

    def __init__(self, settings: Settings, platform: Platform, ledger: Ledger) -> None:
        self._settings = settings
        self._platform = platform
        self._ledger = ledger
        self._dialogues: dict[str, Dialogue] = defaultdict(Dialogue)
        self._open: dict[str, asyncio.Task[None]] = {}
        self._views: set[asyncio.Task[None]] = set()
        self._hurried = False

    def heard(self, message: Message) -> None:
        """A new message from the platform."""
        dialogue, body = self._dialogues[message["dialogue_id"]], message["body"]
        if message["kind"] == "GrantOffer":
            known = dialogue.offers.get(body["grant_id"])
            if known is None or known["version"] < body["version"]:
                dialogue.offers.pop(body["grant_id"], None)
                dialogue.offers[body["grant_id"]] = body
        elif message["kind"] == "GrantEnd":
            dialogue.ended.setdefault(body["grant_id"], time.monotonic())
        elif message["kind"] == "GrantDecision":
            dialogue.decisions.append(body["decision"])
            log.info("%s: %s %s", message["dialogue_id"], body["decision"], body["text_ko"])
        dialogue.changed.set()

    def begin(self, call: Call) -> asyncio.Task[None]:
        """Takes a call; it is worked on from now on."""
        task = asyncio.create_task(self.work(call))
        self._open[call.number] = task
        task.add_done_callback(lambda _: self._open.pop(call.number, None))
        return task

    async def close_all(self, budget_s: float) -> None:
        """Drops every call under way: closes it at the platform, sees its pictures stop, all within `budget_s`."""
        self._hurried = True
        until_s = time.monotonic() + budget_s
        numbers, tasks = list(self._open), list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        closing = [asyncio.create_task(self._close(number)) for number in numbers]
        await _finish(closing, until_s - time.monotonic())
        await _finish(list(self._views), until_s - time.monotonic())

    async def _close(self, number: str) -> None:
        dialogue = self._dialogues[number]
        if dialogue.seq:
            dialogue.seq += 1
            with contextlib.suppress(RefusedError):
                await self._platform.send("CallClosed", number, dialogue.seq, {"text": "[모의] 근무를 마치며 종결"})
        self._ledger.call_ended(number, "closed at the end of the day")

    async def work(self, call: Call) -> None:
        """One call from registration to report."""
        self._ledger.call(call.number, call.story)
        log.info("%s: %s, %s", call.number, call.story, call.facts["crime_class"])
        try:
            how = await self._story(call)
        except RefusedError as error:
            how = f"refused: {error}"
            log.warning("%s: %s", call.number, error)
        self._ledger.call_ended(call.number, how)
        self._dialogues.pop(call.number, None)

    async def _story(self, call: Call) -> str:
        if call.story == "cancelled_first":
            await self._say(call, "VideoCancel", {"reason": "mistake"}, seq=2)
            await self._say(call, "VideoRequest", call.facts, seq=1)
            return "cancelled"
        began = time.monotonic()
        await self._say(call, "VideoRequest", call.facts)
        if call.story == "cancelled":
            await asyncio.sleep(2)
            await self._say(call, "VideoCancel", {"reason": "duplicate"})
            return "cancelled"
        if call.update:
            await asyncio.sleep(5)
            await self._say(call, "VideoUpdate", call.update)
        offer = await self._offer(call, began)
        if offer:
            await self._watch(call, offer)
        else:
            await self._say(call, "CallClosed", {})
        await self._say(call, "ResultReport", {"outcome": "cleared" if offer else "other", "text": "모의 종결"})
        return "watched" if offer else "closed without video"

    async def _say(self, call: Call, kind: str, body: Message, seq: int | None = None) -> None:
        dialogue = self._dialogues[call.number]
        dialogue.seq = max(dialogue.seq + 1, seq or 0)
        await self._platform.send(kind, call.number, seq or dialogue.seq, body)

    async def _offer(self, call: Call, began: float) -> Message | None:
        dialogue = self._dialogues[call.number]
        while time.monotonic() - began < OFFER_WAIT_S:
            offer = dialogue.current()
            if offer:
                self._ledger.call_offered(call.number, time.monotonic() - began)
                return offer
            if dialogue.decisions[-1:] == ["denied"]:
                return None
            dialogue.changed.clear()
            try:
                await asyncio.wait_for(dialogue.changed.wait(), 1.0)
            except TimeoutError:
                continue
        return None

    async def _watch(self, call: Call, offer: Message) -> None:
        """Opens the best cameras, looks for a while, closes the call and sees the pictures stop."""
        cameras = [camera["camera_id"] for camera in offer["cameras"][: self._settings.cameras]]
        views = [self._begin_view(call, offer["grant_id"], camera) for camera in cameras]
        await asyncio.wait(views, timeout=self._settings.watch_s)
        await self._say(call, "CallClosed", {})
        await asyncio.wait(views, timeout=40)
        for view in views:
            view.cancel()
        await asyncio.gather(*views, return_exceptions=True)

    def _who(self, **more: Any) -> Message:  # Any: JSON members
        return {"from": self._settings.agency, "to": self._settings.authority, "mode": self._settings.mode, **more}

    def _begin_view(self, call: Call, grant_id: str, camera_id: str) -> asyncio.Task[None]:
        view = asyncio.create_task(self._view(call, grant_id, camera_id))
        self._views.add(view)
        view.add_done_callback(self._views.discard)
        return view

    async def _view(self, call: Call, grant_id: str, camera_id: str) -> None:
        asked = self._who(grant_id=grant_id, camera_id=camera_id, officer=call.officer)
        try:
            ticket = await self._platform.post("/leases", asked)
        except RefusedError as error:
            log.warning("%s: no lease for %s: %s", call.number, camera_id, error)
            return
        view = View(ticket["lease_id"], call.number, grant_id, camera_id)
        self._ledger.view_began(view.lease_id, view.number, grant_id, camera_id)
        try:
            await self._show(ticket, view)
        except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as error:
            log.warning("%s: the view of %s failed: %s", call.number, camera_id, error)
        finally:
            self._book(view)
        await self._taste(view)

    async def _show(self, ticket: Message, view: View) -> None:
        async with websockets.connect(ticket["url"], max_size=16_000_000, open_timeout=10, close_timeout=1) as socket:
            await socket.send(json.dumps({"lease": ticket["token"]}))
            renewing = asyncio.create_task(self._renew(socket, view.lease_id, ticket["renew_after_s"]))
            try:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await self._look(socket, view)
            finally:
                renewing.cancel()
                view.code = socket.close_code

    def _book(self, view: View) -> None:
        ended = self._dialogues[view.number].ended.get(view.grant_id)
        film, last = view.film, view.seen.get("last")
        self._ledger.view_ended(
            view.lease_id,
            fragments=film.fragments,
            media_s=film.media_s,
            first_s=view.seen.get("first"),
            close_code=view.code,
            after_end_s=max(0.0, last - ended) if ended and last else None,
        )
        log.info(
            "%s: %s, %d fragments, %.1f s of film, ended %s",
            view.number,
            view.camera_id,
            film.fragments,
            film.media_s,
            view.code,
        )

    async def _taste(self, view: View) -> None:
        """Decodes the first pictures, unless the room is closing: has anything moved?"""
        if view.film.fragments and not self._hurried:
            self._ledger.view_moved(view.lease_id, await asyncio.to_thread(view.film.change))

    async def _look(self, socket: websockets.ClientConnection, view: View) -> None:
        initialised = False
        async for frame in socket:
            if isinstance(frame, str):
                continue
            if not initialised:
                view.film.begin(frame)
                initialised = True
                continue
            view.seen.setdefault("first", time.monotonic() - view.opened)
            view.film.add(frame)
            view.seen["last"] = time.monotonic()

    async def _renew(self, socket: websockets.ClientConnection, lease_id: str, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                ticket = await self._platform.post(f"/leases/{lease_id}/renew", self._who())
            except RefusedError as error:
                log.info("lease %s was not renewed: %s", lease_id, error)
                return
            await socket.send(json.dumps({"lease": ticket["token"]}))
