"""What the media process is told when it starts. It holds no private key: leases are checked with the public one."""

from __future__ import annotations

import msgspec


class MediaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Read once, as JSON. Times in seconds."""

    secret: str
    lease_public_pem: str
    core_link_url: str
    core_link_ca: str = ""
    certificate: str = ""
    private_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8081
    origins: tuple[str, ...] = ()
    heartbeat_timeout_s: float = 5.0
    stall_s: float = 6.0
    idle_s: float = 60.0
    max_viewers_per_camera: int = 40
    max_cameras_open: int = 200
    max_idle_cameras: int = 24
    """How many may be kept open for viewers yet to come."""
    max_connections: int = 2_000
    backlog_bytes: int = 8_000_000
    """How much a viewer may lag before it is moved to the next key frame."""
    slow_s: float = 10.0
    """How long a viewer may take for one message before it is closed."""
    looks_at_once: int = 2
    """How many cameras are looked at together for their health."""
    look_s: float = 8.0
    """The longest a look may take."""
    past_bytes: int = 48_000_000
    """The most a camera's ring of past pictures may hold, whatever its seconds."""
    max_past_cameras: int = 24
    """How many cameras may keep past pictures at once."""
    take_bytes: int = 600_000_000
    """The largest recording."""
    unstored_bytes: int = 32_000_000
    """A recording whose pictures core does not store in time breaks off at this much."""
    camera_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    camera_schemes: tuple[str, ...] = ("http", "https", "rtsp", "rtsps")
    allow_file_sources: bool = False

    def __repr__(self) -> str:
        return f"MediaConfig(host={self.host!r}, port={self.port}, core_link_url={self.core_link_url!r})"


def read_config(data: bytes) -> MediaConfig:
    """Decodes the document; raises `msgspec.ValidationError` naming the member."""
    return msgspec.json.decode(data, type=MediaConfig)
