"""Arrays reach PostgreSQL as they were given."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.hub.postgres.address import connect
from madang.hub.postgres.arrays import blobs, documents, floats, integers, texts
from tests.hub.postgres_server import Server

pytestmark = pytest.mark.integration

NOTHING = st.none()
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


def lists(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """Lists of many values, of one over and over, and of some with nothing between."""
    over_and_over = st.builds(lambda value, count: [value] * count, values, st.integers(0, 5))
    return st.one_of(st.lists(values), over_and_over, st.lists(values | NOTHING))


@settings(max_examples=60, deadline=None)
@given(lists(NUMBERS), lists(FLOATS), lists(TEXTS), lists(st.binary(max_size=5)), lists(NUMBERS | st.booleans()))
def test_every_array_comes_back_as_it_was_sent(
    postgres: Server,
    whole: list[int | None],
    broken: list[float | None],
    said: list[str | None],
    raw: list[bytes | None],
    documented: list[int | None],
) -> None:
    bodies = [None if one is None else str(one).lower().encode() for one in documented]
    arrays = (integers(whole), floats(broken), texts(said), blobs(raw), documents(bodies))
    with connect(postgres.address()) as connection:
        row = connection.execute("SELECT %s, %s, %s, %s, %s", arrays, binary=True).fetchone()
    assert row == (whole, broken, said, raw, documented)
