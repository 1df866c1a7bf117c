"""One process relays; another takes over when it is silent or gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta

from madang.journal import lease
from madang.journal.lease import Leadership
from tests.journal.conftest import AnyStore, ManualClock


def leader(store: AnyStore, clock: ManualClock, holder: str) -> Leadership:
    return Leadership(store, clock, lease_s=6, holder=holder)


def test_one_of_two_hosts_relays_and_the_other_takes_over_after_silence(store: AnyStore, clock: ManualClock) -> None:
    one, other = leader(store, clock, "host-a:1:x"), leader(store, clock, "host-b:1:y")
    assert one.held()
    assert not other.held()
    clock.move(5)
    assert one.held()
    clock.move(5)
    assert not other.held()
    clock.move(2)
    assert other.held()
    assert not one.held()


def test_a_leader_that_gives_back_is_followed_at_once(store: AnyStore, clock: ManualClock) -> None:
    one, other = leader(store, clock, "host-a:1:x"), leader(store, clock, "host-b:1:y")
    assert one.held()
    one.give_back()
    assert other.held()


def test_a_leader_that_cannot_renew_stops_by_itself(store: AnyStore, clock: ManualClock) -> None:
    one = leader(store, clock, "host-a:1:x")
    assert one.held()
    with store.transaction() as tx:
        assert not lease.take(tx, name="relay", holder="host-b:1:y", now=clock(), until=clock() + timedelta(seconds=6))
        tx.execute("UPDATE journal_lease SET holder = 'host-b:1:y'")
    clock.move(3)
    assert not one.held()


def test_a_dead_process_of_this_host_is_followed_at_once(store: AnyStore, clock: ManualClock) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = socket.gethostname()
    assert leader(store, clock, f"{host}:{gone.pid}:x").held()
    assert leader(store, clock, f"{host}:{os.getpid()}:y").held()


def test_a_living_process_of_this_host_keeps_its_lease(store: AnyStore, clock: ManualClock) -> None:
    host = socket.gethostname()
    assert leader(store, clock, f"{host}:{os.getppid()}:x").held()
    assert not leader(store, clock, f"{host}:{os.getpid()}:y").held()


def test_an_earlier_life_under_the_same_process_number_is_followed_at_once(store: AnyStore, clock: ManualClock) -> None:
    first, second = lease.new_holder(), lease.new_holder()
    assert first != second
    assert leader(store, clock, first).held()
    assert leader(store, clock, second).held()
