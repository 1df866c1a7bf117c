"""How often one address, and everybody together, may use a form."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from madang.kernel.clock import SEOUL
from madang.kernel.errors import MadangError
from madang.portal.config import PortalConfig
from madang.portal.models import Knock

KEPT = timedelta(days=1)


class TooOftenError(MadangError):
    """The form was used too often from one address, or by everybody."""

    code = "too-often"
    status = 429
    title = "This was asked too often"


@dataclass(frozen=True, slots=True)
class Door:
    """A form and its limits."""

    name: str
    each: int
    window: timedelta
    overall: int = 0


def portal_config() -> PortalConfig:
    """The city's settings for its citizens' pages."""
    config = settings.MADANG_PORTAL
    return config if isinstance(config, PortalConfig) else PortalConfig()


def request_door() -> Door:
    """Handing in a request."""
    config = portal_config()
    return Door("request", config.requests_per_day, timedelta(days=1), config.requests_per_day_overall)


def lookup_door() -> Door:
    """Looking up how a request stands."""
    return Door("lookup", portal_config().lookups_per_hour, timedelta(hours=1))


def acknowledge_door() -> Door:
    """Opening or pressing the link of a situation message: a whole department may share one address."""
    return Door("acknowledge", portal_config().acknowledgements_per_hour, timedelta(hours=1))


def knock(door: Door, address: str, now: datetime) -> None:
    """Counts one use; raises `TooOftenError` beyond the limit. What is older than a day is forgotten."""
    who = _digest(address, now)
    Knock.objects.filter(at__lt=now - KEPT).delete()
    recent = Knock.objects.filter(door=door.name, at__gt=now - door.window)
    if recent.filter(who=who).count() >= door.each:
        raise TooOftenError(
            "too many attempts from this address",
            ko="같은 곳에서 너무 여러 번 시도했습니다. 나중에 다시 하시거나 담당자에게 전화하십시오.",
        )
    if door.overall and recent.count() >= door.overall:
        raise TooOftenError(
            "too many requests today", ko="오늘 접수가 몰려 마감되었습니다. 내일 다시 하시거나 전화로 청구하십시오."
        )
    Knock.objects.create(door=door.name, who=who, at=now)


def _digest(address: str, now: datetime) -> str:
    day = f"{now.astimezone(SEOUL):%Y-%m-%d}"
    return hmac.new(settings.MADANG_KEYS.audit_key, f"portal\0{day}\0{address}".encode(), hashlib.sha256).hexdigest()
