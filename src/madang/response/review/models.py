"""The tables of reviews: what was answered, found and learned, and the signed documents, which never change."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.response.models import MODES, Incident, authority_key
from madang.response.review.domain import LessonState, Phase

FINDING_KINDS = (("good", "잘된 점 Went well"), ("gap", "부족한 점 Fell short"), ("cause", "원인 Cause"))
LESSON_KINDS = (
    ("rule", "규칙 Rule"),
    ("sop", "절차 Checklist"),
    ("training", "교육·훈련 Training"),
    ("equipment", "설비 Equipment"),
    ("other", "기타 Other"),
)
LESSON_KO: dict[LessonState, str] = {
    LessonState.OPEN: "진행",
    LessonState.DRAFTED: "초안 작성",
    LessonState.DONE: "완료",
    LessonState.DROPPED: "철회",
}


def _id() -> models.CharField[str, str]:
    return models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)


class Review(models.Model):
    """One incident being looked over, or looked over and signed."""

    id = _id()
    authority = authority_key("reviews")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    incident = models.OneToOneField(Incident, on_delete=models.PROTECT, related_name="review", verbose_name="사건")
    phase = models.CharField("단계 Phase", max_length=10, default=Phase.OPEN.value)
    opened_by = models.CharField("시작 Opened by", max_length=80)
    opened_name = models.CharField("시작한 사람 Name", max_length=100, blank=True)
    opened_at = models.DateTimeField("시작 시각 Opened")
    checklist = models.JSONField("점검표 Checklist", default=dict)
    summary = models.TextField("총평 Summary", blank=True)
    signed_by = models.CharField("서명 Signed by", max_length=80, blank=True)
    signed_name = models.CharField("서명자 Name", max_length=100, blank=True)
    signed_at = models.DateTimeField("서명 시각 Signed", null=True, blank=True)
    version = models.PositiveIntegerField("판 Version", default=1)

    class Meta:
        verbose_name = "사후 검토 Review"
        verbose_name_plural = "사후 검토 Reviews"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "phase"], name="review_review_phase")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.phase}"


class Finding(models.Model):
    """Something a review found. One that was taken out stays with who took it out."""

    id = _id()
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="findings")
    kind = models.CharField("종류 Kind", max_length=8, choices=FINDING_KINDS)
    text = models.TextField("내용 Text")
    made_by = models.CharField("작성 By", max_length=80)
    made_name = models.CharField("작성자 Name", max_length=100, blank=True)
    made_at = models.DateTimeField("작성 시각 At")
    dropped_by = models.CharField("삭제 Dropped by", max_length=80, blank=True)

    class Meta:
        verbose_name = "검토 의견 Finding"
        verbose_name_plural = "검토 의견 Findings"
        ordering: ClassVar[list[str]] = ["made_at", "id"]

    def __str__(self) -> str:
        return self.text[:60]


class Lesson(models.Model):
    """What should be otherwise next time: who sees to it, by when, and what came of it."""

    id = _id()
    authority = authority_key("lessons")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="lessons")
    kind = models.CharField("종류 Kind", max_length=10, choices=LESSON_KINDS)
    text = models.TextField("내용 Text")
    owner = models.CharField("담당 Owner", max_length=80)
    owner_name = models.CharField("담당자 Owner's name", max_length=100, blank=True)
    due_on = models.DateField("기한 Due")
    state = models.CharField(
        "상태 State", max_length=8, choices=[(s.value, LESSON_KO[s]) for s in LessonState], default="open"
    )
    draft = models.CharField("초안 Draft", max_length=120, blank=True)
    word = models.CharField("결과 Word", max_length=500, blank=True)
    made_by = models.CharField("작성 By", max_length=80)
    made_at = models.DateTimeField("작성 시각 At")
    moved_by = models.CharField("변경 Moved by", max_length=80, blank=True)
    moved_at = models.DateTimeField("변경 시각 Moved", null=True, blank=True)

    class Meta:
        verbose_name = "교훈 Lesson"
        verbose_name_plural = "교훈 Lessons"
        ordering: ClassVar[list[str]] = ["due_on", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "due_on"], name="review_lesson_due")
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Document(models.Model):
    """A signed report (number 1) or an addendum to it. `names_sealed` tells who its codes stand for."""

    id = _id()
    authority = authority_key("review_documents")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="documents")
    number = models.PositiveSmallIntegerField("번호 Number")
    jws = models.TextField(editable=False)
    digest = models.CharField("SHA-256", max_length=64)
    key_id = models.CharField("열쇠 Key", max_length=64)
    names_sealed = models.BinaryField(default=b"", editable=False)
    signed_by = models.CharField("서명 Signed by", max_length=80)
    signed_at = models.DateTimeField("서명 시각 Signed")

    class Meta:
        verbose_name = "검토 문서 Document"
        verbose_name_plural = "검토 문서 Documents"
        ordering: ClassVar[list[str]] = ["review", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["review", "number"], name="review_document_once")
        ]

    def __str__(self) -> str:
        return f"{self.review_id} #{self.number}"
