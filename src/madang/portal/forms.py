"""What citizens fill in: checked with words that say how to put it right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms

from madang.identity.models import Authority
from madang.kernel.clock import SEOUL, system_clock

LONGEST = timedelta(days=31)
CAMERA_KEPT_DAYS = 30


class RequestForm(forms.Form):
    """“Was video of me provided?”"""

    city = forms.ModelChoiceField(Authority.objects.all(), empty_label=None, to_field_name="code")
    name = forms.CharField(max_length=60, error_messages={"required": "이름을 적어 주십시오."})
    phone = forms.RegexField(
        r"^[0-9+() -]{7,20}$",
        error_messages={
            "required": "연락처를 적어 주십시오.",
            "invalid": "전화번호는 숫자와 하이픈(-)으로 적어 주십시오. 예: 010-1234-5678",
        },
    )
    place = forms.CharField(max_length=300, min_length=4, error_messages={"required": "어디였는지 적어 주십시오."})
    day = forms.DateField(
        error_messages={"required": "날짜를 적어 주십시오.", "invalid": "날짜는 2026-11-22처럼 적어 주십시오."}
    )
    from_time = forms.TimeField(
        error_messages={"required": "시작 시각을 적어 주십시오.", "invalid": "시각은 14:30처럼 적어 주십시오."}
    )
    to_time = forms.TimeField(
        error_messages={"required": "끝 시각을 적어 주십시오.", "invalid": "시각은 14:30처럼 적어 주십시오."}
    )
    looks = forms.CharField(max_length=1000, required=False)
    agree = forms.BooleanField(error_messages={"required": "개인정보 수집·이용에 동의해야 접수할 수 있습니다."})
    website = forms.CharField(required=False)
    """A trap: people do not see it, and whoever fills it in is no person."""

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        if data.get("day") and data.get("from_time") and data.get("to_time"):
            begins, ends = self.period()
            if ends <= begins:
                self.add_error("to_time", "끝 시각은 시작 시각보다 뒤여야 합니다.")
            elif ends > system_clock():
                self.add_error("day", "지난 시간만 청구할 수 있습니다.")
            elif begins < system_clock() - timedelta(days=365):
                self.add_error("day", "1년이 지난 날은 담당자에게 전화로 문의하십시오.")
        return data

    def period(self) -> tuple[datetime, datetime]:
        """The time asked about."""
        data = self.cleaned_data
        begins, ends = (datetime.combine(data["day"], data[name], SEOUL) for name in ("from_time", "to_time"))
        return begins, ends

    @property
    def is_trap_sprung(self) -> bool:
        """Whether a machine filled it in."""
        return bool(self.cleaned_data.get("website"))


class StatusForm(forms.Form):
    """Receipt number and the word given with it."""

    receipt = forms.CharField(max_length=30, error_messages={"required": "접수번호를 적어 주십시오."})
    secret = forms.CharField(max_length=30, error_messages={"required": "비밀번호를 적어 주십시오."})
