"""Instants as whole milliseconds and as the texts the tables hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def ms_of(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 text in UTC."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def ms_at(value: datetime) -> int:
    """Milliseconds since 1970 of an aware instant."""
    return (value - _EPOCH) // _MILLISECOND


def at_ms(value_ms: int) -> datetime:
    """The aware instant, UTC."""
    return _EPOCH + value_ms * _MILLISECOND


def text_of(value_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds; empty for 0, which stands for never."""
    return at_ms(value_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z") if value_ms else ""
