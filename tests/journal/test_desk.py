"""The desk: a person retries a dead letter or gives it up with a reason, and both are on record."""

from __future__ import annotations

import pytest

from madang.journal import audit, desk, timers
from madang.journal.handlers import Handlers
from madang.journal.verify import verify
from madang.kernel.errors import BadRequestError, NotFoundError, PermanentError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY, Counterpart, accept, announce, arrival, courier, firing, intake, value


def dead_delivery(store: AnyStore, clock: ManualClock) -> tuple[Counterpart, desk.Letter]:
    police = Counterpart()
    police.permanent.add("first")
    with store.transaction() as tx:
        announce(tx, "first", clock())
        announce(tx, "second", clock())
    courier(store, clock, police).run_once()
    with store.reading() as tx:
        (letter,) = desk.dead_letters(tx, CITY)
    return police, letter


def test_a_retried_letter_is_delivered_with_what_was_parked_behind_it(
    store: AnyStore, clock: ManualClock, keys: Keyring
) -> None:
    police, letter = dead_delivery(store, clock)
    police.permanent.clear()
    with store.transaction() as tx:
        desk.retry(tx, keys, letter_id=letter.id, authority=CITY, actor="person:1", now=clock())
    work = courier(store, clock, police)
    while work.run_once():
        pass
    assert police.names == ["first", "second"]


def test_a_letter_given_up_lets_the_next_of_its_key_go(store: AnyStore, clock: ManualClock, keys: Keyring) -> None:
    police, letter = dead_delivery(store, clock)
    with store.transaction() as tx:
        desk.give_up(tx, keys, letter_id=letter.id, authority=CITY, actor="person:1", reason="전화로 알림", now=clock())
    courier(store, clock, police).run_once()
    assert police.names == ["second"]
    with store.reading() as tx:
        assert desk.dead_letters(tx, CITY) == []
        assert tx.execute("SELECT actor, action, thing FROM journal_audit") == [
            ("person:1", "journal.given_up", letter.id)
        ]
        _, body = audit.unseal(keys, CITY, 1, bytes(tx.execute("SELECT sealed FROM journal_audit_blob")[0][0]))
        assert "전화로 알림" in body.decode()
        assert verify(tx, keys).ok


def test_giving_up_needs_a_reason(store: AnyStore, clock: ManualClock, keys: Keyring) -> None:
    _, letter = dead_delivery(store, clock)
    with pytest.raises(BadRequestError), store.transaction() as tx:
        desk.give_up(tx, keys, letter_id=letter.id, authority=CITY, actor="person:1", reason=" ", now=clock())


@pytest.mark.parametrize("letter_id", ["delivery:999", "delivery:x", "nothing", "inbox:1", "timer:²"])
def test_what_is_not_a_dead_letter_cannot_be_retried(
    store: AnyStore, clock: ManualClock, keys: Keyring, letter_id: str
) -> None:
    dead_delivery(store, clock)
    with pytest.raises(NotFoundError), store.transaction() as tx:
        desk.retry(tx, keys, letter_id=letter_id, authority=CITY, actor="person:1", now=clock())


def test_another_city_neither_sees_nor_touches_a_letter(store: AnyStore, clock: ManualClock, keys: Keyring) -> None:
    _, letter = dead_delivery(store, clock)
    with store.reading() as tx:
        assert desk.dead_letters(tx, "busan") == []
        assert (desk.count(tx, CITY), desk.count(tx, "busan")) == (1, 0)
    with pytest.raises(NotFoundError), store.transaction() as tx:
        desk.retry(tx, keys, letter_id=letter.id, authority="busan", actor="person:1", now=clock())


def test_arrivals_and_timers_lie_on_the_same_desk(store: AnyStore, clock: ManualClock, keys: Keyring) -> None:
    def never(*_: object) -> None:
        raise PermanentError("it can never be")

    known = Handlers()
    known.on_arrival("call", never)
    known.on_timer("lease", never)
    accept(store, arrival("m1"), clock())
    with store.transaction() as tx:
        timers.set_timer(tx, kind="lease", key="k", due_at=clock(), authority=CITY, mode=Mode.LIVE)
    intake(store, clock, known).run_once()
    firing(store, clock, known).run_once()
    with store.transaction() as tx:
        letters = {letter.origin: letter for letter in desk.dead_letters(tx, CITY)}
        assert set(letters) == {"inbox", "timer"}
        for letter in letters.values():
            desk.give_up(
                tx, keys, letter_id=letter.id, authority=CITY, actor="person:1", reason="no longer needed", now=clock()
            )
        assert desk.dead_letters(tx, CITY) == []
    assert value(store, "SELECT state FROM journal_inbox") == "given_up"
    assert value(store, "SELECT state FROM journal_timer") == "given_up"
