"""One camera's PullPoint: subscribed, pulled, renewed, and given back; only to where cameras may be."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any  # Any: lxml's elements are untyped
from urllib.parse import urlsplit

import httpx

from madang.connectors.onvif import wire
from madang.connectors.onvif.config import OnvifCamera, OnvifConfig
from madang.connectors.onvif.wire import Login, Notice, Subscribed
from madang.kernel.clock import Clock
from madang.kernel.errors import BadRequestError, MadangError, TemporaryError, TooLargeError
from madang.video.sources import SourceRules, resolve_source

log = logging.getLogger(__name__)
_RETRY_FIRST_S, _RETRY_MOST_S = 1.0, 60.0
_SLACK_S = 10.0


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull brought, and the camera's clock then."""

    notices: Sequence[Notice]
    camera_time: datetime | None


class PullPoint:
    """Keeps one subscription alive; `run` hands over what is pulled, until cancelled."""

    def __init__(
        self,
        camera: OnvifCamera,
        config: OnvifConfig,
        rules: SourceRules,
        clock: Clock,
        take: Callable[[Pulled], Awaitable[None]],
    ) -> None:
        self._camera, self._config, self._rules = camera, config, rules
        self._clock, self._take = clock, take
        self._ahead = timedelta(0)
        self.subscriptions = 0

    async def run(self) -> None:
        """Subscribes again whenever the camera or the way to it fails, ever less often."""
        wait_s, told = _RETRY_FIRST_S, False
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # cameras make their own certificates
        timeout = httpx.Timeout(self._config.pull_s + _SLACK_S, connect=5.0)
        async with httpx.AsyncClient(verify=trust, timeout=timeout, trust_env=False) as client:
            while True:
                before = self.subscriptions
                try:
                    await self._listen(client)
                except (httpx.HTTPError, MadangError, OSError, ValueError) as error:
                    if not told or self.subscriptions > before:
                        log.warning("ONVIF events of %s: %s", self._camera.camera, _what(error))
                    told = True
                wait_s = _RETRY_FIRST_S if self.subscriptions > before else min(wait_s * 2, _RETRY_MOST_S)
                await asyncio.sleep(wait_s)

    async def _listen(self, client: httpx.AsyncClient) -> None:
        place = wire.subscribed(await self._ask(client, "CreatePullPointSubscription", self._camera.url))
        self._same_host(place.address)
        self.subscriptions += 1
        loop = asyncio.get_running_loop()
        renew_s = loop.time() + self._config.lease_s / 2
        try:
            while True:
                if loop.time() >= renew_s:
                    await self._ask(client, "Renew", place.address, place)
                    renew_s = loop.time() + self._config.lease_s / 2
                answer = await self._ask(client, "PullMessages", place.address, place)
                found = Pulled(wire.notices(answer), wire.camera_time(answer))
                if found.notices:
                    await self._until_taken(found)
                else:
                    await asyncio.sleep(0.05)  # a camera that answers at once must not be asked without an end
        finally:
            with suppress(httpx.HTTPError, MadangError, OSError, ValueError):
                async with asyncio.timeout(2):
                    await self._ask(client, "Unsubscribe", place.address, place)

    async def _until_taken(self, found: Pulled) -> None:
        """The camera has forgotten it by now: whatever the store's trouble is, it waits here for it to pass."""
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                await self._take(found)
                return
            except Exception:  # see above
                log.exception("events of %s were not taken; trying again in %.0f s", self._camera.camera, wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MOST_S)

    def _same_host(self, address: str) -> None:
        """A camera says where its subscription is spoken to: only at itself (it could name anybody)."""
        if urlsplit(address).hostname != urlsplit(self._camera.url).hostname:
            raise BadRequestError("the camera names a subscription at another host", where="SubscriptionReference")

    async def _ask(
        self, client: httpx.AsyncClient, action: str, url: str, place: Subscribed | None = None
    ) -> Any:  # Any: see above
        """Asks once more with the camera's own time where its clock, by its `Date`, is what made it refuse."""
        for again in (False, True):
            status, date, data = await self._post(client, action, url, place)
            root = wire.parse(data, self._config.max_answer)
            said = wire.fault(root)
            if not said and status < 400:
                if (told := wire.camera_time(root)) is not None:
                    self._ahead = told - self._clock()
                return root
            if again or not self._learn(date):
                break
        raise TemporaryError(f"{action} was refused ({status}): {said}")

    def _learn(self, date: str) -> bool:
        """Learns how far the camera's clock is ahead; whether that is news."""
        try:
            ahead = parsedate_to_datetime(date) - self._clock()
        except (ValueError, TypeError):
            return False
        news = abs((ahead - self._ahead).total_seconds()) > self._config.skew_s
        self._ahead = ahead
        return news

    async def _post(
        self, client: httpx.AsyncClient, action: str, url: str, place: Subscribed | None
    ) -> tuple[int, str, bytes]:
        source = await asyncio.to_thread(resolve_source, url, self._rules)
        if source.scheme not in ("http", "https"):
            raise BadRequestError("ONVIF speaks HTTP", where="url")
        body = wire.request(
            action,
            url,
            self._login(),
            lease_s=self._config.lease_s,
            pull_s=self._config.pull_s,
            parameters=place.parameters if place else (),
        )
        headers = {
            "Content-Type": f'application/soap+xml; charset=utf-8; action="{wire.ACTIONS[action]}"',
            "Host": urlsplit(url).netloc.rpartition("@")[2],
        }
        async with client.stream("POST", source.url, content=body, headers=headers) as answer:
            data = bytearray()
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > self._config.max_answer:
                    raise TooLargeError(f"the answer has more than {self._config.max_answer} bytes", where="answer")
            return answer.status_code, answer.headers.get("date", ""), bytes(data)

    def _login(self) -> Login | None:
        if not self._camera.username:
            return None
        created = self._clock() + self._ahead
        return Login(self._camera.username, self._camera.password.reveal(), secrets.token_bytes(16), created)


def _what(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
