"""What is published of the register (PIPA §18④): by month, ground, purpose and kind of recipient, without §18②7."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from madang.identity.models import AgencyKind
from madang.kernel.clock import SEOUL
from madang.kernel.mode import Mode
from madang.video.legal import BASIS_KO, NOT_PUBLISHED, basis_of
from madang.video.models import ProvisionRecord
from madang.video.register import year_bounds


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line of the public table. `month` is `YYYY-MM` in Korean time."""

    month: str
    basis: str
    purpose: str
    recipient: str


@dataclass(slots=True)
class Figures:
    """How much was provided."""

    provisions: int = 0
    cameras: int = 0
    seconds: float = 0.0

    @property
    def minutes(self) -> float:
        """Viewed minutes, to one decimal."""
        return round(self.seconds / 60, 1)


def published(authority: str, year: int, mode: Mode) -> list[tuple[Line, Figures]]:
    """The year's lines, newest month first. Only what bears the given mode: simulated and real are never summed."""
    first, last = year_bounds(year)
    rows = ProvisionRecord.objects.filter(
        authority=authority, act="provision", mode=mode.value, from_at__gte=first, from_at__lt=last
    ).exclude(basis__in=[basis.value for basis in NOT_PUBLISHED])
    found: defaultdict[Line, Figures] = defaultdict(Figures)
    for row in rows.select_related("grant").iterator():
        figures = found[_line(row)]
        figures.provisions += 1
        figures.cameras += row.cameras
        figures.seconds += row.seconds
    in_month = sorted(found.items(), key=lambda item: item[0])
    return sorted(in_month, key=lambda item: item[0].month, reverse=True)


def _line(row: ProvisionRecord) -> Line:
    basis = basis_of(row.basis)
    name = BASIS_KO[basis] if basis is not None else row.basis
    return Line(f"{row.from_at.astimezone(SEOUL):%Y-%m}", name, row.purpose, _kind(row.grant.agency_kind))


def _kind(code: str) -> str:
    """The kind of agency in Korean."""
    return AgencyKind(code).label.partition(" ")[0] if code in AgencyKind.values else "기타"


def years(authority: str, mode: Mode, this_year: int) -> list[int]:
    """The years there is something to show for, and this one."""
    moments = ProvisionRecord.objects.filter(authority=authority, mode=mode.value).datetimes(
        "from_at", "year", tzinfo=SEOUL
    )
    return sorted({this_year, *(moment.year for moment in moments)}, reverse=True)
