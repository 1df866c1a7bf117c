"""Opens the channel where a gateway is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from madang.connectors.sms_gateway.channel import SmsGatewayChannel
from madang.connectors.sms_gateway.config import SmsGatewayConfig
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.messaging.workers import open_channel


class _Config(Protocol):
    @property
    def rooms(self) -> Mapping[str, object]: ...


class Services(Protocol):
    """What `site` hands over."""

    @property
    def config(self) -> _Config: ...


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """No worker: the relay carries the tries."""
    config = services.config.rooms.get("sms_gateway")
    if isinstance(config, SmsGatewayConfig) and config.url:
        open_channel(SmsGatewayChannel(config))
    return []
