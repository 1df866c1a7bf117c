"""A value that opens something: held, handed on, and never shown."""

from __future__ import annotations


class Secret:
    """Text that must not show in `repr`, logs or errors; in configuration `{ env = "NAME" }` or `{ file = "path" }`.

    `origin` says where it came from, which may be shown.
    """

    # No dataclass: a decoder would take one for a table of plain fields.
    __slots__ = ("_value", "origin")

    def __init__(self, value: str = "", origin: str = "") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return self._value != ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({self.origin or 'unset'})"
