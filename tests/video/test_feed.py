"""The parts of the gateway that hold pictures: boxes cut anywhere, viewers who lag, units that lie."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.video.media.boxes import BoxError, Splitter, codec_of
from madang.video.media.feed import Backlog, Ended, Feed, Fragment, Header
from madang.video.media.nal import has_parameter_sets, headers, is_h264_key
from madang.video.media.protocol import REASON_MAX_BYTES, Close, reason_text

HEADER = Header(b"init", "avc1.42c01f", 640, 360)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


@given(bodies=st.lists(st.binary(max_size=40), max_size=6), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_segments_come_out_whole_wherever_the_bytes_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    init = box(b"ftyp", b"isom") + box(b"moov", b"tracks")
    fragments = [box(b"moof", body) + box(b"mdat", body[::-1]) for body in bodies]
    data = init + b"".join(fragments)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter = Splitter()
    found = [segment for start, end in itertools.pairwise(edges) for segment in splitter.feed(data[start:end])]
    assert found == [("init", init), *(("fragment", fragment) for fragment in fragments)]


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x01moov", b"\xff\xff\xff\xffmoof", b"\x00\x00\x00\x00mdat"])
def test_impossible_boxes_are_refused_before_they_are_awaited(data: bytes) -> None:
    with pytest.raises(BoxError):
        list(Splitter().feed(data))


def test_the_codec_string_is_read_from_the_segment() -> None:
    assert codec_of(b"....avcC\x01\x42\xc0\x1f\xff") == "avc1.42c01f"
    with pytest.raises(BoxError):
        codec_of(b"no configuration")


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_can_be_looked_at_as_units(packet: bytes, extradata: bytes) -> None:
    assert all(0 <= header <= 255 for header in headers(packet, extradata))
    assert is_h264_key(packet, extradata) in (True, False)
    assert has_parameter_sets(extradata) in (True, False)


def test_h265_read_as_h264_does_not_pass() -> None:
    start = b"\x00\x00\x01"
    h265 = start + b"\x40\x01" + start + b"\x42\x01" + start + b"\x44\x01" + start + b"\x26\x01payload"
    h264 = start + b"\x67\x42" + start + b"\x68\xce" + start + b"\x65\x88payload"
    assert is_h264_key(h264, b"") and has_parameter_sets(h264)
    assert not is_h264_key(h265, b"") and not has_parameter_sets(h265)


pictures = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=60)


@given(pictures=pictures, reads=st.lists(st.booleans(), max_size=60))
def test_a_viewer_who_lags_always_goes_on_with_a_key_picture(
    pictures: list[tuple[bool, int]], reads: list[bool]
) -> None:
    async def scenario() -> None:
        backlog = Backlog(100)
        came = [Fragment(bytes([number % 256]) * size, key) for number, (key, size) in enumerate(pictures)]
        got: list[Fragment] = []
        for fragment, read in zip(came, [*reads, *[False] * len(came)], strict=False):
            backlog.push(fragment)
            if read and backlog.waiting:
                got.append(_some(await backlog.next()))
        while backlog.waiting:
            got.append(_some(await backlog.next()))
        positions = [next(at for at, one in enumerate(came) if one is fragment) for fragment in got]
        assert positions == sorted(positions)
        for before, after in zip([-1, *positions], positions, strict=False):
            assert after == before + 1 or came[after].key
        assert len(got) + backlog.dropped == len(came)

    asyncio.run(scenario())


def _some(fragment: Fragment | None) -> Fragment:
    assert fragment is not None
    return fragment


def test_a_newcomer_begins_with_the_last_key_picture() -> None:
    async def scenario() -> None:
        feed = Feed("cam", 0.0, 1_000_000)
        feed.begin(HEADER)
        for number in range(7):
            feed.add(Fragment(bytes([number]), number % 3 == 0), float(number))
        backlog = feed.join()
        assert _some(await backlog.next()).data == b"\x06"
        feed.add(Fragment(b"\x07", False), 7.0)
        assert _some(await backlog.next()).data == b"\x07"
        assert await feed.ready() is HEADER

    asyncio.run(scenario())


def test_when_a_feed_ends_nothing_that_waits_is_shown_any_more() -> None:
    async def scenario() -> None:
        feed = Feed("cam", 0.0, 1_000_000)
        feed.begin(HEADER)
        feed.add(Fragment(b"a", True), 1.0)
        backlog = feed.join()
        feed.end(Ended(Close.CAMERA_DOWN, "stalled"))
        feed.end(Ended(Close.DONE, "later"))
        assert await backlog.next() is None
        assert await feed.join().next() is None
        assert await feed.ready() == Ended(Close.CAMERA_DOWN, "stalled")

    asyncio.run(scenario())


@given(st.text(max_size=200))
def test_a_reason_always_fits_its_frame(text: str) -> None:
    told = reason_text(Close.GRANT_ENDED, text)
    assert len(told.encode()) <= REASON_MAX_BYTES
