"""From what cameras notice to signals, at our camera's place and by a clock that can be believed."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from madang.connectors.onvif.config import IGNORE, OnvifConfig, TopicRule
from madang.connectors.onvif.domain import Key, News, matching, news
from madang.connectors.onvif.pulling import Pulled
from madang.connectors.onvif.wire import Notice, instant
from madang.identity.rights import system_actor
from madang.journal import civic
from madang.kernel.clock import Clock
from madang.kernel.mode import Mode
from madang.response.signals.intake import Draft, accept
from madang.response.signals.models import Signal
from madang.video.models import Camera

T = TypeVar("T")
log = logging.getLogger(__name__)
_CLASS_KO = {
    "device_tampered": "카메라 훼손·가림 감지",
    "intrusion": "침입·선 넘음 감지",
    "motion": "움직임 감지",
    "object_seen": "객체 감지",
}


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock: ...
    def run_civic(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class _News:
    """A notification that is news, and by which rule."""

    notice: Notice
    what: News
    rule: TopicRule


class CameraEvents:
    """What one camera tells. The states of its properties are remembered as long as the process lives."""

    def __init__(self, named: str, config: OnvifConfig, services: Services, mode: Mode) -> None:
        self._named, self._config, self._services, self._mode = named, config, services, mode
        self._actor = system_actor(config.authority, "onvif")
        self._states: dict[Key, bool] = {}
        self.counts: Counter[str] = Counter()

    async def take(self, pulled: Pulled) -> None:
        """Keeps what is news. Raises where the store does; then nothing is remembered of it."""
        now, states = self._services.clock(), dict(self._states)
        found = [one for notice in pulled.notices if (one := self._news(states, notice)) is not None]
        if found:
            skewed = pulled.camera_time is None or self._is_off(pulled.camera_time, now)
            await self._services.run_civic(lambda: self._write(found, now, skewed=skewed))
        self._states = states
        self.counts["told"] += len(pulled.notices)

    def _news(self, states: dict[Key, bool], notice: Notice) -> _News | None:
        number = matching(self._config.topics, notice.topic, self._named)
        if number is None:
            self.counts["unknown"] += 1
            return None
        rule = self._config.topics[number]
        what = None if rule.class_code == IGNORE else news(states, notice, rule.item)
        return None if what is None else _News(notice, what, rule)

    def _is_off(self, camera_time: datetime, now: datetime) -> bool:
        return abs((camera_time - now).total_seconds()) > self._config.skew_s

    def _write(self, found: Sequence[_News], now: datetime, *, skewed: bool) -> None:
        with civic.transaction() as tx:
            camera = camera_named(self._config.authority, self._named)
            drafts = {draft.source_id: draft for one in found for draft in [self._draft(one, camera, now, skewed)]}
            rows = Signal.objects.filter(authority_id=self._config.authority, mode=self._mode.value, source="onvif")
            known = set(
                rows.filter(device=self._device(camera), source_id__in=drafts).values_list("source_id", flat=True)
            )
            kept = [draft for ident, draft in drafts.items() if ident not in known]
            self.counts["repeated"] += len(found) - len(kept)
            self.counts.update(answer.receipt.value for answer in accept(tx, self._actor, kept, now) if kept)

    def _device(self, camera: Camera | None) -> str:
        return camera.pk if camera else f"onvif:{self._named}"[:100]

    def _draft(self, one: _News, camera: Camera | None, now: datetime, skewed: bool) -> Draft:
        at = instant(one.notice.at)
        believed = at is not None and not skewed and at <= now
        lon, lat = place_of(camera)
        return Draft(
            authority=self._config.authority,
            mode=self._mode,
            source="onvif",
            source_id=_ident(one, now),
            device=self._device(camera),
            class_code=one.rule.class_code,
            observed_at=at if believed and at is not None else now,
            lon=lon,
            lat=lat,
            accuracy_m=None,
            address=(camera.site.road_address or camera.site.lot_address) if camera else "",
            priority=one.rule.priority,
            text=_CLASS_KO.get(one.rule.class_code, one.notice.topic.rpartition("/")[2]),
            attributes={
                "topic": one.notice.topic,
                "source": dict(one.notice.source),
                "data": dict(one.notice.data),
                "camera_id": camera.pk if camera else "",
                "device_time": one.notice.at,
            },
            ending=one.what is News.ENDED,
        )


def _ident(one: _News, now: datetime) -> str:
    """The same notification has the same id. One without a time is told by when it came."""
    moment = one.notice.at or now.isoformat()
    said = (
        one.notice.topic,
        sorted(one.notice.source.items()),
        sorted(one.notice.data.items()),
        moment,
        one.what.value,
    )
    return hashlib.sha256(repr(said).encode("utf-8", "replace")).hexdigest()[:40]


def camera_named(authority: str, named: str) -> Camera | None:
    """Our camera by its id, or by `SITE_KEY/NUMBER`."""
    rows = Camera.objects.select_related("site").filter(authority_id=authority)
    key, _, number = named.rpartition("/")
    if key and number.isdecimal():
        return rows.filter(site__source_key=key, number=int(number)).first()
    return rows.filter(pk=named).first()


def place_of(camera: Camera | None) -> tuple[float | None, float | None]:
    """Where a camera stands; its site's place where it has none of its own."""
    if camera is None:
        return None, None
    return (camera.lon, camera.lat) if camera.lon is not None else (camera.site.lon, camera.site.lat)
