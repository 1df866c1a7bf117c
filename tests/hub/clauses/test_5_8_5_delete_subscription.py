"""Clause 5.8.5: deleting a subscription."""

from __future__ import annotations

from tests.hub.clauses.subscribing import QUICK, desk, good, subscription, until
from tests.hub.client import run, sensor
from tests.hub.conftest import OpenClient, OpenHub

ID = "urn:ngsi-ld:Subscription:1"
PATH = f"/subscriptions/{ID}"


def test_it_is_gone_and_cannot_be_deleted_again(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            await good(client.post("/subscriptions", subscription("http://127.0.0.1:9/told", id=ID)))
            answer = await client.send("DELETE", PATH)
            assert (answer.status, answer.body) == (204, b"")
            assert (await client.get(PATH)).status == 404
            answer = await client.send("DELETE", PATH)
            assert (answer.status, answer.problem) == (404, "ResourceNotFound")
            assert (await client.send("DELETE", "/subscriptions/no uri")).status == 400

    run(test)


def test_what_waited_for_it_goes_with_it(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            one.receiver.answers["/told"] = lambda: 503
            await one.subscribe(id=ID)
            for number in range(3):
                await good(one.client.post("/entities", sensor(number, a=1)))
            await one.receiver.wait(1)
            await good(one.client.send("DELETE", PATH))
            sql = "SELECT count(*) FROM notification"
            assert await one.hub.store.read(lambda session: session.execute(sql)) == [(0,)]
            heard = len(one.receiver.got)
            one.receiver.answers.clear()
            await one.told_nothing_until(sensor(9))
            assert len(one.receiver.at("/told")) <= heard + 1
            await until(lambda: one.hub.subscriptions.every("open")[0].id != ID)

    run(test)
