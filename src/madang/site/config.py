"""One `madang.toml`, read strictly: what is not known is refused by name, and a secret is never written in it."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import pkgutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from madang.identity.config import IdentityConfig
from madang.kernel.errors import ConfigError
from madang.kernel.secret import Secret

CONFIG_ENV = "MADANG_CONFIG"
INSECURE_KEYS_ENV = "MADANG_INSECURE_KEYS"
"""A directory of keys for `madang serve --insecure-dev`; only heard where the configuration names no keys."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every section of ours shares: frozen, strict, named fields only."""


class ServerConfig(_Section, frozen=True):
    """Where the platform listens, and what it takes: the `[server]` section."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    """How browsers and agencies reach core, e.g. `https://madang.example.kr`; empty means host and port above."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names answered to besides those of `host`, `public_url` and loopback."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    tls_certificate: str = ""
    """PEM file; with `tls_key`, core itself speaks TLS."""
    tls_key: str = ""
    threads: int = 8
    """Threads that answer pages and screen requests."""
    civic_threads: int = 2
    """Threads that do the civic store's work for live streams and agency links."""
    civic_queue: int = 256
    """Requests that may wait for those threads; more are told to come back later."""
    max_body_bytes: int = 4_000_000
    """The largest request body taken, bytes."""
    max_upload_bytes: int = 300_000_000
    """The largest file taken in the back office, bytes."""
    body_timeout_s: float = 30.0
    """A request whose body has not arrived by then is dropped, seconds."""
    metrics_token: Secret = Secret()
    """Bearer token for `/metrics`; without it, only direct requests from loopback are answered."""

    @property
    def speaks_tls(self) -> bool:
        """Whether browsers reach core over TLS, by itself or through a proxy."""
        return bool(self.tls_certificate) or self.public_url.startswith("https://")

    @property
    def probe_host(self) -> str:
        """Where programs on this machine find core, as it stands in an address."""
        if self.host in ("0.0.0.0", ""):  # noqa: S104 -- compared, not bound
            return "127.0.0.1"
        host = "::1" if self.host == "::" else self.host
        return f"[{host}]" if ":" in host else host

    @property
    def link_scheme(self) -> str:
        """`ws` or `wss`, for programs beside core that dial in directly."""
        return "wss" if self.tls_certificate else "ws"

    @property
    def url(self) -> str:
        """How browsers and agencies reach core, without a slash at the end."""
        scheme = "https" if self.tls_certificate else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{self.host}:{self.port}"


class StoresConfig(_Section, frozen=True):
    """Where everything is kept: the `[stores]` section."""

    dir: str = "var"
    """The state directory; relative to the configuration file."""
    civic: str = "civic.sqlite3"
    """The civic store's file; relative to the state directory."""
    backups: str = "backups"
    """Where copies made before an upgrade go; relative to the state directory."""


class OutwardConfig(_Section, frozen=True):
    """Who may be called from here: the `[outward]` section."""

    allow: tuple[str, ...] = ()
    """Hosts, or `host:port`, or networks (CIDR) that may be called although their addresses are private."""


class KeysConfig(_Section, frozen=True):
    """The platform's own key material: the `[keys]` section. All of it or none of it."""

    audit: Secret = Secret()
    """32 bytes as 64 hexadecimal digits: keys the digests of the audit chain."""
    blob: Secret = Secret()
    """32 bytes as 64 hexadecimal digits: seals personal data."""
    lease: Secret = Secret()
    """PKCS#8 PEM, ECDSA P-256: signs video leases."""
    checkpoint: Secret = Secret()
    """PKCS#8 PEM, ECDSA P-256: signs audit checkpoints."""
    linkage: Secret = Secret()
    """PKCS#8 PEM, ECDSA P-256: signs messages to agencies."""
    media: Secret = Secret()
    """What the media process shows core."""
    session: Secret = Secret()
    """Signs sessions and forms."""
    linkage_key_id: str = "madang-1"
    """The name under which agencies know the linkage key."""


ROOM_SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "journal": "madang.journal.config:JournalConfig",
        "identity": "madang.identity.config:IdentityConfig",
        "hub": "madang.hub.config:HubConfig",
        "places": "madang.places.config:PlacesConfig",
        "facilities": "madang.facilities.config:FacilitiesConfig",
        "video": "madang.video.config:VideoConfig",
        "response": "madang.response.config:ResponseConfig",
        "console": "madang.console.config:ConsoleConfig",
        "portal": "madang.portal.config:PortalConfig",
        "mqtt": "madang.connectors.mqtt.config:MqttConfig",
        "smtp": "madang.connectors.smtp.config:SmtpConfig",
        "sms_gateway": "madang.connectors.sms_gateway.config:SmsGatewayConfig",
        "broadcast": "madang.connectors.broadcast.config:BroadcastConfig",
        "bell_line": "madang.connectors.bell_line.config:BellLineConfig",
        "frigate": "madang.connectors.frigate.config:FrigateConfig",
        "onvif": "madang.connectors.onvif.config:OnvifConfig",
    }
)
"""Sections whose form belongs to a room or connector, and the struct that says it."""

KEY_FILES: Mapping[str, str] = MappingProxyType(
    {
        "audit": "audit.key",
        "blob": "blob.key",
        "lease": "lease.pem",
        "checkpoint": "checkpoint.pem",
        "linkage": "linkage.pem",
        "media": "media.key",
        "session": "session.key",
    }
)
"""The file of each key in a directory of keys."""

_OWN_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerConfig,
    "stores": StoresConfig,
    "outward": OutwardConfig,
    "keys": KeysConfig,
}


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. `source` is the file it came from, or None for the defaults."""

    source: Path | None = None
    base: Path = field(default_factory=Path.cwd)
    server: ServerConfig = field(default_factory=ServerConfig)
    stores: StoresConfig = field(default_factory=StoresConfig)
    outward: OutwardConfig = field(default_factory=OutwardConfig)
    keys: KeysConfig = field(default_factory=KeysConfig)
    rooms: Mapping[str, msgspec.Struct] = field(default_factory=dict)
    linkages: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # Any: each linkage reads its own

    @property
    def state_dir(self) -> Path:
        """Where everything is kept, absolute."""
        return (self.base / self.stores.dir).absolute()

    @property
    def civic_path(self) -> Path:
        """The civic store's file."""
        return self.state_dir / self.stores.civic

    @property
    def hub_address(self) -> str:
        """The hub store's PostgreSQL; empty where it is a file."""
        store = str(getattr(self.rooms.get("hub"), "store", ""))
        return store if store.startswith(("postgresql://", "postgres://")) else ""

    @property
    def hub_path(self) -> Path:
        """The hub store's file; where the hub is in PostgreSQL, where a restored one is put to be moved there."""
        file = self.state_dir / "hub.sqlite3"
        return file if self.hub_address else self.base / str(getattr(self.rooms.get("hub"), "store", file))

    @property
    def evidence_path(self) -> Path:
        """The folder of sealed evidence."""
        return self.base / str(getattr(self.rooms.get("video"), "evidence_dir", "evidence"))

    @property
    def history_path(self) -> Path:
        """The folder of the hub's older history."""
        from madang.hub.config import HubConfig
        from madang.hub.history.history import folder_of

        hub = self.rooms["hub"]
        assert isinstance(hub, HubConfig)
        return self.base / folder_of(hub)

    @property
    def backups_dir(self) -> Path:
        """Where copies made before an upgrade go."""
        return self.state_dir / self.stores.backups

    @property
    def has_keys(self) -> bool:
        """Whether lasting key material is configured."""
        return bool(self.keys.audit)

    @property
    def identity(self) -> IdentityConfig:
        """The `[identity]` section."""
        section = self.rooms["identity"]
        assert isinstance(section, IdentityConfig)
        return section

    def room(self, name: str) -> msgspec.Struct:
        """A room's own section; raises `KeyError` for a room that has none."""
        return self.rooms[name]


def load(path: Path | None = None) -> Config:
    """Reads the file at `path`, else the one `MADANG_CONFIG` names, else gives the defaults.

    Raises `ConfigError` naming file, section and key.
    """
    named = path or (Path(os.environ[CONFIG_ENV]) if os.environ.get(CONFIG_ENV) else None)
    raw = {} if named is None else _read(named)
    insecure = os.environ.get(INSECURE_KEYS_ENV)
    if insecure and "keys" not in raw:
        raw = raw | {"keys": keys_section(Path(insecure).absolute())}
    source = named.absolute() if named else None
    return from_mapping(raw, source=source, base=source.parent if source else Path.cwd())


def keys_section(directory: Path) -> dict[str, dict[str, str]]:
    """The `[keys]` section that names the files `site.keys.write_keys` writes in that directory."""
    return {name: {"file": str(directory / file)} for name, file in KEY_FILES.items()}


def from_mapping(raw: Mapping[str, Any], *, source: Path | None, base: Path) -> Config:  # Any: decoded TOML
    """Builds the configuration from decoded TOML; raises `ConfigError` with every unknown name in one line."""
    types = section_types()
    where = str(source or "configuration")
    faults = list(_unknown_names(raw, types))
    if faults:
        raise ConfigError(f"{where}: " + "; ".join(faults), where=where)
    sections = {name: _convert(raw.get(name, {}), kind, name, where, base) for name, kind in types.items()}
    linkages = {name: _linkage(name, body, where, base) for name, body in raw.get("linkages", {}).items()}
    own = {name: sections.pop(name) for name in _OWN_SECTIONS}
    config = Config(source=source, base=base, rooms=sections, linkages=linkages, **own)  # type: ignore[arg-type]  # each section was converted to its own struct just above
    _check_keys(config.keys, where)
    return replace(config, rooms=_derived(config, raw))


def _derived(config: Config, raw: Mapping[str, Any]) -> dict[str, msgspec.Struct]:  # Any: decoded TOML
    """The rooms' sections with what follows from other sections filled in where the file says nothing."""
    derived: dict[str, dict[str, object]] = {
        "hub": {
            "store": str(config.state_dir / "hub.sqlite3"),
            "outward_allow": config.outward.allow,
            "public_url": config.server.public_url,
        },
        "journal": {"checkpoint_file": config.state_dir / "audit-checkpoints.jsonl"},
        "places": {"reports_dir": str(config.state_dir / "reports")},
        "video": _media_link(config) | {"evidence_dir": str(config.state_dir / "evidence")},
    }
    rooms = dict(config.rooms)
    for name, values in derived.items():
        unsaid = {key: value for key, value in values.items() if key not in raw.get(name, {})}
        rooms[name] = msgspec.structs.replace(rooms[name], **unsaid)
    if replace(config, rooms=rooms).hub_address and "history" not in raw.get("hub", {}):
        rooms["hub"] = msgspec.structs.replace(rooms["hub"], history=str(config.state_dir / "hub.history"))
    rooms["hub"] = msgspec.structs.replace(rooms["hub"], **_hub_places(rooms["hub"], config.base))
    return rooms


def _hub_places(hub: msgspec.Struct, base: Path) -> dict[str, str]:
    """The hub's files and folders seen from the configuration file, wherever a command is started."""
    said = {name: str(getattr(hub, name)) for name in ("store", "history")}
    return {name: str(base / place) for name, place in said.items() if place and "://" not in place}


def _media_link(config: Config) -> dict[str, object]:
    """How the media gateway on this machine finds core, and whose certificate it believes there."""
    own = config.server
    url = f"{own.link_scheme}://{own.probe_host}:{own.port}/internal/media/link"
    return {"core_link_url": url, "core_link_ca": str(config.base / own.tls_certificate) if own.tls_certificate else ""}


def _read(path: Path) -> dict[str, Any]:  # Any: decoded TOML
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `madang init` writes one", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}", where=str(path)) from None


def section_types() -> dict[str, type[msgspec.Struct]]:
    """Every section but the linkages' and the struct that reads it, in the order of the documentation."""
    return _OWN_SECTIONS | {name: _struct(target) for name, target in ROOM_SECTIONS.items()}


def _struct(target: str) -> type[msgspec.Struct]:
    module, _, name = target.partition(":")
    struct: type[msgspec.Struct] = getattr(importlib.import_module(module), name)
    return struct


def _unknown_names(raw: Mapping[str, Any], types: Mapping[str, type[msgspec.Struct]]) -> Iterator[str]:  # Any: TOML
    for name, body in raw.items():
        if name == "linkages":
            yield from _unknown_linkages(body)
        elif name not in types:
            kind = "section" if isinstance(body, Mapping) else "key"
            yield f"unknown {kind} [{name}]" + _near(name, [*types, "linkages"])
        elif isinstance(body, Mapping):
            yield from _unknown_keys(body, types[name], name)


def _unknown_linkages(body: Any) -> Iterator[str]:  # Any: decoded TOML
    known = linkage_packages()
    for name, section in body.items() if isinstance(body, Mapping) else ():
        struct = _linkage_struct(name)
        if name not in known:
            yield f"unknown section [linkages.{name}]" + _near(name, known)
        elif struct is not None and isinstance(section, Mapping):
            yield from _unknown_keys(section, struct, f"linkages.{name}")


def _unknown_keys(body: Mapping[str, Any], struct: type, path: str) -> Iterator[str]:  # Any: decoded TOML
    hints = get_type_hints(struct)
    for key, value in body.items():
        if key not in hints:
            yield f"unknown key {key!r} in [{path}]" + _near(key, hints)
            continue
        for item, inner, place in _structs_in(value, hints[key], f"{path}.{key}"):
            yield from _unknown_keys(item, inner, place)


def _structs_in(value: Any, hint: Any, path: str) -> Iterator[tuple[Mapping[str, Any], type, str]]:  # Any: TOML, types
    """The tables within a value that a struct describes, alone, in a list or in a table of them."""
    origin, parts = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and isinstance(value, Mapping):
        yield value, hint, path
    elif origin in (Union, UnionType):
        for part in parts:
            yield from _structs_in(value, part, path)
    elif origin in (list, tuple) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _structs_in(item, parts[0], f"{path}[{number}]")
    elif origin is dict and isinstance(value, Mapping):
        for name, item in value.items():
            yield from _structs_in(item, parts[1], f"{path}.{name}")


def _near(name: str, known: Any) -> str:  # Any: any iterable of names
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _convert(raw: Any, struct: type[msgspec.Struct], path: str, where: str, base: Path) -> msgspec.Struct:  # Any: TOML
    def hook(kind: type, value: Any) -> Any:  # Any: msgspec's hook takes and gives anything
        if kind is Secret:
            return _secret(value, base)
        if kind is Path and isinstance(value, str):
            return base / value
        raise ValueError(f"expected a {kind.__name__}")

    try:
        return msgspec.convert(raw, struct, dec_hook=hook)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        raise ConfigError(f"{where}: [{path}{place.rstrip('`')}]: {text}", where=where) from None


def _secret(value: Any, base: Path) -> Secret:  # Any: decoded TOML
    if isinstance(value, Secret):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError('a secret is written { env = "NAME" } or { file = "path" }, never as plain text')
    ((kind, target),) = value.items()
    if kind == "env" and isinstance(target, str):
        return _secret_from_env(target)
    if kind == "file" and isinstance(target, str):
        return _secret_from_file(base / target)
    raise ValueError(f'a secret is written {{ env = "NAME" }} or {{ file = "path" }}, not {{ {kind} = … }}')


def _secret_from_env(name: str) -> Secret:
    if not os.environ.get(name):
        raise ValueError(f"the environment variable {name} is not set")
    return Secret(os.environ[name], f"env {name}")


def _secret_from_file(path: Path) -> Secret:
    try:
        return Secret(path.read_text(encoding="utf-8").strip(), f"file {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the secret file {path} cannot be read: {error}") from None


def _check_keys(keys: KeysConfig, where: str) -> None:
    names = [name for name in KeysConfig.__struct_fields__ if name != "linkage_key_id"]
    missing = [name for name in names if not getattr(keys, name)]
    if missing and len(missing) < len(names):
        raise ConfigError(f"{where}: [keys] lacks {', '.join(missing)}; give all keys or none", where=where)
    for name in ("audit", "blob"):
        value: Secret = getattr(keys, name)
        if value and not _is_hex_of(value.reveal(), 32):
            raise ConfigError(f"{where}: [keys.{name}] must be 64 hexadecimal digits", where=where)


def _is_hex_of(text: str, size: int) -> bool:
    try:
        return len(bytes.fromhex(text)) == size
    except ValueError:
        return False


def linkage_packages() -> dict[str, str]:
    """Every linkage there is, by name: our folders, and packages of others under the entry point `madang.linkages`."""
    ours = importlib.import_module("madang.linkages")
    found = {
        module.name: f"madang.linkages.{module.name}" for module in pkgutil.iter_modules(ours.__path__) if module.ispkg
    }
    theirs = {point.name: point.value.partition(":")[0] for point in entry_points(group="madang.linkages")}
    return theirs | found


def linkage_apps() -> list[str]:
    """The linkages that keep tables of their own."""
    return [package for package in sorted(linkage_packages().values()) if importlib.util.find_spec(f"{package}.apps")]


def _linkage_struct(name: str) -> type[msgspec.Struct] | None:
    """The struct in a linkage's `config.py`, named after its folder: `Police112Config` in `police112`."""
    package = linkage_packages().get(name)
    if package is None or importlib.util.find_spec(f"{package}.config") is None:
        return None
    wanted = f"{name.replace('_', '')}config"
    members = vars(importlib.import_module(f"{package}.config"))
    return next((value for key, value in members.items() if key.lower() == wanted and isinstance(value, type)), None)


def _linkage(name: str, body: dict[str, Any], where: str, base: Path) -> dict[str, Any]:  # Any: each reads its own
    """A linkage's section as the linkage will convert it: checked against its struct, each secret a `Secret`."""
    struct = _linkage_struct(name)
    if struct is not None:
        _convert(body, struct, f"linkages.{name}", where, base)
    try:
        return {key: _with_secrets(value, base) for key, value in body.items()}
    except ValueError as error:
        raise ConfigError(f"{where}: [linkages.{name}]: {error}", where=where) from None


def _with_secrets(value: Any, base: Path) -> Any:  # Any: decoded TOML
    if isinstance(value, list):
        return [_with_secrets(item, base) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) in ({"env"}, {"file"}):
        return _secret(value, base)
    return {key: _with_secrets(item, base) for key, item in value.items()}
