"""Boundaries, base map and addresses of a city, and the record of every file imported."""

from __future__ import annotations

from django.db import models

from madang.kernel.ids import new_id


def authority_key() -> models.ForeignKey[models.Model, models.Model]:
    """The city a row belongs to. Every table here has an index that begins with it, so it needs none of its own."""
    return models.ForeignKey(
        "identity.Authority",
        on_delete=models.PROTECT,
        db_column="authority",
        to_field="code",
        related_name="+",
        db_index=False,
        verbose_name="기관 Authority",
    )


class BaseKind(models.TextChoices):
    """What a piece of the base map is."""

    ROAD = "road", "도로 Road"
    BUILDING = "building", "건물 Building"
    WATER = "water", "물 Water"
    PARK = "park", "공원 Park"
    LABEL = "label", "이름 Label"


class AddressKind(models.TextChoices):
    """How an address is written."""

    ROAD = "road", "도로명 Road name"
    LOT = "lot", "지번 Lot number"


class RunState(models.TextChoices):
    """Where an import stands; the moves between them are in `domain.MOVES`."""

    QUEUED = "queued", "대기 Queued"
    RUNNING = "running", "진행 중 Running"
    DONE = "done", "완료 Done"
    REFUSED = "refused", "거절 Refused"
    FAILED = "failed", "실패 Failed"


class Severity(models.TextChoices):
    """What an issue means for its row."""

    ERROR = "error", "가져오지 못함 Not imported"
    WARNING = "warning", "일부만 가져옴 Imported in part"
    NOTICE = "notice", "알림 Notice"


class _Boxed(models.Model):
    """A geometry as GeoJSON text with its box, in WGS84 degrees."""

    geometry = models.TextField("도형 Geometry (GeoJSON)")
    west = models.FloatField()
    south = models.FloatField()
    east = models.FloatField()
    north = models.FloatField()

    class Meta:
        abstract = True


class Boundary(_Boxed):
    """An administrative area of a city (행정구역), usually one 읍·면·동."""

    authority = authority_key()
    code = models.CharField("코드 Code", max_length=20)
    level = models.CharField("단계 Level", max_length=20, default="dong")
    name_ko = models.CharField("이름 Name", max_length=100)
    name_en = models.CharField("영문 이름 English name", max_length=100, blank=True)

    class Meta:
        verbose_name = "행정구역 Boundary"
        verbose_name_plural = "행정구역 Boundaries"
        constraints = [models.UniqueConstraint(fields=["authority", "level", "code"], name="places_boundary_once")]

    def __str__(self) -> str:
        return self.name_ko


class BaseFeature(_Boxed):
    """A road, building, water, park or label of the base map."""

    authority = authority_key()
    kind = models.CharField("종류 Kind", max_length=20, choices=BaseKind.choices)
    source_key = models.CharField(max_length=80)
    name = models.CharField("이름 Name", max_length=200, blank=True)
    rank = models.SmallIntegerField("중요도 Rank", default=0, help_text="0 is drawn first; higher only when zoomed in")

    class Meta:
        verbose_name = "바탕지도 요소 Base map feature"
        verbose_name_plural = "바탕지도 요소 Base map features"
        constraints = [
            models.UniqueConstraint(fields=["authority", "kind", "source_key"], name="places_feature_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class AddressPoint(models.Model):
    """An address whose position is known. `street` and the numbers are what a search looks up."""

    authority = authority_key()
    address = models.CharField("주소 Address", max_length=300)
    street = models.CharField("도로명 또는 동·리 Street or dong", max_length=100)
    area = models.CharField("시군구·읍면동 Area", max_length=100, blank=True)
    main_number = models.IntegerField("본번 Main number", default=0)
    sub_number = models.IntegerField("부번 Sub number", default=0)
    hill = models.BooleanField("산 Hill lot", default=False)
    lon = models.FloatField()
    lat = models.FloatField()
    kind = models.CharField(max_length=4, choices=AddressKind.choices)

    class Meta:
        verbose_name = "주소 Address"
        verbose_name_plural = "주소 Addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["authority", "street", "main_number", "sub_number", "area", "hill"], name="places_address_once"
            )
        ]

    def __str__(self) -> str:
        return self.address


class LayerRevision(models.Model):
    """Changes with each change of one layer of one city, so that what was built from it knows when it is old."""

    authority = authority_key()
    layer = models.CharField(max_length=20)
    revision = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["authority", "layer"], name="places_layer_once")]

    def __str__(self) -> str:
        return f"{self.layer} {self.revision}"


class CityFile(models.Model):
    """A file that an import built for a city: which one holds now, and what it was built from."""

    authority = authority_key()
    part = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    token = models.CharField(max_length=40)
    source = models.CharField(max_length=200)
    size = models.BigIntegerField(default=0)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["authority", "part"], name="places_file_once")]

    def __str__(self) -> str:
        return self.name


class ImportRun(models.Model):
    """One file taken in, or refused: who, what, when, how far, with what result."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key()
    kind = models.CharField("종류 Kind", max_length=40)
    filename = models.CharField("파일 File", max_length=255)
    stored_path = models.CharField(
        max_length=500, blank=True, help_text="where an upload waits; empty for a local file"
    )
    sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField("상태 State", max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    progress = models.BigIntegerField("처리한 행 Rows done", default=0)
    total = models.BigIntegerField("전체 행 Rows", default=0)
    counts = models.JSONField("집계 Counts", default=dict)
    report = models.JSONField("품질 보고 Quality report", default=dict)
    reason_ko = models.TextField("거절·실패 사유 Reason", blank=True)
    reason_en = models.TextField(blank=True)
    report_path = models.CharField(max_length=500, blank=True)
    actor = models.CharField("실행자 By", max_length=100)
    mode = models.CharField(max_length=10, default="live")
    queued_at = models.DateTimeField("접수 Queued at")
    started_at = models.DateTimeField("시작 Started at", null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField("끝 Ended at", null=True, blank=True)

    class Meta:
        verbose_name = "가져오기 Import"
        verbose_name_plural = "가져오기 Imports"
        indexes = [models.Index(fields=["authority", "-queued_at"], name="places_run_recent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.filename} {self.state}"


class ImportIssue(models.Model):
    """One fault of one row: where, what was there, and why it was not taken as it stood."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="issues", db_index=False)
    row_number = models.BigIntegerField("행 Row")
    severity = models.CharField("정도 Severity", max_length=10, choices=Severity.choices)
    code = models.CharField("코드 Code", max_length=40)
    column = models.CharField("열 Column", max_length=100, blank=True)
    value = models.CharField("값 Value", max_length=200, blank=True)
    message_ko = models.CharField("사유 Reason", max_length=300)
    message_en = models.CharField("Reason (en)", max_length=300)

    class Meta:
        verbose_name = "가져오기 문제 Import issue"
        verbose_name_plural = "가져오기 문제 Import issues"
        indexes = [models.Index(fields=["run", "code", "row_number"], name="places_issue_by_code")]

    def __str__(self) -> str:
        return f"{self.row_number} {self.code}"
