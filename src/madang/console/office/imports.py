"""Files taken in: upload, follow the run, read its quality report."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from madang.connectors.workers import importers
from madang.console.office.frame import back_to, cities, city_of, show
from madang.identity.office import Page, actor_of, cities_with, said, site
from madang.identity.rights import Right
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.ids import new_id
from madang.places import imports
from madang.places.models import ImportIssue, ImportRun, RunState

IMPORT = Right.IMPORT_DATA
LABELS = {
    "cctv": "CCTV 표준데이터 (CSV, JSON)",
    "boundaries": "행정구역 경계 (GeoJSON)",
    "basemap": "바탕지도 (GeoJSON)",
    "osm": "실제 도시 지도 (OpenStreetMap)",
    "road_address": "도로명주소 (전국 배포 파일)",
    "addresses": "주소 (CSV)",
    "survey": "카메라 방위·영상 주소 (CSV)",
    "bells": "안전비상벨 표준데이터 (CSV, 엑셀)",
}
UNFINISHED = (RunState.QUEUED, RunState.RUNNING)


def kinds() -> dict[str, str]:
    """The kinds of file some connector takes, with their Korean names."""
    return {kind: LABELS.get(kind, kind) for kind in importers()}


@require_http_methods(["GET", "POST"])
def runs(request: HttpRequest) -> HttpResponse:
    """The runs of a city, and the door for a new file."""
    city = city_of(request, IMPORT)
    if request.method == "POST":
        return _take(request, city.code)
    found = ImportRun.objects.filter(authority=city).order_by("-queued_at")[:100]
    return show(
        request, "imports", "자료 가져오기", city=city, cities=cities(request, IMPORT), runs=found, kinds=kinds()
    )


def _take(request: HttpRequest, city: str) -> HttpResponse:
    upload, kind = request.FILES.get("file"), request.POST.get("kind", "")
    if not isinstance(upload, UploadedFile) or kind not in importers():
        messages.error(request, "종류와 파일을 고르십시오.")
        return back_to("imports", city)
    stored = _store(upload)
    try:
        run = imports.queue(actor_of(request), city, kind, stored, str(upload.name or "upload"), system_clock())
    except MadangError as error:
        stored.unlink(missing_ok=True)
        messages.error(request, said(error))
        return back_to("imports", city)
    return redirect(reverse("admin:import_run", args=[run.pk]))


def _store(upload: UploadedFile[bytes]) -> Path:
    """Keeps the upload under a name of our own; its given name is only shown."""
    folder = imports.reports_dir().parent / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / new_id()
    with path.open("wb") as file:
        for chunk in upload.chunks():
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return path


def _run_of(request: HttpRequest, run_id: str) -> ImportRun:
    run = ImportRun.objects.filter(pk=run_id, authority__in=cities_with(actor_of(request), IMPORT)).first()
    if run is None:
        raise Http404
    return run


@require_safe
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """How far it is, and then what came of it."""
    found = _run_of(request, run_id)
    issues = ImportIssue.objects.filter(run=found).order_by("row_number", "pk")
    by_code = issues.order_by().values("code", "severity").annotate(rows=Count("pk")).order_by("severity", "-rows")
    code = request.GET.get("code", "")
    page = Paginator(issues.filter(code=code) if code else issues, 50).get_page(request.GET.get("page"))
    context = {
        "run": found,
        "kind": LABELS.get(found.kind, found.kind),
        "unfinished": found.state in UNFINISHED,
        "seconds": _seconds(found, system_clock()),
        "by_code": by_code,
        "code": code,
        "page": page,
        "counts": found.counts.items(),
        "facts": [(name, value) for name, value in found.report.items() if not isinstance(value, dict | list)],
        "columns": [(name, value) for name, value in found.report.items() if isinstance(value, list) and value],
        "tables": [(name, value) for name, value in found.report.items() if isinstance(value, dict) and value],
        "has_csv": _csv(found).is_file(),
    }
    return show(request, "import_run", found.filename, **context)


def _seconds(run: ImportRun, now: datetime) -> float | None:
    return None if run.started_at is None else round(((run.ended_at or now) - run.started_at).total_seconds(), 1)


def _csv(run: ImportRun) -> Path:
    return imports.reports_dir() / f"{run.pk}.csv"


@require_safe
def issues_file(request: HttpRequest, run_id: str) -> HttpResponse:
    """Every bad row with its reason, as a file a spreadsheet opens."""
    found = _run_of(request, run_id)
    path = _csv(found)
    if not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), as_attachment=True, filename=f"issues-{found.pk}.csv")
    response["Content-Type"] = "text/csv; charset=utf-8"
    return response  # type: ignore[return-value]  # the stubs do not count FileResponse as a response


def register() -> None:
    """Puts the pages into the office."""
    site.add(Page("imports", "imports/", runs, (IMPORT,), "자료 가져오기", "data", "upload_file", 10))
    site.add(Page("import_run", "imports/<str:run_id>/", run, (IMPORT,)))
    site.add(Page("import_issues", "imports/<str:run_id>/issues.csv", issues_file, (IMPORT,)))
