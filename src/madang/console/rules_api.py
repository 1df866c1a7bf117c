"""The rules room for the screens, under `/api/console/rules`. JSON in snake_case, instants RFC 3339 UTC.

Who: reading needs EDIT_RULES or PUBLISH_RULES; writing EDIT_RULES; putting in force, rolling back and retiring
PUBLISH_RULES (never by whoever wrote or edited the version). Deeds on incidents need what the incident needs. The live
stream nudges `rule` (ref: a version's or table's id) whenever one changes, a replay makes progress or a rule speaks;
deeds arrive as a change of their incident. Every answer about one version is its *detail*, so a screen replaces what
it holds. Refusals are problems with `ko` and `reason`.

Vocabulary
    GET  rules/vocabulary        {operators, conditions, effects, sources: [{op|on|do|from, ko, en, class?, fields:
                                 [{name, ko, en, kind, required, default?, min?, max?, options?, min_items?, max_items?,
                                 unit?}]}], classes, source_kinds, weekdays, tiers, per: [{code, ko, en}],
                                 rule: [field],
                                 entity_types: [{type, attributes: [name]}] | null (hub not reached),
                                 districts: [{code, name_ko}], sops: [{code, title_ko}], agencies: [{code, name_ko}],
                                 examples: [{name, definition}] to begin from}
                                 kinds of fields: integer number boolean text choice clock source area conditions
                                 classes weekdays sources districts texts cameras tiers scalar scalars sop agency
                                 entity_type attribute
    GET  rules/schema            the JSON Schema (2020-12) of a definition
    POST rules/preview           {definition} → {sentence, findings}; nothing is kept. For live editing.

Rules and their versions
    GET  rules                   {rules: [{name, title_ko, title_en, published: Version|null, work: Version|null,
                                 versions, fired_24h, shadow_24h, last_fired_at}]}
    POST rules                   {name, definition, note} → detail (a draft; 409 `in_work` where another is in work)
    GET  rules/named/{name}      {name, versions: [Version], in_force: detail|null, work: detail|null}
    GET  rules/versions/{id}     detail
    PUT  rules/versions/{id}     {definition, note, revision} → detail. Back to draft; of one that has run, a new draft
                                 (another id) is made. 409 `stale_revision`.
    POST rules/versions/{id}/check      {revision?} → detail; with faults it stays a draft, see `findings`
    POST rules/versions/{id}/replay     {days?=30, revision?} → detail; a job, see `replay`
    POST rules/versions/{id}/replay/stop
    POST rules/versions/{id}/shadow|publish|send_back|retire|roll_back|drop   {reason?, revision?, accept_auto?} →
                                 detail. `reason` for send_back, retire and roll_back.
                                 `accept_auto`: its messages go out unconfirmed.
    GET  rules/versions/{id}/firings?limit=50&before=  {firings: [{id, kind: fired|cleared, at, noted_at, mode, shadow,
                                 group, device, class_code, priority, lon, lat, value, signal_id, refused, incident:
                                 {id, number}|null, late}]}
    GET  rules/versions/{id}/history    {steps: [{at, act, by: {id, name}, reason}]} oldest first
    GET  rules/versions/{id}/waiting    {groups: [{group, mode, standing, due_at, seen_at, spoke_at, late, bad}]}

    Version  {id, name, number, cited "name@n", stage: draft|checked|replayed|shadow|published|retired|dropped,
             stage_ko, title_ko, title_en, note, author: {id, name}, editors: [id], auto, shadow_at, published_by: {id,
             name}|null, published_at, retired_at, created_at, updated_at, revision, faults, warnings}
    detail   Version + {definition, sentence: {ko, en: {text, parts: [{text, path}]}}, findings: [{code, where, ko, en,
             level: fault|warning}], acts_externally, replay: Replay|null, shadow: {since, would_have_fired}|null,
             waiting, may: {edit|check|replay|shadow|publish|send_back|retire|roll_back|drop: true | reason code}}
             `path` is a JSON pointer into the definition: the value a person changes by clicking that part; empty for
             the words between. Steps missing from `may` are not possible at this stage.
    Replay   {id, state: queued|running|done|failed|stopped, progress 0–1, from_at, to_at, asked_at, finished_at, by,
             error, current, report: {readings, signals, fired_new, fired_published|null, same, appear_total,
             vanish_total, appear, vanish: [{at, rule, device, group, mode, class_code, priority, lon, lat, value,
             incident: {id, number}|null: the incident of the time it would have joined}], by_day: [{day, new,
             published}], late, bad, overflowed}|null}

What rules do to incidents
    GET  incidents/{id}/deeds    {deeds: [{id, incident_id, rule "name@n", kind, state: done|asked|confirmed|declined|
                                 impossible, effect, text_ko, text_en, reason, at, decided_by, decided_at, needs}]}
                                 effect: what the rule said, and once done camera_ids, run_id, message_id or grant_id
    POST rules/deeds/{id}/confirm|decline  {reason?} → deed (409 where it was answered already)

Decision tables (kinds priority, grant, notify)
    GET  rules/tables            {tables: [{kind, fields: [{name, min?, max?}], published, draft: Table|null}]}
    POST rules/tables/check      {kind, policy, rows} → {findings: [{kind: gap|overlap|unreachable|too_large|no_answer|
                                 bad_range, rows: [name], example: {field: value}}]}
    POST rules/tables            {kind, policy: first|unique|collect, rows, note} → Table (a draft)
    POST rules/tables/{id}/publish → Table
    Table    {id, kind, number, state, policy, rows: [{name, when: {class|rule|district|source|weekday|mode: {values,
             negate?}, hour|priority: {low?, high?}}, then: {priority?, propose?: yes|no, agency?, tiers?}}], note,
             author, created_at, published_by, published_at}
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Router, Schema
from pydantic import Field

from madang.console.hub_line import LINE
from madang.console.incident_api import incident_for
from madang.console.seat import SeatedRequest, demand
from madang.console.sight import Viewer
from madang.hub.census import Censuses
from madang.hub.hub import Hub
from madang.identity.access import require
from madang.identity.models import Agency
from madang.identity.rights import Right, Thing, may
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, NotFoundError, UnavailableError
from madang.places.models import Boundary
from madang.response.rules import checks, commands, effects, examples, forms, queries
from madang.response.rules.checks import Known
from madang.response.rules.domain import Step
from madang.response.rules.history import history_of
from madang.response.rules.models import Deed, RuleTable, RuleVersion
from madang.response.rules.tables import Kind, Policy, rows_from
from madang.response.rules.tables import check as check_table
from madang.response.rules.vocabulary import read_rule, rule_schema
from madang.response.sop import queries as sops

Json = dict[str, Any]  # Any: JSON values
router = Router(tags=["rules"])
HUB_PATIENCE_S = 4.0


class Definition(Schema):
    definition: Json


class NewRule(Schema):
    name: str = Field(min_length=1, max_length=40)
    definition: Json
    note: str = Field(default="", max_length=300)


class Edited(Schema):
    definition: Json
    note: str = Field(default="", max_length=300)
    revision: int


class Deciding(Schema):
    """`revision` refuses a decision made on an old picture."""

    reason: str = Field(default="", max_length=500)
    revision: int | None = None
    accept_auto: bool = False
    days: int = Field(default=commands.REPLAYED_DAYS, ge=1, le=commands.REPLAYED_DAYS)


class TableDraft(Schema):
    kind: Kind
    policy: Policy
    rows: list[Json] = Field(max_length=200)
    note: str = Field(default="", max_length=300)


class Answering(Schema):
    reason: str = Field(default="", max_length=500)


StepName = Literal["shadow", "publish", "send_back", "retire", "roll_back", "drop"]


def _demand_sight(viewer: Viewer) -> None:
    """Either right lets one read."""
    if not may(viewer.actor, Right.PUBLISH_RULES, Thing(viewer.authority)):
        demand(viewer, Right.EDIT_RULES)


def _version(viewer: Viewer, version_id: str) -> RuleVersion:
    _demand_sight(viewer)
    row = RuleVersion.objects.filter(pk=version_id, authority_id=viewer.authority).first()
    if row is None:
        raise NotFoundError("There is no such rule here", where="id", ko="규칙을 찾을 수 없습니다.")
    return row


def _detail(viewer: Viewer, row: RuleVersion) -> Json:
    return queries.version_detail(viewer.actor, row)


# ---------------------------------------------------------------------------------------------------- vocabulary


@router.get("/rules/vocabulary")
def vocabulary(request: SeatedRequest) -> Json:
    """What forms are made of, with what this city has."""
    viewer = request.auth
    _demand_sight(viewer)
    attributes = _attributes(viewer.authority)
    city = viewer.authority
    districts = Boundary.objects.filter(authority_id=city).order_by("name_ko").values("code", "name_ko")
    agencies = Agency.objects.filter(authority_id=city, active=True).order_by("code").values("code", "name_ko")
    known = [{"type": name, "attributes": sorted(held)} for name, held in sorted((attributes or {}).items())]
    return {
        **forms.vocabulary(),
        "entity_types": known if attributes is not None else None,
        "districts": list(districts),
        "agencies": list(agencies),
        "examples": examples.example_rows(),
        "sops": [{"code": one["code"], "title_ko": one.get("title_ko", one["code"])} for one in sops.published(city)],
    }


@router.get("/rules/schema")
def schema(request: SeatedRequest) -> Json:
    """The published JSON Schema."""
    _demand_sight(request.auth)
    return rule_schema()


@router.post("/rules/preview")
def preview(request: SeatedRequest, body: Definition) -> Json:
    """The sentence and what is wrong, while somebody edits."""
    viewer = request.auth
    demand(viewer, Right.EDIT_RULES)
    rule = read_rule(body.definition)
    found = checks.check("", rule, commands.others(viewer.authority, ""), known(viewer.authority))
    return {"sentence": queries.sentence_row(rule), "findings": [vars_of(one) for one in found]}


def vars_of(finding: checks.Finding) -> Json:
    """A finding as JSON."""
    return {
        "code": finding.code,
        "where": finding.where,
        "ko": finding.ko,
        "en": finding.en,
        "level": finding.level,
    }


def known(city: str) -> Known:
    """What the city has, as far as the hub answers in time."""
    attributes = _attributes(city)
    boundaries = Boundary.objects.filter(authority_id=city).values_list("code", "name_ko")
    districts = frozenset(name for pair in boundaries for name in pair)
    codes = frozenset(str(one["code"]) for one in sops.published(city))
    frozen = {name: frozenset(held) for name, held in attributes.items()} if attributes is not None else None
    return Known(frozen, districts or None, codes)


_censuses: dict[int, tuple[Hub, Censuses]] = {}


async def _census(hub: Hub, city: str) -> dict[str, set[str]]:
    held = _censuses.get(id(hub))
    if held is None or held[0] is not hub:
        _censuses.clear()
        held = _censuses[id(hub)] = (hub, Censuses(hub.store))
    census = await held[1].of(city.lower())
    found: dict[str, set[str]] = {name: set() for types in census.entities for name in types}
    for tally in census.tallies:
        for name in tally.types:
            found.setdefault(name, set()).add(tally.name)
    return found


def _attributes(city: str) -> dict[str, set[str]] | None:
    try:
        return LINE.ask(lambda hub: _census(hub, city), HUB_PATIENCE_S)
    except UnavailableError:
        return None


# -------------------------------------------------------------------------------------------------------- rules


@router.get("/rules")
def rules(request: SeatedRequest) -> Json:
    """Every rule of the city."""
    _demand_sight(request.auth)
    return {"rules": queries.rule_rows(request.auth.authority, system_clock())}


@router.post("/rules")
def draft(request: SeatedRequest, body: NewRule) -> Json:
    """A first draft, or the next one."""
    viewer = request.auth
    with civic.transaction() as tx:
        row = commands.draft(tx, viewer.actor, viewer.authority, body.name, body.definition, body.note, system_clock())
    return _detail(viewer, row)


@router.get("/rules/named/{name}")
def named(request: SeatedRequest, name: str) -> Json:
    """One rule with its versions."""
    viewer = request.auth
    _demand_sight(viewer)
    found = queries.versions_of(viewer.authority, name)
    if not found:
        raise NotFoundError("There is no such rule here", where="name", ko="규칙을 찾을 수 없습니다.")
    rows = RuleVersion.objects.filter(authority_id=viewer.authority, name=name)
    in_force = rows.filter(stage="published").first()
    work = rows.filter(stage__in=["draft", "checked", "replayed", "shadow"]).first()
    return {
        "name": name,
        "versions": found,
        "in_force": _detail(viewer, in_force) if in_force else None,
        "work": _detail(viewer, work) if work else None,
    }


@router.get("/rules/versions/{version_id}")
def version(request: SeatedRequest, version_id: str) -> Json:
    """One version whole."""
    return _detail(request.auth, _version(request.auth, version_id))


@router.put("/rules/versions/{version_id}")
def edit(request: SeatedRequest, version_id: str, body: Edited) -> Json:
    """Changes a version in work; of one that has run, a new draft is made."""
    viewer = request.auth
    _version(viewer, version_id)
    with civic.transaction() as tx:
        row = commands.edit(
            tx, viewer.actor, version_id, body.definition, body.note, system_clock(), revision=body.revision
        )
    return _detail(viewer, row)


@router.post("/rules/versions/{version_id}/check")
def check(request: SeatedRequest, version_id: str, body: Deciding) -> Json:
    """Looks for faults."""
    viewer = request.auth
    _version(viewer, version_id)
    held = known(viewer.authority)
    with civic.transaction() as tx:
        row = commands.check_version(tx, viewer.actor, version_id, held, system_clock(), revision=body.revision)
    return _detail(viewer, row)


@router.post("/rules/versions/{version_id}/replay")
def replay(request: SeatedRequest, version_id: str, body: Deciding) -> Json:
    """Has it run over the last days."""
    viewer = request.auth
    _version(viewer, version_id)
    with civic.transaction() as tx:
        commands.ask_replay(tx, viewer.actor, version_id, system_clock(), days=body.days, revision=body.revision)
    return _detail(viewer, _version(viewer, version_id))


@router.post("/rules/versions/{version_id}/replay/stop")
def stop_replay(request: SeatedRequest, version_id: str) -> Json:
    """Takes a replay back."""
    viewer = request.auth
    row = _version(viewer, version_id)
    require(viewer.actor, Right.EDIT_RULES, Thing(viewer.authority))
    with civic.transaction():
        commands.stop_replays(row, system_clock())
    return _detail(viewer, row)


@router.get("/rules/versions/{version_id}/firings")
def firings(request: SeatedRequest, version_id: str, limit: int = 50, before: datetime | None = None) -> Json:
    """What it said, newest first."""
    row = _version(request.auth, version_id)
    if before is not None and before.tzinfo is None:
        raise BadRequestError("before needs an offset from UTC", where="before", ko="시각을 확인하십시오.")
    return {"firings": queries.firing_rows(row, max(1, min(limit, 200)), before)}


@router.get("/rules/versions/{version_id}/history")
def history(request: SeatedRequest, version_id: str) -> Json:
    """Who did what with it, and why."""
    return {"steps": history_of(_version(request.auth, version_id))}


@router.get("/rules/versions/{version_id}/waiting")
def waiting(request: SeatedRequest, version_id: str) -> Json:
    """What stands, and what waits until when."""
    return {"groups": queries.waiting_rows(_version(request.auth, version_id))}


@router.post("/rules/versions/{version_id}/{step}")
def take_step(request: SeatedRequest, version_id: str, step: StepName, body: Deciding) -> Json:
    """Shadow, publish, send back, retire, roll back, drop."""
    viewer = request.auth
    _version(viewer, version_id)
    with civic.transaction() as tx:
        row = commands.take_step(
            tx,
            viewer.actor,
            version_id,
            Step(step),
            system_clock(),
            reason=body.reason,
            revision=body.revision,
            accept_auto=body.accept_auto,
        )
    return _detail(viewer, row)


# -------------------------------------------------------------------------------------------------------- deeds


@router.get("/incidents/{incident_id}/deeds")
def deeds(request: SeatedRequest, incident_id: str) -> Json:
    """What rules did to an incident, or ask."""
    incident_for(request.auth, incident_id)
    return {"deeds": queries.deed_rows(incident_id)}


@router.post("/rules/deeds/{deed_id}/{verdict}")
def answer(request: SeatedRequest, deed_id: str, verdict: Literal["confirm", "decline"], body: Answering) -> Json:
    """A person's yes or no to what a rule asks."""
    viewer = request.auth
    deed = Deed.objects.filter(pk=deed_id, authority_id=viewer.authority).first()
    if deed is None:
        raise NotFoundError("There is no such question here", where="id", ko="요청을 찾을 수 없습니다.")
    incident_for(viewer, deed.incident_id)
    with civic.transaction() as tx:
        done = effects.answer(tx, viewer.actor, deed_id, verdict == "confirm", body.reason, system_clock())
    return queries.deed_row(done)


# ------------------------------------------------------------------------------------------------------- tables


@router.get("/rules/tables")
def tables(request: SeatedRequest) -> Json:
    """The decision tables rules ask."""
    _demand_sight(request.auth)
    return {"tables": queries.table_rows(request.auth.authority)}


@router.post("/rules/tables/check")
def table_findings(request: SeatedRequest, body: TableDraft) -> Json:
    """Gaps, overlaps and rows that never answer; nothing is kept."""
    demand(request.auth, Right.EDIT_RULES)
    found = check_table(rows_from(body.rows), body.policy, body.kind)
    return {"findings": [{"kind": one.kind, "rows": one.rows, "example": dict(one.example)} for one in found]}


@router.post("/rules/tables")
def draft_table(request: SeatedRequest, body: TableDraft) -> Json:
    """Keeps a draft."""
    viewer = request.auth
    with civic.transaction() as tx:
        row = commands.draft_table(
            tx, viewer.actor, viewer.authority, body.kind, body.policy, body.rows, body.note, system_clock()
        )
    return queries.table_row(row) or {}


@router.post("/rules/tables/{table_id}/publish")
def publish_table(request: SeatedRequest, table_id: str) -> Json:
    """Puts a draft in force: a second person's."""
    viewer = request.auth
    if not RuleTable.objects.filter(pk=table_id, authority_id=viewer.authority).exists():
        raise NotFoundError("There is no such table here", where="id", ko="결정표를 찾을 수 없습니다.")
    with civic.transaction() as tx:
        row = commands.publish_table(tx, viewer.actor, table_id, system_clock())
    return queries.table_row(row) or {}
