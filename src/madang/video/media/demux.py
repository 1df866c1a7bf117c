"""Reading one camera and repacking it as fragmented MP4, picture by picture, without decoding. The one place for PyAV.

Whatever the camera sends is hostile: the container is named and never guessed, probing is bounded, every blocking call
has a time limit, and the first key picture must look like what was declared.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from madang.video.media.boxes import BoxError, Splitter, codec_of
from madang.video.media.feed import Ended, Fragment, Header
from madang.video.media.nal import has_parameter_sets, is_h264_key
from madang.video.media.protocol import Close
from madang.video.sources import Source

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_TICKS = 90_000
_JUMP = 10 * _TICKS
"""A gap in the camera's clock larger than this is closed, so that players do not wait it out."""
_MOVFLAGS = "frag_every_frame+empty_moov+default_base_moof+skip_trailer"
_MAX_PIXELS = 8_192 * 8_192


class Sink(Protocol):
    """Where pictures go; called on the reading thread."""

    def begin(self, header: Header) -> None: ...
    def add(self, fragment: Fragment) -> None: ...
    def end(self, ended: Ended) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a camera may keep us waiting, seconds."""

    open_s: float = 6.0
    read_s: float = 6.0


class StreamRefusedError(Exception):
    """The stream is not one we show."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.reason)
        self.ended = ended


def read_camera(source: Source, sink: Sink, stop: threading.Event, limits: Limits) -> None:
    """Reads until `stop`, the camera's end or a fault; always tells the sink how it ended. Runs on its own thread."""
    import av

    try:
        _read(source, sink, stop, limits)
        ended = Ended(Close.CAMERA_DOWN, "the camera ended the stream")
    except StreamRefusedError as refused:
        ended = refused.ended
    except BoxError:
        ended = Ended(Close.CODEC, "the camera's stream cannot be repacked")
    except av.error.InvalidDataError:
        ended = Ended(Close.CODEC, "the camera does not send what its address promises")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        ended = Ended(Close.CAMERA_DOWN, f"the camera is not answering ({type(error).__name__})")
    sink.end(ended)


def _read(source: Source, sink: Sink, stop: threading.Event, limits: Limits) -> None:
    if source.scheme == "file" or urlsplit(source.url).path.endswith(".mp4"):
        _play_loop(source, sink, stop, limits)
        return
    with open_camera(source, limits) as container:
        stream = video_of(container)
        repacker = _Repacker(stream, sink)
        for packet in container.demux(stream):
            if stop.is_set():
                return
            repacker.put(packet)


def _play_loop(source: Source, sink: Sink, stop: threading.Event, limits: Limits) -> None:
    """A film played for ever at its own pace: a camera that serves MP4, or a file where configuration allows it."""
    repacker: _Repacker | None = None
    started = time.monotonic()
    shown = Fraction(0)
    while not stop.is_set():
        with open_camera(source, limits) as container:
            stream = video_of(container)
            repacker = repacker or _Repacker(stream, sink)
            step = 1 / (stream.average_rate or Fraction(25))
            for packet in container.demux(stream):
                if packet.dts is None:
                    continue
                if stop.wait(max(0.0, started + float(shown) - time.monotonic())):
                    return
                shown += step
                repacker.put(packet)


def open_camera(source: Source, limits: Limits) -> InputContainer:
    """Opens a camera: container named, probing bounded, every blocking call with a time limit."""
    import av

    url = urlsplit(source.url)
    options = {"fpsprobesize": "0", "probesize": "5000000", "analyzeduration": "3000000"}
    microseconds = str(int(limits.read_s * 1e6))
    if source.scheme == "file":
        return av.open(url.path, "r", format="mp4")
    if source.scheme in ("rtsp", "rtsps"):
        options |= {"rtsp_transport": "tcp", "timeout": microseconds, "allowed_media_types": "video"}
        options |= {"protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls"}
        return av.open(source.url, "r", format="rtsp", options=options, timeout=(limits.open_s, limits.read_s))
    options |= {"rw_timeout": microseconds, "max_redirects": "0", "protocol_whitelist": "http,https,tcp,tls"}
    if source.host:
        options["headers"] = f"Host: {source.host}{f':{url.port}' if url.port else ''}\r\n"
    kind = "mp4" if url.path.endswith(".mp4") else "mpegts"
    return av.open(source.url, "r", format=kind, options=options, timeout=(limits.open_s, limits.read_s))


def video_of(container: InputContainer) -> VideoStream:
    """The stream to show; raises for none, another codec, or a picture size nobody makes. Sound is never read."""
    if not container.streams.video:
        raise StreamRefusedError(Ended(Close.CODEC, "the camera sends no picture"))
    stream = container.streams.video[0]
    name = stream.codec_context.name
    if name != "h264":
        shown = "H.265" if name == "hevc" else name
        raise StreamRefusedError(Ended(Close.CODEC, f"the camera sends {shown}; set it to H.264 / {shown} 미지원"))
    if stream.codec_context.width * stream.codec_context.height > _MAX_PIXELS:
        raise StreamRefusedError(Ended(Close.CODEC, "the camera's picture is too large"))
    if not has_parameter_sets(bytes(stream.codec_context.extradata or b"")):
        raise StreamRefusedError(Ended(Close.CODEC, "the camera says H.264 but sends something else"))
    return stream


class _Repacker:
    """From the camera's packets to segments of MP4, on a clock that starts at 0 and never jumps."""

    def __init__(self, stream: VideoStream, sink: Sink) -> None:
        import av

        self._sink = sink
        self._splitter = Splitter()
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._size = (stream.codec_context.width, stream.codec_context.height)
        self._keys: deque[bool] = deque()
        self._started = False
        self._shift: int | None = None
        self._last: int | None = None
        self._step = max(1, int(_TICKS / (stream.average_rate or 25)))
        options = {"movflags": _MOVFLAGS, "flush_packets": "1"}
        self._out = av.open(self, "w", format="mp4", options=options, buffer_size=1 << 16)
        self._track = self._out.add_stream_from_template(stream)
        self._track.time_base = Fraction(1, _TICKS)

    def write(self, data: bytes) -> int:
        """Called by the muxer with what it made."""
        for kind, segment in self._splitter.feed(bytes(data)):
            if kind == "init":
                self._sink.begin(Header(segment, codec_of(segment), *self._size))
            else:
                self._sink.add(Fragment(segment, self._keys.popleft() if self._keys else False))
        return len(data)

    def put(self, packet: Packet[VideoStream]) -> None:
        """Repacks one packet. Pictures before the first key one are left out."""
        if packet.dts is None or packet.size == 0:
            return
        key = bool(packet.is_keyframe)
        if not self._started:
            if not key:
                return
            if not is_h264_key(bytes(packet), self._extradata):
                raise StreamRefusedError(Ended(Close.CODEC, "the camera says H.264 but sends something else"))
            self._started = True
        self._retime(packet)
        packet.stream = self._track
        self._keys.append(key)
        self._out.mux(packet)

    def _retime(self, packet: Packet[VideoStream]) -> None:
        assert packet.dts is not None and packet.time_base is not None
        scale = packet.time_base * _TICKS
        dts = int(packet.dts * scale)
        ahead = max(0, int(packet.pts * scale) - dts) if packet.pts is not None else 0
        if self._shift is None:
            self._shift = -dts
        moved = dts + self._shift
        if self._last is not None and not self._last < moved <= self._last + _JUMP:
            self._shift += self._last + self._step - moved
            moved = self._last + self._step
        self._last = moved
        packet.time_base = Fraction(1, _TICKS)
        packet.dts, packet.pts = moved, moved + min(ahead, _JUMP)


ReadCamera = Callable[[Source, Sink, threading.Event, Limits], None]
