"""How often somebody may try: failures lock a name at an address, requests are counted by address. Kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

_REMEMBERED = 20_000


@dataclass(slots=True)
class Throttle:
    """Counts events by key over a window, seconds. A key over the limit waits until its window is past.

    What was counted longest ago is forgotten first when many keys come at once, so that memory stays bounded.
    """

    limit: int
    window_s: float
    _counts: OrderedDict[Hashable, tuple[int, float]] = field(default_factory=OrderedDict)

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """How long the key has to wait, seconds; 0 when it need not. `now_s` is a monotonic clock's."""
        count, since_s = self._counts.get(key, (0, now_s))
        left_s = since_s + self.window_s - now_s
        return left_s if count >= self.limit and left_s > 0 else 0.0

    def count(self, key: Hashable, now_s: float) -> None:
        """Counts one event."""
        count, since_s = self._counts.pop(key, (0, now_s))
        if now_s - since_s >= self.window_s:
            count, since_s = 0, now_s
        self._counts[key] = (count + 1, since_s)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forgets a key: it has done well."""
        self._counts.pop(key, None)
