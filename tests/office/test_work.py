"""The work done at the office: each deed has its effect, its audit row, and its refusals in words."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from madang.console.office import reviews
from madang.identity import models
from madang.identity.actors import actor_of_person, actor_of_token
from madang.identity.clients import client_of
from madang.identity.models import Agency, AgencyKey, Authority, Person, RoleAssignment, Token
from madang.identity.rights import Role
from madang.journal import alarms, civic, inbox, retention
from madang.kernel.clock import SEOUL, system_clock
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from madang.places import imports
from madang.places.models import ImportIssue, ImportRun
from madang.video import commands as video
from madang.video.commands.sites import stream_source
from madang.video.models import (
    AccessReview,
    BreakGlassReview,
    Camera,
    DecisionTable,
    DisclosureRequest,
    Lease,
    ProvisionRecord,
    VideoGrant,
    ViewSession,
)
from tests.conftest import PASSWORD, MakePerson
from tests.office.conftest import MakeWorker, Worker

pytestmark = pytest.mark.django_db


def audited(action: str) -> int:
    with civic.reading() as tx:
        return int(tx.execute("SELECT COUNT(*) FROM journal_audit WHERE action = ?", (action,))[0][0])


def pem_of(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def camera(authority: Authority) -> Camera:
    rows = [video.SiteRow(source_key="s", name="내외동 앞", lon=128.9, lat=35.2, purpose="생활방범")]
    with civic.transaction() as tx:
        video.put_sites(tx, authority.code, rows, system_clock(), Mode.LIVE)
    return Camera.objects.get()


# ------------------------------------------------------------------------------------------------ accounts


def test_an_administrator_adds_a_person_and_gives_a_role(
    worker: MakeWorker, authority: Authority, other_authority: Authority
) -> None:
    admin = worker(Role.ADMINISTRATOR)
    roles = {
        "role_assignments-TOTAL_FORMS": 1,
        "role_assignments-INITIAL_FORMS": 0,
        "role_assignments-0-role": "operator",
        "role_assignments-0-authority": authority.code,
    }
    form = {
        "username": "newcomer",
        "name_ko": "새내기",
        "authority": authority.code,
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **roles,
    }
    answer = admin.post("identity/person/add/", **form)
    assert answer.status_code == 302, answer.content.decode()
    person = Person.objects.get(username="newcomer")
    assert actor_of_person(person).roles == {authority.code: frozenset({Role.OPERATOR})}
    assert audited("person.added") == 1
    assert audited("person.roles_set") == 1
    refused = admin.post(
        "identity/person/add/",
        **{**form, "username": "spy", "role_assignments-0-authority": other_authority.code},
    )
    assert refused.status_code == 200
    assert not Person.objects.filter(username="spy").exists()


def test_nobody_changes_their_own_roles(worker: MakeWorker, authority: Authority) -> None:
    admin = worker(Role.ADMINISTRATOR)
    admin.post(
        f"identity/person/{admin.person.pk}/change/",
        **{
            "username": admin.person.username,
            "authority": authority.code,
            "is_active": "on",
            "role_assignments-TOTAL_FORMS": 1,
            "role_assignments-INITIAL_FORMS": 0,
            "role_assignments-0-role": "supervisor",
            "role_assignments-0-authority": authority.code,
        },
    )
    held = set(RoleAssignment.objects.filter(person=admin.person).values_list("role", flat=True))
    assert held == {"administrator"}


def test_a_new_password_is_checked_and_ends_the_sessions(worker: MakeWorker, authority: Authority) -> None:
    admin, person = worker(Role.ADMINISTRATOR), worker(Role.SUPERVISOR)
    form = {
        "username": person.person.username,
        "authority": authority.code,
        "is_active": "on",
        "role_assignments-TOTAL_FORMS": 0,
        "role_assignments-INITIAL_FORMS": 0,
    }
    page = f"identity/person/{person.person.pk}/change/"
    assert admin.post(page, **form, new_password="1234").status_code == 200
    assert person.get("").status_code == 200
    assert admin.post(page, **form, new_password="a quite different secret").status_code == 302
    assert person.get("").status_code == 302


def test_someone_who_also_works_in_another_city_cannot_be_taken_over_from_here(
    worker: MakeWorker, authority: Authority, other_authority: Authority
) -> None:
    admin, person = worker(Role.ADMINISTRATOR), worker(Role.SUPERVISOR)
    RoleAssignment.objects.create(person=person.person, role="administrator", authority=other_authority)
    answer = admin.post(
        f"identity/person/{person.person.pk}/change/",
        username=person.person.username,
        authority=authority.code,
        is_active="on",
        new_password="mine from now on",
    )
    assert answer.status_code == 403
    person.person.refresh_from_db()
    assert person.person.check_password(PASSWORD)


def test_an_administrator_unlocks_a_login_of_their_city_only(
    worker: MakeWorker, make_person: MakePerson, other_authority: Authority
) -> None:
    ours, theirs = make_person(Role.OPERATOR), make_person(Role.OPERATOR, authority=other_authority)
    for person in (ours, theirs):
        for _ in range(5):
            Client().post(
                "/api/console/login", {"username": person.username, "password": "x"}, content_type="application/json"
            )
    admin = worker(Role.ADMINISTRATOR)
    page = admin.get("lockouts/").content.decode()
    assert ours.username in page
    assert theirs.username not in page
    admin.post("lockouts/", username=ours.username)
    admin.post("lockouts/", username=theirs.username)
    assert {attempt.username for attempt in AccessAttempt.objects.all()} == {theirs.username}
    assert audited("person.unlocked") == 1


def test_the_office_login_counts_failures_like_the_screens_do(make_person: MakePerson) -> None:
    person = make_person(Role.SUPERVISOR)
    client = Client()
    for _ in range(5):
        client.post("/office/login/", {"username": person.username, "password": "x"})
    answer = client.post("/office/login/", {"username": person.username, "password": PASSWORD})
    assert answer.status_code == 429
    assert "잠겼습니다" in answer.content.decode()


def test_someone_with_an_office_role_logs_in_without_any_staff_flag(make_person: MakePerson) -> None:
    person = make_person(Role.AUDITOR)
    answer = Client().post("/office/login/?next=/office/", {"username": person.username, "password": PASSWORD})
    assert answer.status_code == 302


# ---------------------------------------------------------------------------------------- agencies, tokens


def test_a_key_is_added_named_by_its_fingerprint_and_revoked(
    worker: MakeWorker, make_agency: Callable[..., Agency]
) -> None:
    admin, agency, secret = worker(Role.ADMINISTRATOR), make_agency(), Ed25519PrivateKey.generate()
    times = {"not_before_at_0": "2026-01-01", "not_before_at_1": "00:00"}
    admin.post("identity/agencykey/add/", agency=agency.code, key_id="k1", public_pem=pem_of(secret), **times)
    key = AgencyKey.objects.get()
    assert key.algorithm == "ed25519"
    page = admin.get(f"identity/agencykey/{key.pk}/change/").content.decode()
    der = secret.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(der).digest().hex(":") in page
    admin.post(f"identity/agencykey/{key.pk}/change/", revoke_now="on")
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert audited("agency_key.revoked") == 1


def test_a_private_key_is_refused_and_kept_nowhere(worker: MakeWorker, make_agency: Callable[..., Agency]) -> None:
    admin, agency = worker(Role.ADMINISTRATOR), make_agency()
    private = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    answer = admin.post(
        "identity/agencykey/add/",
        agency=agency.code,
        key_id="k1",
        public_pem=private.decode(),
        not_before_at_0="2026-01-01",
        not_before_at_1="00:00",
    )
    assert "개인키입니다" in answer.content.decode()
    assert not AgencyKey.objects.exists()


def test_a_token_is_shown_once_works_and_can_be_revoked(worker: MakeWorker, authority: Authority) -> None:
    admin, now = worker(Role.ADMINISTRATOR), system_clock()
    ends = (now + timedelta(days=30)).astimezone(SEOUL)
    answer = admin.post(
        "identity/token/add/",
        authority=authority.code,
        kind="device",
        name="대기측정기 1",
        scopes="write:AirQualityObserved",
        expires_at_0=f"{ends:%Y-%m-%d}",
        expires_at_1="12:00",
    )
    assert answer.status_code == 200, answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    token = Token.objects.get()
    raw = answer.content.decode().partition(f"mdg_{token.lookup}_")[2].partition("<")[0]
    actor = actor_of_token(f"mdg_{token.lookup}_{raw}", now)
    assert actor is not None
    assert actor.types[0].deeds == {"create", "update", "delete"}
    assert raw not in admin.get(f"identity/token/{token.pk}/change/").content.decode()
    admin.post(f"identity/token/{token.pk}/change/", revoke_now="on")
    assert actor_of_token(f"mdg_{token.lookup}_{raw}", now) is None


def test_a_client_is_made_narrowed_and_ended_in_the_office(worker: MakeWorker, authority: Authority) -> None:
    admin, now = worker(Role.ADMINISTRATOR), system_clock()
    ends = (now + timedelta(days=30)).astimezone(SEOUL)
    fields = {"authority": authority.code, "name": "분석", "expires_at_0": f"{ends:%Y-%m-%d}", "expires_at_1": "12:00"}
    refused = admin.post("identity/client/add/", **fields, scopes="peek:Sensor")
    assert "read:유형" in refused.content.decode()
    answer = admin.post("identity/client/add/", **fields, scopes="read:Sensor write:Sensor")
    client = models.Client.objects.get()
    assert client.pk in answer.content.decode()
    secret = answer.content.decode().partition('user-select:all">')[2].partition("<")[0]
    assert client_of(client.pk, secret, now) == client
    assert [grant.scopes for grant in client.grants.all()] == [
        ["read:Sensor", "create:Sensor", "update:Sensor", "delete:Sensor"]
    ]
    page = f"identity/client/{client.pk}/change/"
    assert secret not in admin.get(page).content.decode()
    admin.post(page, scopes="read:Sensor")
    assert [grant.scopes for grant in client.grants.all()] == [["read:Sensor"]]
    admin.post(page, scopes="read:Sensor", revoke_now="on")
    assert client_of(client.pk, secret, now) is None


# ------------------------------------------------------------------------------------------ decision table

GOOD = [{"name": "ask", "when": {}, "outcome": "ask"}]
GAPPED = [{"name": "violent", "when": {"crime_class": ["robbery"]}, "outcome": "approve"}]


def draft(officer: Worker, rows: object, deed: str = "draft") -> str:
    return officer.page_after("decisions/", rows=json.dumps(rows), policy="first", note="시험", deed=deed)


def test_a_table_takes_two_people_and_no_gap(worker: MakeWorker, authority: Authority) -> None:
    officer, admin = worker(Role.CITY_OFFICER), worker(Role.ADMINISTRATOR)
    assert "초안을 저장했습니다" in draft(officer, GAPPED)
    gapped = DecisionTable.objects.get()
    page = admin.page_after(f"decisions/{gapped.pk}/publish/")
    assert "결정표에 오류" in page
    draft(officer, GOOD)
    good = DecisionTable.objects.get(version=2)
    assert officer.post(f"decisions/{good.pk}/publish/").status_code == 403
    assert "시행했습니다" in admin.page_after(f"decisions/{good.pk}/publish/")
    good.refresh_from_db()
    assert good.state == "published"
    assert good.published_by == admin.actor.id


def test_someone_with_both_rights_still_cannot_publish_their_own_draft(
    worker: MakeWorker, authority: Authority
) -> None:
    both = worker(Role.CITY_OFFICER)
    RoleAssignment.objects.create(person=both.person, role="administrator", authority=authority)
    draft(both, GOOD)
    table = DecisionTable.objects.get()
    assert "스스로 승인" in both.page_after(f"decisions/{table.pk}/publish/")
    table.refresh_from_db()
    assert table.state == "draft"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON"),
        ("[]", "at least one row"),
        ('[{"name":"x","outcome":"maybe"}]', "approve, ask or deny"),
        ('[{"name":"x","outcome":"ask","when":{"moon":["full"]}}]', "moon"),
        ("[" * 100, "nests deeper"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_where_and_the_text_is_kept(
    worker: MakeWorker, text: str, told: str
) -> None:
    officer = worker(Role.CITY_OFFICER)
    for deed in ("check", "draft"):
        page = officer.page_after("decisions/", rows=text, policy="first", deed=deed)
        assert told in page
        assert not DecisionTable.objects.exists()


def test_checking_shows_a_gap_with_an_example(worker: MakeWorker) -> None:
    page = draft(worker(Role.CITY_OFFICER), GAPPED, deed="check")
    assert "어느 규칙도 답하지 않는 경우" in page
    assert not DecisionTable.objects.exists()


# ------------------------------------------------------------------------------------------------ imports


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setattr(imports, "reports_dir", lambda: folder)
    return folder


def test_an_upload_waits_for_the_import_worker_under_a_name_of_ours(worker: MakeWorker, reports: Path) -> None:
    officer = worker(Role.CITY_OFFICER)
    upload = SimpleUploadedFile("../../etc/cctv.csv", b"a,b\n", content_type="text/csv")
    answer = officer.post("imports/", kind="cctv", file=upload)
    run = ImportRun.objects.get()
    assert answer["Location"] == f"/office/imports/{run.pk}/"
    assert (run.state, run.filename, run.actor) == ("queued", "cctv.csv", officer.actor.id)
    stored = Path(run.stored_path)
    assert stored.read_bytes() == b"a,b\n"
    assert stored.parent == reports.parent / "uploads"
    page = officer.get(f"imports/{run.pk}/").content.decode()
    assert 'http-equiv="refresh"' in page


def test_a_report_shows_each_bad_row_and_gives_them_all_as_a_file(
    worker: MakeWorker, authority: Authority, other_authority: Authority, reports: Path
) -> None:
    now = system_clock()
    run = ImportRun.objects.create(
        authority=authority,
        kind="cctv",
        filename="부산.csv",
        state="done",
        actor="person:x",
        queued_at=now,
        started_at=now,
        ended_at=now,
        counts={"sites": 2},
        report={"encoding": "cp949", "columns": ["위도", "경도"]},
    )
    ImportIssue.objects.create(
        run=run,
        row_number=7,
        severity="error",
        code="swapped",
        column="위도",
        value="<b>129.1</b>",
        message_ko="위도와 경도가 바뀌었습니다",
        message_en="swapped",
    )
    (reports / f"{run.pk}.csv").write_text("row\n7\n", encoding="utf-8-sig")
    officer = worker(Role.CITY_OFFICER)
    page = officer.get(f"imports/{run.pk}/?code=swapped").content.decode()
    assert "위도와 경도가 바뀌었습니다" in page
    assert "<b>129.1</b>" not in page
    assert "cp949" in page
    file = officer.get(f"imports/{run.pk}/issues.csv")
    assert b"".join(file.streaming_content).endswith(b"7\n")
    stranger = worker(Role.CITY_OFFICER, authority=other_authority)
    assert stranger.get(f"imports/{run.pk}/issues.csv").status_code == 404


def test_an_upload_without_a_file_or_of_an_unknown_kind_is_told(worker: MakeWorker, reports: Path) -> None:
    officer = worker(Role.CITY_OFFICER)
    assert "파일을 고르십시오" in officer.page_after("imports/", kind="cctv")
    upload = SimpleUploadedFile("a.exe", b"MZ")
    assert "파일을 고르십시오" in officer.page_after("imports/", kind="virus", file=upload)
    assert not ImportRun.objects.exists()


# -------------------------------------------------------------------------------------- desks and retention


@pytest.fixture
def dead(authority: Authority) -> str:
    """A message nobody could handle."""
    arrival = inbox.Arrival(
        source="police",
        message_id="m1",
        kind="police112.test",
        key="k",
        body=b"{}",
        authority=authority.code,
        mode=Mode.LIVE,
    )
    with civic.transaction() as tx:
        inbox.accept(tx, arrival, system_clock())
        tx.execute("UPDATE journal_inbox SET state = 'dead', last_error = 'no such <class>'")
        (row,) = tx.execute("SELECT seq FROM journal_inbox")
    return f"inbox:{row[0]}"


def test_a_dead_letter_is_tried_again_or_given_up_with_a_reason(worker: MakeWorker, dead: str) -> None:
    supervisor = worker(Role.SUPERVISOR)
    assert "no such &lt;class&gt;" in supervisor.get("dead-letters/").content.decode()
    assert "사유를 적어" in supervisor.page_after("dead-letters/", letter=dead, deed="give_up", reason=" ")
    supervisor.post("dead-letters/", letter=dead, deed="retry")
    assert audited("journal.retried") == 1
    with civic.transaction() as tx:
        tx.execute("UPDATE journal_inbox SET state = 'dead'")
    assert "포기하고" in supervisor.page_after("dead-letters/", letter=dead, deed="give_up", reason="상대 시스템 오류")
    assert audited("journal.given_up") == 1


def test_another_citys_dead_letter_is_out_of_reach(
    worker: MakeWorker, dead: str, authority: Authority, other_authority: Authority
) -> None:
    stranger = worker(Role.SUPERVISOR, authority=other_authority)
    assert "no such" not in stranger.get(f"dead-letters/?city={authority.code}").content.decode()
    stranger.post("dead-letters/", city=authority.code, letter=dead, deed="retry")
    assert audited("journal.retried") == 0


def test_an_alarm_is_acknowledged_by_name(worker: MakeWorker, authority: Authority) -> None:
    with civic.transaction() as tx:
        alarms.raise_conflict(
            tx,
            authority=authority.code,
            mode=Mode.LIVE,
            source="police",
            message_id="m9",
            first_digest="a",
            second_digest="b",
            now=system_clock(),
        )
        (alarm,) = alarms.open_alarms(tx, authority.code)
    supervisor = worker(Role.SUPERVISOR)
    assert "m9" in supervisor.get("alarms/").content.decode()
    supervisor.post("alarms/", alarm=alarm.seq)
    with civic.reading() as tx:
        assert alarms.open_alarms(tx, authority.code) == []
    assert "이미 확인" in supervisor.page_after("alarms/", alarm="x")


def test_retention_cannot_go_below_what_the_law_asks(worker: MakeWorker) -> None:
    with civic.transaction() as tx:
        retention.seed(tx)
    officer = worker(Role.CITY_OFFICER)
    assert "365일" in officer.page_after("retention/", kind="access_log", days="30")
    assert "바꾸었습니다" in officer.page_after("retention/", kind="access_log", days="800")
    with civic.reading() as tx:
        assert {kind.kind: kind.days for kind in retention.kinds(tx)}["access_log"] == 800
    assert audited("retention.set") == 1


# --------------------------------------------------------------------------------------- video's registers


def provision(city: Authority, purpose: str, at: datetime) -> None:
    grant = VideoGrant.objects.create(
        authority=city, kind="case", state="EXPIRED", recipient_kind="agency", requested_by="x", requested_at=at
    )
    ProvisionRecord.objects.create(
        authority=city,
        grant=grant,
        act="provision",
        incident_number="2026-000001",
        basis="pipa_18_2_7",
        purpose=purpose,
        scope="카메라 3대",
        recipient_kind="agency",
        recipient_code="p",
        from_at=at,
        to_at=at + timedelta(hours=1),
    )


def test_the_register_is_exported_harmlessly_and_the_export_is_audited(
    worker: MakeWorker, authority: Authority, other_authority: Authority
) -> None:
    at = datetime(2026, 3, 5, 3, tzinfo=SEOUL)
    provision(authority, '=HYPERLINK("http://evil")', at)
    provision(other_authority, "남의 것", at)
    auditor = worker(Role.AUDITOR)
    page = auditor.get("register/?month=2026-03").content.decode()
    assert "제18조제2항제7호" in page
    assert "남의 것" not in page
    answer = auditor.post("register/export/", month="2026-03", city=other_authority.code)
    (_, row) = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row[3].startswith("'=")
    assert audited("register.exported") == 1


def view(city: Authority, camera: Camera, viewer: str, at: datetime) -> ViewSession:
    grant = VideoGrant.objects.create(
        authority=city, kind="roster", state="ACTIVE", recipient_kind="control_room", requested_by="x", requested_at=at
    )
    lease = Lease.objects.create(
        authority=city, grant=grant, camera=camera, viewer=viewer, viewer_name="관제", opened_at=at, expires_at=at
    )
    return ViewSession.objects.create(
        authority=city, lease=lease, grant=grant, camera=camera, viewer=viewer, viewer_name="관제", started_at=at
    )


def test_a_month_is_signed_off_once_every_sample_has_a_verdict(
    worker: MakeWorker, authority: Authority, camera: Camera
) -> None:
    auditor, month = worker(Role.AUDITOR), "2026-03"
    view(authority, camera, "person:somebody", datetime(2026, 3, 5, 3, tzinfo=SEOUL))
    assert "먼저 표본을" in auditor.page_after("access-log/", month=month, deed="sign")
    auditor.post("access-log/", month=month, deed="draw")
    review = AccessReview.objects.get()
    assert "판정하지 않은" in auditor.page_after("access-log/", month=month, deed="sign")
    assert "사유" in auditor.page_after("access-log/", month=month, review=review.pk, verdict="improper")
    auditor.post("access-log/", month=month, review=review.pk, verdict="proper")
    assert "서명했습니다" in auditor.page_after("access-log/", month=month, deed="sign")
    assert "이미 서명" in auditor.page_after("access-log/", month=month, deed="sign")
    auditor.post("access-log/", month=month, review=review.pk, verdict="improper", reason="뒤늦게")
    review.refresh_from_db()
    assert review.verdict == "proper"
    signed = reviews.signed(authority.code, month)
    assert signed is not None
    assert signed[0] == auditor.person.display_name


def test_an_unsigned_month_with_views_becomes_overdue(authority: Authority, camera: Camera) -> None:
    now = system_clock()
    two_months_ago = (now.astimezone(SEOUL).replace(day=1) - timedelta(days=45)).replace(day=3)
    view(authority, camera, "person:somebody", two_months_ago)
    view(authority, camera, "person:somebody", now - timedelta(minutes=1))
    assert reviews.overdue(authority.code, now) == [f"{two_months_ago:%Y-%m}"]


def test_a_month_that_still_runs_cannot_be_signed(worker: MakeWorker, authority: Authority) -> None:
    month = f"{system_clock().astimezone(SEOUL):%Y-%m}"
    assert "달이 끝난 뒤" in worker(Role.AUDITOR).page_after("access-log/", month=month, deed="sign")


def test_broken_glass_is_judged_by_somebody_else(worker: MakeWorker, camera: Camera) -> None:
    breaker, other = worker(Role.SUPERVISOR), worker(Role.SUPERVISOR)
    worker(Role.AUDITOR)
    with civic.transaction() as tx:
        grant = video.break_glass(tx, breaker.actor, [camera.pk], "칼부림을 목격함", system_clock())
    assert "칼부림을 목격함" in other.get("broken-glass/").content.decode()
    breaker.post("broken-glass/", grant=grant.pk, verdict="justified", note="제가")
    assert BreakGlassReview.objects.get().reviewed_at is None
    other.post("broken-glass/", grant=grant.pk, verdict="justified", note="정당함")
    assert BreakGlassReview.objects.get().verdict == "justified"


def test_a_citizens_request_is_opened_on_the_record_and_answered(worker: MakeWorker, authority: Authority) -> None:
    now = system_clock()
    with civic.transaction() as tx:
        asked = video.ask_disclosure(
            tx,
            authority=authority.code,
            place="중앙사거리",
            from_at=now - timedelta(hours=2),
            to_at=now - timedelta(hours=1),
            contact="홍길동 010",
            note="",
            now=now,
        )
    provision(authority, "112 신고 대응", now - timedelta(hours=1, minutes=30))
    officer = worker(Role.CITY_OFFICER)
    assert "홍길동" not in officer.get("disclosures/").content.decode()
    page = officer.get(f"disclosures/{asked.pk}/").content.decode()
    assert "홍길동 010" in page
    assert "2026-000001" in page
    assert audited("video.disclosure.opened") == 1
    assert "답변을 적으십시오" in officer.page_after(f"disclosures/{asked.pk}/", deed="answer", answer="")
    officer.post(f"disclosures/{asked.pk}/", deed="check")
    officer.post(f"disclosures/{asked.pk}/", deed="answer", answer="제공된 영상이 있었습니다.")
    assert DisclosureRequest.objects.get().state == "answered"


def test_a_cameras_survey_and_stream_go_through_video_and_the_stream_stays_sealed(
    worker: MakeWorker, camera: Camera, keyring: Keyring
) -> None:
    officer = worker(Role.CITY_OFFICER)
    page = f"video/camera/{camera.pk}/change/"
    survey = {"azimuth_deg": "90", "azimuth_surveyed_on": "2026-11-01", "hfov_deg": "60", "range_m": "40"}
    url = "http://127.0.0.1:9/cam?password=hunter2"
    answer = officer.post(page, **survey, stream=url)
    assert answer.status_code == 302, answer.content.decode()
    camera.refresh_from_db()
    assert camera.azimuth_deg == 90
    assert b"hunter2" not in bytes(camera.stream_sealed)
    assert stream_source(camera) == url
    assert "hunter2" not in officer.get(page).content.decode()
    assert audited("video.camera.surveyed") == audited("video.camera.stream_set") == 1
    refused = officer.post(page, **survey, stream="http://169.254.169.254/latest")
    assert refused.status_code == 200
    assert stream_source(camera) == url
    undated = officer.post(page, **{**survey, "azimuth_surveyed_on": ""})
    assert "잰 날" in undated.content.decode()


def test_the_audit_page_finds_rows_and_shows_no_bodies(worker: MakeWorker, authority: Authority) -> None:
    with civic.transaction() as tx:
        for number in range(3):
            civic.audit(
                tx,
                authority=authority.code,
                actor="person:x",
                action=f"thing.done_{number}",
                thing="100%_sure",
                mode=Mode.LIVE,
                now=system_clock(),
                body={"secret": "말하지 않음"},
            )
    auditor = worker(Role.AUDITOR)
    page = auditor.get("audit/?thing=100%25_s").content.decode()
    assert page.count("thing.done_") == 3
    assert "말하지 않음" not in page
    assert auditor.get("audit/?action=done_1&before=abc").content.decode().count("thing.done_") == 1
