"""A survey tells where cameras look; what it does not tell stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from django.conf import settings

from madang.connectors.camera_survey.command import run
from madang.connectors.workers import importers
from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.errors import ForbiddenError
from madang.kernel.mode import Mode
from madang.places.models import ImportIssue
from madang.video.commands import SiteRow, put_sites
from madang.video.commands.sites import stream_source
from madang.video.models import Camera, Site
from tests.conftest import MakePerson

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
CSV = """개방자치단체코드,관리번호,카메라번호,방위각,화각,유효거리,측량일자,회전,영상주소
4825000,A-1,1,450,60,80,2026-05-01,N,rtsp://127.0.0.1/one
4825000,A-1,2,90,60,80,,,
4825000,A-1,9,90,60,80,2026-05-01,,
4825000,A-1,x,90,60,80,2026-05-01,,
4825000,A-2,1,abc,60,80,2026-05-01,예,http://user:secret@93.184.216.34/x
4825000,A-1
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def officer(authority: Authority, make_person: MakePerson, tmp_path: Path) -> Actor:
    """A city officer of a city with a site of two cameras and one of one; reports go to a folder of the test."""
    settings.BASE_DIR = tmp_path
    rows = [
        SiteRow(key, name=key, lon=128.88, lat=35.23, purpose="생활방범", camera_count=count)
        for key, count in (("4825000:A-1", 2), ("4825000:A-2", 1))
    ]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.SIMULATED)
    return actor_of_person(make_person(Role.CITY_OFFICER))


def camera(key: str, number: int) -> Camera:
    return Camera.objects.get(site__source_key=key, number=number)


def test_good_rows_are_used_and_each_bad_one_is_named(officer: Actor, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_bytes(CSV.replace("450", "300").encode("cp949"))
    done = run(path, "48250", officer, clock=lambda: NOW)
    assert (done.state, done.counts) == ("done", {"rows": 6, "cameras": 3, "not_found": 1})
    one, two = camera("4825000:A-1", 1), camera("4825000:A-1", 2)
    assert (one.azimuth_deg, one.hfov_deg, one.range_m, one.kind) == (300, 60, 80, "fixed")
    assert stream_source(one) == "rtsp://127.0.0.1/one"
    assert b"127.0.0.1" not in bytes(one.stream_sealed)
    assert two.azimuth_deg is None
    issues = set(ImportIssue.objects.filter(run=done).values_list("row_number", "code"))
    named = {(3, "no_date"), (4, "no_camera"), (5, "bad_value"), (6, "bad_value"), (6, "bad_stream"), (7, "bad_row")}
    assert issues == named
    assert not any("secret" in issue.message_en + issue.value for issue in ImportIssue.objects.filter(run=done))


def test_an_azimuth_beyond_the_circle_is_refused_by_row(officer: Actor, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(CSV)
    done = run(path, "48250", officer, clock=lambda: NOW)
    assert ImportIssue.objects.filter(run=done, row_number=2, column="azimuth_deg").exists()
    assert camera("4825000:A-1", 1).azimuth_deg is None


def test_json_of_the_same_members_is_taken_and_leaves_untold_things_alone(officer: Actor, tmp_path: Path) -> None:
    path = tmp_path / "survey.json"
    told = {"agency_code": "4825000", "site_number": "A-1", "camera": 1, "azimuth_deg": 10, "surveyed_on": "2026-05-01"}
    path.write_bytes(orjson.dumps({"cameras": [{**told, "stream_url": "http://127.0.0.1:9/cam/1.ts"}]}))
    run(path, "48250", officer, clock=lambda: NOW)
    path.write_bytes(orjson.dumps({"cameras": [{**told, "azimuth_deg": 20}]}))
    run(path, "48250", officer, clock=lambda: NOW)
    assert camera("4825000:A-1", 1).azimuth_deg == 20
    assert stream_source(camera("4825000:A-1", 1)) == "http://127.0.0.1:9/cam/1.ts"


@pytest.mark.parametrize("content", [b"", b"{}", b"{", "이름,주소\n가,나\n".encode(), b"\x89PNG1234"])
def test_another_file_is_refused_with_what_was_expected(officer: Actor, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "survey.csv"
    path.write_bytes(content)
    refused = run(path, "48250", officer, clock=lambda: NOW)
    assert refused.state == "refused"
    assert "camera survey" in refused.reason_en


def test_an_operator_may_not_survey(officer: Actor, make_person: MakePerson, tmp_path: Path) -> None:
    path = tmp_path / "survey.csv"
    path.write_text(CSV)
    with pytest.raises(ForbiddenError):
        run(path, "48250", actor_of_person(make_person(Role.OPERATOR)), clock=lambda: NOW)


def test_what_is_uploaded_is_of_the_installation_s_own_mode(officer: Actor, tmp_path: Path) -> None:
    path = tmp_path / "cctv.csv"
    path.write_text(
        "관리기관명,소재지도로명주소,설치목적구분,카메라대수,위도,경도,데이터기준일자\n"
        "김해시청,경상남도 김해시 김해대로 1,생활방범,1,35.23,128.88,2026-01-01\n"
    )
    importers(Mode.EXERCISE)["cctv"](path, "48250", officer, lambda _done, _total: None)
    assert Site.objects.get(road_address__contains="김해대로 1").mode == "exercise"
