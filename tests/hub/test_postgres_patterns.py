"""A pattern that PostgreSQL searches by finds what RE2 finds; what it could not find so is refused."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from madang.hub.errors import BadRequestDataError, TooComplexQueryError
from madang.hub.postgres.pattern import scope_patterns, translated
from madang.hub.query import compile_pattern
from madang.hub.scope import in_scope
from tests.hub.postgres_server import Server

pytestmark = pytest.mark.integration

TEXTS = st.text(alphabet="aAbB1_ .-\n가é/", max_size=8)
ATOMS = st.sampled_from(
    [
        r"a",
        r"B",
        r"1",
        r"가",
        r"é",
        r".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        r"\b",
        r"\B",
        r"[ab]",
        r"[^a]",
        r"[a-z1]",
        r"[\d_]",
        r"[[:alpha:]]",
        r"^",
        r"$",
        r"\.",
        r"-",
        r"(a|b)",
        r"(?:1|)",
        r"\x61",
        r"[\]-]",
        r"]",
        r"}",
        r"{",
        r"\A",
        r"\z",
        r"/",
        r"_",
        r"[[]",
    ]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "*?", "{2}"])
PATTERNS = st.tuples(
    st.sampled_from(["", "", "(?i)", "(?s)", "(?is)"]),
    st.lists(st.tuples(ATOMS, REPEATS).map("".join), min_size=1, max_size=5).map("".join),
).map("".join)


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.address(), autocommit=True) as made:
        yield made


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATTERNS, TEXTS)
@example("^Fl.*$", "Floor")
@example("(?i)ÀB", "àb")
@example(r"a.b", "a\nb")
@example(r"\bé", "é")
def test_a_pattern_means_what_it_means_to_re2(connection: psycopg.Connection, pattern: str, text: str) -> None:
    try:
        expected = compile_pattern(pattern)(text) is not None
        spelled = translated(pattern)
    except (BadRequestDataError, TooComplexQueryError):
        return
    assert connection.execute("SELECT %s ~ %s", (text, spelled)).fetchone() == (expected,), spelled


@pytest.mark.parametrize("pattern", [r"\pL", r"(?m)^a", "(?i:a)b", r"[\D]", r"a\Qb\E", "a**", r"\C", "[[:^alpha:]]"])
def test_what_postgresql_cannot_search_by_is_refused(pattern: str) -> None:
    with pytest.raises(TooComplexQueryError):
        translated(pattern)


@pytest.mark.parametrize("query", ["/a", "a/b", "/a/+", "/a/#", "/+/b,/c", "/a.b;/a/#", "/a|/c", "/가/#", "/#"])
@pytest.mark.parametrize("scope", ["/a", "/a/b", "/a/b/c", "/axb", "/a.b", "/가/나", "a", "/c"])
def test_a_scope_query_means_what_it_means_elsewhere(connection: psycopg.Connection, query: str, scope: str) -> None:
    found = any(
        all(connection.execute("SELECT %s ~ %s", (scope, term)).fetchone() == (True,) for term in terms)
        for terms in scope_patterns(query)
    )
    assert found == in_scope(query, scope)
