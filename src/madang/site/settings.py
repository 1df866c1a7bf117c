"""Django settings, built from `madang.toml`; without one, defaults under ./var and keys that die with the process.

The rooms read their own sections here: `MADANG_VIDEO`, `MADANG_JOURNAL` and so on, and the key material as
`MADANG_KEYS`. What is not configurable stands here as plain settings.
"""

import secrets
from typing import Any

import django_stubs_ext

from madang.site.config import linkage_apps, load
from madang.site.keys import generate_keyring, keyring_from

django_stubs_ext.monkeypatch()

MADANG = load()
BASE_DIR = MADANG_STATE_DIR = MADANG.state_dir
MADANG_KEYS = keyring_from(MADANG.keys) if MADANG.has_keys else generate_keyring()
MADANG_OUTWARD = MADANG.outward
MADANG_URL = MADANG.server.url
MADANG_LINKAGES: dict[str, dict[str, Any]] = dict(MADANG.linkages)  # Any: each linkage converts its own
MADANG_JOURNAL = MADANG.rooms["journal"]
MADANG_IDENTITY = MADANG.identity
MADANG_HUB = MADANG.rooms["hub"]
MADANG_PLACES = MADANG.rooms["places"]
MADANG_FACILITIES = MADANG.rooms["facilities"]
MADANG_VIDEO = MADANG.rooms["video"]
MADANG_RESPONSE = MADANG.rooms["response"]
MADANG_CONSOLE = MADANG.rooms["console"]
MADANG_PORTAL = MADANG.rooms["portal"]
MADANG_MQTT = MADANG.rooms["mqtt"]

_SERVER = MADANG.server
SECRET_KEY = MADANG.keys.session.reveal() or secrets.token_urlsafe(48)
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the dispatcher in front of Django checks hosts for every room alike
USE_TZ = True
TIME_ZONE = "Asia/Seoul"
LANGUAGE_CODE = "ko"
USE_I18N = True
LOGIN_REDIRECT_URL = "/office/"
AUTH_USER_MODEL = "identity.Person"
ROOT_URLCONF = "madang.site.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "madang.journal",
    "madang.identity",
    "madang.places",
    "madang.facilities",
    "madang.video",
    "madang.video.evidence",
    "madang.response",
    "madang.response.signals",
    "madang.response.duty",
    "madang.response.sop",
    "madang.response.messaging",
    "madang.response.rules",
    "madang.response.review",
    *linkage_apps(),
    "madang.console",
    "madang.portal",
    "madang.site",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]
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
        "NAME": MADANG.civic_path,
        "CONN_MAX_AGE": None,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
            "PRAGMA secure_delete=ON;",
        },
    }
}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": MADANG_IDENTITY.password_min_length},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_FAILURE_LIMIT = MADANG_IDENTITY.lockout_failures
AXES_COOLOFF_TIME = MADANG_IDENTITY.lockout
AXES_LOCKOUT_PARAMETERS = MADANG_IDENTITY.lockout_parameters
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "madang.identity.lockout.client_address"
AXES_LOCKOUT_CALLABLE = "madang.console.lockout.locked_out"

LOGIN_URL = "/office/login/"
SESSION_COOKIE_AGE = MADANG_IDENTITY.session_s
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _SERVER.speaks_tls
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _SERVER.speaks_tls
CSRF_TRUSTED_ORIGINS = [_SERVER.public_url.rstrip("/")] if _SERVER.public_url else []
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = _SERVER.max_body_bytes
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
LOGGING_CONFIG = None

UNFOLD = {"SITE_TITLE": "마당 Madang", "SITE_HEADER": "마당 Madang", "SITE_URL": "/", "SHOW_VIEW_ON_SITE": False}
