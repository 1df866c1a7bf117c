"""From what Frigate sees to signals, each told once however often Frigate repeats it; camera states to health."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from madang.connectors.frigate.config import FrigateConfig
from madang.connectors.frigate.wire import CameraState, Message, Seen, read, rule_for
from madang.identity.rights import system_actor
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.clock import Clock
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.kernel.mqtt_line import Heard
from madang.response.signals.intake import Draft, accept
from madang.response.signals.models import Signal
from madang.video.commands import set_camera_health
from madang.video.models import Camera

T = TypeVar("T")
log = logging.getLogger(__name__)
AHEAD = timedelta(minutes=5)
_REMEMBERED = 5_000
_LABEL_KO = {"person": "사람", "car": "차량", "fire": "불꽃", "smoke": "연기", "dog": "개", "bicycle": "자전거"}


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock: ...
    def run_civic(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """One of our cameras: what a signal says of where it was seen."""

    id: str
    lon: float | None
    lat: float | None
    address: str


class FrigateLine:
    """Takes what one Frigate publishes."""

    def __init__(self, config: FrigateConfig, services: Services, mode: Mode) -> None:
        self._config, self._services, self._mode = config, services, mode
        self._actor = system_actor(config.authority, "frigate")
        self._tracked: OrderedDict[str, tuple[float | None, bool]] = OrderedDict()
        self.counts: Counter[str] = Counter()

    async def take(self, heard: Sequence[Heard]) -> None:
        """Keeps a group; what cannot be read is counted and told in the log. Raises where the store does."""
        now = self._services.clock()
        messages = [one for message in heard if (one := self._read(message, now)) is not None]
        if messages:
            await self._services.run_civic(lambda: self._write(messages, now))

    def _read(self, message: Heard, now: datetime) -> Message | None:
        try:
            one = read(message.topic, message.payload, self._config.prefix, self._config.max_payload)
        except (MadangError, ValueError) as error:
            self.counts["unreadable"] += 1
            log.warning("Frigate's message on %s cannot be read: %s", message.topic[:100], str(error)[:200])
            return None
        old = isinstance(one, Seen) and now.timestamp() - (one.ended_s or one.began_s) > self._config.retained_s
        if message.retained and old:
            self.counts["old"] += 1
            return None
        if isinstance(one, Seen) and not message.topic.endswith("/reviews"):
            self._remember(one)
            return one if self._config.unit == "events" and not one.false_positive else None
        return None if isinstance(one, Seen) and self._config.unit == "events" else one

    def _remember(self, one: Seen) -> None:
        self._tracked[one.id] = (one.score, one.false_positive)
        self._tracked.move_to_end(one.id)
        if len(self._tracked) > _REMEMBERED:
            self._tracked.popitem(last=False)

    def _write(self, messages: Sequence[Message], now: datetime) -> None:
        names = {one.camera for one in messages}
        with civic.transaction() as tx:
            places = places_of(self._config, names)
            for one in messages:
                if isinstance(one, CameraState) and one.camera in places:
                    _health(tx, places[one.camera], one, now)
            self._signal(tx, [one for one in messages if isinstance(one, Seen)], places, now)

    def _signal(self, tx: Session, seen: Sequence[Seen], places: dict[str, Place], now: datetime) -> None:
        drafts: dict[tuple[str, str], Draft] = {}
        for one in seen:
            draft = self._draft(one, places.get(one.camera), now)
            if draft is not None:
                key = draft.device, draft.source_id
                self.counts["repeated"] += key in drafts
                drafts.setdefault(key, draft)
        rows = Signal.objects.filter(authority_id=self._config.authority, mode=self._mode.value, source="frigate")
        told = set(rows.filter(source_id__in=[key[1] for key in drafts]).values_list("device", "source_id"))
        news = [draft for key, draft in drafts.items() if key not in told]
        self.counts["repeated"] += len(drafts) - len(news)
        self.counts.update(answer.receipt.value for answer in accept(tx, self._actor, news, now) if news)

    def _score(self, one: Seen) -> tuple[float | None, bool]:
        """The best score among its objects, and whether all that is known of them is false."""
        known = [self._tracked[ident] for ident in one.detections if ident in self._tracked]
        scores = [score for score, _ in known if score is not None]
        best = one.score if one.score is not None else max(scores, default=None)
        return best, bool(known) and len(known) == len(one.detections) and all(false for _, false in known)

    def _draft(self, one: Seen, place: Place | None, now: datetime) -> Draft | None:
        score, is_false = self._score(one)
        rule = rule_for(self._config.classes, one, score)
        ending = one.step == "end"
        if rule is None or (is_false and not ending):
            self.counts["ignored"] += 1
            return None
        moment = datetime.fromtimestamp(one.ended_s if ending and one.ended_s else one.began_s, UTC)
        believed = moment <= now + AHEAD
        labels = "·".join(_LABEL_KO.get(label, label) for label in one.labels)
        return Draft(
            authority=self._config.authority,
            mode=self._mode,
            source="frigate",
            source_id=f"{one.id}:end" if ending else f"{one.id}:{rule.class_code}",
            device=place.id if place else f"frigate:{one.camera}"[:100],
            class_code=rule.class_code,
            observed_at=moment if believed else now,
            lon=place.lon if place else None,
            lat=place.lat if place else None,
            accuracy_m=None,
            address=place.address if place else "",
            priority=rule.priority,
            confidence=score,
            text=f"{labels or '움직임'} 감지" + (f" ({', '.join(one.zones)})" if one.zones else ""),
            media_ref=one.media_ref,
            attributes=self._attributes(one, place, moment, believed=believed),
            ending=ending,
        )

    def _attributes(self, one: Seen, place: Place | None, moment: datetime, *, believed: bool) -> dict[str, object]:
        return {
            "review" if one.detections else "event": one.id,
            "frigate_camera": one.camera,
            "camera_id": place.id if place else "",
            "severity": one.severity,
            "labels": list(one.labels),
            "zones": list(one.zones),
            "sub_labels": [name for name in one.sub_labels if name in self._config.sub_labels],
            **({} if believed else {"device_time": moment.isoformat()}),
        }


def _health(tx: Session, place: Place, state: CameraState, now: datetime) -> None:
    if state.online:
        set_camera_health(tx, place.id, "ok", now, "Frigate가 영상을 받고 있습니다")
    else:
        set_camera_health(tx, place.id, "offline", now, "Frigate가 영상을 받지 못합니다")


def places_of(config: FrigateConfig, names: set[str]) -> dict[str, Place]:
    """Our camera of each of Frigate's names that is mapped to one."""
    found: dict[str, Place] = {}
    for name in names & set(config.cameras):
        camera = _camera(config.authority, config.cameras[name])
        if camera is None:
            log.warning("[frigate] cameras: %r names no camera of %s", config.cameras[name], config.authority)
            continue
        site = camera.site
        lon, lat = (camera.lon, camera.lat) if camera.lon is not None else (site.lon, site.lat)
        found[name] = Place(camera.pk, lon, lat, site.road_address or site.lot_address)
    return found


def _camera(authority: str, named: str) -> Camera | None:
    rows = Camera.objects.select_related("site").filter(authority_id=authority)
    key, _, number = named.rpartition("/")
    if key and number.isdecimal():
        return rows.filter(site__source_key=key, number=int(number)).first()
    return rows.filter(pk=named).first()
