"""The register of use and provision beyond purpose: one row a grant, and the aggregate the public page shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Sum

from madang.kernel.clock import SEOUL
from madang.kernel.mode import Mode
from madang.video.domain import GrantKind
from madang.video.legal import BASIS_KO, NOT_PUBLISHED, basis_of
from madang.video.models import ProvisionRecord, VideoGrant, ViewSession


def open_record(row: VideoGrant, now: datetime) -> None:
    """Writes the register row of a grant that was just approved. Ordinary duty is no use beyond purpose: no row."""
    if row.kind == GrantKind.ROSTER or row.expires_at is None:
        return
    cameras = row.grant_cameras.filter(until_version=None).count()
    ProvisionRecord.objects.create(
        authority_id=row.authority_id,
        grant=row,
        act="provision" if row.recipient_kind == "agency" else "use",
        incident_number=(row.case.incident_number or row.case.incident_id) if row.case is not None else "",
        basis=row.basis or row.kind,
        purpose=row.purpose,
        scope=_scope(row, cameras),
        recipient_kind=row.recipient_kind,
        recipient_code=row.recipient_code,
        recipient_name=row.recipient_name,
        conditions=row.conditions,
        from_at=row.not_before or now,
        to_at=row.expires_at,
        cameras=cameras,
        decided_by=row.decided_by,
        mode=row.mode,
    )


def _scope(row: VideoGrant, cameras: int) -> str:
    rights = ", ".join(row.rights)
    around = f", 반경 {row.case.radius_m:.0f} m" if row.case is not None else ""
    return f"카메라 {cameras}대{around}, {rights}"


def lengthen(row: VideoGrant) -> None:
    """The grant runs longer."""
    ProvisionRecord.objects.filter(grant=row).update(to_at=row.expires_at)


def rescope(row: VideoGrant, cameras: int) -> None:
    """The grant covers other cameras."""
    ProvisionRecord.objects.filter(grant=row).update(cameras=cameras, scope=_scope(row, cameras))


def close(row: VideoGrant, now: datetime) -> None:
    """The grant ended; what was viewed is counted as each view stops."""
    ProvisionRecord.objects.filter(grant=row, ended_at=None).update(ended_at=now)


def totals(row: VideoGrant) -> tuple[int, float]:
    """Views and seconds shown under a grant so far."""
    summed = ViewSession.objects.filter(grant=row).aggregate(views=Count("id"), seconds=Sum("seconds"))
    return int(summed["views"] or 0), float(summed["seconds"] or 0.0)


def count_view(view: ViewSession) -> None:
    """A view stopped: the register's figures follow."""
    views, seconds = totals(view.grant)
    ProvisionRecord.objects.filter(grant_id=view.grant_id).update(views=views, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One line of the public page: how often, on which ground, for whom."""

    basis: str
    basis_ko: str
    purpose: str
    scope: str
    recipient_kind: str
    recipient_name: str
    provisions: int
    cameras: int
    views: int
    seconds: float


def year_bounds(year: int) -> tuple[datetime, datetime]:
    """The Korean calendar year as instants."""
    return datetime(year, 1, 1, tzinfo=SEOUL), datetime(year + 1, 1, 1, tzinfo=SEOUL)


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """The Korean calendar month `YYYY-MM` as instants; raises `ValueError`."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=SEOUL)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start, end


def aggregate(authority: str, year: int, modes: Iterable[Mode] = (Mode.LIVE,)) -> list[Aggregate]:
    """What PIPA §18④ asks to publish: basis, purpose, scope of provisions, without investigations (§18②7).

    Purposes are given per incident class, never per case, so that no single case can be recognised in them.
    """
    start, end = year_bounds(year)
    rows = (
        ProvisionRecord.objects.filter(
            authority_id=authority,
            act="provision",
            from_at__gte=start,
            from_at__lt=end,
            mode__in=[mode.value for mode in modes],
        )
        .exclude(basis__in=[basis.value for basis in NOT_PUBLISHED])
        .values("basis", "purpose", "recipient_kind", "recipient_name")
        .annotate(
            provisions=Count("id"), cameras_sum=Sum("cameras"), views_sum=Sum("views"), seconds_sum=Sum("seconds")
        )
        .order_by("basis", "purpose", "recipient_name")
    )
    return [
        Aggregate(
            basis=row["basis"],
            basis_ko=_basis_ko(row["basis"]),
            purpose=row["purpose"],
            scope="사건 장소 주변 카메라의 실시간 영상 / live video of cameras around the place",
            recipient_kind=row["recipient_kind"],
            recipient_name=row["recipient_name"],
            provisions=row["provisions"],
            cameras=row["cameras_sum"] or 0,
            views=row["views_sum"] or 0,
            seconds=round(row["seconds_sum"] or 0.0, 1),
        )
        for row in rows
    ]


def _basis_ko(text: str) -> str:
    basis = basis_of(text)
    return BASIS_KO[basis] if basis is not None else text
