"""What can be set about MQTT: the `[mqtt]` section of `madang.toml`."""

from __future__ import annotations

from typing import Literal

import msgspec

from madang.kernel.secret import Secret


class AttributeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one attribute is read from a JSON payload."""

    path: str
    """Where the value stands: member names joined by dots, e.g. `data.pm10`."""
    unit: str = ""
    """UN/CEFACT common code, e.g. `GQ` for µg/m³, `KMH` for km/h."""
    kind: Literal["number", "text", "boolean"] = "number"
    minimum: float | None = None
    maximum: float | None = None


class TopicRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which topic becomes which entity. `{name}` in `topic` stands for one level and may be used in `entity_id`."""

    topic: str
    name: str = ""
    """How the feed is called on screens; the topic where empty."""
    authority: str
    """The city the readings belong to; also the hub's tenant."""
    payload: Literal["json", "ngsi-ld"] = "json"
    qos: Literal[0, 1, 2] = 0
    entity_type: str = ""
    entity_id: str = ""
    observed_at: str = ""
    """Where the instant stands (RFC 3339 with offset, or Unix seconds); empty means when it arrived."""
    lon: str = ""
    lat: str = ""
    attributes: dict[str, AttributeRule] = {}


class MqttConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One broker and what its topics mean. Without `url` nothing is connected."""

    url: str = ""
    """`mqtt://host:1883` or `mqtts://host:8883`."""
    version: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = "madang"
    username: str = ""
    password: Secret = Secret()
    keepalive_s: int = 30
    queue: int = 20_000
    """Messages that may wait for the hub; beyond, the broker is not read until half have gone."""
    batch: int = 4_000
    """Readings of at most this many topics share one write."""
    max_payload: int = 65_536
    """A larger payload is refused, bytes."""
    topics: tuple[TopicRule, ...] = ()
