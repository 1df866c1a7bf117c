"""The gate of every command."""

import pytest

from madang.identity.access import require
from madang.identity.rights import Actor, ActorKind, Right, Role, Thing
from madang.kernel.errors import ForbiddenError, NotFoundError

OPERATOR = Actor("person:1", ActorKind.PERSON, "김관제", {"48250": frozenset({Role.OPERATOR})})
SUPERVISOR = Actor("person:2", ActorKind.PERSON, "이책임", {"48250": frozenset({Role.SUPERVISOR})})


def test_another_citys_thing_does_not_exist() -> None:
    with pytest.raises(NotFoundError) as caught:
        require(OPERATOR, Right.VIEW_INCIDENT, Thing("26440"))
    assert "26440" not in str(caught.value.problem())


def test_a_refusal_says_why_in_korean_and_names_the_right() -> None:
    with pytest.raises(ForbiddenError) as caught:
        require(OPERATOR, Right.APPROVE_GRANT, Thing("48250"))
    problem = caught.value.problem()
    assert problem["reason"] == "role_lacks_right"
    assert problem["right"] == "approve_grant"
    assert "역할" in problem["ko"]


def test_ones_own_request_is_refused_with_what_to_do() -> None:
    with pytest.raises(ForbiddenError, match="another person"):
        require(SUPERVISOR, Right.APPROVE_GRANT, Thing("48250", requested_by="person:2"))


def test_what_one_may_do_passes_silently() -> None:
    require(OPERATOR, Right.VIEW_INCIDENT, Thing("48250"))
