"""What the linkage runs behind the scenes: handlers of stored messages, the way out, heartbeats."""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connections

from madang.identity.models import Agency
from madang.journal import handlers
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.ids import new_id
from madang.kernel.workers import ThreadWorker
from madang.linkages.police112 import links, receiving, sending, wire
from madang.linkages.police112.config import police112_config

log = logging.getLogger("madang.linkages.police112")


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
    """Sends each agency a heartbeat every `heartbeat_s` until told to stop."""
    try:
        while not stop.is_set():
            try:
                beat_once()
            except DatabaseError:
                log.exception("heartbeats were not sent")
                connections["default"].close_if_unusable_or_obsolete()
            stop.wait(police112_config().heartbeat_s)
    finally:
        connections.close_all()


def beat_once() -> None:
    """One heartbeat to every agency that can be called. One that does not get through is only noted."""
    config = police112_config()
    for agency in Agency.objects.filter(kind="police", active=True).exclude(endpoint_url=""):
        try:
            sending.post(agency, sending.heartbeat(agency, config, new_id(), system_clock()))
        except MadangError as error:
            log.debug("no heartbeat to %s: %s", agency.code, error)
