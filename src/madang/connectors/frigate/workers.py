"""What the Frigate connector runs in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from madang.connectors.frigate.config import FrigateConfig
from madang.connectors.frigate.taking import FrigateLine
from madang.connectors.frigate.taking import Services as LineServices
from madang.kernel.mode import Mode
from madang.kernel.mqtt_line import Broker, MqttLine
from madang.kernel.workers import LoopWorker, ThreadWorker


class _Config(Protocol):
    @property
    def rooms(self) -> Mapping[str, object]: ...


class Services(LineServices, Protocol):
    """What `site` hands over."""

    @property
    def config(self) -> _Config: ...


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """One connection to the configured broker, or nothing where none is configured."""
    from madang.identity.office import mode_banner

    config = services.config.rooms.get("frigate")
    if not isinstance(config, FrigateConfig) or not config.url:
        return []
    line = FrigateLine(config, services, Mode(mode_banner() or Mode.LIVE))
    return [LoopWorker("frigate", listening(config, line).run)]


def listening(config: FrigateConfig, line: FrigateLine) -> MqttLine:
    """The line to Frigate's broker, with the topics that say something here."""
    broker = Broker(config.url, config.client_id, config.version, config.username, config.password)
    topics = [f"{config.prefix}/{name}" for name in ("reviews", "events", "+/status/detect")]
    return MqttLine(broker, topics, line.take)
