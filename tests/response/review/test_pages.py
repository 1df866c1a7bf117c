"""The PDF to be filed: it opens, it is one page of summary and the rest, and it says what the report says."""

from __future__ import annotations

from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
import pytest

from madang.identity.rights import Actor
from madang.kernel.errors import UnavailableError
from madang.response.models import Incident
from madang.response.review import commands, pages, queries
from tests.response.conftest import civic_tx
from tests.response.review.conftest import at
from tests.response.review.test_reviews import signed

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "src/madang/console/static/app/fonts/pretendard-400.woff"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]


def text_of(body: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(body)
    return [page.get_textpage().get_text_range() for page in document]


def printed(reader: Actor, incident: Incident) -> bytes:
    return pages.pdf_of(queries.paper(reader, incident.id, at(900))[1])


def test_a_signed_report_is_printed_with_names_and_carries_its_own_proof(
    incident: Incident, reviewer: Actor, officer: Actor, tmp_path: Path
) -> None:
    signed(incident, reviewer)
    with civic_tx() as tx:
        commands.append(tx, reviewer, incident.id, "순찰차 도착 시각은 12:04였다", at(850))
    body = printed(reviewer, incident)
    (tmp_path / "signed.pdf").write_bytes(body)
    found = text_of(body)
    assert incident.number in found[0]
    assert "대응이 빨랐다" in found[0]
    whole = "\n".join(found)
    assert "김관제" in whole
    assert "박신고" not in whole
    assert "순찰차 도착 시각" in whole
    attached = pypdfium2.PdfDocument(body).get_attachment(0)
    assert bytes(attached.get_data()) == queries.document_file(reviewer, incident.id, 1)[1]
    plain = "\n".join(text_of(printed(officer, incident)))
    assert "P1" in plain
    assert "김관제" not in plain


def test_a_draft_says_that_it_is_one_and_a_simulated_incident_that_it_was_no_real_one(
    incident: Incident, reviewer: Actor
) -> None:
    found = "\n".join(text_of(printed(reviewer, incident)))
    assert "서명 전" in found
    assert "SIMULATED" in found
    assert "없음 / none" in found


def test_letters_the_font_lacks_are_shown_as_boxes_and_counted(incident: Incident, reviewer: Actor) -> None:
    incident.note = ""
    row = signed(incident, reviewer)
    _, paper = queries.paper(reviewer, incident.id, at(900))
    paper.report["review"]["summary"] = "金海 화재"
    found = "\n".join(text_of(pages.pdf_of(paper)))
    assert row.phase == "signed"
    assert "□□ 화재" in found
    assert "글꼴에 없는 글자" in found


def test_without_a_font_the_refusal_says_what_to_do(
    incident: Incident, reviewer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("madang.response.review.pages.finders.find", lambda _name: None)
    with pytest.raises(UnavailableError, match="no font") as caught:
        printed(reviewer, incident)
    assert "글꼴" in caught.value.ko
