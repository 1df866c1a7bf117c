"""A hub process of its own on a PostgreSQL store. Arguments: the address, what to do, and numbers for it.

`counts WRITERS STEPS NAME`: many writers each add attributes of their own to one entity.
`feeds WRITERS STEPS NAME`: many writers make entities; some hold their transaction open for a while.
`hold NAME`: takes a lease, says so, and holds it until killed.
`wake NAME`: changes an entity and wakes that name once for each line it reads.
Each says one line for each thing acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from functools import partial

from madang.hub import changes as change
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity, read_fragment
from madang.hub.postgres.store import PostgresStore
from madang.hub.store import WriteTx

SHARED = "urn:ngsi-ld:Sensor:shared"


def say(text: str) -> None:
    """One line on standard output, at once."""
    os.write(1, f"{text}\n".encode())


def append(tx: WriteTx, *, label: str, value: int, source: str, bell: str = "") -> change.Outcome:
    """One attribute more on the entity that all share."""
    if bell:
        tx.session.wake(bell)
    return tx.apply("one", change.append(SHARED, read_fragment({label: value}, CORE_CONTEXT)), source)


def create_slowly(tx: WriteTx, *, entity_id: str, source: str) -> None:
    """One entity; one transaction in ten stays open for a while."""
    entity = read_entity({"id": entity_id, "type": "T", "a": 1}, CORE_CONTEXT, simplified=True)
    tx.apply("one", change.create(entity), source)
    if random.random() < 0.1:
        time.sleep(random.uniform(0, 0.03))


async def counts(store: PostgresStore, writers: int, steps: int, name: str) -> None:
    """64 writers on one entity are four of these with 16."""

    async def write(writer: int) -> None:
        for step in range(steps):
            label = f"{name}-{writer}-{step}"
            outcome = await store.write(partial(append, label=label, value=step, source=name))
            assert isinstance(outcome, change.Effect), outcome
            say(label)

    await asyncio.gather(*(write(writer) for writer in range(writers)))


async def feeds(store: PostgresStore, writers: int, steps: int, name: str) -> None:
    """Slow transactions among quick ones."""

    async def write(writer: int) -> None:
        for step in range(steps):
            entity_id = f"urn:x:{name}-{writer}-{step}"
            await store.write(partial(create_slowly, entity_id=entity_id, source=name))
            say(entity_id)

    await asyncio.gather(*(write(writer) for writer in range(writers)))


async def hold(store: PostgresStore, name: str) -> None:
    """Until killed."""
    async with store.lease(name) as lease:
        await lease.acquired()
        say("held")
        await asyncio.Event().wait()


async def wake(store: PostgresStore, name: str) -> None:
    """One change and one wake for each line."""
    say("ready")
    number = 0
    while await asyncio.to_thread(sys.stdin.readline):
        number += 1
        await store.write(partial(append, label="n", value=number, source=name, bell=name))
        say(str(number))


async def main(address: str, task: str, *more: str) -> None:
    """Does one of them."""
    store = await PostgresStore.open(address, HubConfig())
    try:
        if task in ("counts", "feeds"):
            writers, steps, name = int(more[0]), int(more[1]), more[2]
            await (counts if task == "counts" else feeds)(store, writers, steps, name)
        else:
            await (hold if task == "hold" else wake)(store, more[0])
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
