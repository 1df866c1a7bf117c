"""Regular expressions of queries (RE2) in PostgreSQL's own spelling, with RE2's meaning. Pure.

What cannot be said there is refused as too complex for this store, never answered wrongly.
"""

from __future__ import annotations

import re
from functools import lru_cache

from madang.hub.errors import TooComplexQueryError
from madang.hub.scope import alternatives

_WORD, _SPACE = "A-Za-z0-9_", "\\t\\n\\f\\r "
_CLASSES = {"d": "0-9", "w": _WORD, "s": _SPACE}
_BOUNDARY = f"(?:(?<![{_WORD}])(?=[{_WORD}])|(?<=[{_WORD}])(?![{_WORD}]))"
_NO_BOUNDARY = f"(?:(?<![{_WORD}])(?![{_WORD}])|(?<=[{_WORD}])(?=[{_WORD}]))"
_LETTERS = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f", "v": "\\v", "a": "\\a", "A": "\\A", "z": "\\Z"}
_POSIX = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "space": "\\s",
    "upper": "A-Z",
    "word": _WORD,
    "xdigit": "0-9A-Fa-f",
}
_ASSERTIONS = frozenset({"\\A", "\\Z", _BOUNDARY, _NO_BOUNDARY})
"""What PostgreSQL does not repeat."""
_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_GROUP = re.compile(r"\(\?(?::|P?<\w+>)")
_FLAGS = re.compile(r"\(\?([is]+)\)")
_HEX = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")


def refused(pattern: str) -> TooComplexQueryError:
    """The refusal of a pattern."""
    return TooComplexQueryError(
        f"The pattern {pattern[:60]!r} uses what the PostgreSQL store does not search by",
        hint="Use literals, classes, groups, repeats and anchors",
    )


@lru_cache(maxsize=256)
def translated(pattern: str) -> str:
    """The pattern for PostgreSQL's `~`; raises `TooComplexQueryError`."""
    return _Translation(pattern).done()


class _Translation:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._single_line = False
        self._said: list[str] = []

    def done(self) -> str:
        options = ""
        if (flags := _FLAGS.match(self._text)) is not None:
            self._at = flags.end()
            options = "(?i)" if "i" in flags[1] else ""
            self._single_line = "s" in flags[1]
        while self._at < len(self._text):
            self._said.append(self._next())
        return f"{options or '***:'}{''.join(self._said)}"

    def _next(self) -> str:
        one = self._text[self._at]
        if one == "\\":
            return self._escape()
        if one == "[":
            return self._bracket()
        if one == "(":
            return self._open()
        if one in "*+?{":
            return self._repeat(one)
        self._at += 1
        if one == ".":
            return "." if self._single_line else "[^\\n]"
        if one == "$":
            return "\\Z"
        if one == "^":
            return "\\A"
        return self._plain(one)

    def _plain(self, one: str) -> str:
        if one in "|)":
            return one
        if one == "\0":
            raise refused(self._text)
        return "\\" + one if one in "]}" else one

    def _open(self) -> str:
        if not self._text.startswith("(?", self._at):
            self._at += 1
            return "("
        group = _GROUP.match(self._text, self._at)
        if group is None:
            raise refused(self._text)
        self._at = group.end()
        return "(?:"

    def _repeat(self, one: str) -> str:
        if one != "{" and self._said[-1:] and self._said[-1] in _ASSERTIONS:
            raise refused(self._text)
        if one == "{":
            found = _REPEAT.match(self._text, self._at)
            if found is None:
                self._at += 1
                return "\\{"
            one = found.group()
            if self._said[-1:] and self._said[-1] in _ASSERTIONS:
                raise refused(self._text)
        self._at += len(one)
        if self._text.startswith("?", self._at):
            self._at += 1  # lazy: finds in the same texts
        if self._text[self._at : self._at + 1] in ("*", "+", "?") or _REPEAT.match(self._text, self._at):
            raise refused(self._text)
        return one

    def _escape(self) -> str:
        one = self._text[self._at + 1]
        self._at += 2
        if one in "dws":
            return f"[{_CLASSES[one]}]"
        if one in "DWS":
            return f"[^{_CLASSES[one.lower()]}]"
        if one in "bB":
            return _BOUNDARY if one == "b" else _NO_BOUNDARY
        return self._character(one)

    def _character(self, one: str) -> str:
        if one in _LETTERS:
            return _LETTERS[one]
        if one == "x" and (found := _HEX.match(self._text, self._at - 1)) is not None:
            self._at = found.end()
            number = int(found[1] or found[2], 16)
            if not 0 < number <= 0x10FFFF:
                raise refused(self._text)
            return f"\\U{number:08x}"
        if one.isalnum() or ord(one) < 32:
            raise refused(self._text)
        return "\\" + one if one.isascii() and one != "_" else one

    def _bracket(self) -> str:
        self._at += 1
        said = "["
        if self._text.startswith("^", self._at):
            said += "^"
            self._at += 1
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise refused(self._text)
            said += self._in_bracket()
            first = False
        self._at += 1
        return said + "]"

    def _in_bracket(self) -> str:
        one = self._text[self._at]
        if self._text.startswith("[:", self._at):
            return self._posix()
        self._at += 1
        if one == "\\":
            one = self._text[self._at]
            self._at += 1
            if one in _CLASSES:
                return _CLASSES[one]
            if one in "DWSbBAz":
                raise refused(self._text)
            return self._character(one)
        if one == "\0":
            raise refused(self._text)
        return "\\" + one if one in "[]" else one

    def _posix(self) -> str:
        end = self._text.find(":]", self._at)
        found = _POSIX.get(self._text[self._at + 2 : end]) if end > 0 else None
        if found is None:
            raise refused(self._text)
        self._at = end + 2
        return found


def scope_patterns(query: str) -> list[list[str]]:
    """A scope query (clause 4.19) as alternatives of patterns that must each match one of the scopes."""
    return [[_scope_pattern(part) for part in either] for either in alternatives(query)]


def _scope_pattern(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    deep = parts[-1:] == ["#"]
    steps = parts[:-1] if deep else parts
    said = "".join("/" + ("[^/]+" if part == "+" else _escaped(part)) for part in steps)
    return "***:\\A" + said + (r"(?:/[^\n]*)?\Z" if deep else r"\Z")


def _escaped(text: str) -> str:
    return "".join(one if one.isalnum() or not one.isascii() or one == "_" else f"\\{one}" for one in text)
