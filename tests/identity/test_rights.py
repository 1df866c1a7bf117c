"""Every role at every door, against a table written by hand: rights are never derived from the code under test."""

from __future__ import annotations

import itertools

import pytest

from madang.identity.rights import Actor, ActorKind, Right, Role, Thing, TypeRight, may, system_actor

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
VIEW_PLAYBACK                      .  .  .  .  .  .  .  .  .
MOVE_CAMERA                        .  .  .  .  .  .  .  .  .
EXPORT_VIDEO                       .  .  .  .  .  .  .  .  .
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
HUB_WRITE                          .  .  .  .  .  .  y  .  y
INGEST                             .  .  .  .  .  .  .  y  .
"""
COLUMNS = (O, S, P, A, C, U, X, D, I)


def table() -> dict[tuple[Role, Right], bool]:
    rows = [line.split() for line in TABLE.strip().splitlines()]
    return {
        (role, Right[name]): mark == "y" for name, *marks in rows for role, mark in zip(COLUMNS, marks, strict=True)
    }


EXPECTED = table()
AGENCY_BOUND = {Role.POLICE_LIAISON, Role.AGENCY_SYSTEM}
TYPED = {Right.HUB_READ, Right.HUB_WRITE, Right.INGEST}
NOT_ONES_OWN = {Right.APPROVE_GRANT, Right.REVIEW_BREAK_GLASS, Right.PUBLISH_DECISION_TABLE}


def actor(role: Role, *, city: str = CITY, agency: str = "", types: tuple[TypeRight, ...] = ()) -> Actor:
    kind = {Role.DEVICE: ActorKind.TOKEN, Role.API_CLIENT: ActorKind.TOKEN, Role.AGENCY_SYSTEM: ActorKind.AGENCY}
    belongs = agency or (POLICE if role in AGENCY_BOUND else "")
    return Actor("x:1", kind.get(role, ActorKind.PERSON), "누구", {city: frozenset({role})}, belongs, types)


EVERYTHING = (TypeRight("*", read=True, write=True),)


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


@pytest.mark.parametrize("right", sorted(TYPED))
@pytest.mark.parametrize("role", [Role.DEVICE, Role.API_CLIENT])
@pytest.mark.parametrize(
    ("rule", "reads", "writes"),
    [
        ((), False, False),
        ((TypeRight("Other", read=True, write=True),), False, False),
        ((TypeRight("T", read=True),), True, False),
        ((TypeRight("T", write=True),), False, True),
        ((TypeRight("T", read=True, write=True),), True, True),
        ((TypeRight("*", read=True),), True, False),
    ],
)
def test_a_token_opens_a_type_only_as_it_was_given(
    role: Role, right: Right, rule: tuple[TypeRight, ...], reads: bool, writes: bool
) -> None:
    allowed = bool(may(actor(role, types=rule), right, Thing(CITY, entity_type="T")))
    opened = reads if right is Right.HUB_READ else writes
    assert allowed is (EXPECTED[role, right] and opened)


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
