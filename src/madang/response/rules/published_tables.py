"""The decision tables in force, ready to be asked."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import orjson

from madang.kernel.canonical import canonical_json
from madang.kernel.clock import SEOUL
from madang.response.rules.conditions import WEEKDAYS
from madang.response.rules.models import RuleTable
from madang.response.rules.tables import Answer, Facts, Kind, Policy, Row, rows_from, rule_on


def answers(authority: str, kind: Kind, facts: Facts) -> list[tuple[str, Answer]]:
    """What the table in force answers, each with the row that does (`priority@3#row`); nothing without a table."""
    table = RuleTable.objects.filter(authority_id=authority, kind=kind.value, state="published").first()
    if table is None:
        return []
    found = rule_on(_parsed(canonical_json(table.rows)), Policy(table.policy), facts)
    return [(f"{table}#{row.name}", row.then) for row in found]


@lru_cache(maxsize=64)
def _parsed(rows: bytes) -> tuple[Row, ...]:
    return rows_from(orjson.loads(rows))


def priority(authority: str, facts: Facts) -> int | None:
    """The most urgent priority the table answers."""
    told = [answer.priority for _, answer in answers(authority, Kind.PRIORITY, facts) if answer.priority is not None]
    return min(told, default=None)


def tiers(authority: str, facts: Facts) -> tuple[str, ...]:
    """Everybody the table says to tell, each once, in the order of the rows."""
    told = [tier for _, answer in answers(authority, Kind.NOTIFY, facts) for tier in answer.tiers]
    return tuple(dict.fromkeys(told))


def proposes(authority: str, facts: Facts) -> tuple[bool, str]:
    """Whether to propose the pictures, and to which agency. Without an answer: yes, to whom the rule says."""
    told = answers(authority, Kind.GRANT, facts)
    if not told:
        return True, ""
    return told[0][1].propose == "yes", told[0][1].agency


def seoul_clock(at: float) -> tuple[int, str]:
    """Hour and weekday in Seoul of seconds since 1970."""
    then = datetime.fromtimestamp(at, SEOUL)
    return then.hour, WEEKDAYS[then.weekday()]
