"""Which cameras to offer for a place: those that see it, then how well, whether they work, how near. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from madang.kernel.geometry import Point, bearing_deg, distance_m
from madang.video.horizon import is_hidden
from madang.video.optics import Dori, dori, width_px


class Sees(StrEnum):
    """Whether a camera sees a place; `unknown` where its direction was never surveyed."""

    YES = "yes"
    UNKNOWN = "unknown"
    NO = "no"


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera as ranking needs it. `azimuth_deg` is None unless surveyed."""

    id: str
    label: str
    site_id: str
    at: Point
    azimuth_deg: float | None
    hfov_deg: float
    range_m: float
    kind: str
    megapixels: float | None
    purpose: str
    ptz: bool
    health: str = "unknown"
    health_at: datetime | None = None
    horizon: bytes = b""
    """How far it sees in each direction before a building (`horizon`); empty where nothing is known in its way."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a camera stands where it stands, for a person."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class RankedCamera:
    """A camera offered for a place. `bearing_deg` points from the camera to the place."""

    camera: CameraView
    distance_m: float
    bearing_deg: float
    sees: Sees
    dori: Dori | None
    score: float

    @property
    def id(self) -> str:
        """The camera's id."""
        return self.camera.id

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it stands where it stands."""
        if self.sees is Sees.NO and self.hidden:
            return (_HIDDEN, *_reasons(self.camera, self.distance_m, self.sees, self.dori)[1:])
        return _reasons(self.camera, self.distance_m, self.sees, self.dori)

    @property
    def hidden(self) -> bool:
        """Whether a building stands between the camera and the place."""
        return is_hidden(self.camera.horizon, self.bearing_deg, self.distance_m)


_DORI_SCORE = {Dori.IDENTIFY: 1.0, Dori.RECOGNISE: 0.9, Dori.OBSERVE: 0.75, Dori.DETECT: 0.5, Dori.BEYOND: 0.15}
_UNKNOWN_DORI = 0.4
_SEES_SCORE = {Sees.YES: 1.0, Sees.UNKNOWN: 0.55, Sees.NO: 0.1}
_HEALTH_SCORE = {"ok": 1.0, "unknown": 0.85, "degraded": 0.6, "offline": 0.1}
_SAME_SIDE_DEG = 30.0
_SAME_SIDE_COST = 0.75

_SEES_WHY = {
    Sees.YES: Reason("이 장소를 비춤", "sees the place"),
    Sees.UNKNOWN: Reason("방향 미상", "direction unknown"),
    Sees.NO: Reason("이 장소를 비추지 않음", "does not see the place"),
}
_HIDDEN = Reason("건물에 가림", "hidden by a building")
_DORI_WHY = {
    Dori.IDENTIFY: Reason("식별 가능", "can identify"),
    Dori.RECOGNISE: Reason("인지 가능", "can recognise"),
    Dori.OBSERVE: Reason("관찰 가능", "can observe"),
    Dori.DETECT: Reason("감지 가능", "can detect"),
    Dori.BEYOND: Reason("너무 멂", "too far to make out a person"),
    None: Reason("화소 미상", "pixels unknown"),
}
_HEALTH_WHY = {
    "ok": Reason("정상", "working"),
    "degraded": Reason("영상 불량", "picture degraded"),
    "offline": Reason("응답 없음", "not answering"),
    "unknown": Reason("상태 미확인", "health unknown"),
}


def sees(camera: CameraView, bearing: float, distance: float) -> Sees:
    """Whether the camera sees a point at that bearing and distance from it.

    An all-round camera sees its disc; one of known azimuth its sector; of others, within range, it is not known.
    A camera that turns may be brought to bear, but where it looks now is not known. None sees through a building.
    """
    if distance > camera.range_m or is_hidden(camera.horizon, bearing, distance):
        return Sees.NO
    if camera.kind == "omni" or distance < 1.0:
        return Sees.YES
    if camera.azimuth_deg is None or camera.kind == "ptz":
        return Sees.UNKNOWN
    off = abs((bearing - camera.azimuth_deg + 180) % 360 - 180)
    return Sees.YES if off <= camera.hfov_deg / 2 else Sees.NO


def judge_camera(camera: CameraView, place: Point, radius_m: float, *, night: bool = False) -> RankedCamera:
    """One camera's standing for a place, before bearings are spread."""
    distance, bearing = distance_m(camera.at, place), bearing_deg(camera.at, place)
    seen = sees(camera, bearing, distance)
    grade = dori(width_px(camera.megapixels), camera.hfov_deg, distance, night=night)
    near = 1.0 - min(distance / max(radius_m, 1.0), 1.0)
    score = (
        100 * _SEES_SCORE[seen]
        + 20 * (_UNKNOWN_DORI if grade is None else _DORI_SCORE[grade])
        + 10 * _HEALTH_SCORE.get(camera.health, 0.85)
        + 5 * near
    )
    if camera.health == "offline":
        score *= 0.5
    return RankedCamera(camera, distance, bearing, seen, grade, round(score, 2))


def _reasons(camera: CameraView, distance: float, seen: Sees, grade: Dori | None) -> tuple[Reason, ...]:
    return (
        _SEES_WHY[seen],
        _DORI_WHY[grade],
        _HEALTH_WHY.get(camera.health, _HEALTH_WHY["unknown"]),
        Reason(f"{distance:.0f} m 거리", f"{distance:.0f} m away"),
    )


def spread(candidates: Iterable[RankedCamera], limit: int) -> list[RankedCamera]:
    """The best `limit`, each later one discounted for standing on the same side of the place as one already taken."""
    ranked = sorted(candidates, key=lambda one: (-one.score, one.distance_m, one.id))
    scores, bearings = [one.score for one in ranked], [one.bearing_deg for one in ranked]
    left = list(range(len(ranked)))
    chosen: list[RankedCamera] = []
    while left and len(chosen) < limit:
        best = max(left, key=scores.__getitem__)
        left.remove(best)
        chosen.append(replace(ranked[best], score=round(scores[best], 2)))
        side = bearings[best] + 180
        for other in left:
            if -_SAME_SIDE_DEG < (side - bearings[other]) % 360 - 180 < _SAME_SIDE_DEG:
                scores[other] *= _SAME_SIDE_COST
    return chosen


def rank(
    cameras: Sequence[CameraView], place: Point, radius_m: float, limit: int, *, night: bool = False
) -> list[RankedCamera]:
    """The cameras to offer for a place, best first, spread over its sides."""
    judged = (judge_camera(camera, place, radius_m, night=night) for camera in cameras)
    within = [ranked for ranked in judged if ranked.distance_m <= radius_m]
    within.sort(key=lambda ranked: -ranked.score)
    return spread(within[: 4 * limit], limit)
