"""The ground holds: ids, instants, points, canonical bytes, problems."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.kernel.canonical import canonical_json, parse_json
from madang.kernel.clock import instant_text, parse_instant, seoul_text
from madang.kernel.errors import BadRequestError, ConflictError, TooLargeError
from madang.kernel.geometry import Fault, Point, bearing_deg, destination, distance_m, judge
from madang.kernel.ids import new_id

KOREAN = st.builds(Point, st.floats(124.1, 131.9), st.floats(33.1, 38.9))


def test_ids_are_version_7_and_sort_by_creation() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert all(uuid.UUID(value).version == 7 and uuid.UUID(value).variant == uuid.RFC_4122 for value in made)
    stamps = [value[:18] for value in made]
    assert stamps == sorted(stamps)


@given(KOREAN, st.floats(0, 359.99), st.floats(1, 20_000))
def test_walking_a_bearing_arrives_at_that_distance_and_bearing(start: Point, bearing: float, metres: float) -> None:
    end = destination(start, bearing, metres)
    assert distance_m(start, end) == pytest.approx(metres, rel=1e-6, abs=1e-3)
    turn = (bearing_deg(start, end) - bearing + 180) % 360 - 180
    assert abs(turn) < 0.01


def test_distance_agrees_with_the_geodesic() -> None:
    from pyproj import Geod

    seoul, busan = Point(126.9780, 37.5665), Point(129.0756, 35.1796)
    _, _, geodesic = Geod(ellps="WGS84").inv(seoul.lon, seoul.lat, busan.lon, busan.lat)
    assert distance_m(seoul, busan) == pytest.approx(geodesic, rel=0.005)


@pytest.mark.parametrize(
    ("lon", "lat", "fault"),
    [
        (128.88, 35.23, None),
        (35.23, 128.88, Fault.SWAPPED),
        (0.0, 0.0, Fault.ZERO),
        (None, 35.2, Fault.MISSING),
        (math.nan, 35.2, Fault.NOT_A_NUMBER),
        (139.7, 35.7, Fault.OUTSIDE_KOREA),
        (131.87, 37.24, None),
    ],
)
def test_a_coordinate_is_judged_with_its_reason(lon: float | None, lat: float | None, fault: Fault | None) -> None:
    assert judge(lon, lat) == fault


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 -- hypothesis wants naive bounds
def test_an_instant_survives_its_text_to_the_millisecond(value: datetime) -> None:
    assert abs(parse_instant(instant_text(value)) - value) < timedelta(milliseconds=1)


def test_an_instant_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_instant("2026-11-22T09:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_an_instant_that_leaves_the_calendar_in_utc_is_refused_as_a_value(text: str) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["now", "19026-11-22T17:37:43+00:00", ""])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write e\.g\. 2026"):
        parse_instant(text)


def test_screens_show_korean_time() -> None:
    assert seoul_text(datetime(2026, 11, 22, 15, 30, tzinfo=UTC)) == "2026-11-23 00:30:00"
    assert seoul_text(datetime(2026, 11, 22, 9, tzinfo=timezone(timedelta(hours=9)))) == "2026-11-22 09:00:00"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_canonical_bytes_do_not_depend_on_order(value: dict[str, object]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)
    assert parse_json(canonical_json(value)) == value


def test_hostile_json_is_refused_with_its_place() -> None:
    with pytest.raises(TooLargeError, match="at most 100"):
        parse_json(b"[" + b"1," * 100 + b"1]", max_bytes=100)
    with pytest.raises(BadRequestError, match="deeper than 64"):
        parse_json(b"[" * 10_000 + b"]" * 10_000)
    with pytest.raises(BadRequestError, match="message is not JSON"):
        parse_json(b'{"a": "\xff\xfe"}', where="message")


@given(st.integers(1, 200))
def test_depth_is_counted_outside_strings_only(levels: int) -> None:
    text = orjson.dumps(["[" * levels])
    assert parse_json(text) == ["[" * levels]


def test_a_problem_says_what_where_and_what_to_do() -> None:
    told = ConflictError(
        "changed meanwhile", where="incident 7", hint="Load it again", ko="그사이 바뀌었습니다", version=3
    ).problem()
    assert told["status"] == 409
    assert told["code"] == "conflict"
    assert (told["where"], told["hint"], told["ko"], told["version"]) == (
        "incident 7",
        "Load it again",
        "그사이 바뀌었습니다",
        3,
    )
