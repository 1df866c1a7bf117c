"""Everything that can be wrong with a row, and what a person is told about it."""

from __future__ import annotations

from madang.places.domain import Fault, Level

UNREADABLE = Fault(
    "unreadable", Level.ERROR, "행을 읽을 수 없어 건너뛰었습니다.", "The row cannot be read and was passed over."
)
SHORT_ROW = Fault(
    "short_row",
    Level.ERROR,
    "열이 {found}개뿐입니다({wanted}개 필요). 가져오지 않았습니다.",
    "Only {found} of {wanted} columns; not imported.",
)
LONG_ROW = Fault(
    "long_row",
    Level.ERROR,
    "열이 {found}개입니다({wanted}개 필요): 따옴표 없는 쉼표인지 확인하십시오. 가져오지 않았습니다.",
    "{found} columns instead of {wanted}: look for a comma without quotes; not imported.",
)
EMPTY_ROW = Fault(
    "empty_row",
    Level.ERROR,
    "주소도 좌표도 없어 가져오지 않았습니다.",
    "Neither an address nor a coordinate; not imported.",
)
REPEATED = Fault(
    "repeated",
    Level.NOTICE,
    "관리번호까지 같은 행이 앞에 있어 한 번만 가져왔습니다.",
    "An earlier row is the same, number included; imported once.",
)
SHORT_ROW_TAKEN = Fault(
    "short_row_taken",
    Level.WARNING,
    "열이 {found}개뿐이지만({wanted}개 중) 좌표까지 있어 가져왔습니다.",
    "Only {found} of {wanted} columns, but it reaches past the coordinates; imported.",
)
LONG_ROW_REPAIRED = Fault(
    "long_row_repaired",
    Level.WARNING,
    "주소 속 쉼표에 따옴표가 없어 합쳐서 읽었습니다: {value}",
    "A comma in the address had no quotes; its parts were joined: {value}",
)
BAD_BYTES = Fault(
    "bad_bytes",
    Level.WARNING,
    "글자로 읽히지 않는 바이트가 있습니다(� 로 표시).",
    "Some bytes are no text; they are shown as �.",
)
BROKEN_QUOTE = Fault(
    "broken_quote", Level.WARNING, "닫히지 않은 따옴표를 없애고 읽었습니다.", "An unclosed quote was dropped."
)
NO_COORDINATE = Fault(
    "no_coordinate",
    Level.WARNING,
    "좌표가 비어 있어 위치 없이 가져왔습니다.",
    "No coordinate; imported without a place.",
)
BAD_COORDINATE = Fault(
    "bad_coordinate",
    Level.WARNING,
    "좌표가 십진수 도(°)가 아닙니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate is not in decimal degrees: {value}; imported without a place.",
)
ZERO_COORDINATE = Fault(
    "zero_coordinate",
    Level.WARNING,
    "좌표가 0입니다. 위치 없이 가져왔습니다.",
    "The coordinate is 0; imported without a place.",
)
SWAPPED_COORDINATE = Fault(
    "swapped_coordinate",
    Level.WARNING,
    "위도와 경도가 뒤바뀐 듯합니다: {value}. 위치 없이 가져왔습니다. 맞다면 {candidate} 입니다.",
    "Latitude and longitude look swapped: {value}; imported without a place. It may be {candidate}.",
)
OUTSIDE_KOREA = Fault(
    "outside_korea",
    Level.WARNING,
    "좌표가 우리나라 밖입니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate lies outside Korea: {value}; imported without a place.",
)
OUTSIDE_CITY = Fault(
    "outside_city",
    Level.WARNING,
    "좌표가 행정구역 밖입니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate lies outside the city's boundary: {value}; imported without a place.",
)
FAR_AWAY = Fault(
    "far_away",
    Level.WARNING,
    "다른 지점들에서 {km} km 떨어져 있습니다: {value}. 행정구역을 먼저 가져오면 판정할 수 있습니다.",
    "{km} km from the other sites: {value}. Import the city's boundaries first to have it judged.",
)
BAD_COUNT = Fault(
    "bad_camera_count",
    Level.WARNING,
    "카메라대수를 읽을 수 없습니다: {value}. 1대로 두었습니다.",
    "The number of cameras cannot be read: {value}; taken as 1.",
)
ZERO_COUNT = Fault(
    "zero_camera_count",
    Level.WARNING,
    "카메라대수가 0입니다. 카메라 없는 지점으로 두었습니다.",
    "No cameras: kept as a site without any.",
)
MANY_CAMERAS = Fault(
    "many_cameras",
    Level.NOTICE,
    "한 지점에 카메라가 {value}대입니다. 맞는지 확인하십시오.",
    "{value} cameras at one site; check whether that is so.",
)
ABSURD_COUNT = Fault(
    "absurd_camera_count",
    Level.WARNING,
    "카메라대수가 있을 수 없는 값입니다: {value}. 1대로 두었습니다.",
    "An impossible number of cameras: {value}; taken as 1.",
)
BAD_RETENTION = Fault(
    "bad_retention",
    Level.WARNING,
    "보관일수를 믿을 수 없습니다: {value}. 비워 두었습니다.",
    "Retention days make no sense: {value}; left empty.",
)
BAD_DATE = Fault(
    "bad_date", Level.WARNING, "날짜로 읽을 수 없습니다: {value}. 비워 두었습니다.", "Not a date: {value}; left empty."
)
UNKNOWN_PURPOSE = Fault(
    "unknown_purpose", Level.WARNING, "알 수 없는 설치목적입니다: {value}", "A purpose nobody has named yet: {value}"
)
IDENTICAL = Fault(
    "identical_row",
    Level.NOTICE,
    "번호 말고는 {value}행과 똑같습니다. 두 지점 모두 가져왔습니다.",
    "The same as row {value} but for its number; both were imported.",
)
