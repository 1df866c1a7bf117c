"""What a signed-in person sees: everything a row's shape depends on, and nothing of who exactly they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from madang.identity.rights import Actor, ActorKind, Right, Role, Thing, may


@dataclass(frozen=True, slots=True)
class Sight:
    """One city seen with some roles; people with equal sights may be sent the same bytes.

    `agency` is empty for city staff and names the agency for people seconded by one.
    """

    authority: str
    roles: frozenset[Role]
    agency: str = ""

    def may(self, right: Right, agency: str = "") -> bool:
        """Whether these roles give `right` over a thing that came from `agency`."""
        nobody = Actor(id="", kind=ActorKind.PERSON, name="", roles={self.authority: self.roles}, agency=self.agency)
        return bool(may(nobody, right, Thing(self.authority, agency=agency, requested_by="-")))

    @property
    def sees_incidents(self) -> bool:
        return self.may(Right.VIEW_INCIDENT, self.agency)

    @property
    def only_agency(self) -> str | None:
        """The one agency whose incidents are visible, or None when every agency's are."""
        return None if self.may(Right.VIEW_INCIDENT, "-") else self.agency


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in person looking at one of their cities. `seat` is their Person row's key."""

    actor: Actor
    authority: str
    seat: str = field(default="")

    @property
    def sight(self) -> Sight:
        roles = self.actor.roles.get(self.authority, frozenset())
        return Sight(self.authority, frozenset(roles), self.actor.agency)
