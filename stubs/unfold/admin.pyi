from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)

class ModelAdmin(admin.ModelAdmin[M]):
    list_fullwidth: bool
    list_filter_submit: bool
    list_filter_sheet: bool
    compressed_fields: bool
    warn_unsaved_form: bool
    list_before_template: str | None
    list_after_template: str | None
    change_form_before_template: str | None
    change_form_after_template: str | None
    readonly_preprocess_fields: dict[str, Any]

class TabularInline(admin.TabularInline[M, P]):
    tab: bool
    hide_title: bool

class StackedInline(admin.StackedInline[M, P]):
    tab: bool
