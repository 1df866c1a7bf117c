"""Django settings (first version, so that rooms can test; the site room makes it whole)."""

import importlib.util
import os
from pathlib import Path

from madang.kernel.keyring import Keyring

_ROOMS = ["journal", "identity", "places", "video", "response", "linkages.police112", "console", "portal"]


def _present(room: str) -> bool:
    try:
        return importlib.util.find_spec(f"madang.{room}.apps") is not None
    except ModuleNotFoundError:
        return False


BASE_DIR = Path(os.environ.get("MADANG_STATE", "var"))
SECRET_KEY = "for-tests-only"  # noqa: S105
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "ko"
AUTH_USER_MODEL = "identity.Person" if _present("identity") else "auth.User"
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *[f"madang.{room}" for room in _ROOMS if _present(room)],
]
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
MIGRATION_MODULES: dict[str, str] = {}
MADANG_KEYS = Keyring(
    audit_key=b"a" * 32,
    blob_key=b"b" * 32,
    lease_private_pem=b"",
    checkpoint_private_pem=b"",
    linkage_private_pem=b"",
    media_secret="test",
)
