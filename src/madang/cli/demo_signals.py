"""The demo's simulated devices and citizens: their token, and where it lies."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

SIGNALS_KEY = "signals.key"
_LIVES = timedelta(days=180)


def give_token(state: Path, authority: str, now: datetime) -> None:
    """Makes the token with which the simulated devices send signals, and leaves it for them in the state directory."""
    from madang.identity.commands import issue_token
    from madang.identity.models import TokenKind
    from madang.identity.rights import system_actor
    from madang.journal import civic
    from madang.site.keys import write_private

    with civic.transaction() as tx:
        raw, _ = issue_token(
            tx,
            system_actor(authority),
            authority=authority,
            kind=TokenKind.DEVICE,
            name="모의 장치 Simulated devices",
            types=(),
            lives=_LIVES,
            longest=_LIVES,
            now=now,
        )
    write_private(state / SIGNALS_KEY, raw.encode())
