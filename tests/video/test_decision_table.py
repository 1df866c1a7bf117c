"""The decision table answers every situation once, and says where it would not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ForbiddenError
from madang.video.commands import draft_table, publish_table
from madang.video.commands.tables import current
from madang.video.decision_table import Fact, Outcome, Policy, Table, TableError, check, rows_from, rule_on
from madang.video.legal import LegalBasis
from madang.video.models import DecisionTable
from madang.video.seed import DOCUMENTED_CLASSES, SEED_ROWS, VIOLENT_CLASSES
from tests.conftest import MakePerson
from tests.video.conftest import NOW

SEED = Table("video-grant@1", rows_from(SEED_ROWS))


def row(name: str, outcome: str = "ask", **when: object) -> dict[str, Any]:  # Any: JSON members
    return {"name": name, "when": when, "outcome": outcome}


def test_the_seed_has_no_gap_and_no_row_that_can_never_answer() -> None:
    assert check(SEED) == []
    assert len(VIOLENT_CLASSES) == 7
    assert set(DOCUMENTED_CLASSES) == {"abduction", "robbery", "assault"}


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"agency_kind": "police", "basis": "pipa_18_2_3", "crime_class": "robbery", "code": 0}, Outcome.APPROVE),
        ({"agency_kind": "police", "basis": "pipa_18_2_7", "crime_class": "abduction", "code": 1}, Outcome.APPROVE),
        ({"agency_kind": "police", "basis": "pipa_18_2_3", "crime_class": "robbery", "code": 2}, Outcome.ASK),
        ({"agency_kind": "police", "basis": "pipa_18_2_3", "crime_class": "소음", "code": 0}, Outcome.ASK),
        ({"agency_kind": "police", "basis": "pipa_18_2_3", "crime_class": "robbery"}, Outcome.ASK),
        ({"agency_kind": "fire", "basis": "pipa_18_2_3", "crime_class": "robbery", "code": 0}, Outcome.ASK),
        ({"agency_kind": "police", "basis": "city_duty", "crime_class": "robbery", "code": 0}, Outcome.DENY),
        ({"agency_kind": "police", "basis": "", "crime_class": "robbery", "code": 0}, Outcome.DENY),
        ({"agency_kind": "control_room", "basis": "pipa_18_2_3"}, Outcome.APPROVE),
        ({"agency_kind": "control_room", "basis": "curiosity"}, Outcome.DENY),
        ({}, Outcome.DENY),
    ],
)
def test_the_seed_answers_as_it_reads(facts: dict[str, Fact], outcome: Outcome) -> None:
    assert rule_on(SEED, facts).outcome is outcome


@given(
    st.dictionaries(
        st.sampled_from(["agency_kind", "crime_class", "mode", "code", "hour"]),
        st.one_of(st.text(max_size=8), st.integers(-5, 30)),
    )
)
def test_nothing_is_approved_without_a_known_basis(facts: dict[str, Fact]) -> None:
    assert rule_on(SEED, facts).outcome is Outcome.DENY
    assert rule_on(SEED, {**facts, "basis": "no such law"}).outcome is Outcome.DENY


def test_a_gap_is_found_with_an_example() -> None:
    table = Table("t", rows_from([row("low", code={"max": 1}), row("high", code={"min": 3, "max": 4})]))
    gaps = [finding for finding in check(table) if finding.kind == "gap"]
    assert [dict(gap.example or {})["code"] for gap in gaps] == [2, "\x00other"]


def test_an_overlap_is_found_where_only_one_row_may_answer() -> None:
    rows = rows_from([row("a", basis=["x", "y"]), row("b", basis=["y"]), row("rest", basis={"not": ["x", "y"]})])
    assert check(Table("t", rows, Policy.FIRST)) == [f for f in check(Table("t", rows)) if f.kind == "unreachable"]
    overlaps = [finding for finding in check(Table("t", rows, Policy.UNIQUE)) if finding.kind == "overlap"]
    assert [(finding.rows, dict(finding.example or {})) for finding in overlaps] == [(("a", "b"), {"basis": "y"})]


def test_a_row_hidden_by_those_above_is_found() -> None:
    rows = rows_from([row("all"), row("never", code={"max": 0})])
    assert [finding.rows for finding in check(Table("t", rows)) if finding.kind == "unreachable"] == [("never",)]


@given(code=st.integers(0, 4), basis=st.sampled_from([*(b.value for b in LegalBasis), "?"]), kind=st.text(max_size=3))
def test_where_the_check_finds_no_gap_every_situation_has_its_row(code: int, basis: str, kind: str) -> None:
    ruling = rule_on(SEED, {"code": code, "basis": basis, "agency_kind": kind})
    assert not ruling.rule.endswith(("no_row", "several_rows"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "at least one row"),
        ([{"name": "a"}], "outcome"),
        ([row("a", weather=["rain"])], "unknown field weather"),
        ([row("a", code=["1"])], "min"),
        ([row("a", code={"min": 3, "max": 1})], "min above max"),
        ([row("a", basis="x")], "list of texts"),
        ([row("a"), row("a")], "must differ"),
        ([{**row("a"), "rights": ["audio"]}], "rights"),
        ([{**row("a"), "duration_s": 0}], "above 0"),
        ([{**row("a"), "colour": 1}], "unknown members"),
        ("rows", "at least one row"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(rows: object, says: str) -> None:
    with pytest.raises(TableError, match=says):
        rows_from(rows)


def test_a_draft_is_published_by_a_second_person_and_retires_the_old_version(
    authority: Authority, make_person: MakePerson
) -> None:
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    admin = actor_of_person(make_person(Role.ADMINISTRATOR))
    with civic.transaction() as tx:
        assert current(tx, authority.code, NOW).name == "video-grant@1"
        draft = draft_table(tx, officer, authority.code, [row("only-ask")], "시험", NOW)
        with pytest.raises(ForbiddenError):
            publish_table(tx, officer, draft.pk, NOW)
        publish_table(tx, admin, draft.pk, NOW)
        assert current(tx, authority.code, NOW).name == "video-grant@2"
    assert list(DecisionTable.objects.order_by("version").values_list("state", flat=True)) == ["retired", "published"]


def test_a_table_with_a_gap_is_not_published(authority: Authority, make_person: MakePerson) -> None:
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    admin = actor_of_person(make_person(Role.ADMINISTRATOR))
    with civic.transaction() as tx:
        draft = draft_table(tx, officer, authority.code, [row("partial", code={"max": 1})], "", NOW)
        with pytest.raises(BadRequestError) as refused:
            publish_table(tx, admin, draft.pk, NOW)
    assert refused.value.data["faults"][0]["kind"] == "gap"
    DecisionTable.objects.get(pk=draft.pk, state="draft")


def test_one_person_with_both_roles_cannot_publish_their_own_draft(
    authority: Authority, make_person: MakePerson
) -> None:
    both: Actor = actor_of_person(make_person(Role.CITY_OFFICER))
    both = type(both)(
        both.id, both.kind, both.name, {authority.code: frozenset({Role.CITY_OFFICER, Role.ADMINISTRATOR})}
    )
    with civic.transaction() as tx:
        draft = draft_table(tx, both, authority.code, [row("all")], "", NOW)
        with pytest.raises(ForbiddenError):
            publish_table(tx, both, draft.pk, NOW)
