"""The kinds of incident the control room knows by name. Data: a class not listed here is kept as it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

UNKNOWN = "unknown"
LINKAGE_DOWN = "linkage_down"
STORM = "storm"


@dataclass(frozen=True, slots=True)
class IncidentClass:
    """A class with its Korean and English name."""

    code: str
    ko: str
    en: str


_NAMES = (
    ("abduction", "납치", "Abduction"),
    ("robbery", "강도", "Robbery"),
    ("assault", "폭행", "Assault"),
    ("homicide", "살인", "Homicide"),
    ("sexual_violence", "성폭력", "Sexual violence"),
    ("weapon", "흉기", "Weapon"),
    ("arson", "방화", "Arson"),
    ("stalking", "스토킹", "Stalking"),
    ("domestic_violence", "가정폭력", "Domestic violence"),
    ("dating_violence", "교제폭력", "Dating violence"),
    ("child_abuse", "아동학대", "Child abuse"),
    ("burglary", "침입절도", "Burglary"),
    ("theft", "절도", "Theft"),
    ("missing_person", "실종", "Missing person"),
    ("suicide_risk", "자살위험", "Suicide risk"),
    ("traffic_accident", "교통사고", "Traffic accident"),
    ("drunk_driving", "음주운전", "Drunk driving"),
    ("disturbance", "시비·소란", "Disturbance"),
    ("suspicious_person", "거동수상", "Suspicious person"),
    ("fire", "화재", "Fire"),
    ("rescue", "구조", "Rescue"),
    ("medical", "구급", "Medical emergency"),
    ("emergency_bell", "비상벨", "Emergency bell"),
    ("intrusion", "침입", "Intrusion"),
    ("loitering", "배회", "Loitering"),
    ("fall", "쓰러짐", "Person fallen"),
    ("fight", "싸움", "Fight"),
    ("crowd", "인파 밀집", "Crowding"),
    ("abandoned_object", "유기물", "Abandoned object"),
    ("smoke", "연기", "Smoke"),
    ("gas", "가스", "Gas"),
    ("flood", "침수", "Flooding"),
    ("weather", "기상", "Weather"),
    ("air_quality", "대기질", "Air quality"),
    ("noise", "이상음", "Unusual sound"),
    ("motion", "움직임", "Motion"),
    ("object_seen", "객체 탐지", "Object seen"),
    ("device_tampered", "장치 훼손", "Device tampered with"),
    (STORM, "경보 폭주", "Alarm storm"),
    ("facility_fault", "시설물 고장", "Facility fault"),
    ("other", "기타", "Other"),
    (LINKAGE_DOWN, "연계 두절", "Linkage down"),
    (UNKNOWN, "미분류", "Unclassified"),
)

CLASSES: Mapping[str, IncidentClass] = MappingProxyType({code: IncidentClass(code, ko, en) for code, ko, en in _NAMES})


def class_named(text: str) -> IncidentClass:
    """The class of that code or Korean name; one that is not known keeps its own words as its name."""
    wanted = text.strip()
    known = CLASSES.get(wanted) or next((one for one in CLASSES.values() if one.ko == wanted), None)
    if known is not None:
        return known
    unknown = CLASSES[UNKNOWN]
    return IncidentClass(UNKNOWN, wanted or unknown.ko, wanted or unknown.en)
