"""A map of an incident as vectors in a PDF: the city's own ground, what was looked through, where signals came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from madang.kernel.geometry import Point, metres_per_degree
from madang.places.ground import Box, ground_of
from madang.places.models import BaseKind

if TYPE_CHECKING:
    from fpdf import FPDF

Rgb = tuple[int, int, int]
LEAST_M = 350.0
MOST_M = 2_500.0
_MOST_FEATURES = 6_000
_FILLS: dict[BaseKind, Rgb] = {
    BaseKind.WATER: (198, 219, 235),
    BaseKind.PARK: (216, 232, 213),
    BaseKind.BUILDING: (222, 217, 210),
}
_ROAD_MM = (1.3, 1.0, 0.7, 0.45, 0.3)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something shown on the map: `shape` is incident, camera or signal; a short label beside it."""

    shape: str
    at: Point
    label: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where on the page (mm) which piece of the ground (degrees) is drawn."""

    x: float
    y: float
    width: float
    height: float
    box: Box

    def on_page(self, lon: float, lat: float) -> tuple[float, float]:
        """Degrees to millimetres on the page."""
        west, south, east, north = self.box
        across = (lon - west) / (east - west) * self.width
        down = (north - lat) / (north - south) * self.height
        return self.x + across, self.y + down

    @property
    def metres_per_mm(self) -> float:
        """The scale."""
        per_lon, _ = metres_per_degree((self.box[1] + self.box[3]) / 2)
        return (self.box[2] - self.box[0]) * per_lon / self.width


def frame_for(centre: Point, marks: Sequence[Mark], x: float, y: float, width: float, height: float) -> Frame:
    """A frame around `centre` that shows the marks near it, in the shape of the page's space."""
    per_lon, per_lat = metres_per_degree(centre.lat)
    reach = LEAST_M
    for mark in marks:
        east, north = abs(mark.at.lon - centre.lon) * per_lon, abs(mark.at.lat - centre.lat) * per_lat
        if max(east, north) <= MOST_M:
            reach = max(reach, east * height / width * 1.15, north * 1.15)
    half_lat, half_lon = reach / per_lat, reach * width / height / per_lon
    box = (centre.lon - half_lon, centre.lat - half_lat, centre.lon + half_lon, centre.lat + half_lat)
    return Frame(x, y, width, height, box)


def draw(pdf: FPDF, authority: str, frame: Frame, marks: Iterable[Mark]) -> bool:
    """Draws ground, marks, scale and frame; False when the city has no ground, and only the marks are there."""
    pdf.set_fill_color(247, 247, 244)
    pdf.rect(frame.x, frame.y, frame.width, frame.height, style="F")
    with pdf.rect_clip(frame.x, frame.y, frame.width, frame.height):
        known = _draw_ground(pdf, authority, frame)
        for mark in marks:
            _draw_mark(pdf, frame, mark)
    _draw_scale(pdf, frame)
    pdf.set_draw_color(90, 90, 90)
    pdf.set_line_width(0.2)
    pdf.rect(frame.x, frame.y, frame.width, frame.height)
    return known


def _draw_ground(pdf: FPDF, authority: str, frame: Frame) -> bool:
    ground = ground_of(authority)
    if ground is None:
        return False
    import shapely

    window = shapely.box(*frame.box)
    left = _MOST_FEATURES
    for kind in (BaseKind.PARK, BaseKind.WATER, BaseKind.BUILDING, BaseKind.ROAD):
        for feature in ground.in_box(frame.box, [kind]):
            if left == 0:
                return True
            left -= 1
            shape = shapely.make_valid(feature.shape).intersection(window)
            if kind is BaseKind.ROAD:
                _draw_road(pdf, frame, shape, feature.rank)
            else:
                _draw_area(pdf, frame, shape, _FILLS[kind])
    _draw_names(pdf, frame, ground.in_box(frame.box, [BaseKind.LABEL]))
    return True


def _parts(shape: Any) -> Iterator[Any]:  # Any: shapely geometries
    if hasattr(shape, "geoms"):
        for part in shape.geoms:
            yield from _parts(part)
    elif not shape.is_empty:
        yield shape


def _draw_area(pdf: FPDF, frame: Frame, shape: Any, fill: Rgb) -> None:  # Any: a shapely geometry
    pdf.set_fill_color(*fill)
    for part in _parts(shape):
        if part.geom_type == "Polygon":
            pdf.polygon([frame.on_page(lon, lat) for lon, lat, *_ in part.exterior.coords], style="F")
        elif part.geom_type == "LineString":
            pdf.set_draw_color(*fill)
            pdf.set_line_width(0.6)
            pdf.polyline([frame.on_page(lon, lat) for lon, lat, *_ in part.coords])


def _draw_road(pdf: FPDF, frame: Frame, shape: Any, rank: int) -> None:  # Any: a shapely geometry
    width = _ROAD_MM[min(max(rank, 0), len(_ROAD_MM) - 1)]
    grey = 150 + 12 * min(rank, 4)
    pdf.set_draw_color(grey, grey, grey)
    pdf.set_line_width(width)
    for part in _parts(shape):
        if part.geom_type == "LineString":
            pdf.polyline([frame.on_page(lon, lat) for lon, lat, *_ in part.coords])


def _draw_names(pdf: FPDF, frame: Frame, features: Iterable[Any]) -> None:  # Any: MapFeature
    pdf.set_font(size=6)
    pdf.set_text_color(70, 70, 70)
    for feature in sorted(features, key=lambda one: one.rank)[:6]:
        at = feature.shape.centroid
        x, y = frame.on_page(at.x, at.y)
        pdf.text(x, y, feature.name[:20])
    pdf.set_text_color(0, 0, 0)


_TONES: dict[str, Rgb] = {"incident": (176, 17, 9), "camera": (10, 88, 168), "signal": (117, 76, 0)}


def _draw_mark(pdf: FPDF, frame: Frame, mark: Mark) -> None:
    x, y = frame.on_page(mark.at.lon, mark.at.lat)
    tone = _TONES[mark.shape]
    pdf.set_fill_color(*tone)
    pdf.set_draw_color(255, 255, 255)
    pdf.set_line_width(0.25)
    if mark.shape == "incident":
        pdf.polygon([(x, y - 2.6), (x + 2.6, y), (x, y + 2.6), (x - 2.6, y)], style="DF")
    elif mark.shape == "camera":
        pdf.circle(x, y, 1.9, style="DF")
    else:
        pdf.polygon([(x, y - 1.5), (x + 1.5, y + 1.2), (x - 1.5, y + 1.2)], style="DF")
    if mark.label:
        pdf.set_font(style="B", size=6)
        pdf.set_text_color(255, 255, 255)
        pdf.text(x - pdf.get_string_width(mark.label) / 2, y + 0.8, mark.label)
        pdf.set_text_color(0, 0, 0)


def _draw_scale(pdf: FPDF, frame: Frame) -> None:
    """A bar of a round length, about a fifth of the width."""
    wanted = frame.width / 5 * frame.metres_per_mm
    length = next(one for one in (5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 1) if one <= wanted or one == 1)
    mm = length / frame.metres_per_mm
    x, y = frame.x + 3, frame.y + frame.height - 3
    pdf.set_draw_color(30, 30, 30)
    pdf.set_line_width(0.5)
    pdf.line(x, y, x + mm, y)
    pdf.set_font(size=6)
    pdf.text(x, y - 1, f"{length:,} m")
