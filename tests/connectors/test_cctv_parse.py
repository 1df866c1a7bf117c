"""What the CCTV parser promises: three layouts, dirt told row by row, wrong files refused, never a crash."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from madang.connectors.cctv_standard import faults, values
from madang.connectors.cctv_standard.parse import Reader, SiteRecord, open_source
from madang.places.domain import Fault, FileRefusedError, Issue

OLD = (
    "관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,보관일수,설치년월,"
    "관리기관전화번호,위도,경도,데이터기준일자"
)
NEW = (
    "개방자치단체코드,관리번호,관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,"
    "보관일수,설치연월,관리기관전화번호,WGS84위도,WGS84경도,데이터기준일자,데이터갱신구분,데이터갱신시점,최종수정시점"
)
OLD_ROW = (
    "마당시청,마당시 가온로 12,마당시 새솔동 3-1,생활방범,2,200,360도 전방면,30,2019-06,055-000-1000,"
    "35.2281,128.8892,2026-01-31"
)
NEW_ROW = (
    "5350000,M-0001,마당시청,마당시 가온로 12,마당시 새솔동 3-1,생활방범,2,200,360도 전방면,"
    "30,201906,055-000-1000,35.2281,128.8892,20260131,I,2026-02-01 00:00:00,2026-02-01"
)


def read(path: Path) -> tuple[list[SiteRecord], list[Issue], Reader]:
    source = open_source(path)
    reader = Reader(source.columns)
    pairs = list(reader.read(source.rows()))
    return [record for record, _ in pairs if record], [issue for _, found in pairs for issue in found], reader


def write(tmp_path: Path, text: str | bytes, name: str = "cctv.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def rows_of(**changes: str) -> str:
    """One row of the 2026 layout with some values changed."""
    cells = dict(zip(NEW.split(","), NEW_ROW.split(","), strict=True)) | changes
    return ",".join(cells.values())


def test_the_three_generations_say_the_same_site(tmp_path: Path) -> None:
    names = (
        "OPN_ATMY_GRP_CD,MNG_NO,MNG_INST_NM,LCTN_ROAD_NM_ADDR,LCTN_LOTNO_ADDR,INSTL_PRPS_SE_NM,CAM_CNTOM,CAM_PIXEL_CNT,"
        "SHT_ANGLE_INFO,KPNG_DAY_CNT,INSTL_YM,MNG_INST_TELNO,WGS84_LAT,WGS84_LOT,DAT_CRTR_YMD,DAT_UPDT_SE,DAT_UPDT_PNT,"
        "LAST_MDFCN_PNT"
    )
    item = dict(zip(names.split(","), NEW_ROW.split(","), strict=True))
    envelope = {"response": {"header": {"resultCode": "0"}, "body": {"items": {"item": [item]}, "totalCount": 1}}}
    files = [
        write(tmp_path, f"{OLD}\n{OLD_ROW}\n", "old.csv", "cp949"),
        write(tmp_path, f"{NEW}\r\n{NEW_ROW}\r\n", "new.csv"),
        write(tmp_path, f"{names}\n{NEW_ROW}\n", "snake.csv", "utf-8-sig"),
        write(tmp_path, json.dumps(envelope, ensure_ascii=False), "api.json"),
    ]
    for path in files:
        (site,), issues, _ = read(path)
        assert issues == []
        assert (site.road_address, site.lot_address) == ("마당시 가온로 12", "마당시 새솔동 3-1")
        assert (site.lon, site.lat) == (128.8892, 35.2281)
        assert (site.purpose, site.camera_count, site.pixels_mp, site.retention_days) == (
            "crime_prevention",
            2,
            2.0,
            30,
        )
        assert (site.installed_on, site.data_date) == (date(2019, 6, 1), date(2026, 1, 31))
        assert site.agency_phone == "055-000-1000"


@pytest.mark.parametrize(
    "document",
    [
        {"response": {"body": {"items": [{"카메라대수": "1", "위도": "35.2", "경도": "128.8"}], "totalCount": "1"}}},
        {"fields": [{"id": "위도"}], "records": [{"카메라대수": "1", "위도": "35.2", "경도": "128.8"}]},
        [{"카메라대수": 1, "위도": 35.2, "경도": 128.8}],
    ],
)
def test_every_envelope_the_portals_use_is_opened(tmp_path: Path, document: object) -> None:
    (site,), _, _ = read(write(tmp_path, json.dumps(document, ensure_ascii=False), "p.json"))
    assert (site.lat, site.lon) == (35.2, 128.8)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_any_encoding_and_delimiter_agencies_use_is_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = f"{NEW}\r\n{NEW_ROW}\r\n".replace(",", delimiter)
    (site,), _, reader = read(write(tmp_path, text, encoding=encoding))
    assert site.agency_name == "마당시청"
    assert reader.columns.missing == ()


def test_a_minimal_renamed_file_is_taken_and_its_missing_columns_named(tmp_path: Path) -> None:
    text = "street_name_address,lot_address,latitude,longitude\n,마당시 새솔동 3,35.2,128.8\n"
    (site,), _, reader = read(write(tmp_path, text))
    assert site.lot_address == "마당시 새솔동 3"
    assert {"카메라대수", "설치목적구분", "관리기관명"} <= set(reader.columns.missing)


def test_a_title_above_the_header_does_not_hide_it(tmp_path: Path) -> None:
    sites, _, _ = read(write(tmp_path, f"마당시 CCTV 현황\n\n{NEW}\n{NEW_ROW}\n"))
    assert len(sites) == 1


def test_each_bad_value_is_told_with_row_column_and_reason_and_the_rest_imported(tmp_path: Path) -> None:
    rows = [
        rows_of(관리번호="1", WGS84위도="0", WGS84경도="0"),
        rows_of(관리번호="2", WGS84위도="128.88", WGS84경도="35.22"),
        rows_of(관리번호="3", WGS84위도="51.5"),
        rows_of(관리번호="4", WGS84위도="35도 13분"),
        rows_of(관리번호="5", WGS84위도="", WGS84경도=""),
        rows_of(관리번호="6", 카메라대수="0"),
        rows_of(관리번호="7", 카메라대수="99999"),
        rows_of(관리번호="8", 카메라대수="많음"),
        rows_of(관리번호="9", 설치목적구분="우주관측"),
        rows_of(관리번호="10", 보관일수="영구"),
        rows_of(관리번호="11", 설치연월="2019-13"),
    ]
    sites, issues, _ = read(write(tmp_path, "\n".join([NEW, *rows])))
    assert len(sites) == len(rows)
    assert [(issue.row_number, issue.code) for issue in issues] == [
        (2, "zero_coordinate"),
        (3, "swapped_coordinate"),
        (4, "outside_korea"),
        (5, "bad_coordinate"),
        (6, "no_coordinate"),
        (7, "zero_camera_count"),
        (8, "absurd_camera_count"),
        (9, "bad_camera_count"),
        (10, "unknown_purpose"),
        (11, "bad_retention"),
        (12, "bad_date"),
    ]
    assert all(issue.ko and issue.en for issue in issues)
    assert issues[8].column == "설치목적구분"
    assert issues[8].value == "우주관측"
    assert [site.lat for site in sites[:5]] == [None] * 5
    assert [site.camera_count for site in sites[5:8]] == [0, 1, 1]
    assert "35.22, 128.88" not in issues[1].value
    assert "128.88" in issues[1].en


def test_one_bad_row_never_stops_a_file(tmp_path: Path) -> None:
    good = [rows_of(관리번호=f"G{n}") for n in range(6)]
    lines = [
        *good[:1],
        "쓰레기",
        *good[1:2],
        rows_of(관리번호="Q1", 소재지도로명주소='"닫히지 않은 가온로 3'),
        *good[2:3],
        rows_of(관리번호="C1", 소재지도로명주소="가온로 5, 2층"),
        *good[3:4],
        rows_of(관리번호="N1", 소재지도로명주소='"두 줄\n주소 7"'),
        *good[4:5],
        rows_of(관리번호="S1").rsplit(",", 4)[0],
        *good[5:],
        ",,,,,,,,,,,,,,,,,",
    ]
    data = "\n".join([NEW, *lines]).encode("cp949")
    data = data.replace(b"G3", b"G\xff3")
    sites, issues, _ = read(write(tmp_path, data))
    assert [site.source_key.split(":")[1] for site in sites] == [
        "G0",
        "G1",
        "Q1",
        "G2",
        "C1",
        "G\ufffd3",
        "N1",
        "G4",
        "S1",
        "G5",
    ]
    assert Counter(issue.code for issue in issues if issue.code != "identical_row") == {
        "short_row": 1,
        "broken_quote": 1,
        "long_row_repaired": 1,
        "bad_bytes": 1,
        "short_row_taken": 1,
        "empty_row": 1,
    }
    assert sites[4].road_address == "가온로 5,2층"
    assert sites[6].road_address == "두 줄 주소 7"


def test_rows_that_differ_only_in_their_running_number_are_kept_and_reported(tmp_path: Path) -> None:
    rows = [f"{n},{OLD_ROW}" for n in range(1, 4)]
    sites, issues, reader = read(write(tmp_path, "\n".join([f"번호,{OLD}", *rows])))
    assert len({site.source_key for site in sites}) == 3
    assert [issue.code for issue in issues] == ["identical_row", "identical_row"]
    assert reader.quality.counts()["identical_rows"] == 2


def test_keys_stay_when_the_running_numbers_and_the_details_change(tmp_path: Path) -> None:
    first = [f"1,{OLD_ROW}", f"2,{OLD_ROW.replace('가온로 12', '가온로 14')}"]
    again = [f"1,{OLD_ROW.replace('가온로 12', '가온로 14')}", f"2,{OLD_ROW.replace('35.2281', '35.2299')}"]
    before, _, _ = read(write(tmp_path, "\n".join([f"번호,{OLD}", *first]), "a.csv"))
    after, _, _ = read(write(tmp_path, "\n".join([f"번호,{OLD}", *again]), "b.csv"))
    assert {site.road_address: site.source_key for site in before} == {
        site.road_address: site.source_key for site in after
    }


def test_a_number_repeated_within_an_agency_keeps_both_sites_apart(tmp_path: Path) -> None:
    rows = [
        rows_of(),
        rows_of(소재지도로명주소="마당시 다른길 9"),
        rows_of(개방자치단체코드="6", 소재지도로명주소="셋째길 1"),
    ]
    sites, _, _ = read(write(tmp_path, "\n".join([NEW, *rows])))
    assert len({site.source_key for site in sites}) == 3
    assert sites[0].source_key == "5350000:M-0001"


def test_a_row_repeated_with_its_number_is_one_site(tmp_path: Path) -> None:
    sites, issues, _ = read(write(tmp_path, "\n".join([NEW, NEW_ROW, NEW_ROW])))
    assert len(sites) == 1
    assert [issue.code for issue in issues] == ["repeated"]


def test_spellings_of_one_agency_are_put_side_by_side(tmp_path: Path) -> None:
    rows = [
        rows_of(관리번호=str(n), 관리기관명=name)
        for n, name in enumerate(["마당군청", "마당군", "마당군(안전과)", "옆시"])
    ]
    _, _, reader = read(write(tmp_path, "\n".join([NEW, *rows])))
    assert reader.quality.spellings() == [["마당군", "마당군(안전과)", "마당군청"]]


def test_a_site_far_from_all_others_is_told(tmp_path: Path) -> None:
    rows = [rows_of(관리번호=str(n), WGS84위도=f"35.2{n:03}") for n in range(60)]
    rows.append(rows_of(관리번호="far", WGS84위도="37.5"))
    _, _, reader = read(write(tmp_path, "\n".join([NEW, *rows])))
    assert [issue.row_number for issue in reader.quality.far_away()] == [62]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("empty.csv", b"", "an empty file"),
        ("blank.csv", b"\n \r\n", "an empty file"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "PNG"),
        ("book.xlsx", b"PK\x03\x04" + b"\x00" * 64, "Excel"),
        ("page.csv", b"<!DOCTYPE html><html><body>error</body></html>", "HTML"),
        ("noise.csv", bytes(range(256)) * 8, "binary"),
        ("toilets.csv", "번호,화장실명,소재지도로명주소,위도,경도\n1,a,b,35,128\n".encode("cp949"), "toilets"),
        ("bells.csv", "안전비상벨관리번호,설치목적,위도,경도\n1,a,35,128\n".encode(), "safety bells"),
        ("places.csv", b"name,address,latitude,longitude\na,b,35,128\n", "only a camera list has"),
        ("letter.txt", "안녕하세요.\n회의록입니다.\n".encode(), "no header line"),
        ("error.json", b'{"response":{"header":{"resultCode":"30","resultMsg":"KEY NOT REGISTERED"}}}', "KEY NOT"),
        ("cut.json", b'{"records": [{"a": 1}', "broken JSON"),
        ("deep.json", b"[" * 5000, "broken JSON"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_expected_and_found(
    tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    with pytest.raises(FileRefusedError) as refused:
        open_source(write(tmp_path, content, name))
    assert found in refused.value.detail
    assert "카메라대수" in refused.value.expected
    assert refused.value.ko


def test_prose_that_happens_to_name_columns_is_refused(tmp_path: Path) -> None:
    prose = f"- 열: {NEW}\n이 파일은, 설명, 입니다\n"
    with pytest.raises(FileRefusedError, match="no row that fits"):
        open_source(write(tmp_path, prose))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-06", date(2019, 6, 1)),
        ("201906", date(2019, 6, 1)),
        ("20190630", date(2019, 6, 30)),
        ("2019.6.3", date(2019, 6, 3)),
        ("2019년 6월", date(2019, 6, 1)),
        ("2019-06-30 11:00:00", date(2019, 6, 30)),
        ("20190630110000", date(2019, 6, 30)),
        ("2019", date(2019, 1, 1)),
        ("2019-13", None),
        ("201999", None),
        ("0000-00-00", None),
        ("미상", None),
    ],
)
def test_dates_are_read_as_agencies_write_them(text: str, expected: date | None) -> None:
    assert values.day(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("방범(어린이보호구역)", "child_protection"),
        ("불법 주정차 단속", "traffic_enforcement"),
        ("차량 방범", "vehicle"),
        ("??", None),
    ],
)
def test_free_text_purposes_go_by_their_words(text: str, code: str | None) -> None:
    assert values.purpose(text) == code


@pytest.mark.parametrize(
    ("text", "mp"),
    [("200", 2.0), ("41", 0.41), ("2,000,000", 2.0), ("130만", 1.3), ("4", 4.0), ("0", None), ("", None)],
)
def test_pixel_counts_are_megapixels_whatever_the_unit(text: str, mp: float | None) -> None:
    assert values.megapixels(text) == mp


ANY_BYTES = st.binary(max_size=400)
TABLE_BYTES = st.lists(
    st.lists(
        st.one_of(st.sampled_from(["", '"', "35.2", "128.8", "2", "\x00", "가", "nan", "1e999"]), st.text(max_size=6))
    ).map(",".join),
    max_size=8,
).map(lambda rows: "\n".join([NEW, NEW_ROW, *rows]).encode("utf-8", "surrogatepass"))
DAMAGED = st.tuples(ANY_BYTES, st.integers(0, 900)).map(
    lambda pair: (f"{NEW}\n{NEW_ROW}\n".encode("cp949") * 3)[: pair[1]] + pair[0] + f"\n{NEW_ROW}\n".encode("cp949")
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(ANY_BYTES, TABLE_BYTES, DAMAGED))
@example(codecs.BOM_UTF16_LE + b"\x00")
@example(codecs.BOM_UTF8 + b"{")
@example(b'"\n' * 40)
@example(b'[{"\\ud800": 1, "\xec\x9c\x84\xeb\x8f\x84": {}}]')
def test_no_bytes_do_anything_but_parse_or_be_refused(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data, "any")
    try:
        sites, issues, reader = read(path)
    except FileRefusedError as refused:
        assert refused.ko
        assert refused.found
        return
    counts = reader.quality.counts()
    assert counts["sites"] == len(sites)
    assert counts["not_imported"] == sum(issue.level == "error" or issue.code == "repeated" for issue in issues)
    assert len({site.source_key for site in sites}) == len(sites)


def test_the_readme_names_every_fault_with_its_level() -> None:
    page = (Path(faults.__file__).parent / "README.md").read_text("utf-8")
    known = {fault.code: fault.level.value for fault in vars(faults).values() if isinstance(fault, Fault)}
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert listed == known
