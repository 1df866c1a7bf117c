"""Checklists, messages, hand-overs and the log as the console's API tells them, for the screen's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.frontend.mock_city import Row, instant


def _at(minutes: float) -> str:
    return instant(datetime.now(UTC) + timedelta(minutes=minutes))


def checklists(incident: str) -> Row:
    """A checklist under way on the incident that somebody works on; one to start on every other."""
    startable = {"code": "traffic", "version": 2, "title_ko": "교통사고", "title_en": "Traffic accident", "steps": 4}
    if incident != "i3":
        return {"runs": [], "startable": [{**startable, "example": True}]}
    steps = [
        _step("call", 1, "119 구급 요청", "Ask for an ambulance", "done", done_at=_at(-4), done_by="이야근"),
        _step("watch", 1, "영상으로 현장 확인", "Look at the scene", "open", due_at=_at(3), evidence="note"),
        _step("road", 2, "차로 통제 요청", "Ask to close the lane", "waiting"),
    ]
    run = {
        "id": "run1",
        "incident_id": incident,
        "code": "traffic",
        "version": 2,
        "title_ko": "교통사고",
        "title_en": "Traffic accident",
        "example": True,
        "phase": "running",
        "started_at": _at(-6),
        "started_by": "이야근",
        "rule": "",
        "ended_at": None,
        "end_reason": "",
        "left": 2,
        "steps": steps,
    }
    return {"runs": [run], "startable": []}


def _step(key: str, stage: int, ko: str, en: str, standing: str, **more: object) -> Row:
    return {
        "key": key,
        "stage": stage,
        "ko": ko,
        "en": en,
        "standing": standing,
        "done_by_role": "anybody",
        "mine": True,
        "evidence": "none",
        "options": [],
        "due_at": None,
        "overdue": False,
        "done_at": None,
        "done_by": "",
        "value": "",
        "note": "",
        "still": "",
        **more,
    }


def messages(incident: str) -> list[Row]:
    """One message about the incident that somebody works on."""
    if incident != "i3":
        return []
    states = {"acknowledged": 1, "phone": 1}
    return [
        {
            "id": "m1",
            "mode": "simulated",
            "level": "caution",
            "level_ko": "주의",
            "tiers": ["city"],
            "text_ko": "내외동 중앙로 교통사고. 우회하십시오.",
            "text_en": "",
            "area": "내외동",
            "ack_within_s": 180,
            "sent_by": "이야근",
            "rule": "",
            "sent_at": _at(-5),
            "states": states,
            "total": 2,
            "deliveries": [
                _delivery("d1", "교통과 당직", "acknowledged", acknowledged_at=_at(-4), how="link"),
                _delivery("d2", "도로관리 당직", "phone"),
            ],
        }
    ]


def _delivery(key: str, name: str, state: str, **more: object) -> Row:
    return {
        "id": key,
        "recipient": {"name": name, "duty": "당직", "tier": "city"},
        "state": state,
        "channels": ["sms"],
        "step": 1,
        "wants_ack": True,
        "acknowledged_at": None,
        "acknowledged_by": "",
        "how": "",
        "note": "",
        "attempts": [{"channel": "sms", "state": "sent", "at": _at(-5), "error": ""}],
        **more,
    }


def choices() -> Row:
    """What a message may be made of."""
    return {
        "tiers": [{"code": "city", "label": "시청", "recipients": 2}],
        "levels": [
            {"code": "notice", "ko": "관심", "en": "Notice"},
            {"code": "caution", "ko": "주의", "en": "Caution"},
        ],
        "channels": [{"name": "sms", "ko": "문자", "en": "text"}],
        "area": "내외동",
        "templates": [],
    }


def listeners() -> list[Row]:
    return [
        {"id": "r1", "name": "교통과 당직", "duty": "당직", "tier": "city", "channels": ["sms"], "wants_ack": True},
        {"id": "r2", "name": "도로관리 당직", "duty": "당직", "tier": "city", "channels": [], "wants_ack": True},
    ]


def board() -> Row:
    """Two people on duty, the second of whom offers a hand-over."""
    return {
        "shift": {"name": "주간", "to_at": _at(120)},
        "next_shift": {"name": "야간", "from_at": _at(120)},
        "planned": None,
        "people": [
            {"id": "person:1", "name": "김하늘", "on_duty": True, "alive": True, "seen_at": _at(0), "holds": 2},
            {"id": "person:2", "name": "이야근", "on_duty": True, "alive": True, "seen_at": _at(0), "holds": 1},
        ],
        "next_people": ["박새벽"],
        "handovers": [],
    }


def log_entries(incident: str | None) -> list[Row]:
    if incident not in (None, "i3"):
        return []
    return [
        {
            "id": "l1",
            "incident_id": "i3",
            "incident_number": "2026-000040",
            "channel": "radio",
            "direction": "in",
            "who": "순찰 12호",
            "whom": "상황실",
            "text": "현장 도착, 부상자 한 명",
            "said_at": _at(-3),
            "written_at": _at(-3),
            "by": "이야근",
            "corrects": None,
            "corrected_by": None,
        }
    ]


def evidence(incident: str) -> Row:
    """A still of the incident that somebody works on."""
    item = {
        "id": "ev1",
        "kind": "still",
        "state": "KEPT",
        "mode": "simulated",
        "incident_id": incident,
        "camera": {"id": "c1", "label": "부원동 방범 001-1"},
        "taken_by": {"id": "person:2", "name": "이야근"},
        "reason": "",
        "wanted_at": _at(-3),
        "began_at": _at(-3),
        "ended_at": _at(-3),
        "most_s": 0,
        "width": 1280,
        "height": 720,
        "bytes": 180_000,
        "digest": "0" * 64,
        "fault": "",
        "halted": False,
        "lock": None,
        "keep_until": _at(60 * 24 * 30),
        "erased_at": None,
        "erased_by": "",
    }
    return {"items": [item] if incident == "i3" else [], "exports": [], "recordable": [], "bases": []}


def deeds(incident_id: str) -> list[Row]:
    """What a rule did to the first incident, and what it asks."""
    if incident_id != "i1":
        return []
    one = {
        "incident_id": incident_id,
        "rule": "night-bell@2",
        "effect": {},
        "reason": "",
        "at": instant(datetime.now(UTC)),
    }
    undecided = {"decided_by": None, "decided_at": None, "needs": "work_incident"}
    show = {
        "id": "d1",
        "kind": "show",
        "state": "done",
        "text_ko": "카메라 4대를 보입니다",
        "text_en": "show 4 cameras",
    }
    ask = {"id": "d2", "kind": "ask", "state": "asked", "text_ko": "112 상황실에 현장 영상을 제공하시겠습니까?"}
    return [{**one, **undecided, **show}, {**one, **undecided, **ask, "text_en": "Give the pictures?"}]
