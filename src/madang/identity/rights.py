"""Who may do what to which thing, decided in one place. Pure: the hub uses it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """The roles a person or system can hold in one authority (city)."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    POLICE_LIAISON = "police_liaison"
    AGENCY_SYSTEM = "agency_system"
    CITY_OFFICER = "city_officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    DEVICE = "device"
    API_CLIENT = "api_client"


class Right(StrEnum):
    """Every door of the platform."""

    VIEW_INCIDENT = "view_incident"
    WORK_INCIDENT = "work_incident"
    OPEN_INCIDENT = "open_incident"
    SEE_CALLER = "see_caller"
    VIEW_MAP = "view_map"
    REQUEST_GRANT = "request_grant"
    APPROVE_GRANT = "approve_grant"
    REVOKE_GRANT = "revoke_grant"
    VIEW_LIVE = "view_live"
    VIEW_PLAYBACK = "view_playback"
    MOVE_CAMERA = "move_camera"
    EXPORT_VIDEO = "export_video"
    BREAK_GLASS = "break_glass"
    REVIEW_BREAK_GLASS = "review_break_glass"
    ASSIGN_ROSTER = "assign_roster"
    IMPORT_DATA = "import_data"
    MANAGE_CAMERAS = "manage_cameras"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_AGENCIES = "manage_agencies"
    MANAGE_TOKENS = "manage_tokens"
    EDIT_DECISION_TABLE = "edit_decision_table"
    PUBLISH_DECISION_TABLE = "publish_decision_table"
    SEE_DEAD_LETTERS = "see_dead_letters"
    RETRY_DEAD_LETTERS = "retry_dead_letters"
    READ_REGISTER = "read_register"
    PUBLISH_REGISTER = "publish_register"
    READ_AUDIT = "read_audit"
    REVIEW_ACCESS_LOG = "review_access_log"
    ANSWER_DISCLOSURE = "answer_disclosure"
    EDIT_RETENTION = "edit_retention"
    ERASE_PERSONAL_DATA = "erase_personal_data"
    HUB_READ = "hub_read"
    HUB_HISTORY = "hub_history"
    HUB_CREATE = "hub_create"
    HUB_UPDATE = "hub_update"
    HUB_DELETE = "hub_delete"
    HUB_SUBSCRIBE = "hub_subscribe"
    HUB_CONTEXTS = "hub_contexts"
    HUB_PARKED = "hub_parked"
    INGEST = "ingest"
    SEND_SIGNAL = "send_signal"
    SHELVE_SIGNALS = "shelve_signals"
    EDIT_RULES = "edit_rules"
    PUBLISH_RULES = "publish_rules"
    EDIT_SOP = "edit_sop"
    KEEP_DUTY = "keep_duty"
    SEND_MESSAGES = "send_messages"
    MANAGE_RECIPIENTS = "manage_recipients"
    VIEW_FACILITIES = "view_facilities"
    REPORT_FAULT = "report_fault"
    MANAGE_FACILITIES = "manage_facilities"
    SEE_EVIDENCE = "see_evidence"
    LOCK_EVIDENCE = "lock_evidence"
    APPROVE_EXPORT = "approve_export"
    REVIEW_INCIDENT = "review_incident"
    READ_REVIEWS = "read_reviews"


_R = Right
_HUB_SEEN = frozenset({_R.HUB_READ, _R.HUB_HISTORY})
_HUB_WHOLE = _HUB_SEEN | {
    _R.HUB_CREATE,
    _R.HUB_UPDATE,
    _R.HUB_DELETE,
    _R.HUB_SUBSCRIBE,
    _R.HUB_CONTEXTS,
    _R.HUB_PARKED,
}
_ROOM_WORK = frozenset(
    {
        _R.SEND_SIGNAL,
        _R.SHELVE_SIGNALS,
        _R.KEEP_DUTY,
        _R.SEND_MESSAGES,
        _R.VIEW_FACILITIES,
        _R.REPORT_FAULT,
        _R.SEE_EVIDENCE,
        _R.LOCK_EVIDENCE,
    }
)
"""What everybody at a desk of the control room does."""
ROLE_RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.OPERATOR: frozenset(
            {
                _R.VIEW_INCIDENT,
                _R.WORK_INCIDENT,
                _R.OPEN_INCIDENT,
                _R.SEE_CALLER,
                _R.VIEW_MAP,
                _R.REQUEST_GRANT,
                _R.VIEW_LIVE,
                _R.BREAK_GLASS,
                *_ROOM_WORK,
                *_HUB_SEEN,
            }
        ),
        Role.SUPERVISOR: frozenset(
            {
                _R.VIEW_INCIDENT,
                _R.WORK_INCIDENT,
                _R.OPEN_INCIDENT,
                _R.SEE_CALLER,
                _R.VIEW_MAP,
                _R.REQUEST_GRANT,
                _R.APPROVE_GRANT,
                _R.REVOKE_GRANT,
                _R.VIEW_LIVE,
                _R.BREAK_GLASS,
                _R.REVIEW_BREAK_GLASS,
                _R.ASSIGN_ROSTER,
                _R.SEE_DEAD_LETTERS,
                _R.RETRY_DEAD_LETTERS,
                _R.READ_REGISTER,
                _R.HUB_PARKED,
                *_ROOM_WORK,
                _R.VIEW_PLAYBACK,
                _R.EXPORT_VIDEO,
                _R.APPROVE_EXPORT,
                _R.EDIT_RULES,
                _R.PUBLISH_RULES,
                _R.EDIT_SOP,
                _R.MANAGE_RECIPIENTS,
                _R.REVIEW_INCIDENT,
                _R.READ_REVIEWS,
                *_HUB_SEEN,
            }
        ),
        Role.POLICE_LIAISON: frozenset(
            {_R.VIEW_INCIDENT, _R.SEE_CALLER, _R.VIEW_MAP, _R.REQUEST_GRANT, _R.APPROVE_GRANT, _R.VIEW_LIVE}
        ),
        Role.AGENCY_SYSTEM: frozenset({_R.SEND_SIGNAL, _R.OPEN_INCIDENT, _R.REQUEST_GRANT, _R.VIEW_LIVE}),
        Role.CITY_OFFICER: frozenset(
            {
                _R.VIEW_MAP,
                _R.IMPORT_DATA,
                _R.MANAGE_CAMERAS,
                _R.READ_REGISTER,
                _R.PUBLISH_REGISTER,
                _R.ANSWER_DISCLOSURE,
                _R.EDIT_DECISION_TABLE,
                _R.EDIT_RETENTION,
                _R.EDIT_RULES,
                _R.EDIT_SOP,
                _R.MANAGE_RECIPIENTS,
                _R.VIEW_FACILITIES,
                _R.REPORT_FAULT,
                _R.MANAGE_FACILITIES,
                _R.APPROVE_EXPORT,
                _R.READ_REVIEWS,
                *_HUB_SEEN,
            }
        ),
        Role.AUDITOR: frozenset(
            {
                _R.READ_REVIEWS,
                _R.SEE_EVIDENCE,
                _R.READ_REGISTER,
                _R.READ_AUDIT,
                _R.REVIEW_ACCESS_LOG,
                _R.REVIEW_BREAK_GLASS,
            }
        ),
        Role.ADMINISTRATOR: frozenset(
            {
                _R.MANAGE_ACCOUNTS,
                _R.MANAGE_AGENCIES,
                _R.MANAGE_TOKENS,
                _R.MANAGE_CAMERAS,
                _R.IMPORT_DATA,
                _R.SEE_DEAD_LETTERS,
                _R.RETRY_DEAD_LETTERS,
                _R.PUBLISH_DECISION_TABLE,
                _R.EDIT_RETENTION,
                _R.ERASE_PERSONAL_DATA,
                _R.PUBLISH_RULES,
                _R.MANAGE_RECIPIENTS,
                *_HUB_WHOLE,
            }
        ),
        Role.DEVICE: frozenset({_R.INGEST, _R.SEND_SIGNAL}),
        Role.API_CLIENT: _HUB_WHOLE | {_R.SEND_SIGNAL},
    }
)
"""What each role may do in its own authority. Administrators run accounts, and see neither incidents nor video."""


class ActorKind(StrEnum):
    PERSON = "person"
    AGENCY = "agency"
    TOKEN = "token"  # noqa: S105 -- a kind of actor, not a secret
    SYSTEM = "system"


class Deed(StrEnum):
    """What can be done with entities of a type. `contexts` and `parked` are of no type: they are given for `*`."""

    READ = "read"
    HISTORY = "history"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SUBSCRIBE = "subscribe"
    CONTEXTS = "contexts"
    PARKED = "parked"


WRITING = frozenset({Deed.CREATE, Deed.UPDATE, Deed.DELETE})


@dataclass(frozen=True, slots=True)
class TypeRight:
    """What a token may do with entities of one type; `*` means every type not owned by a room.

    `named` is False where a `*` stands behind the type: it does not open what a room owns.
    """

    entity_type: str
    deeds: frozenset[Deed] = frozenset()
    named: bool = True


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone asking: a person, an agency's system, a token, or the platform itself.

    `roles` maps an authority code to the roles held there. `agency` is set for agency systems and for people
    seconded by one. `types` narrows hub rights of tokens; empty means no type at all for a token.
    """

    id: str
    kind: ActorKind
    name: str
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    agency: str = ""
    types: tuple[TypeRight, ...] = ()

    @property
    def authorities(self) -> frozenset[str]:
        """The cities this actor holds any role in."""
        return frozenset(code for code, held in self.roles.items() if held)

    def rights_in(self, authority: str) -> frozenset[Right]:
        """Every right the actor's roles give in that city."""
        return frozenset().union(*(ROLE_RIGHTS[role] for role in self.roles.get(authority, frozenset())))


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked for: always of one authority; of one agency where it came from one; of one type on the hub."""

    authority: str
    agency: str = ""
    entity_type: str = ""
    requested_by: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes, or no with a stable reason. Truthy when allowed."""

    allowed: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


YES = Verdict(True)
_AGENCY_BOUND = frozenset({Role.AGENCY_SYSTEM, Role.POLICE_LIAISON})
_NOT_OF_AN_AGENCY = frozenset({Right.VIEW_MAP})
_NOT_BY_REQUESTER = frozenset(
    {
        Right.APPROVE_GRANT,
        Right.REVIEW_BREAK_GLASS,
        Right.PUBLISH_DECISION_TABLE,
        Right.PUBLISH_RULES,
        Right.APPROVE_EXPORT,
    }
)
_NEEDED: Mapping[Right, frozenset[Deed]] = MappingProxyType(
    {
        Right.HUB_READ: frozenset({Deed.READ}),
        Right.HUB_HISTORY: frozenset({Deed.HISTORY}),
        Right.HUB_CREATE: frozenset({Deed.CREATE}),
        Right.HUB_UPDATE: frozenset({Deed.UPDATE}),
        Right.HUB_DELETE: frozenset({Deed.DELETE}),
        Right.HUB_SUBSCRIBE: frozenset({Deed.SUBSCRIBE}),
        Right.HUB_CONTEXTS: frozenset({Deed.CONTEXTS}),
        Right.HUB_PARKED: frozenset({Deed.PARKED}),
        Right.INGEST: frozenset({Deed.CREATE, Deed.UPDATE}),
    }
)
"""The rights that a token holds type by type, and what it must have been given for each."""
SIGNAL = "Signal"
"""The type a program must be allowed to create to send signals (`create:Signal`, or `write:*`). Devices need not: they
are made to report."""


def may(actor: Actor, right: Right, thing: Thing) -> Verdict:
    """Whether `actor` may exercise `right` on `thing`, and if not, why.

    Reasons: `other_authority`, `role_lacks_right`, `other_agency`, `own_request`, `type_not_granted`.
    """
    held = actor.roles.get(thing.authority, frozenset())
    if not held:
        return Verdict(False, "other_authority")
    granting = {role for role in held if right in ROLE_RIGHTS[role]}
    if not granting:
        return Verdict(False, "role_lacks_right")
    if granting <= _AGENCY_BOUND and right not in _NOT_OF_AN_AGENCY and not _same_agency(actor, thing):
        return Verdict(False, "other_agency")
    if right in _NOT_BY_REQUESTER and thing.requested_by == actor.id:
        return Verdict(False, "own_request")
    if right in _NEEDED and actor.kind is ActorKind.TOKEN and not _type_allows(actor, right, thing.entity_type):
        return Verdict(False, "type_not_granted")
    if right is Right.SEND_SIGNAL and granting == {Role.API_CLIENT} and not _may_report(actor):
        return Verdict(False, "type_not_granted")
    return YES


def _may_report(actor: Actor) -> bool:
    return any(Deed.CREATE in rule.deeds for rule in actor.types if rule.entity_type in ("*", SIGNAL))


def _same_agency(actor: Actor, thing: Thing) -> bool:
    return actor.agency != "" and actor.agency == thing.agency


def _type_allows(actor: Actor, right: Right, entity_type: str) -> bool:
    given: set[Deed] = set()
    for rule in actor.types:
        if rule.entity_type in ("*", entity_type):
            given |= rule.deeds
    return _NEEDED[right] <= given


def deeds_needed(right: Right) -> frozenset[Deed]:
    """What a token must have been given for a right that it holds type by type."""
    return _NEEDED[right]


def names_type(actor: Actor, right: Right, entity_type: str) -> bool:
    """Whether a token was given the type by its own name: what a room owns is not opened by `*`."""
    rules = tuple(rule for rule in actor.types if rule.named and rule.entity_type == entity_type)
    return any(_NEEDED[right] <= rule.deeds for rule in rules)


def system_actor(authority: str, name: str = "madang") -> Actor:
    """The platform acting by itself in one city: what rules and timers do is done in this name."""
    return Actor(id=f"system:{name}", kind=ActorKind.SYSTEM, name=name, roles={authority: frozenset(Role)})
