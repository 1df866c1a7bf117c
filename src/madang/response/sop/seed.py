"""Example checklists a demo city starts with, marked as examples: written for this project, nobody's official manual.

A city words its own in the office, from its own manuals, and publishes them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from madang.identity.rights import Actor
from madang.journal.session import Session
from madang.response.sop.drafting import Words, publish, save_draft
from madang.response.sop.models import SopTemplate

NOTE = "예시입니다. 시의 매뉴얼에 맞게 고쳐 쓰십시오. / An example: replace it with the city's own manual."
JsonSteps = list[dict[str, Any]]  # Any: JSON members of a step


def _step(key: str, stage: int, ko: str, en: str, **more: Any) -> dict[str, Any]:  # Any: JSON members
    return {"key": key, "stage": stage, "ko": ko, "en": en, **more}


def _ask(key: str, stage: int, ko: str, en: str, *options: str, **more: Any) -> dict[str, Any]:  # Any: JSON members
    return _step(key, stage, ko, en, evidence="choice", options=list(options), **more)


def _if(step: str, *answers: str) -> dict[str, Any]:  # Any: JSON members
    return {"step": step, "answers": list(answers)}


_BELL: JsonSteps = [
    _ask(
        "seen",
        1,
        "비상벨 주변 영상을 보고 사람이 있는지 확인",
        "Look around the bell: is somebody there?",
        "위급해 보임",
        "사람 있음",
        "아무도 없음",
        due_s=60,
    ),
    _step(
        "talk",
        1,
        "비상벨로 말을 걸어 도움이 필요한지 물음",
        "Speak through the bell and ask whether help is needed",
        due_s=60,
    ),
    _step(
        "police",
        2,
        "112에 알리고 위치와 상황을 전달",
        "Tell 112 where and what",
        due_s=60,
        evidence="note",
        only_if=_if("seen", "위급해 보임"),
    ),
    _step(
        "watch",
        3,
        "출동한 사람이 닿을 때까지 영상으로 지켜봄",
        "Keep watching until help is there",
        due_s=600,
        only_if=_if("seen", "위급해 보임"),
    ),
    _step(
        "ask",
        2,
        "무엇 때문에 눌렀는지 기록",
        "Record why the bell was pressed",
        evidence="note",
        only_if=_if("seen", "사람 있음"),
        due_s=180,
    ),
    _step(
        "round",
        2,
        "누르기 전 1분의 움직임을 주변 카메라에서 확인",
        "Check the minute before on cameras around",
        due_s=300,
        only_if=_if("seen", "아무도 없음"),
    ),
    _step("reset", 4, "비상벨이 처음 상태로 돌아왔는지 확인", "Check that the bell is reset", due_s=300),
]
_FIRE: JsonSteps = [
    _ask(
        "seen", 1, "영상에서 불꽃이나 연기를 확인", "Look for flames or smoke", "불꽃", "연기", "확인 안 됨", due_s=60
    ),
    _step(
        "still",
        2,
        "현장이 보이는 정지영상 붙이기",
        "Attach a still of the scene",
        evidence="still",
        due_s=120,
        only_if=_if("seen", "불꽃", "연기"),
    ),
    _step(
        "call119",
        2,
        "119에 알리고 접수 여부 기록",
        "Tell 119 and record that they took it",
        evidence="note",
        due_s=60,
        only_if=_if("seen", "불꽃", "연기"),
    ),
    _step(
        "road",
        3,
        "진입로의 불법 주정차와 막힌 곳 확인",
        "Check the way in for parked cars and blocks",
        due_s=180,
        only_if=_if("seen", "불꽃", "연기"),
    ),
    _step(
        "people",
        3,
        "주변에 남은 사람이 있는지 확인",
        "Look for people still around",
        due_s=180,
        only_if=_if("seen", "불꽃", "연기"),
    ),
    _step(
        "inform",
        4,
        "당직 책임자에게 알림",
        "Tell the supervisor",
        done_by="supervisor",
        due_s=300,
        only_if=_if("seen", "불꽃", "연기"),
    ),
    _step(
        "second",
        2,
        "다른 방향 카메라로 한 번 더 확인",
        "Look again from another side",
        due_s=180,
        only_if=_if("seen", "확인 안 됨"),
    ),
]
_FLOOD: JsonSteps = [
    _ask(
        "level",
        1,
        "영상으로 물 높이 확인",
        "Judge the water by camera",
        "차도 위로 넘침",
        "차오르는 중",
        "이상 없음",
        due_s=120,
    ),
    _step("sensor", 1, "가까운 수위·강우 값과 견주어 봄", "Compare with level and rain nearby", due_s=180),
    _step(
        "people",
        2,
        "고립된 사람·차량이 있는지 확인",
        "Look for stranded people or cars",
        evidence="note",
        due_s=180,
        only_if=_if("level", "차도 위로 넘침"),
    ),
    _step(
        "close",
        2,
        "도로 담당 부서에 통제를 요청",
        "Ask the roads department to close it",
        evidence="note",
        due_s=180,
        only_if=_if("level", "차도 위로 넘침"),
    ),
    _step(
        "call119",
        2,
        "구조가 필요하면 119에 알림",
        "Tell 119 where rescue is needed",
        due_s=120,
        only_if=_if("level", "차도 위로 넘침"),
    ),
    _step(
        "again",
        3,
        "15분 안에 물 높이를 다시 확인",
        "Look again within fifteen minutes",
        evidence="note",
        due_s=900,
        only_if=_if("level", "차도 위로 넘침", "차오르는 중"),
    ),
]
_CROWD: JsonSteps = [
    _ask(
        "density",
        1,
        "여러 카메라로 밀집 정도를 확인",
        "Judge the crowd from several sides",
        "움직이기 어려움",
        "붐비지만 움직임",
        "풀림",
        due_s=90,
    ),
    _step(
        "exits",
        2,
        "빠져나갈 길이 열려 있는지 확인",
        "Check that ways out are open",
        evidence="note",
        due_s=120,
        only_if=_if("density", "움직이기 어려움", "붐비지만 움직임"),
    ),
    _step(
        "call",
        2,
        "112·119와 행사 담당자에게 알림",
        "Tell 112, 119 and the organiser",
        evidence="note",
        due_s=90,
        only_if=_if("density", "움직이기 어려움"),
    ),
    _step(
        "voice",
        2,
        "안내 방송 요청",
        "Ask for an announcement",
        done_by="supervisor",
        due_s=180,
        only_if=_if("density", "움직이기 어려움"),
    ),
    _step(
        "again",
        3,
        "10분 안에 다시 확인하고 기록",
        "Look again within ten minutes",
        evidence="note",
        due_s=600,
        only_if=_if("density", "움직이기 어려움", "붐비지만 움직임"),
    ),
]
_FALL: JsonSteps = [
    _ask(
        "moves",
        1,
        "쓰러진 사람이 움직이는지 확인",
        "Does the person move?",
        "움직이지 않음",
        "움직임",
        "일어남",
        due_s=60,
    ),
    _step(
        "call119",
        2,
        "119에 알리고 위치를 설명",
        "Tell 119 and describe the place",
        evidence="note",
        due_s=60,
        only_if=_if("moves", "움직이지 않음", "움직임"),
    ),
    _step(
        "danger",
        2,
        "차·기차·물 같은 2차 위험이 있는지 확인",
        "Look for further danger: traffic, water",
        due_s=60,
        only_if=_if("moves", "움직이지 않음", "움직임"),
    ),
    _step(
        "watch",
        3,
        "구급대가 닿을 때까지 지켜봄",
        "Keep watching until the crew is there",
        due_s=600,
        only_if=_if("moves", "움직이지 않음", "움직임"),
    ),
    _step("close", 4, "결과 기록", "Record the outcome", evidence="note", due_s=900),
]
_FAULT: JsonSteps = [
    _ask(
        "what", 1, "어떤 시설의 어떤 고장인지 확인", "What is broken?", "카메라", "비상벨", "조명", "그 밖", due_s=600
    ),
    _step(
        "still",
        1,
        "고장이 보이면 정지영상 붙이기 (보이지 않으면 건너뜀)",
        "Attach a still if it can be seen",
        evidence="still",
        due_s=600,
    ),
    _step(
        "danger",
        2,
        "사람에게 위험한지 확인 (전선, 떨어질 물건)",
        "Is it a danger to people?",
        evidence="note",
        due_s=600,
    ),
    _step(
        "order",
        3,
        "담당 부서나 유지보수 업체에 알리고 접수 번호 기록",
        "Tell the department or contractor; record the number",
        evidence="note",
        due_s=1_800,
    ),
]

EXAMPLES: tuple[tuple[str, Words], ...] = tuple(
    (
        code,
        Words(
            title_ko=f"{ko} (예시)", title_en=f"{en} (example)", classes=classes, steps=steps, note=NOTE, example=True
        ),
    )
    for code, ko, en, classes, steps in (
        ("bell", "비상벨 대응", "Emergency bell", ["emergency_bell"], _BELL),
        ("fire", "화재·연기 확인", "Fire and smoke", ["fire", "smoke"], _FIRE),
        ("flood", "침수 대응", "Flooding", ["flood"], _FLOOD),
        ("crowd", "인파 밀집 대응", "Crowding", ["crowd"], _CROWD),
        ("fall", "쓰러짐 대응", "Person fallen", ["fall", "medical"], _FALL),
        ("facility-fault", "시설물 고장 처리", "Facility fault", ["facility_fault", "device_tampered"], _FAULT),
    )
)


def plant(tx: Session, actor: Actor, authority: str, now: datetime) -> int:
    """Publishes the examples a city has no checklist of that name for; how many it made."""
    had = set(SopTemplate.objects.filter(authority=authority).values_list("code", flat=True))
    wanted = [(code, words) for code, words in EXAMPLES if code not in had]
    for code, words in wanted:
        publish(tx, actor, save_draft(tx, actor, authority, code, words, now).id, now)
    return len(wanted)
