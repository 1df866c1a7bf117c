"""What a city may set about video: the `[video]` section."""

from __future__ import annotations

import ipaddress

import msgspec


class EvidenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stills, recordings and exports: the `[video.evidence]` section. Times in seconds, retention in days."""

    still_days: int = 30
    """How long a still is kept unless it is locked (the 30 days of the standard guideline on personal information)."""
    recording_days: int = 30
    past_days: int = 30
    package_days: int = 7
    """How long an approved package waits to be fetched."""
    most_locked_days: int = 1_095
    """The furthest a lock may reach."""
    recording_s: float = 1_800.0
    """The longest one recording."""
    past_s: float = 60.0
    """The most a camera's policy may keep of the time before an event."""
    take_within_s: float = 60.0
    """A still or a past not there by then has failed."""
    free_mb: int = 500
    """Nothing new is taken when the disk has less room than this."""
    look_again_s: float = 3_600.0
    """Looks at one picture by one person within this time are one line of the access log."""
    city_name: str = "Madang"
    """The organisation named in the certificate that evidence is signed with."""


class VideoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Media gateway, leases, caps and radii. Lengths in metres, times in seconds."""

    media_host: str = "127.0.0.1"
    media_port: int = 8081
    media_public_url: str = ""
    """What browsers and agencies are told to connect to, e.g. `wss://media.city.example/v1/view`; empty: built from
    host and port."""
    media_certificate: str = ""
    """PEM file with which the gateway speaks TLS; empty where a proxy in front of it does."""
    media_private_key: str = ""
    media_origins: tuple[str, ...] = ()
    """Origins whose pages may open streams, e.g. `https://control.city.example`; empty: any page that holds a lease."""
    core_link_url: str = "ws://127.0.0.1:8080/internal/media/link"
    """Where the media process finds core."""
    core_link_ca: str = ""
    """PEM file of the authority that signed core's certificate, for a `wss://` link inside a closed network."""

    lease_s: int = 30
    renew_after_s: int = 15
    heartbeat_timeout_s: float = 5.0
    """Silence of core after which every stream goes dark."""
    stall_s: float = 6.0
    """A camera that sends no picture for this long is not answering."""
    idle_s: float = 60.0
    """How long a camera stays open without viewers."""
    prewarm_per_grant: int = 4
    """How many offered cameras are opened before anyone asks, so that the first frame comes at once."""
    max_viewers_per_camera: int = 40
    max_cameras_open: int = 200

    case_radius_m: int = 500
    """How far from the place a case's cameras may lie (500 m is documented for Chungnam)."""
    max_case_radius_m: int = 5_000
    offered_cameras: int = 12
    max_cameras_per_grant: int = 64
    grant_cap_s: dict[str, int] = msgspec.field(
        default_factory=lambda: {"police": 7_200, "fire": 7_200, "control_room": 14_400, "other": 3_600}
    )
    """The longest a grant may live from now, by kind of recipient; `other` for kinds not named."""
    max_viewers_per_grant: int = 10
    pending_s: int = 900
    """How long a request waits for a human before it lapses."""
    break_glass_s: int = 600
    break_glass_cameras: int = 8
    break_glass_review_s: int = 86_400
    max_shift_s: int = 43_200
    disclosure_due_s: int = 864_000
    """Ten days to answer a citizen."""
    review_sample: float = 0.02
    """Share of views drawn for the monthly review, besides every break-glass view."""

    camera_networks: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks cameras may be opened in, as CIDR; anything else is refused, also after a name is resolved."""
    camera_schemes: tuple[str, ...] = ("http", "https", "rtsp", "rtsps")
    allow_file_sources: bool = False
    """Whether `file:` sources may be opened: for tests only."""
    health_stale_s: int = 86_400
    """A camera's health older than this is shown as unknown."""
    health_every_s: float = 21_600.0
    """How often each camera is looked at for its health; 0 switches the looking off."""
    health_per_minute: int = 30
    """At most so many cameras are looked at in a minute, by each media process."""
    health_at_once: int = 2
    """At most so many at the same time."""
    health_look_s: float = 8.0
    """The longest a look may take."""
    health_again_s: float = 60.0
    """When a camera that seems broken is looked at again."""
    health_confirm_s: float = 60.0
    """How long a silent or black camera must stay so before it is believed."""
    frozen_after_s: float = 300.0
    """How long a picture must stand still before the camera counts as frozen."""
    health_forbidden_purposes: tuple[str, ...] = ()
    """Purposes (as imported) whose cameras are never opened for their health, because the city's policy says so."""
    evidence_dir: str = "evidence"
    """Where sealed evidence is kept; relative to the state directory."""
    evidence: EvidenceConfig = EvidenceConfig()
    default_range_m: float = 60.0
    default_hfov_deg: float = 90.0

    def __post_init__(self) -> None:
        for text in self.camera_networks:
            ipaddress.ip_network(text, strict=False)
        unknown = set(self.camera_schemes) - {"http", "https", "rtsp", "rtsps"}
        if unknown:
            raise ValueError(
                f"camera_schemes holds {', '.join(sorted(unknown))}; http, https, rtsp and rtsps are known"
            )

    def cap_s(self, recipient_kind: str) -> int:
        """The longest a grant to that kind of recipient may live from now."""
        return self.grant_cap_s.get(recipient_kind, self.grant_cap_s.get("other", 3_600))

    @property
    def view_url(self) -> str:
        """The address of the media gateway that tickets carry."""
        scheme = "wss" if self.media_certificate else "ws"
        return self.media_public_url or f"{scheme}://{self.media_host}:{self.media_port}/v1/view"
