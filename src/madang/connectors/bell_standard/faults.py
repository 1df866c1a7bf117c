"""Everything that can be wrong with a bell's row, and what a person is told about it."""

from __future__ import annotations

from madang.places.domain import Fault, Level

_E, _W, _N = Level.ERROR, Level.WARNING, Level.NOTICE

UNREADABLE = Fault("unreadable", _E, "행을 읽을 수 없어 건너뛰었습니다.", "The row cannot be read and was passed over.")
SHORT_ROW = Fault(
    "short_row",
    _E,
    "열이 {found}개뿐입니다({wanted}개 필요). 가져오지 않았습니다.",
    "Only {found} of {wanted} columns; not imported.",
)
LONG_ROW = Fault(
    "long_row",
    _E,
    "열이 {found}개입니다({wanted}개 필요): 따옴표 없는 쉼표인지 확인하십시오. 가져오지 않았습니다.",
    "{found} columns instead of {wanted}: look for a comma without quotes; not imported.",
)
NO_NUMBER = Fault("no_number", _E, "비상벨 관리번호가 없어 가져오지 않았습니다.", "No bell number; not imported.")
REPEATED = Fault(
    "repeated",
    _N,
    "{other}행과 똑같아 한 번만 가져왔습니다.",
    "The same as row {other}; imported once.",
)
SUPERSEDED = Fault(
    "superseded",
    _N,
    "같은 관리번호가 더 새로운 기준일({date})로 {other}행에 있어 그 값을 썼습니다.",
    "Row {other} has the same number with a later data date ({date}); that one was taken.",
)
MOVED = Fault(
    "moved",
    _W,
    "같은 관리번호의 {other}행과 위치가 {metres} m 다릅니다. 열이 밀리지 않았는지 확인하십시오.",
    "{metres} m away from row {other}, which has the same number; check whether columns have slipped.",
)
SHARED_NUMBER = Fault(
    "shared_number",
    _W,
    "{other}행과 관리번호·기준일이 같지만 내용이 다릅니다. 다른 비상벨로 가져왔습니다.",
    "The same number and data date as row {other}, but other contents; imported as another bell.",
)
BAD_BYTES = Fault(
    "bad_bytes",
    _W,
    "글자로 읽히지 않는 바이트가 있습니다(� 로 표시).",
    "Some bytes are no text; they are shown as �.",
)
BROKEN_QUOTE = Fault("broken_quote", _W, "닫히지 않은 따옴표를 없애고 읽었습니다.", "An unclosed quote was dropped.")
NO_COORDINATE = Fault(
    "no_coordinate", _W, "좌표가 비어 있어 위치 없이 가져왔습니다.", "No coordinate; imported without a place."
)
BAD_COORDINATE = Fault(
    "bad_coordinate",
    _W,
    "좌표가 십진수 도(°)가 아닙니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate is not in decimal degrees: {value}; imported without a place.",
)
ZERO_COORDINATE = Fault(
    "zero_coordinate",
    _W,
    "좌표가 0입니다. 위치 없이 가져왔습니다.",
    "The coordinate is 0; imported without a place.",
)
SWAPPED_COORDINATE = Fault(
    "swapped_coordinate",
    _W,
    "위도와 경도가 뒤바뀐 듯합니다: {value}. 위치 없이 가져왔습니다.",
    "Latitude and longitude look swapped: {value}; imported without a place.",
)
OUTSIDE_KOREA = Fault(
    "outside_korea",
    _W,
    "좌표가 우리나라 밖입니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate lies outside Korea: {value}; imported without a place.",
)
OUTSIDE_CITY = Fault(
    "outside_city",
    _W,
    "좌표가 행정구역 밖입니다: {value}. 위치 없이 가져왔습니다.",
    "The coordinate lies outside the city's boundary: {value}; imported without a place.",
)
COARSE_COORDINATE = Fault(
    "coarse_coordinate",
    _N,
    "좌표가 소수점 넷째 자리까지도 없습니다: {value}. 10 m 이상 어긋날 수 있습니다.",
    "The coordinate has fewer than four decimals: {value}; it may be off by 10 m and more.",
)
COARSE_ADDRESS = Fault(
    "coarse_address",
    _N,
    "주소에 번지나 건물번호가 없습니다: {value}",
    "The address has no number: {value}",
)
NO_ADDRESS = Fault("no_address", _N, "주소가 없습니다.", "No address.")
VAGUE_LOCATION = Fault(
    "vague_location",
    _N,
    "설치위치가 곳을 말하지 않습니다: {value}. 주소를 이름으로 썼습니다.",
    "The location names no place: {value}; the address became its name.",
)
BAD_LINK = Fault(
    "bad_link",
    _W,
    "{column}을(를) 읽을 수 없습니다: {value}. 모름으로 두었습니다.",
    "{column} cannot be read: {value}; kept as unknown.",
)
CONTRADICTING_LINK = Fault(
    "contradicting_link",
    _W,
    "연계방식은 미연계인데 연계유무가 Y입니다. 경찰연계를 모름으로 두었습니다.",
    "It says not linked, and linked; the police link is kept as unknown.",
)
BAD_DATE = Fault(
    "bad_date", _W, "날짜로 읽을 수 없습니다: {value}. 비워 두었습니다.", "Not a date: {value}; left empty."
)
FUTURE_DATE = Fault(
    "future_date",
    _W,
    "아직 오지 않은 날짜입니다: {value}. 비워 두었습니다.",
    "That day has not come yet: {value}; left empty.",
)
INSPECTED_BEFORE_INSTALLED = Fault(
    "inspected_before_installed",
    _N,
    "설치연도보다 앞선 점검일입니다: {value}",
    "Inspected before the year it was installed in: {value}",
)
NEVER_INSPECTED = Fault("never_inspected", _N, "점검일이 없습니다.", "No date of an inspection.")
BAD_RESULT = Fault(
    "bad_result",
    _W,
    "점검결과를 읽을 수 없습니다: {value}. 모름으로 두었습니다.",
    "The result of the inspection cannot be read: {value}; kept as unknown.",
)
FAILED = Fault(
    "failed_inspection", _N, "마지막 점검 결과가 불량입니다({value}).", "The last inspection failed ({value})."
)
