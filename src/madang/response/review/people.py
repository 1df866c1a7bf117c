"""Who appears in a report: by codes that a signature can cover, with the names apart for those who may read them.

A report says `P1`; a keyed digest of each name is in it, so that names handed out beside it can be checked against it
(as selective disclosure does). Callers do not appear at all.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from madang.kernel.canonical import canonical_json, digest

_PHONE = re.compile(r"(?<!\d)(\+?82[-. ]?|0)(1[016789]|2|[3-6][1-5]|70|50\d?)[-. )]?\d{3,4}[-. ]?\d{4}(?!\d)")
_RESIDENT = re.compile(r"(?<!\d)\d{6}[- ]?[1-8]\d{6}(?!\d)")
_PEOPLE = ("person:", "token:", "officer:", "recipient:")
_SHORTEST = 2
"""Names shorter than this are not looked for in texts: they would be found in every other word."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Who a code stands for, with the salt that its digest was made with."""

    code: str
    id: str
    name: str
    salt: str

    @property
    def digest(self) -> str:
        """What the report holds of it."""
        return digest(canonical_json([self.salt, self.id, self.name]))


@dataclass
class People:
    """Gives codes to people as they are met, and takes names and numbers out of free text."""

    callers: tuple[str, ...] = ()
    _met: dict[str, Disclosure] = field(default_factory=dict)

    def code(self, actor: str, name: str = "") -> str:
        """The code of a person; agencies as such, rules and the platform's own hands keep their names."""
        if not actor.startswith(_PEOPLE):
            return name or actor if actor.startswith("agency:") else actor
        known = self._met.get(actor)
        if known is None or (name and not known.name):
            number = known.code if known else f"P{len(self._met) + 1}"
            self._met[actor] = Disclosure(number, actor, name, known.salt if known else secrets.token_hex(16))
        return self._met[actor].code

    def meet(self, people: Iterable[tuple[str, str]]) -> None:
        """Gives codes before any text is read, so that a name is found also where its bearer comes later."""
        for actor, name in people:
            self.code(actor, name)

    def text(self, said: str) -> str:
        """Free text with staff as `[P1]`, callers as `[신고인]`, and telephone and resident numbers struck out."""
        for caller in self.callers:
            said = said.replace(caller, "[신고인]")
        said = _PHONE.sub("[전화번호]", _RESIDENT.sub("[주민번호]", said))
        for one in sorted(self._met.values(), key=lambda one: -len(one.name)):
            if len(one.name) >= _SHORTEST:
                said = _whole(one.name).sub(f"[{one.code}]", said)
        return said

    def viewer(self, actor: str, name: str) -> str:
        """The code of who looked: behind one agency's system sit many officers."""
        return self.code(f"officer:{actor}:{name}" if actor.startswith("agency:") else actor, name)

    @property
    def disclosures(self) -> list[Disclosure]:
        """Everybody met, in order."""
        return list(self._met.values())


def _whole(name: str) -> re.Pattern[str]:
    """The name where it is not part of a longer Latin word; Korean particles may follow it."""
    edge = "A-Za-z0-9_"
    return re.compile(f"(?<![{edge}]){re.escape(name)}(?![{edge}])")


def named(code: str, names: Mapping[str, str]) -> str:
    """The name behind a code, where it is known to the reader; else the code."""
    return names.get(code, code)


def with_names(said: str, names: Mapping[str, str]) -> str:
    """Free text with codes turned back into names."""
    return re.sub(r"\[(P\d+)\]", lambda found: named(found[1], names), said) if names else said
