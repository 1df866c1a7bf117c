"""Whatever happens in whatever order: per key nothing is sent out of turn, sent again, reopened or lost."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from madang.journal import desk
from madang.journal.apsw_session import ApswStore
from madang.journal.handlers import Delivery
from madang.kernel.keyring import Keyring
from tests.journal.conftest import ManualClock
from tests.journal.scenes import CITY, RETRY, Counterpart, announce, courier

KEYS = Keyring(
    audit_key=b"\x01" * 32,
    blob_key=b"\x02" * 32,
    lease_private_pem=b"",
    checkpoint_private_pem=b"",
    linkage_private_pem=b"",
    media_secret="",
)


class Receiver(Counterpart):
    """Honours the message id: what it has, it takes again without effect."""

    def deliver(self, delivery: Delivery) -> None:
        known = [other for other in self.got if other.message_id == delivery.message_id]
        super().deliver(delivery)
        if known:
            assert known[0].wire == delivery.wire
            self.got.pop()


class RelayMachine(RuleBasedStateMachine):
    """Announcements about three incidents with two grants each, to a receiver that fails now and then."""

    @initialize()
    def start(self) -> None:
        self.clock = ManualClock()
        self.store = ApswStore(Path(":memory:"))
        self.receiver = Receiver()
        self.courier = courier(self.store, self.clock, self.receiver)
        self.announced: list[tuple[str, str, bool]] = []

    @rule(
        key=st.sampled_from("ABC"), subject=st.sampled_from("12"), ending=st.booleans(), fails=st.sampled_from("  tp")
    )
    def announce(self, key: str, subject: str, ending: bool, fails: str) -> None:
        name = str(len(self.announced))
        topic = "video.grant.ended" if ending else "video.grant.approved"
        with self.store.transaction() as tx:
            announce(tx, name, self.clock(), key=key, topic=topic, ending=ending, subject=subject)
        self.announced.append((key, subject, ending))
        {"t": self.receiver.temporary, "p": self.receiver.permanent}.get(fails, set()).add(name)

    @rule()
    def deliver(self) -> None:
        self.courier.run_once()

    @rule()
    def crash_after_the_network_and_before_the_commit(self) -> None:
        self.courier.fan_out()
        for subscriber in self.courier.handlers.subscribers.values():
            for due in self.courier._due(subscriber, 2):
                self.courier._attempt(due)
        self.courier = courier(self.store, self.clock, self.receiver)

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule()
    def the_receiver_recovers(self) -> None:
        self.receiver.temporary.clear()

    @rule(give_up=st.booleans())
    def somebody_works_at_the_desk(self, give_up: bool) -> None:
        with self.store.transaction() as tx:
            for letter in desk.dead_letters(tx, CITY, 1):
                if give_up:
                    desk.give_up(
                        tx, KEYS, letter_id=letter.id, authority=CITY, actor="p", reason="done", now=self.clock()
                    )
                else:
                    desk.retry(tx, KEYS, letter_id=letter.id, authority=CITY, actor="p", now=self.clock())

    @invariant()
    def nothing_has_its_effect_twice(self) -> None:
        names = self.receiver.names
        assert len(names) == len(set(names))

    @invariant()
    def only_an_ending_overtakes(self) -> None:
        latest: dict[str, int] = defaultdict(lambda: -1)
        for number in map(int, self.receiver.names):
            key, _, ending = self.announced[number]
            if not ending:
                assert number > latest[key]
                latest[key] = number

    @invariant()
    def what_has_ended_is_never_opened_again_by_something_older(self) -> None:
        ended: dict[tuple[str, str], int] = {}
        for number in map(int, self.receiver.names):
            key, subject, ending = self.announced[number]
            assert number > ended.get((key, subject), -1)
            if ending:
                ended[key, subject] = number

    @invariant()
    def the_first_open_message_of_a_key_is_never_parked(self) -> None:
        with self.store.reading() as tx:
            firsts = tx.execute(
                "SELECT state, MIN(seq) FROM journal_delivery WHERE state IN ('waiting', 'parked', 'dead') GROUP BY key"
            )
        assert all(state != "parked" for state, _ in firsts)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        self.receiver.temporary.clear()
        self.receiver.permanent.clear()
        for _ in range(len(self.announced) + 2):
            with self.store.transaction() as tx:
                for letter in desk.dead_letters(tx, CITY):
                    desk.retry(tx, KEYS, letter_id=letter.id, authority=CITY, actor="p", now=self.clock())
            self.clock.now += timedelta(seconds=RETRY.cap_s)
            self.courier.run_once()
        with self.store.reading() as tx:
            states = {row[0] for row in tx.execute("SELECT DISTINCT state FROM journal_delivery")}
            sent = tx.execute("SELECT COUNT(*) FROM journal_delivery WHERE state = 'done'")[0][0]
        assert states <= {"done", "superseded", "given_up"}
        assert sent <= len(self.receiver.got)
        self.only_an_ending_overtakes()
        self.what_has_ended_is_never_opened_again_by_something_older()
        self.store.close()


RelayMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRelayOrder = RelayMachine.TestCase
