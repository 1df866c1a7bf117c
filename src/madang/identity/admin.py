"""The back-office face of accounts: cities, people and their roles, agencies and their keys, tokens."""

# ruff: noqa: ARG002 -- Django's admin hands its hooks more than each of them needs

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, AuthenticationForm, UserCreationForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from madang.identity import commands
from madang.identity.actors import actor_of_person, digest_of, new_secret
from madang.identity.keys import algorithm_of
from madang.identity.models import Agency, AgencyKey, Authority, Client, Person, RoleAssignment, Token
from madang.identity.office import CityScopedAdmin, actor_of, cities_with, site
from madang.identity.rights import Right, Role
from madang.identity.scopes import BadScopeError, read_scopes, scope_words
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError


class OfficeLoginForm(AuthenticationForm):
    """Who may enter is decided by roles, not by Django's staff flag."""

    def confirm_login_allowed(self, user: Any) -> None:  # Any: as the base class has it
        if not user.is_active:
            raise ValidationError("사용이 중지된 계정입니다. 시스템 관리자에게 문의하십시오.", code="inactive")


site.login_form = OfficeLoginForm


@admin.register(Authority, site=site)
class AuthorityAdmin(CityScopedAdmin[Authority]):
    """Cities: their name and where their map opens."""

    view_right = Right.MANAGE_ACCOUNTS
    change_right = Right.MANAGE_ACCOUNTS
    city_path = "code"
    title = "시·군·구"
    group = "accounts"
    icon = "location_city"
    order = 40
    list_display = ("name_ko", "name_en", "code", "lon", "lat")
    readonly_fields = ("code",)


class RoleFormSet(forms.BaseInlineFormSet[RoleAssignment, Person, forms.ModelForm[RoleAssignment]]):
    """The roles of one person, checked together."""

    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            kept = form.cleaned_data and not form.cleaned_data.get("DELETE")
            if kept and form.cleaned_data.get("role") == Role.POLICE_LIAISON and self.instance.agency_id is None:
                raise ValidationError("파견 경찰관은 소속 기관이 있어야 합니다. 위에서 소속 기관을 고르십시오.")


class RoleInline(TabularInline[RoleAssignment, Person]):
    """A person's roles in the cities the administrator runs. Nobody changes their own."""

    model = RoleAssignment
    formset = RoleFormSet
    extra = 0
    verbose_name_plural = "역할 Roles"

    def get_queryset(self, request: HttpRequest) -> QuerySet[RoleAssignment]:
        return super().get_queryset(request).filter(authority__in=cities_with(actor_of(request), Right.MANAGE_ACCOUNTS))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # Any: as the base
        if db_field.name == "authority":
            cities = cities_with(actor_of(request), Right.MANAGE_ACCOUNTS)
            kwargs |= {"queryset": Authority.objects.filter(code__in=cities), "label": "시·군·구 City"}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _others(self, request: HttpRequest, obj: Person | None) -> bool:
        runs = bool(cities_with(actor_of(request), Right.MANAGE_ACCOUNTS))
        return runs and (obj is None or obj.pk != request.user.pk)

    def has_view_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return bool(cities_with(actor_of(request), Right.MANAGE_ACCOUNTS))

    def has_add_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return self._others(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return self._others(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return self._others(request, obj)


class PersonForm(forms.ModelForm[Person]):
    """An account; a new password is optional and ends the person's sessions."""

    new_password = forms.CharField(
        label="새 비밀번호 New password",
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="비워 두면 그대로 둡니다. 바꾸면 열려 있는 로그인이 모두 끝납니다.",
    )

    class Meta:
        model = Person
        fields = ("username", "name_ko", "phone", "email", "authority", "agency", "is_active")

    def clean_new_password(self) -> str:
        from django.contrib.auth.password_validation import validate_password

        password = str(self.cleaned_data.get("new_password") or "")
        if password:
            validate_password(password, self.instance)
        return password

    def save(self, commit: bool = True) -> Person:
        if self.cleaned_data.get("new_password"):
            self.instance.set_password(self.cleaned_data["new_password"])
        return super().save(commit)


class NewPersonForm(UserCreationForm):
    """A new account with its first password."""

    class Meta:
        model = Person
        fields = ("username", "name_ko", "phone", "authority", "agency")


@admin.register(Person, site=site)
class PersonAdmin(CityScopedAdmin[Person]):
    """Accounts and their roles."""

    view_right = Right.MANAGE_ACCOUNTS
    add_right = Right.MANAGE_ACCOUNTS
    change_right = Right.MANAGE_ACCOUNTS
    audited_as = "person"
    title = "사용자"
    group = "accounts"
    icon = "group"
    order = 10
    hidden_audit_fields = frozenset({"password1", "password2", "new_password", "phone", "email"})
    list_display = ("username", "name_ko", "roles", "city", "agency", "is_active", "last_login")
    list_filter = ("is_active", "role_assignments__role")
    search_fields = ("username", "name_ko")
    inlines = (RoleInline,)
    change_password_form = AdminPasswordChangeForm

    @admin.display(description="역할 Roles")
    def roles(self, person: Person) -> str:
        """The roles, in Korean."""
        return ", ".join(assignment.get_role_display() for assignment in person.role_assignments.all()) or "없음"

    def has_change_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        """Whoever also holds a role in another city is changed by somebody who runs that one too."""
        may = super().has_change_permission(request, obj)
        if not may or obj is None:
            return may
        return actor_of_person(obj).authorities <= cities_with(actor_of(request), Right.MANAGE_ACCOUNTS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        return super().get_queryset(request).prefetch_related("role_assignments").select_related("authority", "agency")

    def get_form(self, request: HttpRequest, obj: Person | None = None, change: bool = False, **kwargs: Any) -> Any:
        # Any: the base class returns a form class built at run time
        kwargs["form"] = PersonForm if obj is not None else NewPersonForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Person | None = None) -> Any:  # Any: as the base class has it
        if obj is None:
            names = ("username", "name_ko", "phone", "authority", "agency", "usable_password", "password1", "password2")
            return [(None, {"fields": names})]
        return [
            ("계정 Account", {"fields": ("username", "name_ko", "phone", "email", "is_active", "new_password")}),
            ("소속 Belongs to", {"fields": ("authority", "agency")}),
        ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # Any: as the base
        if db_field.name == "agency":
            cities = cities_with(actor_of(request), Right.MANAGE_ACCOUNTS)
            kwargs["queryset"] = Agency.objects.filter(authority__in=cities)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # Any: as the base
        with civic.transaction() as tx:
            super().save_related(request, form, formsets, change)
            if any(formset.has_changed() for formset in formsets):
                held = [f"{role.role}@{role.authority_id}" for role in form.instance.role_assignments.all()]
                self.write(tx, request, form.instance, "roles_set", {"roles": held})


@admin.register(Agency, site=site)
class AgencyAdmin(CityScopedAdmin[Agency]):
    """Outside bodies linked to the city."""

    view_right = Right.MANAGE_AGENCIES
    add_right = Right.MANAGE_AGENCIES
    change_right = Right.MANAGE_AGENCIES
    audited_as = "agency"
    title = "연계 기관"
    group = "accounts"
    icon = "account_balance"
    order = 20
    list_display = ("name_ko", "code", "kind", "city", "active", "mode")
    list_filter = ("kind", "active", "mode")
    search_fields = ("name_ko", "code")

    def get_readonly_fields(self, request: HttpRequest, obj: Agency | None = None) -> tuple[str, ...]:
        return () if obj is None else ("code", "authority")


def fingerprint(pem: str) -> str:
    """SHA-256 of the key's DER form as `ab:cd:…`, what two people compare on the telephone; empty if unreadable."""
    try:
        der = load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return ""
    return hashlib.sha256(der).digest().hex(":")


class AgencyKeyForm(forms.ModelForm[AgencyKey]):
    """A public key. A private one is refused before it is stored anywhere."""

    revoke_now = forms.BooleanField(
        label="지금 폐기 Revoke now",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="폐기한 키로 서명한 메시지는 즉시 거부되며 되돌릴 수 없습니다.",
    )

    class Meta:
        model = AgencyKey
        fields = ("agency", "key_id", "public_pem", "not_before_at", "not_after_at")
        help_texts: ClassVar[dict[str, str]] = {
            "not_after_at": "키를 바꿀 때: 새 키를 더하고, 옛 키의 사용 끝을 며칠 뒤로 적으면 끊김 없이 바뀝니다.",
        }

    def clean_public_pem(self) -> str:
        pem = str(self.cleaned_data["public_pem"]).strip()
        try:
            self.instance.algorithm = algorithm_of(pem)
        except BadRequestError as error:
            raise ValidationError(_KEY_FAULTS["private" if "PRIVATE KEY" in pem else "other"]) from error
        return f"{pem}\n"

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        begins, ends = data.get("not_before_at"), data.get("not_after_at")
        begins = begins or self.instance.not_before_at
        if isinstance(begins, datetime) and isinstance(ends, datetime) and ends <= begins:
            self.add_error("not_after_at", "사용 끝이 사용 시작보다 뒤여야 합니다.")
        return data


_KEY_FAULTS = {
    "private": "개인키입니다. 기관에는 공개키만 받으십시오. 이 개인키는 노출된 것으로 보고 새로 만들도록 알리십시오.",
    "other": "ECDSA P-256 또는 Ed25519 공개키가 아닙니다. 'BEGIN PUBLIC KEY'로 시작하는 PEM을 붙여 넣으십시오.",
}


@admin.register(AgencyKey, site=site)
class AgencyKeyAdmin(CityScopedAdmin[AgencyKey]):
    """Keys agencies sign with: add, let two overlap, revoke. Never changed, never deleted."""

    view_right = Right.MANAGE_AGENCIES
    add_right = Right.MANAGE_AGENCIES
    change_right = Right.MANAGE_AGENCIES
    city_path = "agency__authority_id"
    audited_as = "agency_key"
    title = "기관 공개키"
    group = "accounts"
    icon = "key"
    order = 30
    form = AgencyKeyForm
    list_display = ("key_id", "agency", "algorithm", "state", "short_fingerprint", "not_before_at", "not_after_at")
    list_filter = ("algorithm", "agency")
    search_fields = ("key_id",)

    @admin.display(description="상태 State")
    def state(self, key: AgencyKey) -> str:
        """Whether signatures by it are believed now."""
        if key.revoked_at is not None:
            return "✕ 폐기 Revoked"
        return "● 사용 중 In use" if key.valid_at(system_clock()) else "○ 기간 밖 Outside its time"

    @admin.display(description="지문 Fingerprint")
    def short_fingerprint(self, key: AgencyKey) -> str:
        """The first eight bytes."""
        return fingerprint(key.public_pem)[:23]

    @admin.display(description="지문 Fingerprint (SHA-256)")
    def full_fingerprint(self, key: AgencyKey) -> str:
        """All of it, to compare with the agency by telephone."""
        return format_html("<code>{}</code>", fingerprint(key.public_pem))

    def get_fields(self, request: HttpRequest, obj: AgencyKey | None = None) -> tuple[str, ...]:
        first = ("agency", "key_id", "public_pem", "not_before_at", "not_after_at")
        if obj is None:
            return first
        return (*first, "algorithm", "full_fingerprint", "revoked_at", *(() if obj.revoked_at else ("revoke_now",)))

    def get_readonly_fields(self, request: HttpRequest, obj: AgencyKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ("agency", "key_id", "algorithm", "public_pem", "not_before_at", "full_fingerprint", "revoked_at")
        return (*fixed, "not_after_at") if obj.revoked_at else fixed

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:  # Any: as the base
        if db_field.name == "agency":
            cities = cities_with(actor_of(request), Right.MANAGE_AGENCIES)
            kwargs |= {"queryset": Agency.objects.filter(authority__in=cities), "label": "기관 Agency"}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: AgencyKey, form: Any, change: bool) -> None:  # Any: as the base
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("revoke_now"):
            with civic.transaction() as tx:
                commands.revoke_key(tx, actor_of(request), key=obj, now=system_clock())


def scope_list(text: str) -> list[str]:
    """The scopes written into a form, in their fixed order; raises `ValidationError`."""
    try:
        return scope_words(read_scopes(text.split()))
    except BadScopeError as error:
        raise ValidationError(f"권한은 read:유형, write:유형 꼴로 빈칸을 두고 적습니다. ({error})") from error


def check_life(value: object) -> datetime:
    """An expiry within what the city allows; raises `ValidationError`."""
    latest = system_clock() + timedelta(days=settings.MADANG_IDENTITY.token_max_days)
    if not isinstance(value, datetime) or value > latest:
        raise ValidationError(f"만료를 적으십시오. 가장 늦은 만료는 {latest:%Y-%m-%d}입니다.")
    return value


SCOPES_HELP = (
    "빈칸으로 나누어 적습니다. 예: read:AirQualityObserved history:AirQualityObserved write:Sensor subscribe:* "
    "(write는 create·update·delete, *는 모든 유형). 비우면 아무 것도 열지 않습니다."
)


class TokenForm(forms.ModelForm[Token]):
    """A new token, or the revocation of one."""

    scopes = forms.CharField(
        label="유형별 권한 Scopes", required=False, widget=UnfoldAdminTextareaWidget, help_text=SCOPES_HELP
    )
    revoke_now = forms.BooleanField(
        label="지금 폐기 Revoke now", required=False, widget=UnfoldBooleanWidget, help_text="되돌릴 수 없습니다."
    )

    class Meta:
        model = Token
        fields = ("authority", "kind", "name", "scopes", "expires_at")

    def clean_scopes(self) -> list[str]:
        return scope_list(str(self.cleaned_data["scopes"]))

    def clean_expires_at(self) -> datetime:
        return check_life(self.cleaned_data.get("expires_at"))


@admin.register(Token, site=site)
class TokenAdmin(CityScopedAdmin[Token]):
    """Credentials of devices and programs. The token itself is shown once, right after it is made."""

    view_right = Right.MANAGE_TOKENS
    add_right = Right.MANAGE_TOKENS
    change_right = Right.MANAGE_TOKENS
    audited_as = "token"
    title = "장치·API 토큰"
    group = "accounts"
    icon = "vpn_key"
    order = 35
    form = TokenForm
    list_display = ("name", "kind", "city", "state", "created_at", "expires_at", "revoked_at")
    list_filter = ("kind",)
    search_fields = ("name",)

    @admin.display(description="상태 State")
    def state(self, token: Token) -> str:
        """Whether it still opens anything."""
        if token.revoked_at is not None:
            return "✕ 폐기 Revoked"
        ended = token.expires_at is not None and token.expires_at <= system_clock()
        return "○ 만료 Expired" if ended else "● 사용 중 In use"

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        first = ("authority", "kind", "name", "scopes", "expires_at")
        if obj is None:
            return first
        return (*first, "revoked_at") if obj.revoked_at else (*first, "revoke_now")

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        return () if obj is None else ("authority", "kind", "name", "scopes", "expires_at", "revoked_at")

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:  # Any: as the base
        if not change:
            raw, obj.lookup, obj.hashed = new_secret()
            request.fresh_token = raw  # type: ignore[attr-defined]  # handed to the page below, kept nowhere
            super().save_model(request, obj, form, change)
        elif form.cleaned_data.get("revoke_now"):
            with civic.transaction() as tx:
                commands.revoke_token(tx, actor_of(request), token=obj, now=system_clock())

    def response_add(self, request: HttpRequest, obj: Token, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(request, obj, self.list_url(), "토큰")


def shown_once(request: HttpRequest, row: Token | Client, back: str, what: str) -> HttpResponse:
    """The page that shows a fresh secret, the only time."""
    context = {
        **site.each_context(request),
        "title": f"{what}을 지금 옮겨 적으십시오",
        "what": what,
        "token": getattr(request, "fresh_token", ""),
        "client_id": row.pk if isinstance(row, Client) else "",
        "row": row,
        "back": back,
    }
    response = TemplateResponse(request, "office/token_once.html", context)
    response["Cache-Control"] = "no-store"
    return response


class ClientForm(forms.ModelForm[Client]):
    """A new client with its rights in its city; later its rights, its end."""

    scopes = forms.CharField(label="유형별 권한 Scopes", widget=UnfoldAdminTextareaWidget, help_text=SCOPES_HELP)
    revoke_now = forms.BooleanField(
        label="지금 폐기 Revoke now", required=False, widget=UnfoldBooleanWidget, help_text="되돌릴 수 없습니다."
    )

    class Meta:
        model = Client
        fields = ("authority", "name", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: as the base class has it
        super().__init__(*args, **kwargs)
        grant = self.instance.grants.filter(authority_id=self.instance.authority_id).first()
        if grant is not None and "scopes" in self.fields:
            self.initial["scopes"] = " ".join(grant.scopes)

    def clean_scopes(self) -> list[str]:
        return scope_list(str(self.cleaned_data["scopes"]))

    def clean_expires_at(self) -> datetime:
        return check_life(self.cleaned_data.get("expires_at"))


@admin.register(Client, site=site)
class ClientAdmin(CityScopedAdmin[Client]):
    """Programs that get access tokens for id and secret. The secret is shown once, right after it is made."""

    view_right = Right.MANAGE_TOKENS
    add_right = Right.MANAGE_TOKENS
    change_right = Right.MANAGE_TOKENS
    audited_as = "client"
    title = "API 클라이언트"
    group = "accounts"
    icon = "key_vertical"
    order = 36
    form = ClientForm
    list_display = ("name", "id", "city", "state", "created_at", "expires_at", "revoked_at")
    search_fields = ("name", "id")

    @admin.display(description="상태 State")
    def state(self, client: Client) -> str:
        """Whether it still gets tokens."""
        if client.revoked_at is not None:
            return "✕ 폐기 Revoked"
        return "● 사용 중 In use" if client.holds_at(system_clock()) else "○ 만료 Expired"

    @admin.display(description="권한 Grants")
    def grants(self, client: Client) -> str:
        """What it may do, city by city."""
        return "; ".join(f"{grant.authority_id}: {' '.join(grant.scopes)}" for grant in client.grants.all())

    def get_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("authority", "name", "scopes", "expires_at")
        first = ("id", "authority", "name", "grants", "expires_at")
        return (*first, "revoked_at") if obj.revoked_at else (*first, "scopes", "revoke_now")

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        return () if obj is None else ("id", "authority", "name", "grants", "expires_at", "revoked_at")

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:  # Any: as the base
        actor, now = actor_of(request), system_clock()
        rights = read_scopes(form.cleaned_data.get("scopes") or ())
        if not change:
            request.fresh_token = secrets.token_urlsafe(32)  # type: ignore[attr-defined]  # for the page below only
            obj.hashed = digest_of(request.fresh_token)  # type: ignore[attr-defined]  # set on the line above
            super().save_model(request, obj, form, change)
        with civic.transaction() as tx:
            if not change or "scopes" in form.changed_data:
                commands.allow_client(tx, actor, client=obj, authority=obj.authority_id, rights=rights, now=now)
            if form.cleaned_data.get("revoke_now"):
                commands.revoke_client(tx, actor, client=obj, now=now)

    def response_add(self, request: HttpRequest, obj: Client, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(request, obj, self.list_url(), "클라이언트 비밀값")
