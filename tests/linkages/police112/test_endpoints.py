"""An endpoint that hangs is left alone for a while, and holds up nobody else's messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from madang.identity.models import Agency
from madang.journal import relay
from madang.kernel.errors import TemporaryError
from madang.linkages.police112 import endpoints, workers
from madang.linkages.police112.endpoints import ENDPOINTS, FIRST_REST_S, PER_AGENCY, Endpoints, HangingError
from tests.linkages.police112.agency import Mailbox, PoliceSystem
from tests.linkages.police112.conftest import Platform, request_body


@pytest.fixture(autouse=True)
def nobody_known() -> Iterator[None]:
    ENDPOINTS._known.clear()
    yield
    ENDPOINTS._known.clear()


def hang(known: Endpoints, agency: str) -> None:
    with pytest.raises(HangingError), known.visit(agency, 8.0):
        raise HangingError("no answer")


def refused_delay(known: Endpoints, agency: str) -> float:
    with pytest.raises(TemporaryError) as told, known.visit(agency, 8.0):
        raise AssertionError("there was room")
    assert told.value.delay_s is not None
    return told.value.delay_s


def test_an_endpoint_that_hung_rests_longer_each_time_and_nobody_else_does() -> None:
    now = [0.0]
    known = Endpoints(clock_s=lambda: now[0])
    hang(known, "a")
    assert refused_delay(known, "a") == FIRST_REST_S
    with known.visit("b", 8.0):
        pass
    now[0] = FIRST_REST_S
    hang(known, "a")
    assert refused_delay(known, "a") == 2 * FIRST_REST_S


def test_after_its_rest_one_message_tries_and_its_answer_opens_the_way() -> None:
    now = [0.0]
    known = Endpoints(clock_s=lambda: now[0])
    hang(known, "a")
    now[0] = FIRST_REST_S
    with known.visit("a", 8.0):
        assert refused_delay(known, "a") >= 8.0
    with known.visit("a", 8.0), known.visit("a", 8.0):
        pass


def test_a_refusal_is_an_answer_and_a_heartbeat_that_gets_through_ends_the_rest() -> None:
    known = Endpoints()
    with pytest.raises(TemporaryError), known.visit("a", 8.0):
        raise TemporaryError("503")
    assert not known.answered("a")
    hang(known, "a")
    assert known.answered("a")
    with known.visit("a", 8.0):
        pass


def test_one_agency_never_takes_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "QUEUE_S", 0.01)
    known, leave = Endpoints(), threading.Event()
    inside = threading.Barrier(PER_AGENCY + 1)

    def stay() -> None:
        with known.visit("a", 8.0):
            inside.wait(10)
            leave.wait(10)

    threads = [threading.Thread(target=stay) for _ in range(PER_AGENCY)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    assert refused_delay(known, "a") > 0
    leave.set()
    for thread in threads:
        thread.join(10)
    assert PER_AGENCY < endpoints.LANES


def hanging(release: threading.Event) -> Callable[[], tuple[int, dict[str, str]]]:
    def answer() -> tuple[int, dict[str, str]]:
        release.wait(60)
        return 202, {}

    return answer


def test_messages_to_one_agency_arrive_while_another_s_endpoint_hangs(
    platform: Platform, police: PoliceSystem, neighbour: PoliceSystem, mailbox: Mailbox
) -> None:
    """Over the relay's own threads: more calls of the hanging agency than it may have threads."""
    other, release, stop = Mailbox(), threading.Event(), threading.Event()
    Agency.objects.filter(code=neighbour.code).update(endpoint_url=other.url)
    mailbox.answer = hanging(release)
    for number in range(PER_AGENCY + 4):
        police.send("VideoRequest", request_body(), call=f"hang-{number}")
    working = [worker for worker in relay.workers() if worker.name in ("relay", "inbox")]
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in working]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(mailbox.got) >= PER_AGENCY)
        neighbour.send("VideoRequest", request_body())
        until(lambda: other.messages("GrantOffer") != [])
        assert not release.is_set()
    finally:
        release.set()
        stop.set()
        for thread in threads:
            thread.join(20)
        other.close()
    assert not any(thread.is_alive() for thread in threads)


def test_a_heartbeat_reaches_the_others_while_one_endpoint_hangs(
    platform: Platform, police: PoliceSystem, neighbour: PoliceSystem, mailbox: Mailbox
) -> None:
    other, release = Mailbox(), threading.Event()
    Agency.objects.filter(code=neighbour.code).update(endpoint_url=other.url)
    mailbox.answer = hanging(release)
    beating = threading.Thread(target=beat_once)
    beating.start()
    until(lambda: other.messages("Heartbeat") != [] and mailbox.got != [])
    release.set()
    beating.join(20)
    assert not beating.is_alive()


def beat_once() -> None:
    try:
        workers.beat_once()
    finally:
        connections.close_all()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
