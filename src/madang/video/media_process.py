"""How core starts the media gateway: the command, and the configuration it is handed on standard input."""

from __future__ import annotations

import sys

import msgspec
from cryptography.hazmat.primitives import serialization

from madang.kernel.keyring import Keyring
from madang.video.config import VideoConfig
from madang.video.media.config import MediaConfig


def media_command() -> list[str]:
    """The process to start; it reads one line of JSON from standard input and then serves until SIGTERM."""
    return [sys.executable, "-m", "madang.video.media"]


def media_config(config: VideoConfig, keys: Keyring) -> MediaConfig:
    """What the gateway needs of the city's configuration: the public half of the lease key, never the private one."""
    return MediaConfig(
        secret=keys.media_secret,
        lease_public_pem=_public_pem(keys.lease_private_pem),
        core_link_url=config.core_link_url,
        core_link_ca=config.core_link_ca,
        certificate=config.media_certificate,
        private_key=config.media_private_key,
        host=config.media_host,
        port=config.media_port,
        origins=config.media_origins,
        heartbeat_timeout_s=config.heartbeat_timeout_s,
        stall_s=config.stall_s,
        idle_s=config.idle_s,
        max_viewers_per_camera=config.max_viewers_per_camera,
        max_cameras_open=config.max_cameras_open,
        looks_at_once=config.health_at_once,
        look_s=config.health_look_s,
        camera_networks=config.camera_networks,
        camera_schemes=config.camera_schemes,
        allow_file_sources=config.allow_file_sources,
    )


def config_line(config: MediaConfig) -> bytes:
    """The configuration as the one line written to the gateway's standard input."""
    return msgspec.json.encode(config) + b"\n"


def _public_pem(private_pem: bytes) -> str:
    key = serialization.load_pem_private_key(private_pem, password=None)
    encoded = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()
