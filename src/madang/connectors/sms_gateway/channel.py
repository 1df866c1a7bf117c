"""Text messages over HTTP, as the contract in this folder says."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from madang.connectors.sms_gateway.config import SmsGatewayConfig
from madang.kernel.errors import MadangError, PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.response.messaging.channels import Outgoing, UnsureError

BUSY = frozenset({401, 403, 408, 425, 429, 502, 503, 504})
"""Answers after which certainly nothing was taken, and that may pass."""


class SmsGatewayChannel:
    """Sends situation messages as SMS or LMS; which of the two, the gateway decides by length."""

    name = "sms"
    ko = "문자"
    en = "Text message"

    def __init__(self, config: SmsGatewayConfig) -> None:
        self._config = config
        self.idempotent = config.honours_key
        self.modes: frozenset[Mode] = frozenset(config.modes)
        self._trust = ssl.create_default_context(cafile=config.certificates or None)

    def send(self, outgoing: Outgoing) -> str:
        """Hands the text to the gateway; returns the gateway's number of it."""
        to = "".join(char for char in outgoing.address if char in "+0123456789")
        body = {"to": to, "from": self._config.sender, "text": outgoing.text, "mode": outgoing.mode.value}
        headers = {"Idempotency-Key": outgoing.key, "Authorization": f"Bearer {self._config.token.reveal()}"}
        try:
            answer = self._post(self._config.url.rstrip("/") + "/messages", body, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TemporaryError(f"the SMS gateway cannot be reached: {type(error).__name__}") from None
        except httpx.TransportError as error:
            raise UnsureError(f"the SMS gateway took the text and did not answer: {type(error).__name__}") from None
        if answer.is_success:
            return _number(answer)
        raise _refused(answer.status_code)

    def _post(self, url: str, body: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        with httpx.Client(timeout=self._config.timeout_s, verify=self._trust, trust_env=False) as client:
            return client.post(url, json=body, headers=headers)


def _refused(status: int) -> MadangError:
    if status == 500:
        return UnsureError("the SMS gateway failed inside (500)")
    kind = TemporaryError if status in BUSY else PermanentError
    return kind(f"the SMS gateway answered {status}")


def _number(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("id", ""))[:120] if isinstance(said, dict) else ""
