"""The back office's frame: one site whose every page asks `may`, and a base for pages over a room's rows.

Django's own permissions and the superuser flag open nothing here: what a person may see and do comes from the roles
they hold, city by city.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.contrib.admin import display
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, reverse
from unfold.admin import ModelAdmin
from unfold.sites import UnfoldAdminSite

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, ActorKind, Right, Thing, may
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode

M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponse]

NOBODY = Actor(id="", kind=ActorKind.PERSON, name="")
GROUPS: Mapping[str, str] = {
    "work": "할 일 · Work",
    "video": "영상 · Video",
    "data": "자료 · Data",
    "accounts": "계정과 기관 · Accounts",
    "health": "상태 점검 · Health",
}


BANNERS = {"simulated": "모의 운영 Simulated", "exercise": "훈련 중 Exercise"}
PRIMARY = {
    "50": "oklch(97% .014 250)",
    "100": "oklch(93.5% .03 250)",
    "200": "oklch(88% .06 250)",
    "300": "oklch(80% .1 250)",
    "400": "oklch(72% .14 250)",
    "500": "oklch(62% .16 252)",
    "600": "oklch(53% .16 253)",
    "700": "oklch(46% .145 254)",
    "800": "oklch(39% .12 255)",
    "900": "oklch(33% .09 256)",
    "950": "oklch(25% .07 257)",
}


def actor_of(request: HttpRequest) -> Actor:
    """Who is asking; someone with no role anywhere when not logged in. Read once a request."""
    known: Actor | None = getattr(request, "office_actor", None)
    if known is None:
        known = NOBODY if isinstance(request.user, AnonymousUser) else actor_of_person(request.user)
        request.office_actor = known  # type: ignore[attr-defined]  # kept on the request, read only here
    return known


def cities_with(actor: Actor, *rights: Right) -> frozenset[str]:
    """The cities in which the actor holds any of the rights."""
    return frozenset(
        code
        for code in actor.authorities
        if any(may(actor, right, Thing(code, agency=actor.agency)) for right in rights)
    )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the office that is not a plain table of rows. `route` may hold path converters."""

    name: str
    route: str
    view: View
    rights: tuple[Right, ...]
    title: str = ""
    """Shown in the menu; empty keeps the page out of it."""
    group: str = "work"
    icon: str = "description"
    order: int = 50
    waiting: Callable[[frozenset[str]], int] | None = None
    """How much work waits behind it in those cities, for the front page and the menu."""
    opens: bool = True
    """Whether its rights alone open the office; False for a page that is only a way to somewhere else."""


class OfficeSite(UnfoldAdminSite):
    """The back office at `/office/`. Pages and row tables register themselves; the menu shows what one may open."""

    enable_nav_sidebar = True

    def __init__(self) -> None:
        super().__init__(name="admin")
        self.pages: dict[str, Page] = {}

    def add(self, page: Page) -> None:
        """Registers a page."""
        self.pages[page.name] = page

    def extra_urls(self) -> list[URLPattern | URLResolver]:
        """The addresses of the pages, each behind its rights."""
        return [path(page.route, self.admin_view(_guarded(page)), name=page.name) for page in self.pages.values()]

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the person holds any right that some page of the office needs."""
        user = request.user
        return user.is_active and bool(cities_with(actor_of(request), *self._rights()))

    def _rights(self) -> frozenset[Right]:
        tables = {table.view_right for table in self._tables()}
        return frozenset(tables.union(*(page.rights for page in self.pages.values() if page.opens)))

    def _tables(self) -> list[CityScopedAdmin[Any]]:  # Any: tables of every model
        return [table for table in self._registry.values() if isinstance(table, CityScopedAdmin)]

    def each_context(self, request: Any) -> dict[str, Any]:  # Any: as the base class has it
        """What every page shows: our name and colours, and whether anything here is real."""
        context = super().each_context(request)
        banner = mode_banner()
        look = {
            "site_title": "마당 업무 사무실",
            "site_header": "마당 업무 사무실",
            "site_subheader": "Madang back office",
            "site_symbol": "location_city",
            "site_url": "/",
            "show_history": False,
            "colors": {**context["colors"], "primary": PRIMARY},
            "styles": [static("office/office.css"), *([static(f"office/banner-{banner}.css")] if banner else [])],
            "environment": (BANNERS[banner], "warning") if banner else None,
        }
        return {**context, **look}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:  # Any: base
        """The front page: what one may do, and how much of it waits."""
        actor = actor_of(request)
        context = {
            **self.each_context(request),
            "title": "업무 사무실",
            "person": actor.name,
            "office_groups": self.get_sidebar_list(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "office/index.html", context)

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:  # Any: as unfold's menu wants it
        """The menu, with only what the person may open."""
        actor = actor_of(request)
        entries = [*self._page_entries(actor, request.path), *self._table_entries(actor, request.path)]
        entries.sort(key=lambda entry: entry["order"])
        groups = [
            {"title": title, "separator": False, "items": [entry for entry in entries if entry["group"] == key]}
            for key, title in GROUPS.items()
        ]
        return [group for group in groups if group["items"]]

    def _page_entries(self, actor: Actor, here: str) -> list[dict[str, Any]]:  # Any: menu entries
        shown = [page for page in self.pages.values() if page.title]
        return [
            _entry(page.title, reverse(f"admin:{page.name}"), page.icon, page.group, page.order, here)
            | _badge(page.waiting(cities_with(actor, *page.rights)) if page.waiting else None)
            for page in shown
            if cities_with(actor, *page.rights)
        ]

    def _table_entries(self, actor: Actor, here: str) -> list[dict[str, Any]]:  # Any: menu entries
        return [
            _entry(table.title, table.list_url(), table.icon, table.group, table.order, here)
            for table in self._tables()
            if table.title and cities_with(actor, table.view_right)
        ]


def _entry(title: str, link: str, icon: str, group: str, order: int, here: str) -> dict[str, Any]:  # Any: menu entry
    return {
        "title": title,
        "link": link,
        "icon": icon,
        "group": group,
        "order": order,
        "active": here.startswith(link),
        "has_permission": True,
    }


def _badge(count: int | None) -> dict[str, Any]:  # Any: menu entry
    badge = {"badge": str(count), "badge_variant": "danger"} if count else {}
    return {"waiting": count, **badge}


def _guarded(page: Page) -> View:
    def view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not cities_with(actor_of(request), *page.rights):
            raise PermissionDenied
        return page.view(request, *args, **kwargs)

    return view


def mode_banner() -> str | None:
    """`simulated` or `exercise` when nothing (or not everything) here is real."""
    mode = str(getattr(getattr(settings, "MADANG_CONSOLE", None), "mode", Mode.LIVE))
    return None if mode == Mode.LIVE else mode


site = OfficeSite()


class CityScopedAdmin(ModelAdmin[M]):
    """A table of rows that each belong to a city: one sees and changes the rows of cities one holds the right in.

    Every write goes through `write`, which audits it in the transaction that makes it.
    """

    view_right: ClassVar[Right]
    add_right: ClassVar[Right | None] = None
    change_right: ClassVar[Right | None] = None
    delete_right: ClassVar[Right | None] = None
    city_path: ClassVar[str] = "authority_id"
    """The ORM path from a row to its city's code."""
    audited_as: ClassVar[str] = ""
    """What the audit calls such a row, e.g. `agency`; empty takes the model's name."""
    title: ClassVar[str] = ""
    group: ClassVar[str] = "data"
    icon: ClassVar[str] = "table_rows"
    order: ClassVar[int] = 50
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    actions: Sequence[str] | None = None
    hidden_audit_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields whose value must not enter the audit's body (secrets, sealed data)."""

    @display(description="시·군·구", ordering="authority")
    def city(self, row: M) -> str:
        """The city's name."""
        return str(getattr(row, "authority", ""))

    def list_url(self) -> str:
        """The address of the list."""
        meta = self.model._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        """The rows of cities the person may look into."""
        cities = cities_with(actor_of(request), self.view_right)
        return super().get_queryset(request).filter(**{f"{self.city_path}__in": cities})

    def city_of(self, row: M) -> str:
        """The code of the city a row belongs to."""
        value: Any = row  # Any: walks a path of attributes
        for step in self.city_path.split("__"):
            value = getattr(value, step)
        return str(value)

    def _may(self, request: HttpRequest, right: Right | None, row: M | None) -> bool:
        if right is None:
            return False
        cities = cities_with(actor_of(request), right)
        return bool(cities) if row is None else self.city_of(row) in cities

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._may(request, self.view_right, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.add_right, None)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._may(request, self.change_right, obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._may(request, self.delete_right, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:  # Any: any related model, as the base class has it
        """Cities to choose from are those the person may write in."""
        if db_field.related_model is Authority:
            right = self.add_right or self.change_right or self.view_right
            cities = Authority.objects.filter(code__in=cities_with(actor_of(request), right))
            kwargs |= {"queryset": cities, "label": "시·군·구 City"}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: M, form: ModelForm[M], change: bool) -> None:
        """Saves and audits in one transaction; a row of a city one may not write in is refused."""
        if not self._may(request, self.change_right if change else self.add_right, obj):
            raise PermissionDenied
        with civic.transaction() as tx:
            super().save_model(request, obj, form, change)
            self.write(tx, request, obj, "changed" if change else "added", self._changes(form))

    def delete_model(self, request: HttpRequest, obj: M) -> None:
        """Deletes and audits in one transaction."""
        with civic.transaction() as tx:
            self.write(tx, request, obj, "deleted", {"was": str(obj)})
            super().delete_model(request, obj)

    def _changes(self, form: ModelForm[M]) -> dict[str, str]:
        return {
            name: "(kept out)" if name in self.hidden_audit_fields else str(form.cleaned_data.get(name))
            for name in form.changed_data
            if name in form.cleaned_data
        }

    def write(self, tx: Session, request: HttpRequest, row: M, deed: str, body: Mapping[str, Any]) -> None:  # Any: JSON
        """Audits what a person did to a row."""
        kind = self.audited_as or str(self.model._meta.model_name)
        audit(tx, request, authority=self.city_of(row), action=f"{kind}.{deed}", thing=f"{kind}:{row.pk}", body=body)


def audit(
    tx: Session,
    request: HttpRequest,
    *,
    authority: str,
    action: str,
    thing: str,
    body: Mapping[str, Any] | None = None,  # Any: JSON
) -> None:
    """One audit row in the name of the person at the desk."""
    civic.audit(
        tx,
        authority=authority,
        actor=actor_of(request).id,
        action=action,
        thing=thing,
        mode=Mode(mode_banner() or Mode.LIVE),
        now=system_clock(),
        body=body or {},
    )


def said(error: MadangError) -> str:
    """A refusal as a person reads it: Korean where there is any, else English, with what to do."""
    return " ".join(part for part in (error.ko or error.detail, error.hint if not error.ko else "") if part)
