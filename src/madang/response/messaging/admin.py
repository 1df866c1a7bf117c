"""The back-office face of situation messages: the address book, and words to begin with."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.messages import success
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from madang.identity.office import CityScopedAdmin, actor_of, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.response.classes import CLASSES
from madang.response.messaging import addresses
from madang.response.messaging.models import TIERS, Recipient, Template

CHANNEL_LABELS = {"sms": "문자 받을 번호 SMS", "email": "전자우편 E-mail", "broadcast": "방송 구역 Loudspeaker group"}
_KEPT = "봉인되어 있습니다. 새로 적으면 바뀌고, 비워 두면 그대로입니다."
_CLASS_CHOICES = [(code, f"{named.ko} {named.en}") for code, named in CLASSES.items()]


class RecipientForm(forms.ModelForm[Recipient]):
    """A recipient with addresses that are written here and shown nowhere."""

    phone = forms.CharField(label="전화할 번호 Telephone", required=False, widget=UnfoldAdminTextInputWidget)
    sms = forms.CharField(label=CHANNEL_LABELS["sms"], required=False, widget=UnfoldAdminTextInputWidget)
    email = forms.CharField(label=CHANNEL_LABELS["email"], required=False, widget=UnfoldAdminTextInputWidget)
    broadcast = forms.CharField(label=CHANNEL_LABELS["broadcast"], required=False, widget=UnfoldAdminTextInputWidget)
    first = forms.ChoiceField(
        label="먼저 보낼 수단 First channel",
        choices=[("sms", "문자 SMS"), ("email", "전자우편 E-mail"), ("broadcast", "마을방송 Public address")],
    )
    of_classes = forms.MultipleChoiceField(
        label="받을 사건 종류 Classes",
        choices=_CLASS_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="고르지 않으면 모두 받습니다.",
    )

    class Meta:
        model = Recipient
        fields = ("authority", "name", "duty", "tier", "order", "wants_ack", "active", "mode")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: as the base
        super().__init__(*args, **kwargs)
        row = self.instance
        if row.pk and not row._state.adding:
            self.initial["first"] = (row.channels or ["sms"])[0]
            self.initial["of_classes"] = row.classes
            for name in addresses.unseal(row):
                if name in self.fields:
                    self.fields[name].help_text = _KEPT

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        known = {} if self.instance._state.adding else addresses.unseal(self.instance)
        for name in ("phone", "sms", "email", "broadcast"):
            if data.get(name):
                known[name] = str(data[name])
        try:
            addresses.seal(self.instance, known)
        except MadangError as error:
            raise ValidationError({error.where: error.ko}) from None
        order = [data.get("first"), "sms", "email", "broadcast"]
        self.instance.channels = [name for name in dict.fromkeys(order) if name in known and name != addresses.PHONE]
        self.instance.classes = list(data.get("of_classes") or [])
        if not known:
            raise ValidationError("연락할 수단을 하나 이상 적으십시오. At least one way to reach them is needed.")
        return data


@admin.register(Recipient, site=site)
class RecipientAdmin(CityScopedAdmin[Recipient]):
    """Who is told in an emergency, over what, in which order."""

    view_right = Right.MANAGE_RECIPIENTS
    add_right = Right.MANAGE_RECIPIENTS
    change_right = Right.MANAGE_RECIPIENTS
    audited_as = "recipient"
    title = "상황전파 대상"
    group = "data"
    icon = "contact_phone"
    order = 45
    form = RecipientForm
    hidden_audit_fields: ClassVar[frozenset[str]] = frozenset({"phone", "sms", "email", "broadcast", "name"})
    list_display = ("__str__", "tier", "ways", "wants_ack", "active", "mode", "city")
    list_filter = ("tier", "active", "mode")
    search_fields = ("name", "duty")
    fieldsets = (
        ("대상 Recipient", {"fields": ("authority", "name", "duty", "tier", "order", "active", "mode")}),
        ("연락 수단 Ways to reach them", {"fields": ("first", "sms", "email", "broadcast", "phone", "wants_ack")}),
        ("받을 사건 What about", {"fields": ("of_classes",)}),
    )
    actions = ("erase",)

    @admin.display(description="수단 Channels")
    def ways(self, row: Recipient) -> str:
        """The channels in their order; never the addresses."""
        return " → ".join(row.channels) or "전화 Telephone"

    @admin.action(description="개인정보 삭제 Erase for good")
    def erase(self, request: HttpRequest, rows: QuerySet[Recipient]) -> None:
        """Erases who they are and how they are reached."""
        with civic.transaction() as tx:
            for row in rows:
                addresses.erase(tx, actor_of(request), row.pk, system_clock())
        success(request, "삭제했습니다. 이미 보낸 기록에도 이름이 남지 않습니다.")


class TemplateForm(forms.ModelForm[Template]):
    """Words to begin with."""

    class_code = forms.ChoiceField(
        label="종류 Class", choices=[("", "모두 Every class"), *_CLASS_CHOICES], required=False
    )
    for_tiers = forms.MultipleChoiceField(
        label="대상 단계 Tiers", choices=TIERS, required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Template
        fields = ("authority", "name", "class_code", "level", "text_ko", "text_en")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: as the base
        super().__init__(*args, **kwargs)
        self.initial["for_tiers"] = self.instance.tiers

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        self.instance.tiers = list(data.get("for_tiers") or [])
        return data


@admin.register(Template, site=site)
class TemplateAdmin(CityScopedAdmin[Template]):
    """Words that operators begin with, by class and level."""

    view_right = Right.MANAGE_RECIPIENTS
    add_right = Right.MANAGE_RECIPIENTS
    change_right = Right.MANAGE_RECIPIENTS
    delete_right = Right.MANAGE_RECIPIENTS
    audited_as = "message_template"
    title = "상황전파 문안"
    group = "data"
    icon = "edit_note"
    order = 46
    form = TemplateForm
    list_display = ("name", "class_code", "level", "city")
    list_filter = ("level", "class_code")
    fieldsets = (
        ("문안 Words", {"fields": ("authority", "name", "class_code", "level", "for_tiers", "text_ko", "text_en")}),
    )
