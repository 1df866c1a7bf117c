"""Opens the mail channel where a mail server is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from madang.connectors.smtp.channel import MailChannel
from madang.connectors.smtp.config import SmtpConfig
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
    config = services.config.rooms.get("smtp")
    if isinstance(config, SmtpConfig) and config.host:
        open_channel(MailChannel(config))
    return []
