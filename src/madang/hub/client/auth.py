"""How the client says who it is: a token as it stands, or id and secret for short-lived ones."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

import httpx

from madang.hub.client.errors import error_of

_EARLY_S = 30.0
"""A token is renewed so long before it ends, seconds."""


@dataclass(slots=True)
class BearerToken(httpx.Auth):
    """A token given out by hand (`madang token create`)."""

    token: str = field(repr=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Shows the token."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


@dataclass(slots=True)
class ClientCredentials(httpx.Auth):
    """Client id and secret (`madang client add`); access tokens are fetched and renewed as they are needed.

    `scope` narrows what is asked for; `tenant` says which city where the client is granted several. A token refused
    by the hub is replaced once (RFC 6749 §4.4).
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    tenant: str = ""
    _token: str = field(default="", init=False, repr=False)
    _renew_at_s: float = field(default=0.0, init=False, repr=False)

    requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Fetches a token where none holds, shows it, and tries once more with a fresh one after a 401."""
        used = self._token if time.monotonic() < self._renew_at_s else ""
        if not used:
            self._keep((yield self._token_request()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and used:
            self._keep((yield self._token_request()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _token_request(self) -> httpx.Request:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        form |= {name: value for name, value in (("scope", self.scope), ("tenant", self.tenant)) if value}
        return httpx.Request("POST", self.token_url, data=form)

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            raise error_of(response)
        answer = response.json()
        self._token = str(answer["access_token"])
        self._renew_at_s = time.monotonic() + max(1.0, float(answer.get("expires_in", 60)) - _EARLY_S)
