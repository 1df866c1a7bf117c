"""The order of texts (clause 4.23): what the Unicode root collation makes of everyday names, without ICU. Pure.

Texts are compared letter by letter without accents and case, then by accents, then small before capital letters; blanks
and punctuation come before digits, digits before letters. RFC 6067 keywords taken: `ks` (strength), `kn` (numbers by
value), `kf` (which case first) and `co-phonebk` (German umlauts as two letters).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from madang.hub.errors import BadRequestDataError

_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_@=;][A-Za-z0-9]{1,8})*\Z")
_DIGITS = re.compile(r"(\d+)")
_PHONEBOOK = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_STRENGTHS = {"level1": 1, "level2": 2, "level3": 3, "level4": 3, "identic": 4}
_GROUPS = {"Z": "0", "C": "0", "P": "1", "S": "2", "N": "3"}


@dataclass(frozen=True, slots=True)
class _Rules:
    strength: int = 3
    numeric: bool = False
    capitals_first: bool = False
    phonebook: bool = False


def check_collation(tag: str) -> None:
    """Raises `BadRequestDataError` unless it is empty or of the form of a collation's name."""
    if tag and (len(tag) > 80 or not _TAG.match(tag)):
        raise BadRequestDataError(f"collation is {tag[:40]!r}", where="collation", hint="e.g. und-u-ks-level2")


@lru_cache(maxsize=64)
def collator(tag: str) -> Callable[[str], str]:
    """A function from a text to the key that sorts it."""
    rules = _rules(tag)

    @lru_cache(maxsize=4096)
    def key(text: str) -> str:
        return _key(text, rules)

    return key


def collated(tag: str, value: object) -> object:
    """What stands for a value when it is ordered: a text's key, or the value itself."""
    return collator(tag)(value) if isinstance(value, str) else value


def _rules(tag: str) -> _Rules:
    parts = re.split(r"[-_]", tag.lower())
    said = dict(itertools.pairwise(parts))
    return _Rules(
        _STRENGTHS.get(said.get("ks", ""), 3),
        said.get("kn") in ("true", "yes") or parts[-1:] == ["kn"],
        said.get("kf") == "upper",
        said.get("co") == "phonebk",
    )


def _key(text: str, rules: _Rules) -> str:
    if rules.phonebook:
        text = text.translate(_PHONEBOOK)
    decomposed = unicodedata.normalize("NFD", text)
    plain = "".join(one for one in decomposed if not unicodedata.combining(one))
    letters = plain.casefold()
    if rules.numeric:
        letters = _DIGITS.sub(lambda found: f"{len(found[1].lstrip('0')):04}{found[1].lstrip('0')}", letters)
    levels = ["".join(_weight(one) for one in letters)]
    if rules.strength >= 2:
        levels.append("".join(one if unicodedata.combining(one) else " " for one in decomposed))
    if rules.strength >= 3:
        first, second = ("1", "0") if rules.capitals_first else ("0", "1")
        levels.append("".join(second if one.isupper() else first for one in plain))
    if rules.strength >= 4:
        levels.append(text)
    return "\x01".join(levels)


def _weight(letter: str) -> str:
    return _GROUPS.get(unicodedata.category(letter)[0], "4") + letter
