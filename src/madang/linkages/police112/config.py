"""The `[linkages.police112]` section."""

from __future__ import annotations

from pathlib import Path

import msgspec

from madang.kernel.errors import ConfigError

SECTION = "linkages.police112"


class Police112Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Addresses, time limits and TLS of the police linkage. Seconds and bytes."""

    origin: str = ""
    """Scheme, host and port under which agencies reach the platform, part of every signature; empty: the server's."""
    endpoints: tuple[str, ...] = ()
    """Address prefixes agencies' endpoint URLs must begin with, e.g. `https://112.gn.police.example/`; empty: those on
    loopback only."""
    window_s: int = 300
    """How far `created` may be from the platform's clock."""
    heartbeat_s: float = 10.0
    silence_s: float = 30.0
    """Silence after which a link counts as down."""
    timeout_s: float = 8.0
    """Patience with an agency's endpoint."""
    max_body_bytes: int = 262_144
    max_depth: int = 32
    ca_file: Path | None = None
    """Certificates that sign the agencies' servers; None: those the system trusts."""
    client_cert_file: Path | None = None
    """The platform's own certificate and, in `client_key_file`, its key, where the agency's network asks for one."""
    client_key_file: Path | None = None


def police112_config() -> Police112Config:
    """The section the platform was started with; raises `ConfigError` naming what is wrong in it."""
    from django.conf import settings

    raw = getattr(settings, "MADANG_LINKAGES", {}).get("police112", {})
    try:
        config = msgspec.convert(raw, Police112Config, dec_hook=_path, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[{SECTION}] {error}", where=SECTION) from None
    origin = config.origin or getattr(settings, "MADANG_URL", "") or "http://127.0.0.1:8080"
    return msgspec.structs.replace(config, origin=origin.rstrip("/"))


def _path(wanted: type, value: object) -> object:
    return Path(str(value)) if wanted is Path else value
