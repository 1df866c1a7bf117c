"""What the ONVIF connector runs in the background: one subscription a camera."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from madang.connectors.onvif.config import OnvifConfig
from madang.kernel.clock import Clock
from madang.kernel.mode import Mode
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.video.config import VideoConfig

T = TypeVar("T")


class _Config(Protocol):
    @property
    def rooms(self) -> Mapping[str, object]: ...


class Services(Protocol):
    """What `site` hands over."""

    @property
    def config(self) -> _Config: ...
    @property
    def clock(self) -> Clock: ...
    def run_civic(self, work: Callable[[], T], /) -> Awaitable[T]: ...


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """A worker for each configured camera, or nothing."""
    config, video = services.config.rooms.get("onvif"), services.config.rooms.get("video")
    if not isinstance(config, OnvifConfig) or not config.cameras:
        return []
    from madang.connectors.onvif.pulling import PullPoint
    from madang.connectors.onvif.taking import CameraEvents
    from madang.identity.office import mode_banner

    rules, mode = video if isinstance(video, VideoConfig) else VideoConfig(), Mode(mode_banner() or Mode.LIVE)
    ours: list[ThreadWorker | LoopWorker] = []
    for camera in config.cameras:
        events = CameraEvents(camera.camera, config, services, mode)
        point = PullPoint(camera, config, rules, services.clock, events.take)
        ours.append(LoopWorker(f"onvif.{camera.camera}", point.run))
    return ours
