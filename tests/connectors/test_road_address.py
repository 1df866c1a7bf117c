"""What importing national address files promises: names and positions joined, bad rows told, bombs refused."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.connectors.road_address import command
from madang.connectors.road_address.layouts import ENTRANCES, FURTHER_LOTS, LAYOUTS, ROAD_ADDRESS, recognise
from madang.connectors.road_address.parse import parse
from madang.identity.rights import Actor, ActorKind, Role
from madang.journal import civic
from madang.kernel.geometry import Point, distance_m
from madang.places.commands import BoundaryRow, put_boundaries
from madang.places.config import PlacesConfig
from madang.places.geocode import candidates
from madang.places.models import CityFile, ImportIssue, ImportRun
from tests.places.address_forms import BY_HAND, HAND_MADE, Entry, asked, entrc_line, made, rnaddrkor_line

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

REAL_ROW = (
    "11110|760|1111010100|서울특별시|종로구|청운동|111103100012|자하문로|0|94|0||03047|단독주택|0|청운효자동|"
    "953241.683263|1954023.466812"
)
"""An entrance whose two positions (UTM-K and degrees) are publicly known."""


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()


@pytest.fixture
def officer(authority: Authority) -> Actor:
    return Actor("person:1", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})


def names_file(folder: Path, entries: Iterable[Entry], encoding: str = "cp949") -> Path:
    path = folder / "rnaddrkor_gyeongnam.txt"
    path.write_bytes("".join(f"{rnaddrkor_line(entry)}\r\n" for entry in entries).encode(encoding))
    return path


def entrances_file(folder: Path, entries: Iterable[Entry], encoding: str = "cp949") -> Path:
    path = folder / "entrc_gyeongnam.txt"
    path.write_bytes("".join(f"{entrc_line(entry)}\r\n" for entry in entries).encode(encoding))
    return path


def text_file(folder: Path, *lines: str, encoding: str = "cp949") -> Path:
    path = folder / "entrc_test.txt"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def issues_of(run: ImportRun) -> list[str]:
    return list(ImportIssue.objects.filter(run=run).order_by("row_number").values_list("code", flat=True))


def test_names_and_positions_join_whatever_order_they_come_in(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    entry = HAND_MADE["flats"]
    command.run(entrances_file(tmp_path, [entry]), authority.code, officer)
    assert [one.kind for one in candidates(authority.code, "해반천로 118")] == ["address"]
    run = command.run(names_file(tmp_path, [entry]), authority.code, officer)
    assert (run.state, run.counts["names"], run.counts["addresses_placed"]) == ("done", 1, 1)
    assert candidates(authority.code, "외동새동 1261-3")[0].score > 0.9


def test_importing_again_never_doubles(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    entries = list(HAND_MADE.values())
    command.run(entrances_file(tmp_path, entries), authority.code, officer)
    run = command.run(entrances_file(tmp_path, entries), authority.code, officer)
    assert run.counts["addresses"] == len(entries)
    assert CityFile.objects.count() == 1


def test_a_zip_of_all_files_is_one_import(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    entries = list(HAND_MADE.values())
    path = tmp_path / "202604_전체분.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(names_file(tmp_path, entries), "rnaddrkor_gyeongnam.txt")
        archive.write(entrances_file(tmp_path, entries), "entrc_gyeongnam.txt")
        archive.writestr("읽어보세요.pdf", b"%PDF")
    run = command.run(path, authority.code, officer)
    assert (run.state, run.counts["names"], run.counts["entrances"]) == ("done", len(entries), len(entries))


def test_metres_become_the_degrees_that_are_publicly_known(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    command.run(text_file(tmp_path, REAL_ROW), authority.code, officer)
    best = candidates(authority.code, "자하문로 94")[0]
    assert distance_m(Point(best.lon, best.lat), Point(126.9697, 37.5847)) < 300


def test_misspelt_and_shortened_forms_find_their_address(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    entries = [*made(3_000, seed=11), *HAND_MADE.values()]
    command.run(names_file(tmp_path, entries), authority.code, officer)
    command.run(entrances_file(tmp_path, entries), authority.code, officer)
    texts = [(one.text, one.entry) for one in asked(entries, 4)]
    right = sum(finds(authority.code, text, entry) for text, entry in texts)
    assert right >= 0.95 * len(texts), f"{right} of {len(texts)}"
    by_hand = sum(finds(authority.code, text, HAND_MADE[key]) for text, key in BY_HAND)
    assert by_hand >= 0.95 * len(BY_HAND), f"{by_hand} of {len(BY_HAND)}"


def finds(city: str, text: str, entry: Entry) -> bool:
    import pyproj

    lon, lat = pyproj.Transformer.from_crs(5179, 4326, always_xy=True).transform(entry.x, entry.y)
    found = candidates(city, text, 3)
    return bool(found) and distance_m(Point(found[0].lon, found[0].lat), Point(lon, lat)) < 1


def test_addresses_far_outside_the_city_are_passed_over(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    ring = [[126.9, 37.5], [127.0, 37.5], [127.0, 37.6], [126.9, 37.6], [126.9, 37.5]]
    with civic.transaction() as tx:
        shape = {"type": "Polygon", "coordinates": [ring]}
        put_boundaries(tx, authority.code, [BoundaryRow("1", "청운동", "", shape, (126.9, 37.5, 127.0, 37.6))])
    lines = [REAL_ROW, entrc_line(HAND_MADE["hall"])]
    run = command.run(text_file(tmp_path, *lines), authority.code, officer)
    assert (run.counts["entrances"], run.counts["outside"]) == (1, 1)
    assert candidates(authority.code, "가온대로 2401") == []


def test_exchanged_coordinates_are_put_right_and_told(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    values = REAL_ROW.split("|")
    values[16], values[17] = values[17], values[16]
    run = command.run(text_file(tmp_path, "|".join(values)), authority.code, officer)
    assert issues_of(run) == ["swapped"]
    assert candidates(authority.code, "자하문로 94")[0].lat > 37


def test_a_file_in_another_reference_system_is_refused_whole(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    lines = [REAL_ROW.replace("953241.683263|1954023.466812", f"19{n:04d}.5|45{n:04d}.5") for n in range(60)]
    run = command.run(text_file(tmp_path, *lines), authority.code, officer)
    assert run.state == "refused"
    assert "5174" in run.reason_en
    assert candidates(authority.code, "자하문로 94") == []


@pytest.mark.parametrize("crs", ["EPSG:5174", "EPSG:5186"])
def test_a_file_in_another_system_is_converted_when_that_is_stated(
    tmp_path: Path, authority: Authority, officer: Actor, settings: Settings, crs: str
) -> None:
    import pyproj

    settings.MADANG_PLACES = PlacesConfig(address_crs=crs)
    x, y = pyproj.Transformer.from_crs("EPSG:5179", crs, always_xy=True).transform(953241.683263, 1954023.466812)
    line = REAL_ROW.replace("953241.683263|1954023.466812", f"{x:.6f}|{y:.6f}")
    run = command.run(text_file(tmp_path, line), authority.code, officer)
    assert (run.state, run.report["crs"]) == ("done", crs)
    best = candidates(authority.code, "자하문로 94")[0]
    assert distance_m(Point(best.lon, best.lat), Point(126.9697, 37.5847)) < 300


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("11110|760|1111010100|서울", "bad_columns"),
        (REAL_ROW.replace("111103100012", "도로명코드아님"), "bad_number"),
        (REAL_ROW.replace("|94|0|", "|구십사|0|"), "bad_number"),
        (REAL_ROW.replace("자하문로", "???"), "bad_name"),
        (REAL_ROW.replace("953241.683263", "nan"), "bad_coordinate"),
        (REAL_ROW.replace("953241.683263", "1e308"), "bad_coordinate"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_is_taken(
    tmp_path: Path, authority: Authority, officer: Actor, line: str, code: str
) -> None:
    run = command.run(text_file(tmp_path, REAL_ROW, line), authority.code, officer)
    assert (run.state, run.counts["entrances"], run.counts["not_imported"]) == ("done", 1, 1)
    assert issues_of(run) == [code]


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = tmp_path / "entrc_x.txt"
    path.write_bytes(REAL_ROW.encode("cp949") + b"\n11110|\xff\xfe\xfd|\n")
    run = command.run(path, authority.code, officer)
    assert (run.counts["entrances"], issues_of(run)) == (1, ["bad_bytes"])


def test_letters_apart_are_composed(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = text_file(tmp_path, unicodedata.normalize("NFD", REAL_ROW), encoding="utf-8")
    command.run(path, authority.code, officer)
    assert candidates(authority.code, "자하문로 94")[0].score == 1.0


def test_an_abolished_address_is_found_no_more(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    command.run(text_file(tmp_path, REAL_ROW), authority.code, officer)
    run = command.run(text_file(tmp_path, f"{REAL_ROW}|63"), authority.code, officer)
    assert run.counts["abolished"] == 1
    assert candidates(authority.code, "자하문로 94") == []


def test_a_header_decides_where_columns_stand(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    titles = list(ENTRANCES.columns)
    values = REAL_ROW.split("|")
    order = [*range(17, -1, -1)]
    lines = ["|".join(titles[at] for at in order), "|".join(values[at] for at in order)]
    run = command.run(text_file(tmp_path, *lines), authority.code, officer)
    assert (run.state, run.counts["entrances"]) == ("done", 1)


def test_every_layout_is_known_by_its_number_of_columns() -> None:
    for layout in LAYOUTS:
        values = ["111103100012" if title == "도로명코드" else "1" for title in layout.columns]
        found = recognise(values)
        assert found is not None
        assert found[0] is layout
    assert recognise(["a", "b"]) is None
    assert recognise(["x"] * len(ROAD_ADDRESS.columns)) is None


def test_a_further_lot_leads_to_its_address(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    entry = HAND_MADE["flats"]
    command.run(names_file(tmp_path, [entry]), authority.code, officer)
    command.run(entrances_file(tmp_path, [entry]), authority.code, officer)
    values = dict(zip(FURTHER_LOTS.columns, [""] * 14, strict=True)) | {
        "법정읍면동명": "외동새동",
        "산여부": "0",
        "지번본번": "1300",
        "지번부번": "9",
        "도로명코드": entry.road_code,
        "지하여부": "0",
        "건물본번": "118",
        "건물부번": "0",
    }
    path = tmp_path / "jibun_rnaddrkor.txt"
    path.write_bytes("|".join(values.values()).encode("cp949"))
    command.run(path, authority.code, officer)
    assert candidates(authority.code, "외동새동 1300-9")[0].score > 0.9


def zip_of(members: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_that_would_fill_the_disk_is_refused(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = zip_of({"entrc.txt": b"1|" * 5_000_000}, tmp_path / "bomb.zip")
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert "unpacks to" in run.reason_en


def test_a_zip_larger_than_the_limit_is_refused(
    tmp_path: Path, authority: Authority, officer: Actor, settings: Settings
) -> None:
    settings.MADANG_PLACES = PlacesConfig(max_unpacked_bytes=100_000)
    lines = "\n".join(f"{REAL_ROW}{n}" for n in range(3_000)).encode("cp949")
    run = command.run(zip_of({"entrc.txt": lines}, tmp_path / "big.zip"), authority.code, officer)
    assert run.state == "refused"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-1.7",
        b"PK\x03\x04rubbish",
        b"\x00\x01\x02" * 500,
        b"<html><body>login</body></html>",
        b"a|b|c\n1|2|3",
    ],
)
def test_what_is_no_address_file_is_refused_with_a_reason(
    tmp_path: Path, authority: Authority, officer: Actor, content: bytes
) -> None:
    path = tmp_path / "entrc.txt"
    path.write_bytes(content)
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert run.reason_ko
    assert CityFile.objects.count() == 0


def test_a_damaged_zip_is_refused(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("entrc.txt", "\n".join(f"{REAL_ROW}{n}" for n in range(2_000)).encode("cp949"))
    raw = bytearray(buffer.getvalue())
    raw[500:560] = b"\x00" * 60
    path = tmp_path / "entrc.zip"
    path.write_bytes(raw)
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(max_size=12), min_size=24, max_size=24))
def test_any_row_is_read_or_told_and_never_raises(values: list[str]) -> None:
    for layout in LAYOUTS:
        places = {name: layout.columns.index(title) for title, name in layout.reads.items() if title in layout.columns}
        issues: list[object] = []
        row = (values * 2)[: len(layout.columns)]
        found = parse(1, row, layout, places, issues)  # type: ignore[arg-type] # issues are only appended
        assert (found is None) == any(getattr(issue, "level", "") == "error" for issue in issues)
