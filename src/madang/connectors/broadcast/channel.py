"""Announcements over HTTP, as the contract in this folder says."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from madang.connectors.broadcast.config import BroadcastConfig
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.response.messaging.channels import Outgoing, UnsureError

BUSY = frozenset({401, 403, 408, 425, 429, 502, 503, 504})
"""Answers after which nothing was announced, and that may pass."""


class BroadcastChannel:
    """Has loudspeaker groups say a situation message."""

    name = "broadcast"
    ko = "마을방송"
    en = "Public address"

    def __init__(self, config: BroadcastConfig) -> None:
        self._config = config
        self.idempotent = config.honours_key
        self.modes: frozenset[Mode] = frozenset(config.modes)
        self._trust = ssl.create_default_context(cafile=config.certificates or None)

    def send(self, outgoing: Outgoing) -> str:
        """Hands the words to the system; the address is the name of a loudspeaker group."""
        announcement = {"group": outgoing.address, "text": outgoing.text, "mode": outgoing.mode.value}
        headers = {"Idempotency-Key": outgoing.key, "Authorization": f"Bearer {self._config.token.reveal()}"}
        try:
            url = self._config.url.rstrip("/") + "/announcements"
            answer = self._post(url, announcement, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise TemporaryError("the public address system cannot be reached") from None
        except httpx.TransportError:
            raise UnsureError("the public address system did not say whether it spoke") from None
        status = answer.status_code
        if status == 500:
            raise UnsureError("the public address system failed inside (500)")
        if not answer.is_success:
            raise (TemporaryError if status in BUSY else PermanentError)(f"the public address system answered {status}")
        return str(answer.headers.get("Location", ""))[:120]

    def _post(self, url: str, body: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        with httpx.Client(timeout=self._config.timeout_s, verify=self._trust, trust_env=False) as client:
            return client.post(url, json=body, headers=headers)
