"""Rules to begin from: what control rooms ask for first. Nobody's rules until somebody drafts them."""

from __future__ import annotations

from typing import Any

JsonRow = dict[str, Any]  # Any: JSON values

EXAMPLES: tuple[tuple[str, JsonRow], ...] = (
    (
        "night-bell",
        {
            "title_ko": "야간 비상벨",
            "title_en": "Emergency bell at night",
            "when": {"op": "happens", "source": {"from": "signal", "classes": ["emergency_bell"], "sources": ["bell"]}},
            "conditions": [
                {"on": "time", "start": "22:00", "end": "06:00"},
                {"on": "near", "radius_m": 100, "negate": True},
            ],
            "signal": {"class_code": "assault", "priority": 1, "text_ko": "야간 비상벨이 눌렸습니다."},
            "effects": [
                {"do": "show", "cameras": 4},
                {"do": "ask", "text_ko": "112 상황실에 현장 영상을 제공하시겠습니까?", "propose": "grant"},
            ],
        },
    ),
    (
        "water-level-high",
        {
            "title_ko": "수위 경계",
            "title_en": "Water level high",
            "when": {
                "op": "threshold",
                "source": {"from": "reading", "type": "WaterLevel", "attribute": "level"},
                "limit": 2.5,
                "reset": 2.2,
                "dwell_s": 60,
            },
            "signal": {"class_code": "flood", "priority": 1, "text_ko": "수위가 경계 수위를 넘었습니다."},
            "effects": [
                {"do": "show", "cameras": 4},
                {
                    "do": "message",
                    "level": "caution",
                    "tiers": ["department"],
                    "text_ko": "수위가 경계 수위를 넘었습니다.",
                },
            ],
        },
    ),
    (
        "crowd-at-once",
        {
            "title_ko": "여러 카메라의 인파 밀집",
            "title_en": "Crowding seen by several cameras",
            "when": {
                "op": "quorum",
                "source": {"from": "signal", "classes": ["crowd"], "sources": ["frigate", "onvif"]},
                "k": 3,
                "window_s": 300,
            },
            "per": "district",
            "signal": {"class_code": "crowd", "priority": 1, "text_ko": "여러 카메라에서 인파 밀집이 탐지되었습니다."},
            "effects": [{"do": "show", "cameras": 6}],
        },
    ),
    (
        "sensor-silent",
        {
            "title_ko": "침묵하는 센서",
            "title_en": "A sensor fell silent",
            "when": {
                "op": "absence",
                "source": {"from": "reading", "type": "WaterLevel", "attribute": "level"},
                "for_s": 1_800,
            },
            "signal": {"class_code": "facility_fault", "priority": 4, "text_ko": "센서에서 30분 동안 소식이 없습니다."},
        },
    ),
    (
        "camera-flapping",
        {
            "title_ko": "불안정한 카메라 훼손 경보",
            "title_en": "Tampering reported again and again",
            "when": {
                "op": "count",
                "source": {"from": "signal", "classes": ["device_tampered"]},
                "n": 5,
                "window_s": 600,
            },
            "signal": {
                "class_code": "facility_fault",
                "priority": 3,
                "text_ko": "훼손 경보가 되풀이됩니다. 점검하십시오.",
            },
            "quiet_s": 3_600,
        },
    ),
    (
        "intrusion-after-noise",
        {
            "title_ko": "이상음 뒤 침입",
            "title_en": "Intrusion after an unusual sound",
            "when": {
                "op": "sequence",
                "first": {"from": "signal", "classes": ["noise"]},
                "then": {"from": "signal", "classes": ["intrusion", "motion"]},
                "within_s": 120,
            },
            "per": "district",
            "signal": {"class_code": "burglary", "priority": 1, "text_ko": "이상음에 이어 침입이 탐지되었습니다."},
            "effects": [{"do": "show", "cameras": 4}],
        },
    ),
)


def example_rows() -> list[JsonRow]:
    """Name and definition of each."""
    return [{"name": name, "definition": definition} for name, definition in EXAMPLES]
