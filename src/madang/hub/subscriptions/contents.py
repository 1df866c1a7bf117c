"""What a parked notification would say, for a person who decides whether to send it again."""

from __future__ import annotations

from collections.abc import Iterable

from madang.hub.access import Access
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.store import Store
from madang.hub.subscriptions.notification import compose
from madang.hub.subscriptions.occurrence import occurrences
from madang.hub.subscriptions.subscription import Subscription
from madang.kernel.errors import NotFoundError

_MATERIAL = "SELECT id, at_ms, material FROM notification WHERE subscription = ? AND seq = ? AND parked_ms IS NOT NULL"


async def content(store: Store, subscriptions: Iterable[Subscription], key: str, access: Access) -> bytes:
    """The notification's body with core names, without its headers, of what `access` may read; `key` is `Parked.key`.

    `subscriptions` are the tenant's. Raises `NotFoundError`.
    """
    number, _, seq = key.partition(".")
    one = next((each for each in subscriptions if str(each.number) == number), None)
    if one is None or not seq.isdigit() or len(seq) > 18:
        raise NotFoundError(f"No parked notification {key[:60]}", where="key")
    rows = await store.read(lambda session: session.execute(_MATERIAL, (one.number, int(seq))))
    if not rows:
        raise NotFoundError(f"No parked notification {key[:60]}", where="key")
    notification_id, at_ms, kept = rows[0]
    found = [each for each in occurrences(kept) if access.sees(each.types)]
    return compose(one, notification_id, at_ms, found, CORE_CONTEXT).body
