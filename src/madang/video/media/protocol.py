"""What viewers and core say to the gateway, and the codes it closes with. Core shares this module."""

from __future__ import annotations

from enum import IntEnum

import msgspec

REASON_MAX_BYTES = 120
LINK_PATH = "/internal/media/link"
VIEW_PATH = "/v1/view"


class Close(IntEnum):
    """Why the gateway ended a view."""

    DONE = 1000
    SHUTTING_DOWN = 1001
    TOO_SLOW = 1013
    MALFORMED = 4400
    LEASE_NOT_VALID = 4401
    GRANT_ENDED = 4403
    LEASE_EXPIRED = 4408
    CODEC = 4415
    TOO_MANY = 4429
    CAMERA_DOWN = 4503
    CORE_GONE = 4504


REASON: dict[Close, str] = {
    Close.DONE: "done",
    Close.SHUTTING_DOWN: "the gateway is restarting",
    Close.TOO_SLOW: "the viewer reads too slowly",
    Close.MALFORMED: 'send {"lease": "<token>"} first',
    Close.LEASE_NOT_VALID: "the lease is not valid",
    Close.GRANT_ENDED: "the grant has ended / 영상 제공이 종료되었습니다",
    Close.LEASE_EXPIRED: "the lease has expired / 열람권이 만료되었습니다",
    Close.CODEC: "the camera's codec is not supported",
    Close.TOO_MANY: "too many viewers / 동시 열람자 초과",
    Close.CAMERA_DOWN: "the camera is not answering / 카메라 응답 없음",
    Close.CORE_GONE: "the core is not reachable / 관제 서버 연결 끊김",
}


def reason_text(code: Close, detail: str = "") -> str:
    """A close frame's reason, cut to what a frame holds without breaking a character."""
    text = detail or REASON[code]
    return text.encode()[:REASON_MAX_BYTES].decode(errors="ignore")


class Open(msgspec.Struct, frozen=True, tag="open"):
    """media → core: may this view start? Core records it before it says yes."""

    id: int
    view: str
    lease: str


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """media → core: a view ended. Repeated until acknowledged."""

    id: int
    view: str
    seconds: float
    bytes: int
    code: int
    reason: str


class HealthSeen(msgspec.Struct, frozen=True, tag="health"):
    """media → core: what was seen of a camera. Repeated until acknowledged."""

    id: int
    camera: str
    health: str
    reason: str


class MarksSeen(msgspec.Struct, frozen=True):
    """What is kept of one picture: mean brightness, spread, checksums of its blocks (`video.health.Marks`)."""

    luma: float
    spread: float
    blocks: str


class Looked(msgspec.Struct, frozen=True, tag="looked"):
    """media → core: what a look at a camera found; never a picture. Repeated until acknowledged."""

    id: int
    camera: str
    outcome: str
    marks: list[MarksSeen]
    reason: str = ""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """media → core, first on every connection: the views that run, as view id → lease id; what is being taken."""

    views: dict[str, str]
    takes: list[str] = []


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """media → core: the next bytes of what is taken, numbered from 0. Repeated until acknowledged."""

    id: int
    take: str
    number: int
    data: bytes

    def __repr__(self) -> str:
        return f"Piece(take={self.take!r}, number={self.number}, {len(self.data)} bytes)"


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """media → core: nothing more comes of this take. `ok` is False where it broke off; times are epoch seconds."""

    id: int
    take: str
    ok: bool
    pieces: int
    reason: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0
    codec: str = ""
    width: int = 0
    height: int = 0


FromMedia = Open | Stopped | HealthSeen | Looked | Hello | Piece | Taken


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """core → media, every second: core and its store are alive."""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """core → media: the view is recorded; show this camera."""

    id: int
    camera: str
    source: str

    def __repr__(self) -> str:
        return f"Opened(id={self.id}, camera={self.camera!r})"


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """core → media: no frame for this view."""

    id: int
    code: int
    reason: str


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """core → media: the report is stored."""

    id: int


class Revoke(msgspec.Struct, frozen=True, tag="revoke"):
    """core → media: these leases have ended; stop their frames now."""

    leases: list[str]
    code: int
    reason: str


class Warm(msgspec.Struct, frozen=True, tag="warm"):
    """core → media: these cameras were offered; open them so that the first frame comes at once."""

    cameras: dict[str, str]

    def __repr__(self) -> str:
        return f"Warm(cameras={sorted(self.cameras)})"


class LookAt(msgspec.Struct, frozen=True, tag="look"):
    """core → media: look whether these cameras show anything (id → source). Nobody sees the pictures."""

    cameras: dict[str, str]

    def __repr__(self) -> str:
        return f"LookAt(cameras={sorted(self.cameras)})"


class Take(msgspec.Struct, frozen=True, tag="take"):
    """core → media: keep something of this camera, as evidence core has recorded the wish for.

    `still`: the picture shown now, as JPEG. `recording`: from now on, at most `seconds`. `past`: what the camera's
    ring holds, at most `seconds`.
    """

    take: str
    camera: str
    source: str
    kind: str
    seconds: float

    def __repr__(self) -> str:
        return f"Take(take={self.take!r}, camera={self.camera!r}, kind={self.kind!r})"


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """core → media: end this recording; what was taken so far is kept."""

    take: str


class Kept(msgspec.Struct, frozen=True):
    """A camera whose last seconds are kept in memory, because its policy says so."""

    source: str
    seconds: float

    def __repr__(self) -> str:
        return f"Kept(seconds={self.seconds})"


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """core → media: exactly these cameras keep their last seconds in memory; every other one keeps nothing."""

    cameras: dict[str, Kept]


FromCore = Beat | Opened | Refused | Ack | Revoke | Warm | LookAt | Take | Halt | Keep

encode = msgspec.json.encode
decode_from_media = msgspec.json.Decoder(FromMedia).decode
decode_from_core = msgspec.json.Decoder(FromCore).decode
