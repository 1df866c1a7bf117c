"""The addresses of the citizens' pages."""

from __future__ import annotations

from django.urls import path

from madang.portal import acknowledging, views

app_name = "portal"
urlpatterns = [
    path("", views.index, name="index"),
    path("video-register", views.register, name="register"),
    path("video-register.csv", views.register_csv, name="register_csv"),
    path("video-request", views.ask, name="request"),
    path("video-request/status", views.status, name="status"),
    path("ack/<str:token>", acknowledging.page, name="acknowledge"),
]
