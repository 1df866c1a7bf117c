"""What the processes say: one line an event, on standard error."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import structlog

_SHARED: list[Any] = [  # Any: structlog's processors are of many shapes
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]

_QUIET = dict.fromkeys(("axes", "uvicorn", "httpx", "httpcore", "gmqtt", "asyncio"), "WARNING") | {
    "django.request": "ERROR"
}
"""Loggers that would tell of every request."""


def set_up(role: str, *, as_json: bool = False, level: str = "INFO") -> None:
    """Sends every logger of this process to standard error, as text or as JSON lines, marked with its role."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _Text(role)
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        "foreign_pre_chain": _SHARED,
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {name: {"level": level} for name, level in _QUIET.items()},
        }
    )
    structlog.contextvars.bind_contextvars(role=role)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class _Text:
    """`2026-11-22T04:00:00Z core warning madang.site: …`."""

    def __init__(self, role: str) -> None:
        self._role = role

    def __call__(self, _logger: object, _method: str, event: dict[str, Any]) -> str:  # Any: whatever was logged
        fixed = ("timestamp", "level", "logger", "event", "exception", "role")
        extra = "".join(f" {name}={value}" for name, value in event.items() if name not in fixed)
        trace = f"\n{event['exception']}" if event.get("exception") else ""
        head = f"{event.get('timestamp', '')[:19]}Z {self._role} {event.get('level', '')}"
        return f"{head} {event.get('logger', '')}: {event.get('event', '')}{extra}{trace}"
