"""Subscriptions with several hub processes on one PostgreSQL: matched wherever a change is written, delivered once."""

from __future__ import annotations

import asyncio

import pytest

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from tests.hub.clauses.subscribing import PATIENCE_S, QUICK, client_of, good, receiving, subscription
from tests.hub.client import run, sensor

pytestmark = pytest.mark.integration


def test_a_change_at_one_process_is_told_to_a_subscription_made_at_another_and_once(postgres_database: str) -> None:
    async def test() -> None:
        config = HubConfig(store=postgres_database, **QUICK)
        async with receiving() as receiver:
            first, second = await Hub.open(config), await Hub.open(config)
            try:
                await good(client_of(first).post("/subscriptions", subscription(receiver.uri(), id="urn:x:1")))
                for number in range(20):
                    hub = (first, second)[number % 2]
                    await good(client_of(hub).post("/entityOperations/upsert", [sensor(1, a=number)]))
                await receiver.wait(20)
                await _settled(first)
                assert [one.entity["a"]["value"] for one in receiver.got] == [*range(20)]
                await good(client_of(second).send("DELETE", "/subscriptions/urn:x:1"))
                await good(client_of(first).post("/entityOperations/upsert", [sensor(1, a=99)]))
                await _settled(first)
                assert len(receiver.got) == 20
            finally:
                await first.close()
                await second.close()

    run(test)


def test_when_the_process_that_delivers_ends_another_goes_on(postgres_database: str) -> None:
    async def test() -> None:
        config = HubConfig(store=postgres_database, **QUICK)
        async with receiving() as receiver:
            first, second = await Hub.open(config), await Hub.open(config)
            try:
                await good(client_of(second).post("/subscriptions", subscription(receiver.uri(), id="urn:x:1")))
                await good(client_of(second).post("/entities", sensor(1, a=1)))
                await receiver.wait(1)
                await first.close()
                await good(client_of(second).post("/entities", sensor(2, a=1)))
                await receiver.wait(2)
            finally:
                await second.close()

    run(test)


async def _settled(hub: Hub) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while any(one.pending for one in await hub.subscriptions.health("open")):
            await asyncio.sleep(0.02)
