"""What the linkage runs behind the scenes: handlers of stored messages, the way out, heartbeats."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from django.db import DatabaseError, connections

from madang.identity.models import Agency
from madang.journal import civic, handlers, outbox
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.ids import new_id
from madang.kernel.workers import ThreadWorker
from madang.linkages.police112 import links, receiving, sending, wire
from madang.linkages.police112.config import Police112Config, police112_config
from madang.linkages.police112.endpoints import ENDPOINTS
from madang.places import boundaries, geocode

log = logging.getLogger("madang.linkages.police112")
_BEATS = 32
"""Heartbeats under way at once."""


def register() -> None:
    """Tells the journal what this linkage handles."""
    for kind in wire.CALL_KINDS:
        handlers.on_arrival(f"{wire.SOURCE}.{kind}", receiving.handle)
    handlers.on_timer(links.SILENCE, links.fell_silent)
    handlers.subscribe(sending.subscriber())


def workers(services: object) -> list[ThreadWorker]:
    """The heartbeat sender."""
    del services
    return [ThreadWorker("police112.heartbeat", send_heartbeats)]


def send_heartbeats(stop: threading.Event) -> None:
    """Sends each agency a heartbeat every `heartbeat_s` until told to stop; first makes ready what calls will need."""
    try:
        _warm()
        while not stop.is_set():
            next_s = time.monotonic() + police112_config().heartbeat_s
            try:
                beat_once()
            except DatabaseError:
                log.exception("heartbeats were not sent")
                connections["default"].close_if_unusable_or_obsolete()
            stop.wait(max(0.0, next_s - time.monotonic()))
    finally:
        connections.close_all()


def _warm() -> None:
    """What the first call would otherwise wait for: the client with its certificates, each city's districts and
    addresses. (The cameras' index is kept by video.)"""
    sending.warm()
    try:
        for city in Agency.objects.filter(kind="police", active=True).values_list("authority", flat=True).distinct():
            boundaries.index_of(city)
            geocode.candidates(city, "시청", limit=1)
    except DatabaseError:
        log.exception("districts and addresses are read with the first call")


def beat_once() -> None:
    """One heartbeat to every agency that can be called, side by side. One that does not get through is only noted."""
    config = police112_config()
    agencies = list(Agency.objects.filter(kind="police", active=True).exclude(endpoint_url=""))
    if not agencies:
        return
    with ThreadPoolExecutor(min(len(agencies), _BEATS), "heartbeat") as pool:
        beats = {pool.submit(_beat, agency, config): agency for agency in agencies}
        for done in as_completed(beats):
            _note(beats[done], done.result())


def _beat(agency: Agency, config: Police112Config) -> MadangError | None:
    return sending.attempt(agency.endpoint_url, sending.heartbeat(agency, config, new_id(), system_clock()))


def _note(agency: Agency, error: MadangError | None) -> None:
    """Keeps how the beat ended. One that gets through to an endpoint that hung lets its messages go again."""
    now = system_clock()
    links.note_sent(agency, str(error or ""), now)
    if error is not None:
        log.debug("no heartbeat to %s: %s", agency.code, error)
    elif ENDPOINTS.answered(agency.code):
        with civic.transaction() as tx:
            outbox.hurry(tx, subscriber=links.SUBSCRIBER, now=now)
