"""What the simulated room is told: where the platform is, who it is itself, how busy the day."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Read from a TOML file with the tables `platform`, `me` and `calls`."""

    origin: str
    authority: str
    agency: str
    mode: str
    key_id: str
    private_key: Path
    listen_host: str
    listen_port: int
    ledger: Path
    places: Path | None
    per_minute: float
    seed: int
    watch_s: float
    cameras: int
    total: int
    heartbeat_s: float

    @property
    def base(self) -> str:
        """Where the contract's paths begin."""
        return f"{self.origin.rstrip('/')}/linkages/police112/v1"


def load(path: Path) -> Settings:
    """Reads the file; relative paths in it are relative to the file."""
    tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text())  # Any: TOML values
    platform, me, calls = tables["platform"], tables["me"], tables.get("calls", {})
    host, _, port = str(me.get("listen", "127.0.0.1:8100")).rpartition(":")
    places = calls.get("places")
    return Settings(
        origin=platform["origin"],
        authority=platform["authority"],
        agency=me["agency"],
        mode=me.get("mode", "simulated"),
        key_id=me["key_id"],
        private_key=path.parent / me["private_key"],
        listen_host=host,
        listen_port=int(port),
        ledger=path.parent / me.get("ledger", "police112.sqlite3"),
        places=path.parent / places if places else None,
        per_minute=float(calls.get("per_minute", 3.0)),
        seed=int(calls.get("seed", 7)),
        watch_s=float(calls.get("watch_s", 25.0)),
        cameras=int(calls.get("cameras", 2)),
        total=int(calls.get("total", 0)),
        heartbeat_s=float(me.get("heartbeat_s", 10.0)),
    )
