"""Which addresses cameras may have: an allow-list of schemes and networks, never a door to anywhere else."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from madang.kernel.errors import BadRequestError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}


class SourceRules(Protocol):
    """What a city configured."""

    @property
    def camera_networks(self) -> tuple[str, ...]: ...
    @property
    def camera_schemes(self) -> tuple[str, ...]: ...
    @property
    def allow_file_sources(self) -> bool: ...


class SourceRefusedError(BadRequestError):
    """The camera's address is not one the platform opens. The address itself is never repeated: it holds passwords."""

    code = "camera-source"
    title = "This camera address is not allowed"


@dataclass(frozen=True, slots=True)
class Source:
    """An address that was checked: `url` names the resolved host, so that a name cannot change its mind.

    With TLS the stream is encrypted but the camera's certificate is not verified: most carry one they made themselves.
    """

    url: str
    scheme: str
    host: str
    """As written, for the Host header."""


def check_source(url: str, rules: SourceRules) -> SplitResult:
    """Checks form, scheme and (where the host is a literal address) network; raises `SourceRefusedError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SourceRefusedError("the camera address is not a URL", ko="카메라 주소 형식이 아닙니다.") from None
    if any(character.isspace() or ord(character) < 32 for character in url) or port == 0:
        raise SourceRefusedError("the camera address has characters a URL cannot have")
    if parts.scheme == "file" and rules.allow_file_sources:
        return parts
    if parts.scheme not in rules.camera_schemes or parts.scheme not in _PORTS:
        allowed = ", ".join(rules.camera_schemes)
        raise SourceRefusedError(
            f"scheme {parts.scheme or '(none)'} is not opened; allowed are {allowed}",
            ko=f"{parts.scheme or '(없음)'} 주소는 열지 않습니다. 허용: {allowed}",
        )
    if not parts.hostname:
        raise SourceRefusedError("the camera address names no host", ko="카메라 주소에 호스트가 없습니다.")
    literal = _literal(parts.hostname)
    if literal is not None:
        _within(literal, rules)
    return parts


def resolve_source(url: str, rules: SourceRules) -> Source:
    """Checks and resolves; every address the name has must lie in the allowed networks. Blocks on DNS."""
    parts = check_source(url, rules)
    if parts.scheme == "file":
        return Source(url, "file", "")
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except OSError:
        raise SourceRefusedError(
            "the camera's host name is not known", ko="카메라 호스트를 찾을 수 없습니다."
        ) from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        _within(address, rules)
    address = min(addresses, key=lambda found: found.version)
    return Source(_with_host(parts, str(address)), parts.scheme, host)


def _with_host(parts: SplitResult, address: str) -> str:
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{address}]" if ":" in address else address
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}{port}"))


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, rules: SourceRules) -> None:
    plain = getattr(address, "ipv4_mapped", None) or address
    if not any(plain in network for network in _networks(rules.camera_networks) if network.version == plain.version):
        raise SourceRefusedError(
            f"{plain} lies outside the camera networks; add its network to video.camera_networks if it is yours",
            ko=f"{plain}은(는) 카메라 망이 아닙니다. 맞다면 video.camera_networks에 추가하십시오.",
        )


def _networks(texts: Sequence[str]) -> list[Network]:
    return [ipaddress.ip_network(text, strict=False) for text in texts]
