"""Clause 4.5.5: instances of an attribute are told apart by datasetId, and may be asked for by it."""

from __future__ import annotations

from tests.hub.clauses.reading import ask, entity, fill, got, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
GPS, WHEEL = urn("dataset:gps"), urn("dataset:wheel")
SPEEDS = [
    {"type": "Property", "value": 1},
    {"type": "Property", "value": 2, "datasetId": GPS},
    {"type": "Property", "value": 3, "datasetId": WHEEL},
]


def test_only_instances_of_the_datasets_asked_for_are_shown(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", speed=SPEEDS, name="가야"))
        assert await got(client, ID, datasetId=GPS) == entity("Bus:1", speed=SPEEDS[1])
        assert await got(client, ID, datasetId="@none") == entity("Bus:1", speed=SPEEDS[0], name="가야")
        assert await got(client, ID, datasetId=f"@none,{WHEEL}") == entity(
            "Bus:1", speed=[SPEEDS[0], SPEEDS[2]], name="가야"
        )
        assert await got(client, "/entities", type="Bus", datasetId=GPS) == [entity("Bus:1", speed=SPEEDS[1])]
        assert await got(client, ID, datasetId=urn("dataset:none")) == entity("Bus:1")
        assert await got(client, ID, datasetId=f"{GPS},{WHEEL}", format="simplified") == {
            "id": urn("Bus:1"),
            "type": "Bus",
            "speed": {"dataset": {GPS: 2, WHEEL: 3}},
        }

    with_client(open_client, body)


def test_what_is_no_dataset_is_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", speed=SPEEDS))
        refused(await ask(client, ID, datasetId="gps"), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Bus", datasetId="gps"), 400, "BadRequestData")

    with_client(open_client, body)


def test_any_instance_may_meet_a_query(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", speed=SPEEDS), entity("Bus:2", speed=4))
        for q, count in (("speed==2", 1), ("speed>3", 1), ("speed>=3", 2), ("speed==9", 0)):
            assert len(await got(client, "/entities", type="Bus", q=q)) == count

    with_client(open_client, body)
