"""From what rules say to what is written down: firings, and the signals they make with their effects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from madang.identity.rights import Actor, system_actor
from madang.journal import changes
from madang.journal.session import Session
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import timeline
from madang.response.models import Incident
from madang.response.rules import published_tables
from madang.response.rules.engine import Compiled, Happening
from madang.response.rules.facts import Fact, World
from madang.response.rules.memories import instant
from madang.response.rules.models import Firing
from madang.response.rules.vocabulary import write_rule
from madang.response.signals import intake
from madang.response.timeline import Line

SOURCE = "rule"
DEVICE_CHARS = 100


def rule_actor(authority: str, cited: str) -> Actor:
    """A version of a rule as whoever acts."""
    return system_actor(authority, f"rule:{cited}")


def say(tx: Session, authority: str, happenings: Sequence[Happening], world: World, now: datetime) -> int:
    """Writes firings, sends the signals of versions in force, annotates what late facts are about; how many fired."""
    spoken = [one for one in happenings if one.kind != "late"]
    firings = {source_id_of(one): _firing(authority, one, world, now) for one in spoken}
    known = set(Firing.objects.filter(source_id__in=list(firings)).values_list("source_id", flat=True))
    fresh = [one for one in spoken if source_id_of(one) not in known]
    _send(tx, authority, [one for one in fresh if _makes_signal(one)], firings, now)
    Firing.objects.bulk_create([firing for source_id, firing in firings.items() if source_id not in known])
    for one in happenings:
        if one.kind == "late":
            _annotate(tx, one, now)
    for version_id in {one.compiled.version_id for one in fresh}:
        changes.touch(tx, kind="rule", ref=version_id, authority=authority, now=now)
    return len(fresh)


def source_id_of(one: Happening) -> str:
    """What makes it once: the version, in shadow or in force, the group, the time of the facts."""
    how = one.kind[0] + ("" if one.compiled.live else "s")
    return f"{one.compiled.version_id}:{one.key}:{how}{round(one.at * 1000)}"[:200]


def _makes_signal(one: Happening) -> bool:
    return one.compiled.live and one.compiled.rule.signal is not None


def _firing(authority: str, one: Happening, world: World, now: datetime) -> Firing:
    made = one.compiled.rule.signal
    return Firing(
        id=new_id(),
        authority_id=authority,
        mode=one.fact.mode,
        version_id=one.compiled.version_id,
        key=one.key,
        kind=one.kind,
        at=instant(one.at),
        noted_at=now,
        shadow=not one.compiled.live,
        source_id=source_id_of(one),
        device=one.fact.device[:200],
        class_code=made.class_code if made else "",
        priority=priority_of(authority, one.compiled, one.fact, one.at, world),
        lon=one.fact.lon,
        lat=one.fact.lat,
        value=one.fact.value if isinstance(one.fact.value, str | int | float | bool) else None,
    )


def priority_of(authority: str, compiled: Compiled, fact: Fact, at: float, world: World) -> int | None:
    """The rule's own priority, or what the table says; None leaves it to the class."""
    made = compiled.rule.signal
    if made is None or made.priority is not None:
        return made.priority if made else None
    facts = table_facts(compiled.name, made.class_code, fact.mode, at, place=(fact.lon, fact.lat), world=world)
    return published_tables.priority(authority, {**facts, "source": fact.source})


def table_facts(
    rule: str,
    class_code: str,
    mode: str,
    at: float,
    *,
    place: tuple[float | None, float | None],
    world: World,
) -> dict[str, str | int]:
    """What a decision table is asked about."""
    lon, lat = place
    district = world.district_of(lon, lat)[1] if lon is not None and lat is not None else ""
    hour, weekday = published_tables.seoul_clock(at)
    return {"class": class_code, "rule": rule, "district": district, "hour": hour, "weekday": weekday, "mode": mode}


def _send(
    tx: Session, authority: str, happenings: Iterable[Happening], firings: Mapping[str, Firing], now: datetime
) -> None:
    by_rule: defaultdict[str, list[Happening]] = defaultdict(list)
    for one in happenings:
        by_rule[one.compiled.cited].append(one)
    for cited, said in by_rule.items():
        answers = intake.accept(
            tx,
            rule_actor(authority, cited),
            [draft_of(authority, one, firings[source_id_of(one)]) for one in said],
            now,
        )
        for one, answer in zip(said, answers, strict=True):
            firing = firings[source_id_of(one)]
            firing.signal_id, firing.refused = answer.signal_id, answer.reason[:200]


def draft_of(authority: str, one: Happening, firing: Firing) -> intake.Draft:
    """The signal a happening makes."""
    rule, fact = one.compiled.rule, one.fact
    made = rule.signal
    assert made is not None, "only rules that make signals come here"
    fired = one.kind == "fired"
    device = fact.device if rule.per == "device" else f"{one.compiled.name}:{one.key.partition('|')[2]}"
    return intake.Draft(
        authority=authority,
        mode=Mode(fact.mode),
        source=SOURCE,
        source_id=source_id_of(one),
        device=device[:DEVICE_CHARS],
        class_code=made.class_code,
        observed_at=instant(one.at),
        lon=fact.lon,
        lat=fact.lat,
        accuracy_m=fact.accuracy_m or None,
        priority=firing.priority,
        text=(made.text_ko or rule.title_ko) + ("" if fired else " (해제)"),
        attributes=_evidence(fact, one.compiled),
        rule=one.compiled.cited,
        effects=tuple(write_rule(rule).get("effects", ())) if fired else (),
        ending=not fired,
    )


def _evidence(fact: Fact, compiled: Compiled) -> dict[str, Any]:  # Any: JSON values
    value = fact.value if isinstance(fact.value, str | int | float | bool) else None
    found = {"device": fact.device, "of": fact.name, "value": value, "ref": fact.ref, "title": compiled.rule.title_ko}
    return {name: one for name, one in found.items() if one not in (None, "")}


def _annotate(tx: Session, one: Happening, now: datetime) -> None:
    """A late fact is counted with what the rule said last about its group, and told on the incident's timeline."""
    last = (
        Firing.objects.filter(version_id=one.compiled.version_id, key=one.key, kind="fired")
        .order_by("-noted_at")
        .first()
    )
    if last is None:
        return
    last.late += 1
    last.save(update_fields=["late"])
    incident = Incident.objects.filter(pk=last.incident_id).first() if last.incident_id else None
    if incident is None or last.late > 1:
        return
    when = instant(one.at)
    line = Line(
        "rule_late",
        f"규칙 {one.compiled.cited}: 늦게 도착한 측정·신호가 있습니다 ({when:%H:%M:%S} UTC). 판단은 그대로 둡니다.",
        f"Rule {one.compiled.cited}: a fact of {when:%H:%M:%S} UTC came late; what was said stands.",
        {"rule": one.compiled.cited, "at": when.isoformat(), "device": one.fact.device},
        ref=last.id,
    )
    timeline.append(incident, line, actor=f"system:rule:{one.compiled.cited}", now=now)
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)
