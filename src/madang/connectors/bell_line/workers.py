"""What the bell line runs in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from madang.connectors.bell_line.config import BellLineConfig
from madang.connectors.bell_line.line import BrokerLine, Receive, Scope, Send, asgi_app
from madang.connectors.bell_line.line import Services as LineServices
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
    config = services.config.rooms.get("bell_line")
    if not isinstance(config, BellLineConfig) or not config.url:
        return []
    broker = Broker(config.url, config.client_id, config.version, config.username, config.password)
    line = BrokerLine(config, services, own_mode())
    return [LoopWorker("bell_line", MqttLine(broker, [config.topic], line.take).run)]


def door(services: Services) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """What answers below `/bells/`."""
    config = services.config.rooms.get("bell_line")
    return asgi_app(services, config if isinstance(config, BellLineConfig) else BellLineConfig(), own_mode())


def own_mode() -> Mode:
    """Whether what comes in here is real, as the console says it of the whole installation."""
    from madang.identity.office import mode_banner

    return Mode(mode_banner() or Mode.LIVE)
