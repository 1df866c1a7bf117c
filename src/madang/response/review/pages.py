"""The report as a PDF to be filed: PDF/A-3u, Korean, a page of summary, then everything, the signed file within."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.staticfiles import finders

from madang.kernel.clock import parse_instant, seoul_text
from madang.kernel.errors import UnavailableError
from madang.kernel.geometry import Point
from madang.response.review.people import named, with_names
from madang.response.review.picture import Mark, draw, frame_for
from madang.response.tasks import response_config

if TYPE_CHECKING:
    from fpdf import FPDF

JsonRow = dict[str, Any]  # Any: JSON values
MARGIN_MM = 16
WIDTH_MM = 210 - 2 * MARGIN_MM
NONE = "없음"
UNKNOWN = "미상"
PRIORITIES = ("0 최긴급", "1 긴급", "2 보통", "3 낮음", "4 참고")
MODES = {"exercise": "훈련 EXERCISE", "simulated": "모의 SIMULATED"}
ANSWERS = {"yes": "예", "no": "아니요", "na": "해당 없음", None: "미답"}
FINDINGS = {"good": "잘된 점", "gap": "부족한 점", "cause": "원인"}
LESSONS = {"rule": "규칙", "sop": "절차", "training": "교육·훈련", "equipment": "설비", "other": "기타"}
SOURCES = {
    "police112": "112 신고",
    "operator": "관제원",
    "citizen": "시민",
    "sensor": "센서",
    "bell": "비상벨",
    "frigate": "영상 분석(Frigate)",
    "onvif": "영상 분석(ONVIF)",
    "agency": "유관기관",
    "rule": "규칙",
    "facility": "시설물",
    "signal": "신호",
    "system": "시스템",
}
STANDINGS = {"done": "완료", "skipped": "건너뜀", "open": "미완료", "waiting": "미착수", "off": "해당 없음"}
DELIVERIES = {
    "trying": "발송 중",
    "sent": "확인 대기",
    "phone": "전화 필요",
    "acknowledged": "확인",
    "unreached": "연락 안 됨",
    "told": "알림",
    "withdrawn": "거둠",
}
GRANTS = {
    "REQUESTED": "요청",
    "PENDING_HUMAN": "승인 대기",
    "APPROVED": "승인",
    "ACTIVE": "열람",
    "DENIED": "거절",
    "EXPIRED": "만료",
    "REVOKED": "회수",
    "INCIDENT_CLOSED": "사건 종료",
}
EVIDENCE = {"still": "정지 영상", "recording": "녹화", "past": "이전 영상"}
GRANT_KINDS = {"case": "사건", "roster": "근무", "break_glass": "긴급 열람"}


@dataclass(frozen=True, slots=True)
class Paper:
    """What is to be printed. `names` are empty for readers who may not know them; `digest` is empty for a draft."""

    report: JsonRow
    names: Mapping[str, str]
    addenda: Sequence[JsonRow] = ()
    digest: str = ""
    key_id: str = ""
    attachment: tuple[str, bytes] | None = None


def pdf_of(paper: Paper) -> bytes:
    """The PDF. `UnavailableError` where no font is at hand; letters the font lacks are printed as □."""
    return _Printer(paper).print()


def fonts() -> tuple[Path, Path]:
    """The files of the regular and the bold font: those configured, else those the screens are built with."""
    config = response_config().review
    named_files = (config.font, config.font_bold or config.font)
    found = [
        Path(said) if said else Path(str(finders.find(f"app/fonts/{file}") or ""))
        for said, file in zip(named_files, ("pretendard-400.woff", "pretendard-700.woff"), strict=True)
    ]
    if not all(one.is_file() for one in found):
        raise UnavailableError(
            "no font for PDF reports is at hand",
            hint="Build the screens (`make front`), or name a font as [response.review] font",
            ko="PDF 글꼴이 없습니다. 화면을 빌드하거나 설정 [response.review] font에 글꼴 파일을 지정하십시오.",
        )
    return found[0], found[1]


@lru_cache(maxsize=4)
def _letters(font: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types

    with TTFont(font, lazy=True) as known:
        return frozenset(known.getBestCmap())


def _when(text: str | None) -> str:
    """An instant in Korean time."""
    return seoul_text(parse_instant(text)) if text else UNKNOWN


def _time(text: str | None) -> str:
    return _when(text)[11:] if text else "–"


def _until(text: str | None) -> str:
    return f"{_when(text)[:10]}까지" if text else "–"


def _long(seconds: float | None) -> str:
    """A length of time for people."""
    if seconds is None:
        return UNKNOWN
    sign, left = ("−" if seconds < 0 else ""), abs(seconds)
    if left < 60:
        return f"{sign}{left:.1f}초"
    minutes, rest = divmod(round(left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}시간 {minutes}분" if hours else f"{sign}{minutes}분 {rest}초"


class _Printer:
    """Prints one report."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._report = paper.report
        regular, bold = fonts()
        self._known = _letters(regular)
        self._lacking = 0
        self._pdf = _new_pdf(regular, bold, self._foot())

    def print(self) -> bytes:
        from fpdf.fonts import TTFFont

        self._pdf.set_title(f"사후 검토 보고서 {self._report['incident']['number']}")
        self._pdf.set_lang("ko-KR")
        self._pdf.set_creation_date(parse_instant(self._report["made_at"]))
        self._pdf.add_page()
        self._summary_page()
        self._pdf.add_page()
        for section in (
            self._timeline,
            self._signals,
            self._cameras,
            self._grants,
            self._evidence,
            self._checklists,
            self._tasks,
            self._messages,
            self._handovers,
            self._log,
            self._rules,
            self._load,
            self._review,
            self._addenda,
            self._proof,
        ):
            section()
        if self._paper.attachment is not None:
            name, body = self._paper.attachment
            self._pdf.embed_file(
                basename=name,
                bytes=body,
                mime_type="application/json",
                associated_file_relationship="Source",
                modification_date=parse_instant(self._report["made_at"]),
                desc="The signed report",
            )
        body = bytes(self._pdf.output())
        for font in self._pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.close()
        return body

    # ---- words

    def _said(self, text: object) -> str:
        """Text as it can be printed: names where they may be known, letters the font has."""
        named_text = with_names(str(text), self._paper.names)
        shown = "".join(one if one in "\n" or ord(one) in self._known else "□" for one in named_text)
        self._lacking += sum(a != b for a, b in zip(named_text, shown, strict=True))
        return shown

    def _who(self, code: str) -> str:
        if code.startswith("system:"):
            return "플랫폼"
        return named(code, self._paper.names) or "–"

    def _foot(self) -> str:
        report = self._report
        mark = MODES.get(report["mode"], "")
        seal = f"SHA-256 {self._paper.digest[:16]}…" if self._paper.digest else "초안 — 서명 전"
        return "  ·  ".join(
            part for part in (report["authority"]["name_ko"], report["incident"]["number"], seal, mark) if part
        )

    # ---- pieces

    def _heading(self, ko: str, en: str) -> None:
        pdf = self._pdf
        if pdf.will_page_break(24):
            pdf.add_page()
        pdf.ln(4)
        pdf.start_section(self._said(ko))
        pdf.set_font(style="B", size=11.5)
        pdf.cell(pdf.get_string_width(ko) + 3, 7, ko)
        pdf.set_font(size=8.5)
        pdf.set_text_color(95, 95, 95)
        pdf.cell(0, 7.4, en, new_x="LMARGIN", new_y="NEXT")
        pdf.set_text_color(0, 0, 0)
        pdf.set_draw_color(40, 40, 40)
        pdf.set_line_width(0.35)
        pdf.line(MARGIN_MM, pdf.get_y(), MARGIN_MM + WIDTH_MM, pdf.get_y())
        pdf.ln(1.5)

    def _nothing(self) -> None:
        self._pdf.set_font(size=9)
        self._pdf.set_text_color(95, 95, 95)
        self._pdf.cell(0, 6, f"{NONE} / none", new_x="LMARGIN", new_y="NEXT")
        self._pdf.set_text_color(0, 0, 0)

    def _table(self, heads: Sequence[str], widths: Sequence[float], rows: Iterable[Sequence[object]]) -> None:
        """A table whose head repeats on every page; `없음` for one without rows."""
        from fpdf.fonts import FontFace

        body = [[self._said(cell) for cell in row] for row in rows]
        if not body:
            self._nothing()
            return
        pdf = self._pdf
        pdf.set_font(size=8)
        pdf.set_fill_color(255, 255, 255)
        pdf.set_draw_color(170, 170, 170)
        pdf.set_line_width(0.15)
        head = FontFace(emphasis="BOLD", fill_color=(232, 236, 241), color=(20, 20, 20))
        with pdf.table(
            col_widths=tuple(widths),
            width=WIDTH_MM,
            align="LEFT",
            text_align="LEFT",
            line_height=4.2,
            padding=(0.8, 1.2),
            headings_style=head,
            repeat_headings=1,
            borders_layout="HORIZONTAL_LINES",
        ) as table:
            for row in [heads, *body]:
                table.row(list(row))
        pdf.ln(1)

    def _paragraph(self, text: str, size: float = 9.5) -> None:
        self._pdf.set_font(size=size)
        self._pdf.multi_cell(WIDTH_MM, 5.2, self._said(text), align="L", new_x="LMARGIN", new_y="NEXT")

    # ---- the first page

    def _summary_page(self) -> None:
        self._banner()
        self._title()
        self._facts()
        top = self._pdf.get_y() + 4
        self._map(top)
        self._timings(top)
        self._pdf.set_y(top + 84)
        self._counts()
        self._conclusion()

    def _banner(self) -> None:
        mark = MODES.get(self._report["mode"])
        if mark is None:
            return
        pdf = self._pdf
        pdf.set_fill_color(40, 30, 10)
        pdf.set_text_color(255, 217, 138)
        pdf.set_font(style="B", size=10)
        pdf.cell(WIDTH_MM, 7, f"{mark} — 실제 상황이 아닙니다", align="C", fill=True, new_x="LMARGIN", new_y="NEXT")
        pdf.set_text_color(0, 0, 0)
        pdf.ln(2)

    def _title(self) -> None:
        pdf, incident = self._pdf, self._report["incident"]
        top = pdf.get_y()
        pdf.set_font(size=9.5)
        pdf.cell(
            110, 5, self._said(f"{self._report['authority']['name_ko']} 통합관제센터"), new_x="LMARGIN", new_y="NEXT"
        )
        pdf.set_font(style="B", size=20)
        pdf.cell(110, 11, "사후 검토 보고서", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font(size=9)
        pdf.set_text_color(95, 95, 95)
        state = "서명본" if self._paper.digest else "초안 — 서명 전 DRAFT"
        pdf.cell(110, 5, self._said(f"After-action report  ·  {incident['number']}  ·  {state}"))
        pdf.set_text_color(0, 0, 0)
        self._approvals(top)
        pdf.set_xy(MARGIN_MM, top + 25)

    def _approvals(self, top: float) -> None:
        """The empty boxes that people sign on paper (결재란)."""
        pdf = self._pdf
        pdf.set_draw_color(90, 90, 90)
        pdf.set_line_width(0.2)
        pdf.set_font(size=8)
        left = MARGIN_MM + WIDTH_MM - 60
        for number, role in enumerate(("검토", "팀장", "과장")):
            x = left + number * 20
            pdf.rect(x, top, 20, 5.5)
            pdf.rect(x, top + 5.5, 20, 15)
            pdf.set_xy(x, top)
            pdf.cell(20, 5.5, role, align="C")

    def _facts(self) -> None:
        incident, place = self._report["incident"], self._report["incident"]["place"]
        agency = incident["agency"]["name_ko"] if incident["agency"] else ""
        source = SOURCES.get(incident["source"], incident["source"])
        where = " ".join(part for part in (place["address"], place["district"]) if part) or UNKNOWN
        self._pairs(
            (
                ("사건번호", incident["number"], "종류", incident["class_ko"]),
                ("우선순위", PRIORITIES[incident["priority"]], "출처", f"{source} {agency}".strip()),
                ("접수", _when(incident["opened_at"]), "종결", _when(incident["closed_at"])),
                ("담당", self._who(incident["owner"]), "결과", incident["outcome"] or "–"),
                ("장소", where, "법적 근거", incident["basis_ko"] or "–"),
            )
        )

    def _pairs(self, rows: Sequence[Sequence[str]]) -> None:
        from fpdf.fonts import FontFace

        pdf = self._pdf
        pdf.set_font(size=9)
        pdf.set_fill_color(255, 255, 255)
        pdf.set_draw_color(170, 170, 170)
        pdf.set_line_width(0.15)
        label = FontFace(emphasis="BOLD", fill_color=(240, 243, 246))
        with pdf.table(
            col_widths=(20, 72, 20, 66),
            width=WIDTH_MM,
            align="LEFT",
            text_align="LEFT",
            first_row_as_headings=False,
            line_height=4.8,
            padding=(0.8, 1.5),
        ) as table:
            for row in rows:
                cells = table.row()
                for number, text in enumerate(row):
                    cells.cell(self._said(text), style=label if number % 2 == 0 else None)

    def _map(self, top: float) -> None:
        pdf, place = self._pdf, self._report["incident"]["place"]
        width, height = 92.0, 72.0
        if place["lon"] is None:
            pdf.set_xy(MARGIN_MM, top)
            pdf.set_font(size=9)
            pdf.cell(width, 8, "위치를 알 수 없어 지도가 없습니다.")
            return
        centre = Point(place["lon"], place["lat"])
        marks = [*self._signal_marks(), *self._camera_marks(), Mark("incident", centre)]
        frame = frame_for(centre, marks, MARGIN_MM, top, width, height)
        known = draw(pdf, self._report["authority"]["code"], frame, marks)
        pdf.set_xy(MARGIN_MM, top + height + 1)
        pdf.set_font(size=7.5)
        legend = "◆ 사건   ● 열람한 카메라(번호는 카메라 목록의 번호)   ▲ 신호"
        pdf.multi_cell(width, 4, legend + ("" if known else "\n배경 지도 자료가 없습니다."), align="L")

    def _signal_marks(self) -> list[Mark]:
        events = self._report["signals"]["events"]
        return [Mark("signal", Point(one["lon"], one["lat"])) for one in events[:200] if one["lon"] is not None]

    def _camera_marks(self) -> list[Mark]:
        cameras = enumerate(self._report["cameras"], start=1)
        return [Mark("camera", Point(one["lon"], one["lat"]), str(n)) for n, one in cameras if one["lon"] is not None]

    def _timings(self, top: float) -> None:
        pdf = self._pdf
        left = MARGIN_MM + 97
        pdf.set_xy(left, top)
        pdf.set_font(style="B", size=9.5)
        pdf.cell(81, 5.5, "시간 경과  Timings")
        pdf.set_draw_color(200, 200, 200)
        pdf.set_line_width(0.15)
        for number, row in enumerate(self._report["timings"]):
            y = top + 7 + number * 7.2
            pdf.set_xy(left, y)
            pdf.set_font(size=8.5)
            pdf.cell(47, 4, row["ko"])
            pdf.set_font(style="B", size=9.5)
            if row["seconds"] is None:
                pdf.set_text_color(120, 120, 120)
            pdf.cell(34, 4, _long(row["seconds"]), align="R")
            pdf.set_text_color(110, 110, 110)
            pdf.set_font(size=6)
            pdf.set_xy(left, y + 3.6)
            pdf.cell(47, 2.6, row["en"])
            pdf.set_text_color(0, 0, 0)
            pdf.line(left, y + 6.6, left + 81, y + 6.6)

    def _counts(self) -> None:
        report = self._report
        steps = [step for run in report["checklists"] for step in run["steps"]]
        told = [one for message in report["messages"] for one in message["deliveries"] if one["wants_ack"]]
        heard = sum(one["acknowledged_at"] is not None for one in told)
        figures = (
            ("신호", f"{report['signals']['total']:,}건"),
            ("열람 카메라", f"{len(report['cameras'])}대"),
            ("열람", f"{len(report['views'])}회 · {_long(sum(v['seconds'] for v in report['views']))}"),
            ("절차 단계", f"{sum(step['met'] for step in steps)}/{len(steps)}" if steps else NONE),
            ("상황전파 확인", f"{heard}/{len(told)}" if told else NONE),
            ("인수인계", f"{len(report['handovers'])}회"),
        )
        pdf, top, each = self._pdf, self._pdf.get_y(), WIDTH_MM / len(figures)
        for number, (label, value) in enumerate(figures):
            x = MARGIN_MM + number * each
            pdf.set_fill_color(240, 243, 246)
            pdf.rect(x, top, each - 1.5, 13, style="F")
            pdf.set_xy(x, top + 1.2)
            pdf.set_font(size=7.5)
            pdf.cell(each - 1.5, 4, label, align="C")
            pdf.set_xy(x, top + 5.6)
            pdf.set_font(style="B", size=9.5)
            pdf.cell(each - 1.5, 6, value, align="C")
        pdf.set_xy(MARGIN_MM, top + 15)

    def _conclusion(self) -> None:
        review = self._report["review"]
        pdf = self._pdf
        pdf.ln(2)
        pdf.set_font(style="B", size=9.5)
        pdf.cell(0, 6, "총평  Conclusion", new_x="LMARGIN", new_y="NEXT")
        text = (review or {}).get("summary") or "아직 검토하지 않았습니다."
        self._paragraph(text if len(text) <= 900 else text[:900] + "… (전문은 ‘검토’ 절)", 9)
        self._short(
            "잘된 점·부족한 점  Findings",
            [f"{FINDINGS[o['kind']]}: {o['text']}" for o in (review or {}).get("findings", [])],
        )
        self._short(
            "교훈  Lessons",
            [f"{o['text']} ({self._who(o['owner'])}, {o['due_on']}까지)" for o in (review or {}).get("lessons", [])],
        )
        self._short("지키지 못한 절차  Unmet steps", self._unmet())
        if review and review["signed_at"]:
            pdf.ln(1)
            self._paragraph(f"서명 {self._who(review['signed_by'])} · {_when(review['signed_at'])} (전자서명 ES256)", 9)

    def _short(self, title: str, lines: Sequence[str]) -> None:
        """The first few of a list, as far as the first page has room; nothing of an empty one."""
        pdf = self._pdf
        if not lines or pdf.will_page_break(14):
            return
        pdf.ln(1.5)
        pdf.set_font(style="B", size=9.5)
        pdf.cell(0, 6, title, new_x="LMARGIN", new_y="NEXT")
        for shown, line in enumerate(lines):
            if pdf.will_page_break(20) or shown == 4:
                self._paragraph(f"외 {len(lines) - shown}건은 다음 쪽들에 있습니다.", 8.5)
                return
            self._paragraph("· " + (line if len(line) <= 120 else line[:119] + "…"), 9)

    def _unmet(self) -> list[str]:
        steps = [(run["ko"], step) for run in self._report["checklists"] for step in run["steps"]]
        return [
            f"{title}: {step['ko']}" + (" (기한 지남)" if step["late"] else "")
            for title, step in steps
            if not step["met"] or step["late"]
        ]

    # ---- the pages after it

    def _load(self) -> None:
        load = self._report["alarm_load"]
        self._heading("경보 부하", "Alarm load while it was open (EEMUA-191)")
        each = UNKNOWN if load["average"] is None else f"{load['average']:.2f}"
        peak = UNKNOWN if load["peak"] is None else f"{load['peak']:.1f}"
        flood = UNKNOWN if load["flood"] is None else f"{load['flood']:.0%}"
        self._table(
            ("부터", "까지", "신규 건수", "1인 10분당 평균 (≤ 1)", "1인 10분 최대 (≤ 10)", "폭주 시간", "근무자 확인"),
            (27, 27, 20, 34, 32, 18, 20),
            [
                (
                    _when(load["from_at"])[5:],
                    _when(load["to_at"])[5:],
                    load["items"],
                    each,
                    peak,
                    flood,
                    f"{load['known']:.0%}",
                )
            ],
        )

    def _timeline(self) -> None:
        report = self._report
        self._heading("경과", "Timeline")
        if report["timeline_broken_at"] is not None:
            self._paragraph(f"주의: 경과 {report['timeline_broken_at']}번째 기록이 작성된 뒤 바뀌었습니다.")
        rows = [(one["seq"], _when(one["at"])[5:], self._who(one["actor"]), one["ko"]) for one in report["timeline"]]
        self._table(("번호", "시각", "행위자", "내용"), (11, 27, 28, 112), rows)
        self._clipped(len(rows), report["timeline_total"])

    def _clipped(self, shown: int, total: int) -> None:
        if shown < total:
            self._paragraph(f"전체 {total:,}건 가운데 {shown:,}건을 실었습니다.", 8.5)

    def _signals(self) -> None:
        signals = self._report["signals"]
        self._heading("신호와 병합", "Signals and how they were merged")
        counts = ", ".join(f"{SOURCES.get(name, name)} {n:,}" for name, n in signals["by_source"].items())
        if signals["total"]:
            self._paragraph(
                f"신호 {signals['total']:,}건이 사안 {signals['events_total']:,}건으로 묶였습니다. {counts}", 9
            )
        self._table(
            ("종류", "출처", "장치", "처음", "마지막", "신호", "비고"),
            (26, 28, 38, 25, 25, 12, 24),
            [
                (
                    one["class_ko"],
                    SOURCES.get(one["source"], one["source"]),
                    one["device"],
                    _when(one["first_at"])[5:],
                    _when(one["last_at"])[5:],
                    one["signals"],
                    "폭주에서 분리" if one["from_storm"] else "",
                )
                for one in signals["events"]
            ],
        )
        self._clipped(len(signals["events"]), signals["events_total"])
        for one in signals["merged"]:
            self._paragraph(f"병합: {one['number']} ({_when(one['opened_at'])} 접수)", 9)
        if signals["parent"]:
            self._paragraph(f"상위 사건: {signals['parent']}", 9)

    def _cameras(self) -> None:
        report = self._report
        self._heading("카메라와 열람", "Cameras, and who looked through them on what ground")
        rows = [
            (n, one["label"], one["views"], _long(one["seconds"])) for n, one in enumerate(report["cameras"], start=1)
        ]
        self._table(("번호", "카메라", "열람", "합계"), (12, 106, 20, 40), rows)
        if not report["views"]:
            return
        self._table(
            ("시작", "카메라", "열람자", "받는 쪽", "시간", "법적 근거"),
            (25, 42, 24, 28, 18, 41),
            [
                (
                    _when(one["started_at"])[5:],
                    one["camera"],
                    self._who(one["viewer"]),
                    one["recipient"],
                    _long(one["seconds"]) + (" (비정상 종료)" if one["crash_closed"] else ""),
                    one["basis_ko"],
                )
                for one in report["views"]
            ],
        )

    def _grants(self) -> None:
        self._heading("영상 제공 결정", "Decisions on video")
        self._table(
            ("요청", "받는 쪽", "종류", "카메라", "결정", "결정자·규칙", "끝", "근거"),
            (24, 28, 15, 13, 18, 28, 18, 34),
            [
                (
                    _when(one["requested_at"])[5:],
                    one["recipient"],
                    GRANT_KINDS.get(one["kind"], one["kind"]),
                    one["cameras"],
                    GRANTS.get(one["state"], one["state"]),
                    self._who(one["decided_by"]) if one["decided_by"] else one["rule"] or "–",
                    _time(one["ended_at"]),
                    one["basis_ko"],
                )
                for one in self._report["grants"]
            ],
        )

    def _evidence(self) -> None:
        self._heading("증거", "Evidence kept and handed over")
        self._table(
            ("요청", "종류", "카메라", "남긴 이", "사유", "보관", "SHA-256"),
            (25, 16, 36, 22, 34, 23, 22),
            [
                (
                    _when(one["wanted_at"])[5:],
                    EVIDENCE.get(one["kind"], one["kind"]),
                    one["camera"],
                    self._who(one["taken_by"]),
                    one["reason"],
                    "파기" if one["erased_at"] else _until(one["locked_until"] or one["keep_until"]),
                    one["digest"][:12] or UNKNOWN,
                )
                for one in self._report["evidence"]
            ],
        )
        for one in self._report["exports"]:
            decided = f"{self._who(one['decided_by'])} {_when(one['decided_at'])}" if one["decided_at"] else "결정 전"
            self._paragraph(
                f"반출: {one['office']} {self._who(one['to'])} · {one['basis_ko']}"
                f" · 요청 {self._who(one['requested_by'])} {_when(one['requested_at'])}"
                f" · 결정 {decided} · {one['state']}",
                8.5,
            )

    def _checklists(self) -> None:
        self._heading("절차(SOP)", "Checklists: steps met and unmet")
        runs = self._report["checklists"]
        if not runs:
            self._nothing()
        for run in runs:
            self._paragraph(f"{run['ko']} ({run['code']}) · 시작 {_when(run['started_at'])}", 9)
            self._table(
                ("단계", "상태", "기한", "완료", "한 사람", "기록"),
                (62, 18, 14, 24, 22, 38),
                [
                    (
                        step["ko"],
                        STANDINGS.get(step["standing"], step["standing"]),
                        "지남" if step["late"] else "",
                        _time(step["done_at"]),
                        self._who(step["done_by"]),
                        step["note"],
                    )
                    for step in run["steps"]
                ],
            )

    def _tasks(self) -> None:
        self._heading("할 일", "Tasks")
        self._table(
            ("내용", "기한", "완료", "늦음", "한 사람", "결과"),
            (64, 24, 24, 12, 22, 32),
            [
                (
                    one["ko"],
                    _when(one["due_at"])[5:],
                    _when(one["done_at"])[5:] if one["done_at"] else "미완료",
                    "늦음" if one["late"] else "",
                    self._who(one["done_by"]),
                    one["note"],
                )
                for one in self._report["tasks"]
            ],
        )

    def _messages(self) -> None:
        self._heading("상황전파와 확인", "Situation messages and acknowledgements")
        messages = self._report["messages"]
        if not messages:
            self._nothing()
        for one in messages:
            self._paragraph(f"{_when(one['sent_at'])} · {self._who(one['sent_by']) or one['rule']} · {one['ko']}", 9)
            self._table(
                ("받는 이", "직책", "수단", "상태", "확인까지"),
                (42, 42, 42, 26, 26),
                [
                    (
                        self._who(row["to"]),
                        row["duty"],
                        " → ".join(row["channels"]) or "–",
                        DELIVERIES.get(row["state"], row["state"]),
                        _long(row["took_s"]) if row["took_s"] is not None else "–",
                    )
                    for row in one["deliveries"]
                ],
            )

    def _handovers(self) -> None:
        states = {"waiting": "대기", "accepted": "수락", "declined": "거절", "lapsed": "소멸"}
        self._heading("인수인계", "Hand-overs")
        self._table(
            ("제안", "주는 이", "받는 이", "결과", "응답", "사유"),
            (27, 28, 28, 18, 27, 50),
            [
                (
                    _when(one["offered_at"])[5:],
                    self._who(one["from"]),
                    self._who(one["to"]),
                    states.get(one["state"], one["state"]),
                    _when(one["answered_at"])[5:] if one["answered_at"] else "–",
                    one["reason"],
                )
                for one in self._report["handovers"]
            ],
        )

    def _log(self) -> None:
        channels = {"radio": "무전", "phone": "전화", "visit": "대면", "message": "문자"}
        self._heading("통신 기록", "Radio and telephone log")
        self._table(
            ("시각", "수단", "보낸 쪽 → 받은 쪽", "내용", "기록"),
            (25, 13, 44, 74, 22),
            [
                (
                    _when(one["said_at"])[5:],
                    channels.get(one["channel"], one["channel"]),
                    f"{one['who']} → {one['whom']}",
                    one["text"] + (" (정정됨)" if one["corrected"] else ""),
                    self._who(one["by"]),
                )
                for one in self._report["log"]
            ],
        )

    def _rules(self) -> None:
        states = {
            "done": "실행",
            "asked": "확인 대기",
            "confirmed": "승인",
            "declined": "거절",
            "impossible": "실행 불가",
        }
        self._heading("규칙이 한 일", "What rules did")
        self._table(
            ("시각", "규칙", "효과", "상태", "결정", "사유"),
            (25, 46, 24, 20, 25, 38),
            [
                (
                    _when(one["at"])[5:],
                    one["rule"],
                    one["effect"],
                    states.get(one["state"], one["state"]),
                    self._who(one["decided_by"]),
                    one["reason"],
                )
                for one in self._report["rules"]
            ],
        )

    def _review(self) -> None:
        review = self._report["review"]
        self._heading("검토", "Review")
        if review is None:
            self._nothing()
            return
        if len(review["summary"]) > 900:
            self._paragraph(review["summary"], 9)
        self._table(
            ("점검 항목", "답", "의견"),
            (78, 20, 80),
            [(one["ko"], ANSWERS[one["answer"]], one["note"]) for one in review["checklist"]],
        )
        self._heading("검토 의견", "Findings")
        self._table(
            ("종류", "내용", "작성"),
            (24, 130, 24),
            [(FINDINGS[one["kind"]], one["text"], self._who(one["by"])) for one in review["findings"]],
        )
        self._heading("교훈", "Lessons")
        self._table(
            ("종류", "내용", "담당", "기한"),
            (24, 102, 28, 24),
            [(LESSONS[one["kind"]], one["text"], self._who(one["owner"]), one["due_on"]) for one in review["lessons"]],
        )

    def _addenda(self) -> None:
        if not self._paper.addenda:
            return
        self._heading("추록", "Addenda")
        for one in self._paper.addenda:
            self._paragraph(f"{one['number']}. {_when(one['made_at'])}  {one['text']}", 9)

    def _proof(self) -> None:
        self._heading("증명", "How to check this report")
        if not self._paper.digest:
            self._paragraph("서명 전 초안입니다. 내용이 바뀔 수 있습니다.", 9)
            return
        self._paragraph(
            "이 PDF는 서명된 원본(첨부된 JSON)을 사람이 읽게 옮긴 것입니다. 원본은 madang review verify FILE 명령이나"
            " JWS(RFC 7515, ES256)를 아는 어떤 도구로도 확인할 수 있습니다.",
            9,
        )
        self._paragraph(f"SHA-256  {self._paper.digest}\n열쇠(RFC 7638)  {self._paper.key_id}", 8.5)
        if self._lacking:
            self._paragraph(f"글꼴에 없는 글자 {self._lacking}자를 □로 적었습니다. 원본에는 그대로 있습니다.", 8.5)


def _new_pdf(regular: Path, bold: Path, foot: str) -> FPDF:
    from fpdf import FPDF

    class Filed(FPDF):
        """A page with its foot."""

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font("Body", size=7)
            self.set_text_color(95, 95, 95)
            self.cell(WIDTH_MM - 20, 5, foot)
            self.cell(20, 5, f"{self.page_no()} / {{nb}}", align="R")
            self.set_text_color(0, 0, 0)

    pdf = Filed(format="A4", enforce_compliance="PDF/A-3U")
    pdf.set_margin(MARGIN_MM)
    pdf.set_auto_page_break(True, 18)
    pdf.add_font("Body", fname=regular)
    pdf.add_font("Body", style="B", fname=bold)
    pdf.set_font("Body", size=9)
    return pdf
