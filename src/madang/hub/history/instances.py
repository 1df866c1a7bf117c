"""Changes flattened into attribute instances, and instances put together again. Pure.

A change row holds what one write changed; history is told in instances: one value of one attribute at one time
(clauses 4.5.6–4.5.8). The same columns stand in the store's recent rows and in the Parquet files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from madang.hub.changes import LATE_PART, Op
from madang.hub.entity import NULL, VALUE_MEMBER, is_tombstone

Json = Any  # Any: JSON as it is kept

ENTITY = ""
"""The attribute name under which the deletion of a whole entity stands."""
SCOPE = "scope"
WHOLE = "*"
"""The text of an instance that says: the attribute went with all its instances."""
_HEAD = frozenset({"id", "type", "expiresAt"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999; periods may reach beyond them."""
_EXACT = 2**53
_PLAIN = frozenset({"type", "value", "object", "vocab", "observedAt", "unitCode", "datasetId"})
_INSTANCE_ID = re.compile(r"urn:ngsi-ld:Instance:(-?\d{1,18})-(\d{1,9})\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?\Z")


@dataclass(slots=True)
class Instance:
    """One instance of one attribute. Times in µs since 1970.

    `seq` is the number of the change it came with (negative: written into history by a client) and `place` its place
    there; together they make its instanceId. `form` tells what its value is (`_FORMS`), `number` and `text` hold it
    where it is one; `body` is the instance as JSON, left out where the other columns tell all of it.
    """

    entity: str
    types: str
    attribute: str
    dataset: str
    kind: str
    form: str
    number: float | None
    text: str | None
    unit: str | None
    body: str | None
    observed_us: int | None
    created_us: int
    modified_us: int
    deleted_us: int | None
    seq: int
    place: int


_FORMS = {
    "n": "a number",
    "b": "true or false, 1 or 0 in `number`",
    "t": "text",
    "d": "a date",
    "i": "a date and time",
    "h": "a time of the day; seconds since midnight in `number`",
    "u": "a URI",
    "l": "a list; its length in `number`",
    "o": "anything else",
    "x": "nothing: it was deleted",
}
COLUMNS = {
    "entity": "VARCHAR",
    "types": "VARCHAR",
    "attribute": "VARCHAR",
    "dataset": "VARCHAR",
    "kind": "VARCHAR",
    "form": "VARCHAR",
    "number": "DOUBLE",
    "text": "VARCHAR",
    "unit": "VARCHAR",
    "body": "VARCHAR",
    "observed_us": "BIGINT",
    "created_us": "BIGINT",
    "modified_us": "BIGINT",
    "deleted_us": "BIGINT",
    "seq": "BIGINT",
    "place": "INTEGER",
}
"""Column → its DuckDB type, in the order of `Instance`."""
assert [field.name for field in fields(Instance)] == list(COLUMNS)


def us_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(us: int) -> datetime:
    """The instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=min(max(us, _FIRST_US), _LAST_US))


def text_of(us: int) -> str:
    """The UTC text of an instant: as short as it can be, ending in Z."""
    moment, us = moment_of(us), min(us, _LAST_US)
    text = moment.replace(tzinfo=None).isoformat(timespec="auto" if us % 1_000 else "milliseconds")
    return (text[:-4] if text.endswith(".000") else text) + "Z"


def instance_id(seq: int, place: int) -> str:
    """The URI that names an instance (clause 4.5.7)."""
    return f"urn:ngsi-ld:Instance:{seq}-{place}"


def read_instance_id(text: str) -> tuple[int, int] | None:
    """Sequence and place of an instance's URI; None where it is none of ours."""
    match = _INSTANCE_ID.match(text)
    return (int(match[1]), int(match[2])) if match else None


def flatten(entity: str, types: str, op: int, at_ms: int, seq: int, raw: bytes) -> Iterator[Instance]:
    """The attribute instances of one change. `types` are the entity's, joined by newlines."""
    said: dict[str, Json] = orjson.loads(raw)
    if "@erased" in said:
        return
    if "type" in said:
        given = said["type"]
        types = given if isinstance(given, str) else "\n".join(given)
    at_us, place = at_ms * 1_000, 0
    for part in (said, said.get(LATE_PART, {})):
        for name, value in part.items():
            if name in _HEAD or name[:1] == "@":
                continue
            for one in _instances(name, value, at_us):
                instance = read(one, entity, types, name, seq, place, at_us, at_us)
                instance.text = WHOLE if value is None and name != SCOPE else instance.text
                yield instance
                place += 1
    if op == Op.DELETED:
        yield Instance(
            entity, types, ENTITY, "", "", "x", None, None, None, None, None, at_us, at_us, at_us, seq, place
        )


def _instances(name: str, value: Json, at_us: int) -> Sequence[dict[str, Json]]:
    if name == SCOPE:
        return ({"type": "Property", "value": NULL if value is None else value, "observedAt": text_of(at_us)},)
    if value is None:
        return ({"type": "Property", "value": NULL},)
    return value if isinstance(value, list) else (value,)


def read(
    one: Mapping[str, Json], entity: str, types: str, name: str, seq: int, place: int, created_us: int, modified_us: int
) -> Instance:
    """An instance from its kept form."""
    kind = one["type"]
    value = one.get(VALUE_MEMBER[kind])
    observed = one.get("observedAt")
    observed_us = us_of(datetime.fromisoformat(observed)) if observed is not None else None
    gone = is_tombstone(one)
    form, number, text = ("x", None, None) if gone else _form(kind, value)
    unit = one.get("unitCode")
    plain = _is_plain(one, form, number, observed, observed_us)
    return Instance(
        entity,
        types,
        name,
        one.get("datasetId", ""),
        kind,
        form,
        number,
        text,
        unit,
        None if plain else orjson.dumps(one).decode(),
        observed_us,
        created_us,
        modified_us,
        modified_us if gone else None,
        seq,
        place,
    )


def _form(kind: str, value: Json) -> tuple[str, float | None, str | None]:
    if kind == "Relationship":
        return ("u", None, value) if isinstance(value, str) else ("u", None, None)
    if kind == "ListRelationship":
        return "u", None, None
    if kind not in ("Property", "ListProperty", "VocabProperty"):
        return "o", None, None
    if isinstance(value, bool):
        return "b", float(value), None
    if isinstance(value, int | float):
        return "n", float(value), None
    if isinstance(value, list):
        return "l", float(len(value)), None
    if isinstance(value, dict) and isinstance(value.get("@value"), str):
        return _text_form(value["@value"], str(value.get("@type", "")))
    return _text_form(value, "") if isinstance(value, str) else ("o", None, None)


def _text_form(value: str, said: str) -> tuple[str, float | None, str]:
    """Dates and times are told by their JSON-LD type, or by the form alone."""
    name = said.rpartition("/")[2].lower()
    if name == "time" or (not said and _TIME.match(value)):
        hours, minutes, seconds = value.rstrip("Z").split(":")
        return "h", int(hours) * 3600 + int(minutes) * 60 + float(seconds), value
    if name == "date" or (not said and _DATE.match(value)):
        return "d", None, value
    if name == "datetime" or (not said and len(value) > 18 and value[4:5] == "-" and value[10:11] == "T"):
        return "i", None, value
    return ("u" if said == "@id" else "t"), None, value


def _is_plain(
    one: Mapping[str, Json], form: str, number: float | None, observed: str | None, observed_us: int | None
) -> bool:
    """Whether columns alone tell the whole instance: then no JSON is kept beside them."""
    if form not in "ntu" or not one.keys() <= _PLAIN:
        return False
    if observed_us is not None and text_of(observed_us) != observed:
        return False
    value = one[VALUE_MEMBER[one["type"]]]
    if form == "n":
        return number is not None and abs(number) < _EXACT
    return isinstance(value, str)


def body_of(row: Instance) -> dict[str, Json]:
    """The instance in kept form."""
    if row.body is not None:
        decoded: dict[str, Json] = orjson.loads(row.body)
        return decoded
    value: Json = row.text
    if row.form == "n" and row.number is not None:
        value = int(row.number) if row.number.is_integer() else row.number
    one: dict[str, Json] = {"type": row.kind or "Property", VALUE_MEMBER[row.kind or "Property"]: value}
    if row.observed_us is not None:
        one["observedAt"] = text_of(row.observed_us)
    if row.unit is not None:
        one["unitCode"] = row.unit
    if row.dataset:
        one["datasetId"] = row.dataset
    return one
