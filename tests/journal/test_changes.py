"""The change feed only grows, and shows nothing that a slower writer may still precede."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from madang.journal import changes
from madang.journal.django_session import DjangoStore
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY


def touch(store: AnyStore, ref: str, clock: ManualClock) -> None:
    with store.transaction() as tx:
        changes.touch(tx, kind="incident", ref=ref, authority=CITY, now=clock())


def test_the_feed_gives_what_came_after_a_number_in_order(store: AnyStore, clock: ManualClock) -> None:
    for ref in ("a", "b", "c"):
        touch(store, ref, clock)
    with store.reading() as tx:
        found = changes.changes_after(tx, 0)
        assert [change.ref for change in found] == ["a", "b", "c"]
        assert [change.seq for change in found] == sorted({change.seq for change in found})
        assert [change.ref for change in changes.changes_after(tx, found[0].seq, 1)] == ["b"]
        assert changes.latest(tx) == found[-1].seq
        assert changes.changes_after(tx, changes.latest(tx)) == []
        assert (found[0].authority, found[0].at) == (CITY, clock())


def test_an_empty_feed_starts_at_nothing(store: AnyStore) -> None:
    with store.reading() as tx:
        assert (changes.latest(tx), changes.oldest(tx)) == (0, 0)


def test_old_changes_go_and_the_greatest_number_never_falls_back(store: AnyStore, clock: ManualClock) -> None:
    for ref in ("a", "b"):
        touch(store, ref, clock)
    with store.transaction() as tx:
        before = changes.latest(tx)
        changes.purge_changes(tx, clock() + timedelta(days=9))
        assert (changes.latest(tx), changes.oldest(tx)) == (before, before)
    touch(store, "c", clock)
    with store.reading() as tx:
        assert changes.latest(tx) == before + 1


def test_a_commit_wakes_who_waits_and_a_rollback_does_not(store: AnyStore, clock: ManualClock) -> None:
    signal = store.wakeups.signal("changes")
    woken = threading.Event()
    remove = signal.add_listener(woken.set)
    seen = signal.count
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        changes.touch(tx, kind="incident", ref="a", authority=CITY, now=clock())
        raise ZeroDivisionError
    assert not woken.is_set()
    assert not signal.wait(0, since=seen)
    touch(store, "a", clock)
    assert woken.is_set()
    assert signal.wait(0, since=seen)
    remove()
    woken.clear()
    touch(store, "b", clock)
    assert not woken.is_set()


def test_an_inner_transaction_wakes_only_with_the_outer_commit(store: AnyStore, clock: ManualClock) -> None:
    signal = store.wakeups.signal("changes")
    seen = signal.count
    with store.transaction():
        touch(store, "a", clock)
        assert not signal.wait(0, since=seen)
    assert signal.wait(0, since=seen)


@pytest.mark.integration
def test_on_postgresql_a_slower_writer_never_precedes_what_was_shown(
    postgresql: DjangoStore, clock: ManualClock
) -> None:
    from tests.journal import stores

    stores.empty(postgresql)
    slow_has_written, fast_is_done, may_commit = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        with postgresql.transaction() as tx:
            changes.touch(tx, kind="incident", ref="slow", authority=CITY, now=clock())
            slow_has_written.set()
            may_commit.wait(10)
        postgresql.close_thread()

    def fast() -> None:
        touch(postgresql, "fast", clock)
        fast_is_done.set()
        postgresql.close_thread()

    threads = [threading.Thread(target=slow), threading.Thread(target=fast)]
    threads[0].start()
    assert slow_has_written.wait(10)
    threads[1].start()
    assert not fast_is_done.wait(0.3)
    with postgresql.reading() as tx:
        assert changes.changes_after(tx, 0) == []
    may_commit.set()
    for thread in threads:
        thread.join(10)
    with postgresql.reading() as tx:
        assert [change.ref for change in changes.changes_after(tx, 0)] == ["slow", "fast"]
