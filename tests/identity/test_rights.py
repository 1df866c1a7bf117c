"""Every role at every door, against a table written by hand: rights are never derived from the code under test."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.identity.rights import Actor, ActorKind, Deed, Right, Role, Thing, TypeRight, may, system_actor

CITY, OTHER_CITY = "48250", "26440"
POLICE, FIRE = "gimhae-police", "gimhae-fire"

O, S, P, A, C, U, X, D, I = (  # noqa: E741 -- one letter a role keeps the table readable
    Role.OPERATOR,
    Role.SUPERVISOR,
    Role.POLICE_LIAISON,
    Role.AGENCY_SYSTEM,
    Role.CITY_OFFICER,
    Role.AUDITOR,
    Role.ADMINISTRATOR,
    Role.DEVICE,
    Role.API_CLIENT,
)

#                                  O  S  P  A  C  U  X  D  I
TABLE = """
VIEW_INCIDENT                      y  y  y  .  .  .  .  .  .
WORK_INCIDENT                      y  y  .  .  .  .  .  .  .
OPEN_INCIDENT                      y  y  .  y  .  .  .  .  .
SEE_CALLER                         y  y  y  .  .  .  .  .  .
VIEW_MAP                           y  y  y  .  y  .  .  .  .
REQUEST_GRANT                      y  y  y  y  .  .  .  .  .
APPROVE_GRANT                      .  y  y  .  .  .  .  .  .
REVOKE_GRANT                       .  y  .  .  .  .  .  .  .
VIEW_LIVE                          y  y  y  y  .  .  .  .  .
VIEW_PLAYBACK                      .  y  .  .  .  .  .  .  .
MOVE_CAMERA                        .  .  .  .  .  .  .  .  .
EXPORT_VIDEO                       .  y  .  .  .  .  .  .  .
BREAK_GLASS                        y  y  .  .  .  .  .  .  .
REVIEW_BREAK_GLASS                 .  y  .  .  .  y  .  .  .
ASSIGN_ROSTER                      .  y  .  .  .  .  .  .  .
IMPORT_DATA                        .  .  .  .  y  .  y  .  .
MANAGE_CAMERAS                     .  .  .  .  y  .  y  .  .
MANAGE_ACCOUNTS                    .  .  .  .  .  .  y  .  .
MANAGE_AGENCIES                    .  .  .  .  .  .  y  .  .
MANAGE_TOKENS                      .  .  .  .  .  .  y  .  .
EDIT_DECISION_TABLE                .  .  .  .  y  .  .  .  .
PUBLISH_DECISION_TABLE             .  .  .  .  .  .  y  .  .
SEE_DEAD_LETTERS                   .  y  .  .  .  .  y  .  .
RETRY_DEAD_LETTERS                 .  y  .  .  .  .  y  .  .
READ_REGISTER                      .  y  .  .  y  y  .  .  .
PUBLISH_REGISTER                   .  .  .  .  y  .  .  .  .
READ_AUDIT                         .  .  .  .  .  y  .  .  .
REVIEW_ACCESS_LOG                  .  .  .  .  .  y  .  .  .
ANSWER_DISCLOSURE                  .  .  .  .  y  .  .  .  .
EDIT_RETENTION                     .  .  .  .  y  .  y  .  .
ERASE_PERSONAL_DATA                .  .  .  .  .  .  y  .  .
HUB_READ                           y  y  .  .  y  .  y  .  y
HUB_HISTORY                        y  y  .  .  y  .  y  .  y
HUB_CREATE                         .  .  .  .  .  .  y  .  y
HUB_UPDATE                         .  .  .  .  .  .  y  .  y
HUB_DELETE                         .  .  .  .  .  .  y  .  y
HUB_SUBSCRIBE                      .  .  .  .  .  .  y  .  y
HUB_CONTEXTS                       .  .  .  .  .  .  y  .  y
HUB_PARKED                         .  y  .  .  .  .  y  .  y
INGEST                             .  .  .  .  .  .  .  y  .
SEND_SIGNAL                        y  y  .  y  .  .  .  y  y
SHELVE_SIGNALS                     y  y  .  .  .  .  .  .  .
EDIT_RULES                         .  y  .  .  y  .  .  .  .
PUBLISH_RULES                      .  y  .  .  .  .  y  .  .
EDIT_SOP                           .  y  .  .  y  .  .  .  .
KEEP_DUTY                          y  y  .  .  .  .  .  .  .
SEND_MESSAGES                      y  y  .  .  .  .  .  .  .
MANAGE_RECIPIENTS                  .  y  .  .  y  .  y  .  .
VIEW_FACILITIES                    y  y  .  .  y  .  .  .  .
REPORT_FAULT                       y  y  .  .  y  .  .  .  .
MANAGE_FACILITIES                  .  .  .  .  y  .  .  .  .
SEE_EVIDENCE                       y  y  .  .  .  y  .  .  .
LOCK_EVIDENCE                      y  y  .  .  .  .  .  .  .
APPROVE_EXPORT                     .  y  .  .  y  .  .  .  .
REVIEW_INCIDENT                    .  y  .  .  .  .  .  .  .
READ_REVIEWS                       .  y  .  .  y  y  .  .  .
"""
COLUMNS = (O, S, P, A, C, U, X, D, I)


def table() -> dict[tuple[Role, Right], bool]:
    rows = [line.split() for line in TABLE.strip().splitlines()]
    return {
        (role, Right[name]): mark == "y" for name, *marks in rows for role, mark in zip(COLUMNS, marks, strict=True)
    }


EXPECTED = table()
AGENCY_BOUND = {Role.POLICE_LIAISON, Role.AGENCY_SYSTEM}
NEEDS = {
    Right.HUB_READ: "read",
    Right.HUB_HISTORY: "history",
    Right.HUB_CREATE: "create",
    Right.HUB_UPDATE: "update",
    Right.HUB_DELETE: "delete",
    Right.HUB_SUBSCRIBE: "subscribe",
    Right.HUB_CONTEXTS: "contexts",
    Right.HUB_PARKED: "parked",
    Right.INGEST: "create update",
}
NOT_ONES_OWN = {
    Right.APPROVE_GRANT,
    Right.REVIEW_BREAK_GLASS,
    Right.PUBLISH_DECISION_TABLE,
    Right.PUBLISH_RULES,
    Right.APPROVE_EXPORT,
}


def actor(role: Role, *, city: str = CITY, agency: str = "", types: tuple[TypeRight, ...] = ()) -> Actor:
    kind = {Role.DEVICE: ActorKind.TOKEN, Role.API_CLIENT: ActorKind.TOKEN, Role.AGENCY_SYSTEM: ActorKind.AGENCY}
    belongs = agency or (POLICE if role in AGENCY_BOUND else "")
    return Actor("x:1", kind.get(role, ActorKind.PERSON), "누구", {city: frozenset({role})}, belongs, types)


EVERYTHING = (TypeRight("*", frozenset(Deed)),)


def test_the_table_names_every_role_and_every_door() -> None:
    assert set(EXPECTED) == set(itertools.product(Role, Right))


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", list(Role))
def test_every_role_at_every_door_of_its_own_city(role: Role, right: Right) -> None:
    asking = actor(role, types=EVERYTHING)
    thing = Thing(CITY, agency=asking.agency, entity_type="AirQualityObserved", requested_by="person:2")
    assert bool(may(asking, right, thing)) is EXPECTED[role, right]


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", list(Role))
def test_no_role_opens_any_door_of_another_city(role: Role, right: Right) -> None:
    asking = actor(role, types=EVERYTHING)
    verdict = may(asking, right, Thing(OTHER_CITY, agency=asking.agency, entity_type="T"))
    assert verdict.reason == "other_authority"


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("agency", [FIRE, ""])
def test_those_sent_by_an_agency_reach_only_what_came_from_it(role: Role, right: Right, agency: str) -> None:
    asking = actor(role, types=EVERYTHING)
    allowed = bool(may(asking, right, Thing(CITY, agency=agency, entity_type="T", requested_by="person:2")))
    bound = role in AGENCY_BOUND and right is not Right.VIEW_MAP
    assert allowed is (EXPECTED[role, right] and not bound)


@pytest.mark.parametrize("role", sorted(AGENCY_BOUND))
def test_an_agency_role_without_an_agency_reaches_no_incident(role: Role) -> None:
    nowhere = Actor("x:1", ActorKind.PERSON, "누구", {CITY: frozenset({role})})
    assert may(nowhere, Right.VIEW_LIVE, Thing(CITY)).reason == "other_agency"


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", list(Role))
def test_nobody_decides_what_they_asked_for_themselves(role: Role, right: Right) -> None:
    asking = actor(role, types=EVERYTHING)
    mine = Thing(CITY, agency=asking.agency, entity_type="T", requested_by=asking.id)
    assert bool(may(asking, right, mine)) is (EXPECTED[role, right] and right not in NOT_ONES_OWN)


@pytest.mark.parametrize("right", sorted(NEEDS))
@pytest.mark.parametrize("role", [Role.DEVICE, Role.API_CLIENT])
@pytest.mark.parametrize("entity_type", ["T", "*", "Other"])
@given(deeds=st.frozensets(st.sampled_from(Deed)))
def test_a_token_opens_a_type_only_as_it_was_given(
    role: Role, right: Right, entity_type: str, deeds: frozenset[Deed]
) -> None:
    asking = actor(role, types=(TypeRight(entity_type, deeds),))
    opened = entity_type != "Other" and all(need in deeds for need in NEEDS[right].split())
    assert bool(may(asking, right, Thing(CITY, entity_type="T"))) is (EXPECTED[role, right] and opened)


@pytest.mark.parametrize("right", [Right.HUB_CONTEXTS, Right.HUB_PARKED, Right.HUB_SUBSCRIBE])
def test_what_is_of_no_type_needs_a_right_to_every_type(right: Right) -> None:
    whole, one = (TypeRight("*", frozenset(Deed)),), (TypeRight("T", frozenset(Deed)),)
    assert may(actor(Role.API_CLIENT, types=whole), right, Thing(CITY, entity_type="*"))
    assert not may(actor(Role.API_CLIENT, types=one), right, Thing(CITY, entity_type="*"))


@pytest.mark.parametrize("right", list(Right))
def test_the_platform_itself_acts_in_its_one_city_only(right: Right) -> None:
    platform = system_actor(CITY)
    anyone_may = any(EXPECTED[role, right] for role in Role)
    assert bool(may(platform, right, Thing(CITY, entity_type="T", requested_by="person:2"))) is anyone_may
    assert not may(platform, right, Thing(OTHER_CITY, entity_type="T"))


def test_a_role_held_in_one_city_says_nothing_about_another() -> None:
    both = Actor("x", ActorKind.PERSON, "", {CITY: frozenset({Role.OPERATOR}), OTHER_CITY: frozenset({Role.AUDITOR})})
    assert may(both, Right.VIEW_INCIDENT, Thing(CITY))
    assert may(both, Right.VIEW_INCIDENT, Thing(OTHER_CITY)).reason == "role_lacks_right"
    assert may(both, Right.READ_AUDIT, Thing(OTHER_CITY))
    assert both.authorities == {CITY, OTHER_CITY}
