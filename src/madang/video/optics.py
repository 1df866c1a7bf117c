"""What a camera can make out at a distance, and what the registry's text says of where it looks. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Dori(StrEnum):
    """How well a person is seen, by pixels per metre of width (EN 62676-4)."""

    IDENTIFY = "identify"
    RECOGNISE = "recognise"
    OBSERVE = "observe"
    DETECT = "detect"
    BEYOND = "beyond"


DORI_PX_PER_M: Mapping[Dori, float] = MappingProxyType(
    {Dori.IDENTIFY: 250.0, Dori.RECOGNISE: 125.0, Dori.OBSERVE: 62.5, Dori.DETECT: 25.0}
)
"""Least pixels per metre of each class, best first. Data: the 2025 revision of the standard names other classes."""

NIGHT_DERATING = 0.6
"""How much of its daytime range a camera keeps in the dark. A guess until cameras are measured; 1.0 turns it off."""


def width_px(megapixels: float | None) -> int | None:
    """Picture width of a 16:9 sensor of that many megapixels, or None where the registry does not say.

    Two megapixels are 1,920 wide.
    """
    if not megapixels or megapixels <= 0:
        return None
    return 1_920 if abs(megapixels - 2.0) < 0.15 else round(math.sqrt(megapixels * 1e6 * 16 / 9))


def range_at_m(width: float, px_per_m: float, hfov_deg: float) -> float:
    """The distance at which a picture `width` pixels wide gives `px_per_m`: W / (2·p·tan(HFOV/2)).

    Views of 180° and more are reckoned as 120° (a dome's picture is split or unrolled).
    """
    half = math.radians(min(max(hfov_deg, 1.0), 120.0) / 2)
    return width / (2 * px_per_m * math.tan(half))


def dori(width: int | None, hfov_deg: float, distance_m: float, *, night: bool = False) -> Dori | None:
    """The class at a distance, or None where the picture width is not known."""
    if width is None:
        return None
    keep = NIGHT_DERATING if night else 1.0
    for grade, px_per_m in DORI_PX_PER_M.items():
        if distance_m <= keep * range_at_m(width, px_per_m, hfov_deg):
            return grade
    return Dori.BEYOND


@dataclass(frozen=True, slots=True)
class View:
    """How a camera looks: `fixed`, `ptz`, `omni` or `unknown`, and its horizontal angle."""

    kind: str
    hfov_deg: float


DEFAULT_HFOV_DEG = 90.0
_ALL_ROUND = re.compile(r"360|전\s*방\s*[면향]|다\s*방\s*면|전방위|사방|omni", re.IGNORECASE)
_TURNING = re.compile(r"회전|ptz|스피드\s*돔|팬\s*틸트", re.IGNORECASE)
_ANGLE = re.compile(r"(?<!\d)(\d{2,3})\s*(?:도|°)")


def view_of(direction_text: str) -> View:
    """Reads the free text of 촬영방면정보: `360도 전방면/회전` is all-round, `회전` turns, `60도 단방향` is fixed."""
    text = direction_text.strip()
    angle = _ANGLE.search(text)
    degrees = float(angle.group(1)) if angle else 0.0
    if 10 <= degrees <= 180:
        return View("fixed", degrees)
    if _ALL_ROUND.search(text):
        return View("omni", 360.0)
    if _TURNING.search(text):
        return View("ptz", DEFAULT_HFOV_DEG)
    if "고정" in text:
        return View("fixed", DEFAULT_HFOV_DEG)
    return View("unknown", DEFAULT_HFOV_DEG)


def usable_range_m(megapixels: float | None, hfov_deg: float, default_m: float) -> float:
    """How far the camera detects a person, between 15 and 250 m; `default_m` where pixels are not known."""
    width = width_px(megapixels)
    if width is None:
        return default_m
    return round(min(250.0, max(15.0, range_at_m(width, DORI_PX_PER_M[Dori.DETECT], hfov_deg))), 1)
