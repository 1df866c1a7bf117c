"""Aggregates of a long past: what is the same in all of it need not be grouped row by row, and nobody notices."""

from __future__ import annotations

from typing import Any

import pytest

from madang.hub.history import finding
from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, added, between, reading, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

DATASET = "urn:ngsi-ld:Dataset:left"
PASTS: dict[str, list[dict[str, Any]]] = {
    "one attribute of numbers": [
        vehicle(
            "urn:x:1", speed=[reading(5, "12:40"), reading(1, "12:03"), reading(2.5, "12:04"), reading(4, "12:20")]
        ),
        vehicle("urn:x:2", speed=[reading(7, "12:00"), reading(8, "12:59")]),
    ],
    "several attributes": [
        vehicle("urn:x:1", speed=[reading(1, "12:03"), reading(2, "12:20")], fuel=[reading(9, "12:20")]),
        vehicle("urn:x:2", fuel=[reading(3, "12:10")]),
    ],
    "several datasets": [
        vehicle("urn:x:1", speed=[reading(1, "12:03"), reading(2, "12:20", datasetId=DATASET)]),
    ],
    "several forms": [
        vehicle("urn:x:1", speed=[reading(1, "12:03"), reading(True, "12:04")], name=[reading("a", "12:03")]),
        vehicle("urn:x:2", name=[reading(1, "12:03"), reading("b", "12:20")]),
    ],
    "texts": [vehicle("urn:x:1", name=[reading("b", "12:03"), reading("a", "12:04"), reading("c", "12:20")])],
    "several kinds": [
        vehicle("urn:x:1", owner=[{"type": "Relationship", "object": "urn:y:1", "observedAt": "2018-08-01T12:01:00Z"}]),
        vehicle("urn:x:2", owner=[reading("urn:y:1", "12:01"), reading("urn:y:2", "12:21")]),
    ],
    "nothing": [],
}
WINDOWS = [
    between("12:00", "13:00"),
    "timerel=before&timeAt=2018-08-01T13:00:00Z",
    "timerel=after&timeAt=2018-07-31T12:30:00Z",
]


@pytest.mark.parametrize("past", PASTS)
def test_a_long_past_is_told_like_a_short_one(open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch, past: str) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle("urn:x:0", seen=[reading(0, "02:00")]), *PASTS[past])
        await hub.past.roller.roll_all()
        for window in WINDOWS:
            for period in ("", "PT7M", "PT1H", "P1M"):
                for methods in ("avg,min,max,totalCount", "min", "sum,avg,totalCount", "distinctCount"):
                    query = f"{window}&aggrMethods={methods}&aggrPeriodDuration={period}"
                    query += "&type=Vehicle&options=aggregatedValues,sysAttrs"
                    short = await client.get(AT, query)
                    with monkeypatch.context() as patch:
                        patch.setattr(finding, "_LONG", 0)
                        long = await client.get(AT, query)
                    assert (long.status, long.body) == (short.status, short.body)
                    assert short.status == 200

    with_past(open_hub, body)


@pytest.mark.parametrize("long", [0, finding._LONG])
def test_periods_are_told_in_order_of_time(open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch, long: int) -> None:
    monkeypatch.setattr(finding, "_LONG", long)

    async def body(client: Client, hub: Hub) -> None:
        times = ["12:40", "12:03", "12:59", "12:20", "12:31"]
        await added(client, vehicle("urn:x:1", speed=[reading(place, time) for place, time in enumerate(times)]))
        await hub.past.roller.roll_all()
        query = f"{between('12:00', '13:00')}&aggrMethods=sum&aggrPeriodDuration=PT10M&options=aggregatedValues"
        answer = await client.get(AT, query + "&type=Vehicle")
        told = [(value, start[11:16]) for value, start, _ in answer.json[0]["speed"]["sum"]]
        assert told == [(1, "12:00"), (3, "12:20"), (4, "12:30"), (0, "12:40"), (2, "12:50")]

    with_past(open_hub, body)


def test_what_lies_in_no_file_counts_in_a_long_past(open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_LONG", 0)

    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle("urn:x:1", speed=[reading(1, "12:03")]))
        await hub.past.roller.roll_all()
        await added(client, vehicle("urn:x:1", speed=[reading(5, "12:04")], name=[reading("a", "12:04")]))
        query = f"{between('12:00', '13:00')}&aggrMethods=max,totalCount&options=aggregatedValues&type=Vehicle"
        (shown,) = (await client.get(AT, query)).json
        assert shown["speed"]["max"][0][0] == 5
        assert shown["name"]["totalCount"][0][0] == 1

    with_past(open_hub, body)
