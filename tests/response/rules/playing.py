"""Rules and facts in short, for tests: what a rule says about facts in the order they are received."""

from __future__ import annotations

from typing import Any

from madang.response.rules.comparing import Playing
from madang.response.rules.engine import Compiled, compile_rule
from madang.response.rules.facts import READING, SIGNAL, Fact, World
from madang.response.rules.vocabulary import read_rule

T = 1_795_305_600.0
"""2026-11-22 09:00 in Seoul, a Sunday."""
EVERYWHERE = World()
LEVEL = {"from": "reading", "type": "WaterLevel", "attribute": "level"}
BELL = {"from": "signal", "classes": ["emergency_bell"]}


def rule_json(when: dict[str, Any], **more: Any) -> dict[str, Any]:  # Any: JSON values
    """A rule that makes a flood signal."""
    return {
        "title_ko": "시험 규칙",
        "when": when,
        "signal": {"class_code": "flood", "priority": 2},
        "quiet_s": 0,
        **more,
    }


def compiled(when: dict[str, Any], **more: Any) -> Compiled:  # Any: the same
    """A rule ready to be asked."""
    return compile_rule("v1", "test", 1, read_rule(rule_json(when, **more)), live=True)


def level(value: object, at: float, *, received: float | None = None, device: str = "urn:ngsi-ld:WaterLevel:1") -> Fact:
    """A reading `at` seconds after the beginning."""
    when = T + at
    return Fact(READING, "WaterLevel/level", device, when, T + received if received is not None else when, "live",
                "sensor", value)  # fmt: skip


def bell(
    at: float, *, device: str = "bell-1", received: float | None = None, **more: Any
) -> Fact:  # Any: as Fact has them
    """A bell was pressed."""
    when, name, source = T + at, more.pop("name", "emergency_bell"), more.pop("source", "bell")
    taken = T + received if received is not None else when
    return Fact(SIGNAL, name, device, when, taken, "live", source, True, **more)


def said(rule: Compiled, *facts: Fact, until: float | None = None, world: World = EVERYWHERE) -> list[float]:
    """At which seconds after the beginning the rule fired."""
    playing = Playing(rule)
    for fact in facts:
        playing.give(fact, world)
    if until is not None:
        playing.pass_time(T + until, world)
    return [round(one.at - T, 3) for one in playing.said]
