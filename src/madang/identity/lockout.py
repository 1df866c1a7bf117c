"""Whose failed logins are counted together."""

from __future__ import annotations

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address a login came from. The server has already put the true one in place of a trusted proxy's."""
    return str(request.META.get("REMOTE_ADDR", ""))
