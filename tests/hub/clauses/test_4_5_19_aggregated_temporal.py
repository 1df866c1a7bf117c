"""Clause 4.5.19, the aggregated temporal representation."""

from __future__ import annotations

import math
from typing import Any

import pytest

from madang.hub.history.periods import Period
from madang.hub.hub import Hub
from tests.hub.clauses.past import (
    AT,
    ID,
    SPEEDS,
    added,
    between,
    listed,
    reading,
    refused,
    told,
    twice,
    vehicle,
    when,
    with_past,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

ALL = "totalCount,distinctCount,sum,avg,min,max,stddev,sumsq"
HOUR = between("12:00", "13:00")


def asked(methods: str, period: str = "", window: str = HOUR) -> str:
    """A query string for aggregates."""
    said = f"{window}&options=aggregatedValues&aggrMethods={methods}"
    return said + (f"&aggrPeriodDuration={period}" if period else "")


def test_every_method_over_numbers(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=[*SPEEDS, reading(100, "12:50")]))
        whole = [when("12:00"), when("13:00")]

        async def check() -> None:
            shown = (await told(client, asked(ALL)))["speed"]
            assert shown.pop("type") == "Property"
            assert shown.keys() == set(ALL.split(","))
            (deviation,) = shown.pop("stddev")
            assert math.isclose(deviation[0], math.sqrt(200))
            assert shown == {
                "totalCount": [[4, *whole]],
                "distinctCount": [[3, *whole]],
                "sum": [[400, *whole]],
                "avg": [[100, *whole]],
                "min": [[80, *whole]],
                "max": [[120, *whole]],
                "sumsq": [[120**2 + 80**2 + 100**2 + 100**2, *whole]],
            }

        await twice(hub, check)

    with_past(open_hub, body)


def test_periods_begin_with_the_time_asked_about(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=list(SPEEDS)))

        async def check() -> None:
            shown = await listed(client, asked("max,avg", "PT4M") + "&type=Vehicle&attrs=speed")
            first, second = [when("12:00"), when("12:04")], [when("12:04"), when("12:08")]
            assert shown == [
                vehicle(
                    speed={
                        "type": "Property",
                        "max": [[120, *first], [100, *second]],
                        "avg": [[120, *first], [90, *second]],
                    }
                )
            ]

        await twice(hub, check)

    with_past(open_hub, body)


PERIODS = [
    ("PT1M", when("12:03"), when("12:04")),
    ("PT1H", when("12:00"), when("13:00")),
    ("P1D", "2018-08-01T00:00:00Z", "2018-08-02T00:00:00Z"),
    ("P1W", "2018-07-30T00:00:00Z", "2018-08-06T00:00:00Z"),
    ("P1M", "2018-08-01T00:00:00Z", "2018-09-01T00:00:00Z"),
    ("P3M", "2018-07-01T00:00:00Z", "2018-10-01T00:00:00Z"),
    ("P1Y", "2018-01-01T00:00:00Z", "2019-01-01T00:00:00Z"),
    ("P9999999D", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
    ("P9999Y", "0001-01-01T00:00:00Z", "9999-12-01T00:00:00Z"),
    ("P0D", when("12:03"), when("12:03")),
    ("PT0S", when("12:03"), when("12:03")),
]


@pytest.mark.parametrize(("period", "begin", "end"), PERIODS)
def test_without_a_beginning_periods_lie_on_utc(open_hub: OpenHub, period: str, begin: str, end: str) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=SPEEDS[0]))

        async def check() -> None:
            window = f"timerel=before&timeAt={when('12:04')}"
            last = when("12:04") if period in ("P0D", "PT0S") else end
            assert (await told(client, asked("min", period, window)))["speed"]["min"] == [[120, begin, last]]
            query = asked("min", period).removeprefix(HOUR + "&")
            assert (await told(client, query))["speed"]["min"] == [[120, begin, end]]

        await twice(hub, check)

    with_past(open_hub, body)


def test_months_keep_the_day_they_begin_with(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        dates = ("2020-01-31T12:00:00Z", "2020-02-28T12:00:00Z", "2020-02-29T12:00:00Z", "2020-03-31T12:00:00Z")
        await added(client, vehicle(speed=[{"type": "Property", "value": 1, "observedAt": one} for one in dates]))
        window = "timerel=after&timeAt=2020-01-31T12:00:00Z"
        assert (await told(client, asked("totalCount", "P1M", window)))["speed"]["totalCount"] == [
            [2, "2020-01-31T12:00:00Z", "2020-02-29T12:00:00Z"],
            [1, "2020-02-29T12:00:00Z", "2020-03-31T12:00:00Z"],
            [1, "2020-03-31T12:00:00Z", "2020-04-30T12:00:00Z"],
        ]

    with_past(open_hub, body)


def test_months_are_counted_once_however_many_attributes_there_are(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    after = Period.after

    def counting(period: Period, start: int, count: int) -> int:
        counted.append(count)
        return after(period, start, count)

    monkeypatch.setattr(Period, "after", counting)

    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle() | {f"a{number}": SPEEDS[0] for number in range(20)})
        window = "timerel=after&timeAt=0001-01-01T00:00:00Z"
        shown = await told(client, asked("max", "P1M", window))
        assert shown["a7"]["max"] == [[120, "2018-08-01T00:00:00Z", "2018-09-01T00:00:00Z"]]
        assert 24_000 < len(counted) < 30_000

    with_past(open_hub, body)


VALUES: list[tuple[list[Any], dict[str, Any]]] = [
    ([True, False, True], {"totalCount": 3, "distinctCount": 2, "sum": 2, "min": 0, "max": 1, "sumsq": 2}),
    (["b", "a", "b"], {"totalCount": 3, "distinctCount": 2, "min": "a", "max": "b"}),
    ([[1], [1, 2, 3]], {"totalCount": 2, "distinctCount": 2, "sum": 4, "avg": 2, "min": 1, "max": 3}),
    ([{"a": 1}, {"a": 1}], {"totalCount": 2, "distinctCount": 1}),
    (["2020-01-01", "2019-01-01"], {"totalCount": 2, "distinctCount": 2, "min": "2019-01-01", "max": "2020-01-01"}),
    (["10:00:00Z", "12:00:00Z"], {"avg": "11:00:00Z", "min": "10:00:00Z", "max": "12:00:00Z", "totalCount": 2}),
    ([1, "a"], {"totalCount": 2, "distinctCount": 2}),
]


@pytest.mark.parametrize(("values", "wanted"), VALUES)
def test_each_kind_of_value_has_its_methods(open_hub: OpenHub, values: list[Any], wanted: dict[str, Any]) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(a=[reading(value, f"12:0{place}") for place, value in enumerate(values)]))

        async def check() -> None:
            shown = (await told(client, asked(ALL)))["a"]
            assert {name: shown[name][0][0] for name in wanted} == wanted
            missing = set(ALL.split(",")) - shown.keys()
            if missing:
                name = min(missing)
                answer = await client.get(f"{AT}/{ID}", asked(name) + "&attrs=a")
                refused(answer, 400, "InvalidRequest")

        await twice(hub, check)

    with_past(open_hub, body)


def test_relationships_are_counted(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        owners = [
            {"type": "Relationship", "object": f"urn:x:{n % 2}", "observedAt": when(f"12:0{n}")} for n in range(3)
        ]
        await added(client, vehicle(owner=owners))

        async def check() -> None:
            whole = [when("12:00"), when("13:00")]
            assert (await told(client, asked("totalCount,distinctCount,avg")))["owner"] == {
                "type": "Relationship",
                "totalCount": [[3, *whole]],
                "distinctCount": [[2, *whole]],
            }

        await twice(hub, check)

    with_past(open_hub, body)


def test_datasets_are_aggregated_apart_and_deletions_left_out(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        left = reading(1, "12:04", datasetId="urn:ngsi-ld:Dataset:left")
        await client.post("/entities", vehicle(speed=[SPEEDS[0], left]))
        await client.send("DELETE", f"/entities/{ID}/attrs/speed", query="deleteAll=true")

        async def check() -> None:
            query = asked("totalCount").replace(
                HOUR, "timerel=after&timeAt=2018-01-01T00:00:00Z&timeproperty=modifiedAt"
            )
            one, other = (await told(client, query))["speed"]
            assert (one["totalCount"][0][0], other["totalCount"][0][0]) == (1, 1)
            assert other["datasetId"] == left["datasetId"]

        await twice(hub, check)

    with_past(open_hub, body)


@pytest.mark.parametrize(
    "query",
    [
        "options=aggregatedValues",
        "options=aggregatedValues&aggrMethods=median",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=1H",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=P",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=PT",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=P1H",
        "options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=P0001-00-00T00:00:00",
    ],
)
def test_what_cannot_be_aggregated_is_refused(open_hub: OpenHub, query: str) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle(speed=SPEEDS[0]))
        refused(await client.get(f"{AT}/{ID}", query), 400, "BadRequestData")

    with_past(open_hub, body)


def test_more_periods_than_an_answer_may_hold_are_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle(speed=list(SPEEDS)))
        query = asked("avg", "PT1M") + "&type=Vehicle"
        refused(await client.get(AT, query), 403, "TooComplexQuery")

    with_past(open_hub, body, history_answer=2)
