"""Who did what with a version, when and why: read from the audit chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from django.conf import settings

from madang.identity.models import Person
from madang.journal.audit import unseal
from madang.journal.models import AuditBlob, AuditRow
from madang.response.rules.models import RuleVersion

JsonRow = dict[str, Any]  # Any: JSON values
MOST = 200


def history_of(row: RuleVersion) -> list[JsonRow]:
    """Each step taken with a version, oldest first; an erased reason reads as none."""
    lines = AuditRow.objects.filter(stream=row.authority_id, thing=f"rule:{row}").order_by("seq")[:MOST]
    told = list(lines)
    names = _names(line.actor for line in told)
    blobs = AuditBlob.objects.filter(stream=row.authority_id, seq__in=[line.seq for line in told])
    bodies = {blob.seq: _body(blob) for blob in blobs}
    return [
        {
            "at": line.at,
            "act": line.action.removeprefix("rule."),
            "by": {
                "id": line.actor,
                "name": names.get(line.actor, "시스템" if line.actor.startswith("system:") else line.actor),
            },
            "reason": str(bodies.get(line.seq, {}).get("reason", "")),
        }
        for line in told
    ]


def _names(actors: Iterable[str]) -> dict[str, str]:
    people = Person.objects.filter(pk__in={actor.removeprefix("person:") for actor in actors})
    return {f"person:{person.pk}": person.name_ko or person.username for person in people}


def _body(blob: AuditBlob) -> JsonRow:
    if blob.sealed is None:
        return {}
    try:
        _, body = unseal(settings.MADANG_KEYS, blob.stream, blob.seq, bytes(blob.sealed))
    except InvalidTag:
        return {}
    found: JsonRow = orjson.loads(body)
    return found
