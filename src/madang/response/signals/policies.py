"""The class policies of every city: what it set, over the defaults."""

from __future__ import annotations

from dataclasses import fields, replace

from madang.response.signals.domain import ClassPolicy, default_policy
from madang.response.signals.models import Policy

CHANGED = "policy"
"""The ref of a `shelf` touch that says a policy was changed."""
_NAMES = tuple(field.name for field in fields(ClassPolicy))


class Policies:
    """Every city's policies as the table had them when this was made."""

    def __init__(self) -> None:
        self._set = {(row.authority_id, row.class_code): _policy(row) for row in Policy.objects.all()}
        self._plain: dict[str, ClassPolicy] = {}

    def of(self, city: str, class_code: str) -> ClassPolicy:
        """The policy of a class in a city."""
        if (found := self._set.get((city, class_code))) is not None:
            return found
        if (plain := self._plain.get(class_code)) is None:
            plain = self._plain[class_code] = default_policy(class_code)
        return plain


def _policy(row: Policy) -> ClassPolicy:
    given = {name: getattr(row, name) for name in _NAMES}
    return replace(
        default_policy(row.class_code), **{name: value for name, value in given.items() if value is not None}
    )
