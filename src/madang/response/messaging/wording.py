"""What a situation message says, on every channel alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from madang.kernel.mode import Mode

LEVEL_KO = {"notice": "알림", "attention": "관심", "caution": "주의", "alert": "경계", "serious": "심각"}
LEVEL_EN = {"notice": "Notice", "attention": "Attention", "caution": "Caution", "alert": "Alert", "serious": "Serious"}
_MARKS = {Mode.EXERCISE: "[훈련 EXERCISE] ", Mode.SIMULATED: "[모의 SIMULATED] ", Mode.LIVE: ""}


def subject(mode: Mode, level: str, class_ko: str, number: str) -> str:
    """One line: whether it is real, how grave, what, and its number."""
    return f"{_MARKS[mode]}[{LEVEL_KO[level]}] {class_ko} {number}"


def body(mode: Mode, level: str, *, class_ko: str, area: str, text_ko: str, text_en: str, link: str) -> str:
    """The whole text; an exercise or a simulation says so first, and last."""
    where = f" {area}" if area else ""
    english = f"\n{text_en}" if text_en else ""
    confirm = f"\n확인 Confirm: {link}" if link else ""
    end = f"\n{_MARKS[mode].strip()}" if _MARKS[mode] else ""
    return f"{_MARKS[mode]}[{LEVEL_KO[level]}] {class_ko}{where}: {text_ko}{english}{confirm}{end}"


def filled(text: str, facts: Mapping[str, str]) -> str:
    """A template with its `{name}`s filled in; a name nobody knows stays as it is, for a person to see."""
    for name, value in facts.items():
        text = text.replace("{" + name + "}", value)
    return text
