"""The rows the screens hold: one function per kind, building them for a sight. Snapshot and live stream share them.

Rows in lists carry no caller: that is read for one incident at a time, and each reading is audited.
Every function takes many and asks the store a fixed number of times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from django.db.models import Q
from django.db.models.functions import Coalesce

from madang.console.sight import Sight
from madang.identity.models import Person
from madang.kernel.clock import instant_text
from madang.response import queries
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident, Task, TimelineEntry
from madang.response.queries import JsonRow
from madang.video.domain import OPEN_STATES as GRANT_OPEN_STATES
from madang.video.horizon import distances
from madang.video.legal import BASIS_KO, basis_of
from madang.video.models import GrantCamera, VideoGrant, ViewSession

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from madang.video.ranking import CameraView, RankedCamera

INCIDENT_OPEN = [state.value for state in OPEN_STATES]
GRANT_OPEN = [state.value for state in GRANT_OPEN_STATES]
TASK_OPEN = ["open", "escalated"]


class RecipientRow(TypedDict):
    kind: str
    code: str
    name_ko: str


class GrantRow(TypedDict):
    """A grant with whom it serves, why and until when."""

    id: str
    incident_id: str | None
    incident_number: str | None
    case_id: str | None
    state: str
    kind: str
    mode: str
    recipient: RecipientRow
    rights: list[str]
    camera_ids: list[str]
    basis: str
    basis_ko: str
    purpose: str
    conditions: list[str]
    requested_by: str
    requested_by_name: str
    requested_at: str
    decided_by: str
    decided_by_name: str
    decided_at: str | None
    not_before: str | None
    expires_at: str | None
    ended_at: str | None
    rule: str
    reason: str
    version: int
    viewers: int


class RankedRow(TypedDict):
    """A camera offered for a place, and why it stands where it stands."""

    id: str
    label: str
    site_id: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float
    range_m: float
    distance_m: float
    bearing_deg: float
    sees: str
    dori: str | None
    health: str
    health_at: str | None
    purpose: str
    ptz: bool
    score: float
    grant_id: str | None
    reasons: list[dict[str, str]]
    free_m: list[float | None] | None
    """How far it sees in each direction before a building, from north clockwise; None where nothing is in its way."""


def _instant(value: datetime | None) -> str | None:
    return None if value is None else instant_text(value)


# ------------------------------------------------------------------------------------- what a sight may see


def visible_incidents(sight: Sight) -> QuerySet[Incident]:
    """The incidents of the city that these roles may know of."""
    rows = Incident.objects.filter(authority=sight.authority)
    if not sight.sees_incidents:
        return rows.none()
    return rows if sight.only_agency is None else rows.filter(agency=sight.only_agency)


def visible_grants(sight: Sight) -> QuerySet[VideoGrant]:
    """The grants of the city; for seconded people those of their own agency's cases."""
    rows = VideoGrant.objects.filter(authority=sight.authority).select_related("case")
    if not sight.sees_incidents:
        return rows.none()
    return rows if sight.only_agency is None else rows.filter(case__agency=sight.only_agency)


def visible_tasks(sight: Sight) -> QuerySet[Task]:
    """The tasks about incidents one may know of."""
    rows = Task.objects.filter(authority=sight.authority).select_related("incident")
    if not sight.sees_incidents:
        return rows.none()
    return rows if sight.only_agency is None else rows.filter(incident__agency=sight.only_agency)


def shown_incidents(since: datetime) -> Q:
    """Open ones, and those that ended after `since`."""
    return Q(state__in=INCIDENT_OPEN) | Q(closed_at__gt=since)


def shown_grants(rows: QuerySet[VideoGrant], since: datetime) -> QuerySet[VideoGrant]:
    """Open ones, and those that ended after `since`."""
    over = Coalesce("ended_at", "decided_at", "requested_at")
    return rows.annotate(over_at=over).filter(Q(state__in=GRANT_OPEN) | Q(over_at__gt=since))


# ---------------------------------------------------------------------------------------------------- rows


def incident_rows(incidents: Sequence[Incident]) -> list[JsonRow]:
    """Queue rows, in the order given; `cameras_offered` and `pending_grants` come from the incident's case."""
    extras = queries.extras_for(incidents)
    return [queries.incident_row(incident, extras) for incident in incidents]


def task_rows(tasks: Iterable[Task]) -> list[JsonRow]:
    """Task rows, in the order given; their incidents are loaded with them."""
    return [queries.task_row(task) for task in tasks]


def timeline_rows(entries: Iterable[TimelineEntry]) -> list[JsonRow]:
    """What happened, in the order given."""
    return [queries.timeline_row(entry) for entry in entries]


def grant_rows(grants: Sequence[VideoGrant]) -> list[GrantRow]:
    """Grant rows, in the order given."""
    ids = [grant.pk for grant in grants]
    cameras = cameras_of(ids)
    viewers = _viewers(ids)
    people = person_names({by for grant in grants for by in (grant.requested_by, grant.decided_by)})
    return [_grant_row(grant, cameras[grant.pk], viewers.get(grant.pk, 0), people) for grant in grants]


def _grant_row(grant: VideoGrant, cameras: list[str], viewers: int, people: Mapping[str, str]) -> GrantRow:
    basis = basis_of(grant.basis)
    case = grant.case
    return {
        "id": grant.pk,
        "incident_id": case.incident_id if case else None,
        "incident_number": case.incident_number if case else None,
        "case_id": grant.case_id,
        "state": grant.state,
        "kind": grant.kind,
        "mode": grant.mode,
        "recipient": _recipient(grant),
        "rights": list(grant.rights),
        "camera_ids": cameras,
        "basis": grant.basis,
        "basis_ko": BASIS_KO[basis] if basis is not None else grant.basis,
        "purpose": grant.purpose,
        "conditions": list(grant.conditions),
        "requested_by": grant.requested_by,
        "requested_by_name": grant.requested_by_name or people.get(grant.requested_by, grant.requested_by),
        "requested_at": instant_text(grant.requested_at),
        "decided_by": grant.decided_by,
        "decided_by_name": people.get(grant.decided_by, grant.decided_by),
        "decided_at": _instant(grant.decided_at),
        "not_before": _instant(grant.not_before),
        "expires_at": _instant(grant.expires_at),
        "ended_at": _instant(grant.ended_at),
        "rule": grant.rule,
        "reason": grant.end_reason or grant.reason,
        "version": grant.version,
        "viewers": viewers,
    }


def _recipient(grant: VideoGrant) -> RecipientRow:
    name = grant.recipient_name or grant.recipient_code
    return {"kind": grant.recipient_kind, "code": grant.recipient_code, "name_ko": name}


def cameras_of(grant_ids: Collection[str]) -> defaultdict[str, list[str]]:
    """The cameras now under each grant, best first."""
    cameras: defaultdict[str, list[str]] = defaultdict(list)
    rows = GrantCamera.objects.filter(grant_id__in=grant_ids, until_version=None).order_by("rank", "camera_id")
    for grant, camera in rows.values_list("grant_id", "camera_id"):
        cameras[grant].append(camera)
    return cameras


def _viewers(grant_ids: Collection[str]) -> dict[str, int]:
    open_views = ViewSession.objects.filter(grant_id__in=grant_ids, ended_at=None)
    return dict(Counter(str(grant) for grant in open_views.values_list("grant_id", flat=True)))


def person_names(actors: Iterable[str]) -> dict[str, str]:
    """Display names of the people among some actor ids, by actor id."""
    keys = {actor.removeprefix("person:") for actor in actors if actor.startswith("person:")}
    return {f"person:{person.pk}": person.display_name for person in Person.objects.filter(pk__in=keys)} if keys else {}


class CameraRow(TypedDict):
    """A camera on the map. An azimuth nobody surveyed is not shown as one."""

    id: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float
    range_m: float
    health: str
    health_at: str | None
    purpose: str
    ptz: bool
    label: str
    site_id: str


def camera_row(camera: CameraView) -> CameraRow:
    """A camera as the map shows it."""
    return {
        "id": camera.id,
        "lon": camera.at.lon,
        "lat": camera.at.lat,
        "azimuth_deg": camera.azimuth_deg,
        "hfov_deg": camera.hfov_deg,
        "range_m": camera.range_m,
        "health": camera.health,
        "health_at": _instant(camera.health_at),
        "purpose": camera.purpose,
        "ptz": camera.ptz,
        "label": camera.label,
        "site_id": camera.site_id,
    }


def ranked_rows(cameras: Iterable[RankedCamera], grants: Mapping[str, str] | None = None) -> list[RankedRow]:
    """Offered cameras, best first; `grants` names the grant each may be seen under."""
    return [_ranked_row(ranked, (grants or {}).get(ranked.id)) for ranked in cameras]


def _ranked_row(ranked: RankedCamera, grant_id: str | None) -> RankedRow:
    camera = ranked.camera
    return {
        "id": camera.id,
        "label": camera.label,
        "site_id": camera.site_id,
        "lon": camera.at.lon,
        "lat": camera.at.lat,
        "azimuth_deg": camera.azimuth_deg,
        "hfov_deg": camera.hfov_deg,
        "range_m": camera.range_m,
        "distance_m": round(ranked.distance_m, 1),
        "bearing_deg": round(ranked.bearing_deg, 1),
        "sees": ranked.sees.value,
        "dori": None if ranked.dori is None else ranked.dori.value,
        "health": camera.health,
        "health_at": _instant(camera.health_at),
        "purpose": camera.purpose,
        "ptz": camera.ptz,
        "score": ranked.score,
        "grant_id": grant_id,
        "reasons": [{"ko": reason.ko, "en": reason.en} for reason in ranked.reasons],
        "free_m": distances(camera.horizon),
    }
