"""A camera's address leads to a camera: never to a file, a redirect or the city's inner network."""

from __future__ import annotations

import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.kernel.errors import ConfigError
from madang.video.config import VideoConfig
from madang.video.seal import seal, unseal
from madang.video.sources import SourceRefusedError, check_source, resolve_source

RULES = VideoConfig()


@given(st.text(max_size=60))
def test_any_text_is_refused_or_is_a_camera_of_the_configured_networks(text: str) -> None:
    try:
        parts = check_source(text, RULES)
    except SourceRefusedError as refused:
        assert refused.detail
        return
    assert parts.scheme in ("http", "https", "rtsp", "rtsps") and parts.hostname


def test_a_name_is_pinned_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 554, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", 554)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    source = resolve_source("rtsp://user:word@camera.city/one?x=1", RULES)
    assert source.url == "rtsp://user:word@127.0.0.9/one?x=1"
    assert source.host == "camera.city"


def test_a_name_with_one_address_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("127.0.0.1", "10.1.2.3")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(SourceRefusedError, match="camera_networks"):
        resolve_source("http://camera.city/one.ts", RULES)


def test_a_citys_own_network_is_opened_by_configuration() -> None:
    rules = VideoConfig(camera_networks=("10.0.0.0/8",))
    assert check_source("rtsp://10.1.2.3:8554/live", rules).port == 8554
    with pytest.raises(SourceRefusedError):
        check_source("rtsp://127.0.0.1/live", rules)


@pytest.mark.parametrize("section", [{"camera_networks": ["ten"]}, {"camera_schemes": ["file"]}, {"lease": 30}])
def test_a_section_that_cannot_be_meant_is_refused_when_it_is_read(section: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section, VideoConfig)


@given(st.text(), st.text(max_size=20))
def test_what_is_sealed_opens_with_its_key_and_row_only(text: str, about: str) -> None:
    box = seal(text, key=b"k" * 32, about=about)
    assert unseal(box, key=b"k" * 32, about=about) == text
    with pytest.raises(ConfigError):
        unseal(box, key=b"x" * 32, about=about)
    with pytest.raises(ConfigError):
        unseal(box, key=b"k" * 32, about=about + "!")
    with pytest.raises(ConfigError):
        unseal(box[:-1], key=b"k" * 32, about=about)
