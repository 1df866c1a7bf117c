"""What the MQTT connector runs in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from madang.connectors.mqtt.config import MqttConfig
from madang.connectors.mqtt.door import Hub, MqttDoor
from madang.kernel.clock import Clock
from madang.kernel.workers import LoopWorker


class _Config(Protocol):
    @property
    def rooms(self) -> Mapping[str, object]: ...


class Services(Protocol):
    """What `site` hands over."""

    @property
    def config(self) -> _Config: ...
    @property
    def hub(self) -> Hub: ...
    @property
    def clock(self) -> Clock: ...


def workers(services: Services) -> list[LoopWorker]:
    """One connection to the configured broker, or nothing where none is configured."""
    config = services.config.rooms.get("mqtt")
    if not isinstance(config, MqttConfig) or not config.url:
        return []
    return [LoopWorker("mqtt", MqttDoor(config, services.hub, services.clock).run)]
