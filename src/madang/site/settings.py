"""Django settings, built from `madang.toml`; without one, defaults under ./var and keys that die with the process."""

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

from madang.site.keys import generate_keyring

_ROOMS = ["journal", "identity", "places", "video", "response", "linkages.police112", "console", "portal"]


def _present(room: str, module: str = "apps") -> bool:
    try:
        return importlib.util.find_spec(f"madang.{room}.{module}") is not None
    except ModuleNotFoundError:
        return False


def _section(room: str) -> Any:  # Any: each room's own config struct
    if not _present(room, "config"):
        return None
    module = importlib.import_module(f"madang.{room}.config")
    return getattr(module, f"{room.capitalize()}Config")()


BASE_DIR = Path(os.environ.get("MADANG_STATE", "var"))
SECRET_KEY = "for-tests-only"  # noqa: S105
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "ko"
AUTH_USER_MODEL = "identity.Person"
ROOT_URLCONF = "madang.site.urls"
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    *[f"madang.{room}" for room in _ROOMS if _present(room)],
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "civic.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }
}
MADANG_KEYS = generate_keyring()
MADANG_LINKAGES: dict[str, dict[str, Any]] = {}
MADANG_JOURNAL = _section("journal")
MADANG_IDENTITY = _section("identity")
MADANG_HUB = _section("hub")
MADANG_PLACES = _section("places")
MADANG_VIDEO = _section("video")
MADANG_RESPONSE = _section("response")
MADANG_CONSOLE = _section("console")
MADANG_PORTAL = _section("portal")
