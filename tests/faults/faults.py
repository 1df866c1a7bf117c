"""The faults, one function each: what is done to a room, and what must hold afterwards.

Each takes a fresh room, does its harm with the room's dice, asserts, and says in a few words what was seen.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, connections

from madang.journal import civic
from madang.kernel.errors import ConflictError, MadangError
from madang.kernel.geometry import destination
from madang.response import commands as response
from madang.response.commands import CallKey, Word
from madang.response.domain import Step
from madang.response.duty import commands as duty
from madang.response.duty import presence
from madang.response.models import Incident, SourceCall, Task, TimelineEntry
from madang.response.signals.intake import Draft, Receipt
from madang.response.signals.models import Event, Shelf, Signal
from madang.video.models import Lease, VideoGrant
from tests.faults.promises import LIVE, Witness
from tests.faults.room import CITY, HALL, SIMULATED, Room, tx


@dataclass(frozen=True)
class Fault:
    """One fault: its name, what is done, what must hold, and how."""

    name: str
    done: str
    holds: str
    run: Callable[[Room], str]


FAULTS: dict[str, Fault] = {}


def fault(done: str, holds: str) -> Callable[[Callable[[Room], str]], Callable[[Room], str]]:
    """Registers a fault under its function's name."""

    def keep(run: Callable[[Room], str]) -> Callable[[Room], str]:
        name = run.__name__.replace("_", " ")
        FAULTS[run.__name__] = Fault(name, done, holds, run)
        return run

    return keep


def call_key(room: Room, key: str) -> CallKey:
    return CallKey(CITY, SIMULATED, "police112", room.agency.code, key)


def opened(room: Room, key: str = "c-1", code: int = 1) -> Incident:
    with tx() as session:
        return response.open_incident(session, room.police, room.call(key, code), room.now)


def live_video() -> int:
    return VideoGrant.objects.filter(state__in=LIVE).count() + Lease.objects.filter(ended_at=None).count()


# ------------------------------------------------------------------------------------------------- order of things


@fault("a call is taken back before the call itself comes", "it opens as cancelled; no camera is ever offered")
def cancel_before_create(room: Room) -> str:
    with tx() as session:
        none = response.cancel_incident(session, room.police, call_key(room, "c-1"), seq=2, reason="오인", now=room.now)
    assert none is None
    room.wait(room.dice.choice((0, 1, 60, 3_600)))
    incident = opened(room)
    assert incident.state == "CANCELLED"
    assert live_video() == 0
    assert not Task.objects.filter(state="open").exists()
    return f"{incident.number} opened as CANCELLED"


@fault(
    "facts of a call come after it was closed, in any order", "it stays closed, what was said is kept, no grant lives"
)
def update_after_close(room: Room) -> str:
    incident = opened(room, code=0)
    assert live_video() > 0
    with tx() as session:
        response.close_call(session, room.police, call_key(room, "c-1"), seq=5, reason="종결", now=room.now)
    for seq in room.dice.sample((3, 4, 6, 7), 4):
        room.wait(1)
        with tx() as session:
            facts = {"text": f"늦은 말 {seq}", "code": seq % 5}
            response.update_incident(session, room.police, call_key(room, "c-1"), seq=seq, facts=facts, now=room.now)
    incident.refresh_from_db()
    assert incident.state == "CLOSED"
    assert live_video() == 0
    assert SourceCall.objects.get(incident=incident).account["facts"]["text"][1] == "늦은 말 7"
    return "closed after four late messages; the newest text is kept"


@fault(
    "the messages of calls come shuffled, three in ten twice",
    "the same call as in order: one incident, same state and facts",
)
def shuffled_and_doubled_calls(room: Room) -> str:
    def story(key: str) -> list[Word]:
        at = call_key(room, key)
        words = [Word(at, 1, {"class": "robbery", "code": 2, "text": "처음"}, request=True)]
        words += [Word(at, n, {"text": f"말 {n}", "code": n % 5}) for n in (2, 3, 4)]
        return [*words, Word(at, 5, {}, ending=Step.CLOSE, reason="끝")]

    def end_of(key: str, words: list[Word]) -> tuple[object, ...]:
        for word in words:
            room.wait(1)
            with tx() as session:
                response.hear(session, room.police, word, room.now)
        rows = Incident.objects.filter(source_key=key)
        assert rows.count() == 1
        row = rows.get()
        account = SourceCall.objects.get(incident=row).account
        return row.state, sorted((name, fact[1]) for name, fact in account["facts"].items() if name != "class")

    wanted = end_of("in-order", story("in-order"))
    for number in range(6):
        words = story(f"c-{number}")
        words += room.dice.sample(words, 2)
        room.dice.shuffle(words)
        assert (
            end_of(f"c-{number}", words) == wanted
            or Incident.objects.get(source_key=f"c-{number}").state == "CANCELLED"
        )
    assert live_video() == 0
    return f"six shuffles end as {wanted[0]}"


@fault(
    "signals come shuffled, three in ten twice, workers killed between groups",
    "each kept once and ends in one place (I7)",
)
def shuffled_and_doubled_signals(room: Room) -> str:
    kinds = ("intrusion", "loitering", "emergency_bell", "motion")
    drafts = [
        room.draft(room.dice.choice(kinds), device=f"D-{n % 17}", at=destination(HALL, 90, 70.0 * (n % 9)))
        for n in range(120)
    ]
    every = drafts + room.dice.sample(drafts, 36)
    room.dice.shuffle(every)
    receipts: Counter[Receipt] = Counter()
    while every:
        size = room.dice.randint(1, 25)
        batch, every = every[:size], every[size:]
        room.wait(room.dice.choice((0, 1, 5)))
        receipts.update(answer.receipt for answer in room.take_in(*batch))
        room.settlement.run_once()
        if room.dice.random() < 0.5:
            room.restart()
    room.settle()
    assert receipts == {Receipt.NEW: 120, Receipt.REPEATED: 36}
    assert not Signal.objects.filter(outcome="").exists()
    ends = Counter(Signal.objects.values_list("outcome", flat=True))
    assert sum(ends.values()) == 120
    return ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))


# ------------------------------------------------------------------------------------------------- people together


def at_once(*works: Callable[[], object]) -> list[object]:
    """All at the same moment, each on a connection of its own; results or refusals in order."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        gate.wait(10)
        try:
            return work()
        except MadangError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@fault(
    "two operators claim one incident in the same moment", "one has it, the other is told so; one line on the timeline"
)
def two_operators_at_once(room: Room) -> str:
    incident = opened(room)

    def claim(who: str) -> Callable[[], object]:
        def work() -> object:
            with civic.transaction() as session:
                return response.claim(session, getattr(room, who), incident.pk, room.now).owner

        return work

    order = room.dice.sample(("kim", "lee"), 2)
    results = at_once(*(claim(who) for who in order))
    refused = [one for one in results if isinstance(one, ConflictError)]
    incident.refresh_from_db()
    assert len(refused) == 1
    assert [one for one in results if isinstance(one, str)] == [incident.owner]
    assert TimelineEntry.objects.filter(incident=incident, kind="claim").count() == 1
    return "one claimed, one was refused"


@fault(
    "a hand-over is accepted and withdrawn in the same moment", "one of both counts; the owner is exactly who it says"
)
def accepted_and_withdrawn_at_once(room: Room) -> str:
    incident = opened(room)
    with tx() as session:
        response.claim(session, room.kim, incident.pk, room.now)
        offer = duty.hand_over(session, room.kim, CITY, room.lee.id, "교대", room.now, mode=SIMULATED)

    def accept() -> object:
        with civic.transaction() as session:
            return duty.accept_handover(session, room.lee, offer.pk, room.now).phase

    def withdraw() -> object:
        with civic.transaction() as session:
            return duty.withdraw_handover(session, room.kim, offer.pk, room.now).phase

    results = at_once(*room.dice.sample((accept, withdraw), 2))
    said = [one for one in results if isinstance(one, str)]
    incident.refresh_from_db()
    assert len(said) == 1
    assert incident.owner == (room.lee.id if said[0] == "accepted" else room.kim.id)
    return f"the offer ended {said[0]}"


@fault(
    "an operator's screen dies while holding urgent claims and tasks",
    "given back in time, with a task that somebody must take (I8)",
)
def operator_crash_holding_a_claim(room: Room) -> str:
    incident = opened(room)
    presence.LOOKOUT.look(room.now, 15)
    presence.seen(room.kim, CITY, room.now)
    with tx() as session:
        response.claim(session, room.kim, incident.pk, room.now)
    room.live(room.dice.choice((20, 30)))
    incident.refresh_from_db()
    assert incident.owner == room.kim.id, "a short silence takes nothing away"
    died = room.now
    while incident.owner and room.now - died < timedelta(minutes=5):
        room.live(5)
        incident.refresh_from_db()
    assert incident.owner == ""
    assert Task.objects.filter(incident=incident, kind="attend", state__in=("open", "escalated")).count() == 1
    return f"given back {round((room.now - died).total_seconds())} s after the last known sign"


@fault(
    "the platform itself is down for an hour while a claim is held", "the operator who is heard again has lost nothing"
)
def platform_down_while_a_claim_is_held(room: Room) -> str:
    incident = opened(room)
    presence.LOOKOUT.look(room.now, 15)
    presence.seen(room.kim, CITY, room.now)
    with tx() as session:
        response.claim(session, room.kim, incident.pk, room.now)
    room.wait(3_600)
    room.restart()
    presence.LOOKOUT.look(room.now, 15)
    room.work()
    room.live(20)
    presence.seen(room.kim, CITY, room.now)
    room.live(30)
    incident.refresh_from_db()
    assert incident.owner == room.kim.id
    return "kept through an hour without a platform"


# ----------------------------------------------------------------------------------------------------------- clocks


@fault(
    "the platform's clock steps ten minutes back and forth while signals come and shelves run",
    "nothing lost or doubled; shelves end",
)
def clock_steps(room: Room) -> str:
    incident = opened(room)
    sent = 0
    for _ in range(10):
        room.wait(room.dice.choice((-600, -60, 5, 60, 600)))
        room.take_in(*(room.draft("loitering", device=f"D-{n}", observed_at=room.now) for n in range(6)))
        sent += 6
        room.settlement.run_once()
        if room.dice.random() < 0.4:
            room.restart()
        room.work()
    room.settle()
    with tx() as session:
        response.claim(session, room.kim, incident.pk, room.now)
        response.close_incident(session, room.kim, incident.pk, "끝", room.now)
    room.wait(7_200)
    room.settle()
    room.work()
    assert Signal.objects.count() == sent
    assert not Signal.objects.filter(outcome="").exists()
    assert not Shelf.objects.filter(ended_at="").exists()
    assert live_video() == 0
    return f"{sent} signals through ten steps"


@fault(
    "devices' clocks are wrong by days, months, in the future",
    "each is kept; none opens in the future or hides a true one",
)
def device_clocks_astray(room: Room) -> str:
    skews = (-86_400 * 400, -86_400, -3_600, 3_600, 86_400, 86_400 * 365)
    drafts = [
        room.draft(
            "fire", device=f"F-{n}", at=destination(HALL, 90, 900.0 * n), observed_at=room.now + timedelta(seconds=skew)
        )
        for n, skew in enumerate(skews)
    ]
    answers = room.take_in(*drafts, room.draft("fire", device="true", at=destination(HALL, 0, 900)))
    room.settle()
    assert {answer.receipt for answer in answers} == {Receipt.NEW}
    true = Signal.objects.get(device="true")
    assert true.outcome == "incident"
    firsts = [datetime.fromisoformat(at) for at in Event.objects.values_list("last_at", flat=True)]
    assert all(at <= room.now + timedelta(minutes=11) for at in firsts), "an event lies in the future"
    ends = Counter(Signal.objects.values_list("outcome", "reason"))
    return ", ".join(f"{count} {reason}" for (_, reason), count in sorted(ends.items()))


# ------------------------------------------------------------------------------------------------------------- disk


@contextmanager
def full_disk() -> Iterator[None]:
    """The store's file may not grow any more; what is in the log is written back first."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1073741823")


@fault(
    "the disk is full while signals are taken in and settled",
    "what was not kept is not acknowledged; all is settled once there is room",
)
def disk_full(room: Room) -> str:
    from django.db import Error

    def batch(size: int) -> list[Draft]:
        return [
            room.draft("loitering", device=f"D-{n}", text="가" * 900, at=destination(HALL, 90, 80.0 * n))
            for n in range(size)
        ]

    kept = [answer.signal_id for answer in room.take_in(*batch(10))]
    refused, acknowledged = 0, 0
    with full_disk():
        for _ in range(room.dice.randint(20, 40)):
            drafts = batch(10)
            try:
                kept += [answer.signal_id for answer in room.take_in(*drafts)]
                acknowledged += 10
            except Error as error:
                assert civic.store.is_outage(error), error
                refused += 10
        try:
            while room.settlement.run_once():
                pass
        except Error as error:
            assert civic.store.is_outage(error), error
    assert refused > 0, "the disk never was full"
    assert set(Signal.objects.values_list("id", flat=True)) == set(kept)
    room.settle()
    assert not Signal.objects.filter(outcome="").exists()
    assert not Signal.objects.filter(reason="fault").exists(), "a full disk is nobody's fault"
    return f"{refused} not acknowledged, {acknowledged + 10} kept and settled"


# ----------------------------------------------------------------------------------------------------- bad input

HANGUL = (
    "가\u1100\u1161\u11a8",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "ㅎㅏㄴㄱㅡㄹ",
    "한\u3164글\uffa0",
    "\ud55c\ud800",
    "김\x00해",
    "가" * 4_001,
    "\u202e해김",
    "🚨".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\udcea\udcb0",
)


@fault(
    "texts with broken, decomposed, halved and endless Hangul",
    "each is refused by name or kept, in one form (NFC); the good beside it is kept",
)
def malformed_hangul(room: Room) -> str:
    import unicodedata

    texts = room.dice.sample(HANGUL, len(HANGUL))
    fields = ("text", "address", "device", "source_id", "media_ref", "class_code")
    chosen: list[dict[str, Any]] = [
        {"device": f"H-{n}", room.dice.choice(fields): text} for n, text in enumerate(texts)
    ]
    drafts = [room.draft(**one) for one in chosen]
    answers = room.take_in(*drafts, room.draft("fire", device="good", text="불이야"))
    room.settle()
    assert answers[-1].receipt is Receipt.NEW
    assert all(answer.reason for answer in answers if answer.receipt is Receipt.REFUSED)
    for text, address in Signal.objects.values_list("text", "address"):
        assert (text, address) == (unicodedata.normalize("NFC", text), unicodedata.normalize("NFC", address))
    assert not Signal.objects.filter(outcome="").exists()
    incident = opened(room)
    said = 0
    for text in texts:
        try:
            with tx() as session:
                response.add_note(session, room.kim, incident.pk, text, room.now)
            said += 1
        except (MadangError, ValueError, TypeError):
            continue
    kept = TimelineEntry.objects.filter(incident=incident, kind="note").count()
    assert kept == said
    counts = Counter(answer.receipt.value for answer in answers)
    return f"signals: {counts['new']} kept, {counts['refused']} refused; notes: {said} kept"


# ----------------------------------------------------------------------------------------------------- too much


@fault(
    "eighty sensors flap for five minutes, and a bell is pressed among them",
    "each is shelved with an end, nobody is flooded, the bell is never hidden",
)
def eighty_flapping_sensors(room: Room) -> str:
    where = [destination(HALL, 360.0 * n / 80, 400 + 30.0 * n) for n in range(80)]
    pressed = room.dice.randrange(10, 50)
    for tick in range(75):
        room.wait(4)
        drafts = [
            room.draft("intrusion", device=f"S-{n}", at=where[n], ending=bool(tick % 2))
            for n in range(80)
            if room.dice.random() < 0.9
        ]
        if tick == pressed:
            drafts.append(room.draft("emergency_bell", source="bell", device="B-1"))
        room.take_in(*drafts)
        room.settle()
    bell = Event.objects.get(source="bell")
    incident = Incident.objects.get(pk=bell.incident_id)
    assert incident.priority <= 1
    assert incident.class_code == "emergency_bell", "the bell was hidden"
    shelved = Shelf.objects.filter(automatic=True).values("device").distinct().count()
    assert shelved == 80, f"{shelved} of 80 are shelved"
    items = Event.objects.exclude(presented_at="").count()
    assert items <= room.config.operator_items + 1
    room.wait(7_200)
    room.work()
    assert not Shelf.objects.filter(ended_at="").exists()
    return f"{shelved} shelved and let go, {items} items shown, the bell its own incident"


@fault(
    "one sender uses an id twice for different reports", "the first stands, an alarm is raised, nothing is overwritten"
)
def one_id_for_two_reports(room: Room) -> str:
    first = room.draft("fire", source_id="x", text="처음")
    answers = room.take_in(first, room.draft("fire", source_id="x", text="나중"))
    assert [answer.receipt for answer in answers] == [Receipt.NEW, Receipt.CONFLICTING]
    assert Signal.objects.get().text == "처음"
    return "refused as conflicting"


# ----------------------------------------------------------------------------------------------------- rules


@fault(
    "a rule is edited and published anew with waits pending",
    "each wait ends once, in the name of the version that answers for it (I10)",
)
def rule_edited_with_timers_pending(room: Room) -> str:
    from tests.faults.ruling import HIGH, ruling

    rules = ruling(room)
    rules.publish(HIGH)
    devices = [f"urn:ngsi-ld:WaterLevel:{n}" for n in range(5)]
    rules.feed(3.0, devices)
    rules.wait(room.dice.choice((5, 30)))
    same = room.dice.random() < 0.5
    edited = HIGH if same else {**HIGH, "when": {**HIGH["when"], "limit": 9.0}}
    rules.publish(edited | {"title_ko": "고친 규칙"})
    rules.wait(600)
    cited = Counter(Signal.objects.filter(source="rule").values_list("device", "rule"))
    if same:
        assert set(cited.values()) == {1} and len(cited) == 5
        assert {rule for _, rule in cited} == {"flood-watch@2"}
    else:
        assert not cited, "a wait of a version no longer in force fired"
    return "carried to the new version, each told once" if same else "cancelled with the version that waited"


@fault(
    "rules that set themselves or each other off",
    "found before they run; one that got in anyway is not heard by itself",
)
def rule_loop(room: Room) -> str:
    from tests.faults.ruling import SELF, ruling

    rules = ruling(room)
    assert "loop" in rules.findings(SELF)
    try:
        rules.publish(SELF, "loop")
    except MadangError:
        pass
    else:
        raise AssertionError("a rule that sets itself off was published")
    rules.force(SELF, "loop")
    room.take_in(room.draft("flood", device="R-1"))
    for _ in range(20):
        room.wait(1)
        rules.follow()
        room.settle()
    made = Signal.objects.filter(source="rule").count()
    assert made <= 1, f"{made} signals in 20 s"
    return f"refused; slipped in by hand it spoke {made} time(s) in twenty rounds"


# ----------------------------------------------------------------------------------------------------- cameras


@fault(
    "a camera stands still on one picture while its stream goes on",
    "found within its patience, told once, the site is out of order; well again when it moves",
)
def camera_frozen_on_one_picture(room: Room) -> str:
    from madang.facilities.commands import FacilityRow, put_facilities
    from madang.facilities.models import Outage
    from madang.video.commands.sites import sealed_stream
    from madang.video.config import VideoConfig
    from madang.video.models import Camera
    from madang.video.sweep import Sweep
    from tests.video.test_health_looks import looked, marks

    camera = Camera.objects.get(pk=room.cameras[0])
    camera.stream_sealed = sealed_stream("http://127.0.0.1/cam/1.ts", camera.site_id, camera.number)
    camera.health, camera.health_fault, camera.may_look = "unknown", "", True
    camera.save()
    with tx() as session:
        row = FacilityRow("cctv", camera.site.source_key, name="시험", lon=HALL.lon, lat=HALL.lat)
        put_facilities(session, CITY, [row], room.now, SIMULATED)
    sweep = Sweep(VideoConfig(health_every_s=60, health_per_minute=600))
    sweep.due(room.now)
    picture = room.dice.randrange(1, 50)
    frozen_at = room.now
    while room.now - frozen_at < timedelta(minutes=20):
        sweep.take(looked(camera, marks(picture), marks(picture)), room.now)
        room.wait(60)
        camera.refresh_from_db()
        if camera.health_fault == "frozen":
            break
    assert (camera.health, camera.health_fault) == ("degraded", "frozen")
    took = room.now - frozen_at
    room.work()
    assert Outage.objects.filter(facility__source_key=camera.site.source_key).count() <= 1
    for moment in range(12):
        sweep.take(looked(camera, marks(100 + moment), marks(200 + moment)), room.now)
        room.wait(60)
        room.work()
    camera.refresh_from_db()
    assert camera.health == "ok"
    return f"found after {round(took.total_seconds())} s, well again afterwards"


def run(fault_name: str, room: Room) -> str:
    """Does one fault and looks at every promise afterwards."""
    try:
        said = FAULTS[fault_name].run(room)
        Witness().look(room.now, steady=fault_name != "clock_steps")
    finally:
        room.leave()
    return said
