"""Forms: what plain entities that come again and again look like, letter by letter. Pure.

Stations of a network send the same attributes in the same order every time; between two of their entities only numbers,
texts, instants and the id differ. A form is a regular expression of exactly such bytes, already in kept form. One match
checks an entity, and what it matched is kept as it lies: decoding it into objects, looking at them and encoding them
again takes three times as long (2.3 µs against 8 for an entity of 600 bytes, measured). What a form does not match may
be plain nevertheless; it only costs more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import orjson

from madang.hub.entity import NULL

_TEXT = rb'(?!%b")[^"\\\x00-\x1f]' % NULL.encode()
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,17}+)?+"
"""Within 64 bits, and without exponent."""
_SCALAR = rb'(?>%b|"%b*+"|true|false)' % (_NUMBER, _TEXT)
_URI = rb"""(?!%b")[A-Za-z][A-Za-z0-9+.\-]{0,60}+:[^\s<>"{}|\\^`\x00-\x1f\x7f-\xff]{1,1900}+""" % NULL.encode()
_DAY = rb"(?>(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
"""A leap day is left to the calendar."""
_INSTANT = rb"[12][0-9]{3}-%bT(?>[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6}+)?+Z" % _DAY


Point = tuple[str, float, float]
"""Where a GeoProperty of this name lies: longitude, latitude."""
Found = tuple[str, bytes, tuple[Point, ...]]
"""An entity's id, bytes and points."""


class Form:
    """The form of entities of one type and one list of attributes, each with its kind."""

    __slots__ = ("_find_all", "_id", "_match", "_points", "begins")

    def __init__(self, type_name: str, attributes: Mapping[str, str]) -> None:
        """Attributes' kinds by name: `Property`, `Relationship` or `GeoProperty`."""
        parts = _Parts()
        told = b"".join(b',"%b":%b' % (_literally(name), parts.of_kind(kind)) for name, kind in attributes.items())
        pattern = re.compile(rb'(\{"id":"(?P<id>%b)","type":"%b"%b\})' % (_URI, _literally(type_name), told))
        names = (name for name, kind in attributes.items() if kind == "GeoProperty")
        groups = pattern.groupindex
        self.begins = pattern.match
        self._match = pattern.fullmatch
        self._find_all = pattern.findall
        self._id = groups["id"] - 1
        self._points = [(name, groups[f"at{place}"] - 1) for place, name in enumerate(names)]

    def find(self, item: bytes | msgspec.Raw) -> Found | None:
        """An entity of this form; None for what is none."""
        found = self._match(item)
        if found is None:
            return None
        groups = found.groups(b"")
        body = groups[0]
        if not body.isascii() and not _is_utf8(body):
            return None
        points = self._placed(groups) if self._points else ()
        return None if points is None else (groups[self._id].decode(), body, points)

    def find_all(self, batch: bytes, start: int, end: int) -> list[Found]:
        """Entities of this form that lie side by side from `start` on and end before `end`; none where any other does.

        The loop over them runs inside the expression: half of what each costs by `find` (measured).
        """
        groups = self._find_all(batch, start, end)
        together = b",".join([one[0] for one in groups])
        if not batch.startswith(together, start) or not (together.isascii() or _is_utf8(together)):
            return []
        place = self._id
        if not self._points:
            return [(one[place].decode(), one[0], ()) for one in groups]
        found = [(one[place].decode(), one[0], self._placed(one)) for one in groups]
        return [] if any(points is None for _, _, points in found) else cast("list[Found]", found)

    def _placed(self, groups: Sequence[bytes]) -> tuple[Point, ...] | None:
        points = []
        for name, place in self._points:
            lon, lat = orjson.loads(groups[place])
            if not (-180 <= lon <= 180 and -90 <= lat <= 90):
                return None
            points.append((name, lon, lat))
        return tuple(points)


def _literally(name: str) -> bytes:
    return re.escape(msgspec.json.encode(name)[1:-1])


class _Parts:
    """Writes the parts of one expression: the first instant is looked at in full, others are mostly the same."""

    def __init__(self) -> None:
        self._instants = 0
        self.points = 0

    def of_kind(self, kind: str) -> bytes:
        if kind == "Relationship":
            return rb'\{"type":"Relationship","object":"%b"\}' % _URI
        if kind == "GeoProperty":
            at = rb'\{"type":"Point","coordinates":(?P<at%d>\[%b,%b\])\}' % (self.points, _NUMBER, _NUMBER)
            self.points += 1
            return rb'\{"type":"GeoProperty","value":%b%b\}' % (at, self._observed())
        return rb'\{"type":"Property","value":%b(?:,"unitCode":"%b++")?+%b\}' % (_SCALAR, _TEXT, self._observed())

    def _observed(self) -> bytes:
        self._instants += 1
        if self._instants == 1:
            return rb'(?:,"observedAt":"(?P<at>%b)")?+' % _INSTANT
        return rb'(?:,"observedAt":"(?>(?P=at)|%b)")?+' % _INSTANT


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
