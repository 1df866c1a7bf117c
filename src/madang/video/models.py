"""The tables of video: sites and cameras, cases and grants, leases and views, the register and its reviews."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.video.domain import GrantKind, GrantState
from madang.video.legal import BASIS_KO

MODES = [(mode.value, mode.value) for mode in Mode]
BASES = [(basis.value, name) for basis, name in BASIS_KO.items()]


def authority_key(related_name: str) -> models.ForeignKey[models.Model, models.Model]:
    """The city a row belongs to."""
    return models.ForeignKey(
        "identity.Authority",
        on_delete=models.PROTECT,
        db_column="authority",
        to_field="code",
        related_name=related_name,
        verbose_name="기관 Authority",
    )


def id_key() -> models.CharField[str, str]:
    """A time-ordered text id."""
    return models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)


def mode_field() -> models.CharField[str, str]:
    """live, exercise or simulated."""
    return models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)


class CameraKind(models.TextChoices):
    """How a camera looks."""

    FIXED = "fixed", "고정 Fixed"
    PTZ = "ptz", "회전 PTZ"
    OMNI = "omni", "전방위 Omnidirectional"
    UNKNOWN = "unknown", "미상 Unknown"


class Health(models.TextChoices):
    """What is known of a camera's stream; `unknown` until something has tried it."""

    OK = "ok", "정상 OK"
    DEGRADED = "degraded", "불량 Degraded"
    OFFLINE = "offline", "끊김 Offline"
    UNKNOWN = "unknown", "미확인 Unknown"


class Site(models.Model):
    """A place with one or more cameras: one row of the national CCTV layout."""

    id = id_key()
    authority = authority_key("video_sites")
    source_key = models.CharField("원천 키 Source key", max_length=200)
    name = models.CharField("이름 Name", max_length=200, blank=True)
    road_address = models.CharField("도로명주소 Road address", max_length=300, blank=True)
    lot_address = models.CharField("지번주소 Lot address", max_length=300, blank=True)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    purpose = models.CharField("설치목적 Purpose", max_length=40, blank=True)
    purpose_text = models.CharField("설치목적 원문 Purpose as given", max_length=200, blank=True)
    camera_count = models.PositiveIntegerField("카메라대수 Cameras", default=1)
    pixels_mp = models.FloatField("화소(백만) Megapixels", null=True, blank=True)
    direction_text = models.CharField("촬영방면 Direction as given", max_length=200, blank=True)
    retention_days = models.PositiveIntegerField("보관일수 Retention days", null=True, blank=True)
    installed_on = models.DateField("설치일 Installed", null=True, blank=True)
    agency_name = models.CharField("관리기관 Agency", max_length=200, blank=True)
    agency_phone = models.CharField("전화 Phone", max_length=60, blank=True)
    data_date = models.DateField("데이터기준일 Data date", null=True, blank=True)
    digest = models.CharField(max_length=64, blank=True, editable=False)
    mode = mode_field()

    class Meta:
        verbose_name = "설치 장소 Site"
        verbose_name_plural = "설치 장소 Sites"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "source_key"], name="video_site_source_once")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["authority", "lon", "lat"], name="video_site_at")]

    def __str__(self) -> str:
        return self.name or self.road_address or self.lot_address or self.source_key


class Camera(models.Model):
    """One camera. Position falls back to its site's; `azimuth_deg` counts only once surveyed."""

    id = id_key()
    authority = authority_key("video_cameras")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="cameras")
    number = models.PositiveIntegerField("번호 Number", default=1)
    label = models.CharField("이름 Label", max_length=200)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    azimuth_deg = models.FloatField("방위각 Azimuth", null=True, blank=True)
    hfov_deg = models.FloatField("수평 화각 Horizontal view", default=90.0)
    range_m = models.FloatField("유효거리 Range", default=60.0)
    height_m = models.FloatField("높이 Height", null=True, blank=True)
    azimuth_surveyed_on = models.DateField("방위 측정일 Azimuth surveyed", null=True, blank=True)
    pixels_mp = models.FloatField("화소(백만) Megapixels", null=True, blank=True)
    ptz = models.BooleanField("회전 PTZ", default=False)
    kind = models.CharField("종류 Kind", max_length=10, choices=CameraKind.choices, default=CameraKind.UNKNOWN)
    retention_days = models.PositiveIntegerField("보관일수 Retention days", null=True, blank=True)
    stream_sealed = models.BinaryField(default=b"", editable=False)
    health = models.CharField("상태 Health", max_length=10, choices=Health.choices, default=Health.UNKNOWN)
    health_at = models.DateTimeField("상태 확인 Health at", null=True, blank=True)
    health_reason = models.CharField("상태 사유 Health reason", max_length=200, blank=True)
    health_fault = models.CharField("고장 종류 Fault", max_length=10, blank=True, editable=False)
    may_look = models.BooleanField("화면 점검 허용 Health looks allowed", default=True)
    """Whether the platform may open it by itself to see that it shows something; nobody sees the picture."""
    active = models.BooleanField("사용 Active", default=True)
    mode = mode_field()

    class Meta:
        verbose_name = "카메라 Camera"
        verbose_name_plural = "카메라 Cameras"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["site", "number"], name="video_camera_number_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "lon", "lat"], name="video_camera_at"),
        ]

    def __str__(self) -> str:
        return self.label


class CameraLook(models.Model):
    """What is remembered of the health looks at a camera: marks of its last picture, no picture; when it is next."""

    camera = models.OneToOneField(Camera, on_delete=models.CASCADE, primary_key=True, related_name="look")
    due_at = models.DateTimeField()
    doubtful = models.BooleanField(default=False)
    """Something is suspected or believed: looked at again before cameras in their turn."""
    looked_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, blank=True)
    fault = models.CharField(max_length=10, blank=True)
    suspected = models.CharField(max_length=10, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    blocks = models.CharField(max_length=600, blank=True)

    class Meta:
        verbose_name = "화면 점검 Health look"
        verbose_name_plural = "화면 점검 Health looks"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["doubtful", "due_at"], name="video_look_due")]

    def __str__(self) -> str:
        return f"{self.camera_id} {self.outcome} {self.fault}"


class PurposeRetention(models.Model):
    """How long recordings of cameras of one purpose are kept, where camera and site do not say."""

    authority = authority_key("video_retentions")
    purpose = models.CharField("설치목적 Purpose", max_length=40)
    days = models.PositiveIntegerField("일수 Days", default=30)
    note = models.CharField("근거 Ground", max_length=200, blank=True)

    class Meta:
        verbose_name = "목적별 보관 기간 Retention by purpose"
        verbose_name_plural = "목적별 보관 기간 Retention by purpose"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "purpose"], name="video_retention_once")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.days}"


class CoverageRevision(models.Model):
    """Counts changes of a city's cameras, so that every process knows when its index is old."""

    authority = models.OneToOneField(
        "identity.Authority", on_delete=models.CASCADE, db_column="authority", to_field="code", primary_key=True
    )
    revision = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.authority_id} {self.revision}"


class Case(models.Model):
    """The reason cameras around one place may be seen: an incident with a legal basis."""

    id = id_key()
    authority = authority_key("video_cases")
    incident_id = models.CharField("사건 Incident", max_length=36)
    incident_number = models.CharField("사건번호 Incident number", max_length=40, blank=True)
    agency = models.CharField("기관 Agency", max_length=40, blank=True)
    basis = models.CharField("법적 근거 Legal basis", max_length=30, choices=BASES)
    purpose = models.CharField("목적 Purpose", max_length=200)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    radius_m = models.FloatField("반경 Radius", default=500.0)
    state = models.CharField(
        "상태 State", max_length=10, choices=[("open", "열림"), ("closed", "닫힘")], default="open"
    )
    opened_at = models.DateTimeField("열림 Opened")
    closed_at = models.DateTimeField("닫힘 Closed", null=True, blank=True)
    close_reason = models.CharField("닫힌 이유 Reason", max_length=300, blank=True)
    mode = mode_field()

    class Meta:
        verbose_name = "영상 사건 Case"
        verbose_name_plural = "영상 사건 Cases"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["incident_id"], name="video_case_incident")]

    def __str__(self) -> str:
        return self.incident_number or self.incident_id


class DecisionTable(models.Model):
    """A version of the rules that answer requests. Drafted by one person, published by another, never changed after."""

    id = id_key()
    authority = authority_key("video_decision_tables")
    version = models.PositiveIntegerField("판 Version")
    state = models.CharField(
        "상태 State",
        max_length=10,
        choices=[("draft", "초안"), ("published", "시행"), ("retired", "종료")],
        default="draft",
    )
    policy = models.CharField("방식 Policy", max_length=10, choices=[("first", "FIRST"), ("unique", "UNIQUE")])
    rows = models.JSONField("규칙 Rows", default=list)
    note = models.CharField("설명 Note", max_length=300, blank=True)
    drafted_by = models.CharField("작성 Drafted by", max_length=80)
    drafted_at = models.DateTimeField("작성 시각 Drafted")
    published_by = models.CharField("시행 Published by", max_length=80, blank=True)
    published_at = models.DateTimeField("시행 시각 Published", null=True, blank=True)

    class Meta:
        verbose_name = "영상 제공 결정표 Decision table"
        verbose_name_plural = "영상 제공 결정표 Decision tables"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "version"], name="video_table_version_once"),
            models.UniqueConstraint(
                fields=["authority"], condition=models.Q(state="published"), name="video_table_one_published"
            ),
        ]

    def __str__(self) -> str:
        return f"video-grant@{self.version}"


class VideoGrant(models.Model):
    """A narrow permission: these cameras, these rights, this recipient, until then, for this reason."""

    id = id_key()
    authority = authority_key("video_grants")
    kind = models.CharField("종류 Kind", max_length=12, choices=[(k.value, k.value) for k in GrantKind])
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="grants", null=True, blank=True)
    state = models.CharField("상태 State", max_length=16, choices=[(s.value, s.value) for s in GrantState])
    recipient_kind = models.CharField("받는 쪽 종류 Recipient kind", max_length=20)
    recipient_code = models.CharField("받는 쪽 Recipient", max_length=40)
    recipient_name = models.CharField("받는 쪽 이름 Recipient name", max_length=100, blank=True)
    agency_kind = models.CharField("기관 종류 Agency kind", max_length=20, default="other")
    rights = models.JSONField("권한 Rights", default=list)
    basis = models.CharField("법적 근거 Legal basis", max_length=30, blank=True)
    purpose = models.CharField("목적 Purpose", max_length=200, blank=True)
    conditions = models.JSONField("조건 Conditions", default=list)
    facts = models.JSONField("판단 자료 Facts", default=dict)
    rule = models.CharField("적용 규칙 Rule", max_length=120, blank=True)
    duration_s = models.PositiveIntegerField("기간(초) Duration", default=1_800)
    max_viewers = models.PositiveIntegerField("최대 열람자 Max viewers", default=10)
    requested_by = models.CharField("요청 Requested by", max_length=80)
    requested_by_name = models.CharField("요청자 Requester", max_length=100, blank=True)
    requested_at = models.DateTimeField("요청 시각 Requested")
    decided_by = models.CharField("결정 Decided by", max_length=120, blank=True)
    decided_at = models.DateTimeField("결정 시각 Decided", null=True, blank=True)
    reason = models.CharField("사유 Reason", max_length=500, blank=True)
    not_before = models.DateTimeField("시작 Not before", null=True, blank=True)
    expires_at = models.DateTimeField("만료 Expires", null=True, blank=True)
    ended_at = models.DateTimeField("종료 Ended", null=True, blank=True)
    end_reason = models.CharField("종료 사유 End reason", max_length=500, blank=True)
    version = models.PositiveIntegerField("판 Version", default=1)
    mode = mode_field()

    class Meta:
        verbose_name = "영상 제공 Video grant"
        verbose_name_plural = "영상 제공 Video grants"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state"], name="video_grant_state"),
            models.Index(fields=["requested_by", "kind", "state"], name="video_grant_requester"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state} {self.recipient_code}"


class GrantCamera(models.Model):
    """A camera under a grant, with the version that brought it in and (if so) took it out."""

    grant = models.ForeignKey(VideoGrant, on_delete=models.CASCADE, related_name="grant_cameras")
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="grant_cameras")
    rank = models.PositiveIntegerField("순위 Rank", default=0)
    since_version = models.PositiveIntegerField(default=1)
    until_version = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["camera"], name="video_grant_camera")]

    def __str__(self) -> str:
        return f"{self.grant_id} {self.camera_id}"


class GrantVersion(models.Model):
    """One step in the life of a grant, append-only: what changed, by whom, why."""

    grant = models.ForeignKey(VideoGrant, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=120)
    step = models.CharField(max_length=20)
    reason = models.CharField(max_length=500, blank=True)
    change = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.grant_id} v{self.version} {self.step}"


class Lease(models.Model):
    """Half a minute of one camera for one viewer, renewed while the grant lives."""

    id = id_key()
    authority = authority_key("video_leases")
    grant = models.ForeignKey(VideoGrant, on_delete=models.PROTECT, related_name="leases")
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="leases")
    viewer = models.CharField("열람자 Viewer", max_length=80)
    viewer_name = models.CharField("열람자 이름 Viewer name", max_length=100)
    opened_at = models.DateTimeField("열림 Opened")
    expires_at = models.DateTimeField("만료 Expires")
    ended_at = models.DateTimeField("종료 Ended", null=True, blank=True)
    end_reason = models.CharField("종료 사유 End reason", max_length=40, blank=True)
    mode = mode_field()

    class Meta:
        verbose_name = "열람권 Lease"
        verbose_name_plural = "열람권 Leases"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["grant", "ended_at"], name="video_lease_grant"),
            models.Index(fields=["camera", "ended_at"], name="video_lease_camera"),
        ]

    def __str__(self) -> str:
        return self.id


class ViewSession(models.Model):
    """What was really shown: from the first frame allowed to the last, as the media gateway reported it."""

    id = id_key()
    authority = authority_key("video_views")
    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="views")
    grant = models.ForeignKey(VideoGrant, on_delete=models.PROTECT, related_name="views")
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="views")
    viewer = models.CharField("열람자 Viewer", max_length=80)
    viewer_name = models.CharField("열람자 이름 Viewer name", max_length=100)
    started_at = models.DateTimeField("시작 Started")
    ended_at = models.DateTimeField("종료 Ended", null=True, blank=True)
    seconds = models.FloatField("초 Seconds", default=0.0)
    bytes_sent = models.BigIntegerField("바이트 Bytes", default=0)
    end_code = models.PositiveIntegerField("종료 코드 End code", null=True, blank=True)
    end_reason = models.CharField("종료 사유 End reason", max_length=120, blank=True)
    crash_closed = models.BooleanField("비정상 종료 Crash closed", default=False)
    mode = mode_field()

    class Meta:
        verbose_name = "열람 기록 View"
        verbose_name_plural = "열람 기록 Views"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["grant", "ended_at"], name="video_view_grant"),
            models.Index(fields=["authority", "started_at"], name="video_view_started"),
        ]

    def __str__(self) -> str:
        return f"{self.viewer_name} {self.camera_id} {self.started_at:%Y-%m-%d %H:%M}"


class DutyShift(models.Model):
    """Someone's ordinary duty at the wall, accepted by that person."""

    id = id_key()
    authority = authority_key("video_shifts")
    person = models.ForeignKey("identity.Person", on_delete=models.PROTECT, related_name="video_shifts")
    grant = models.ForeignKey(VideoGrant, on_delete=models.PROTECT, related_name="shifts", null=True, blank=True)
    from_at = models.DateTimeField("시작 From")
    to_at = models.DateTimeField("끝 To")
    accepted_at = models.DateTimeField("수락 Accepted", null=True, blank=True)
    ended_at = models.DateTimeField("종료 Ended", null=True, blank=True)
    purposes = models.JSONField("설치목적 Purposes", default=list, blank=True)

    class Meta:
        verbose_name = "근무 Shift"
        verbose_name_plural = "근무 Shifts"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["authority", "to_at"], name="video_shift_to")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.from_at:%Y-%m-%d %H:%M}"


class BreakGlassReview(models.Model):
    """The review every break-glass must get; overdue, it locks the one who broke the glass."""

    id = id_key()
    authority = authority_key("video_break_glass_reviews")
    grant = models.OneToOneField(VideoGrant, on_delete=models.PROTECT, related_name="break_glass_review")
    actor = models.CharField("사용자 Actor", max_length=80)
    notified = models.JSONField("알린 사람 Notified", default=list)
    due_at = models.DateTimeField("기한 Due")
    overdue = models.BooleanField("기한 지남 Overdue", default=False)
    verdict = models.CharField(
        "판정 Verdict",
        max_length=12,
        blank=True,
        choices=[("justified", "정당 Justified"), ("unjustified", "부당 Unjustified")],
    )
    note = models.CharField("의견 Note", max_length=500, blank=True)
    reviewed_by = models.CharField("검토자 Reviewer", max_length=80, blank=True)
    reviewed_at = models.DateTimeField("검토 시각 Reviewed", null=True, blank=True)

    class Meta:
        verbose_name = "긴급 열람 검토 Break-glass review"
        verbose_name_plural = "긴급 열람 검토 Break-glass reviews"

    def __str__(self) -> str:
        return f"{self.actor} {self.verdict or '-'}"


class ProvisionRecord(models.Model):
    """A line of the register of use and provision beyond purpose (목적 외 이용·제공 대장; PIPA §18)."""

    id = id_key()
    authority = authority_key("video_provisions")
    grant = models.OneToOneField(VideoGrant, on_delete=models.PROTECT, related_name="provision")
    act = models.CharField("구분 Act", max_length=10, choices=[("provision", "제공"), ("use", "이용")])
    incident_number = models.CharField("사건번호 Incident number", max_length=40, blank=True)
    basis = models.CharField("법적 근거 Legal basis", max_length=30)
    purpose = models.CharField("목적 Purpose", max_length=200)
    scope = models.CharField("범위 Scope", max_length=500)
    recipient_kind = models.CharField("받는 쪽 종류 Recipient kind", max_length=20)
    recipient_code = models.CharField("받는 쪽 Recipient", max_length=40)
    recipient_name = models.CharField("받는 쪽 이름 Recipient name", max_length=100, blank=True)
    conditions = models.JSONField("조건 Conditions", default=list)
    from_at = models.DateTimeField("시작 From")
    to_at = models.DateTimeField("끝 To")
    ended_at = models.DateTimeField("종료 Ended", null=True, blank=True)
    cameras = models.PositiveIntegerField("카메라 수 Cameras", default=0)
    views = models.PositiveIntegerField("열람 수 Views", default=0)
    seconds = models.FloatField("열람 초 Seconds", default=0.0)
    decided_by = models.CharField("결정 Decided by", max_length=120, blank=True)
    mode = mode_field()

    class Meta:
        verbose_name = "영상 제공 대장 Register row"
        verbose_name_plural = "영상 제공 대장 Register of provisions"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "from_at"], name="video_provision_from")
        ]

    def __str__(self) -> str:
        return f"{self.incident_number} {self.recipient_code}"


class AccessReview(models.Model):
    """One view drawn for the monthly check of the access log, and what the reviewer found."""

    id = id_key()
    authority = authority_key("video_access_reviews")
    month = models.CharField("달 Month", max_length=7)
    view = models.ForeignKey(ViewSession, on_delete=models.PROTECT, related_name="reviews")
    why = models.CharField("표본 사유 Drawn because", max_length=20)
    verdict = models.CharField(
        "판정 Verdict",
        max_length=12,
        blank=True,
        choices=[("proper", "적정 Proper"), ("improper", "부적정 Improper"), ("unclear", "불분명 Unclear")],
    )
    reason = models.CharField("사유 Reason", max_length=500, blank=True)
    reviewer = models.CharField("검토자 Reviewer", max_length=80, blank=True)
    reviewed_at = models.DateTimeField("검토 시각 Reviewed", null=True, blank=True)

    class Meta:
        verbose_name = "접속기록 점검 Access review"
        verbose_name_plural = "접속기록 점검 Access reviews"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["month", "view"], name="video_access_review_once")
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.view_id}"


class DisclosureRequest(models.Model):
    """A citizen's question whether video of them was provided. What they wrote is sealed."""

    id = id_key()
    authority = authority_key("video_disclosures")
    receipt = models.CharField("접수번호 Receipt", max_length=20, unique=True)
    state = models.CharField(
        "상태 State",
        max_length=10,
        choices=[("received", "접수"), ("checking", "확인 중"), ("answered", "답변"), ("refused", "거부")],
        default="received",
    )
    sealed = models.BinaryField(editable=False)
    received_at = models.DateTimeField("접수 시각 Received")
    due_at = models.DateTimeField("기한 Due")
    overdue = models.BooleanField("기한 지남 Overdue", default=False)
    handled_by = models.CharField("담당 Handled by", max_length=80, blank=True)
    answer = models.TextField("답변 Answer", blank=True)
    answered_at = models.DateTimeField("답변 시각 Answered", null=True, blank=True)

    class Meta:
        verbose_name = "열람 청구 Disclosure request"
        verbose_name_plural = "열람 청구 Disclosure requests"

    def __str__(self) -> str:
        return self.receipt
