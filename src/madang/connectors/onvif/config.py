"""What can be set about ONVIF events: the `[onvif]` section of `madang.toml`."""

from __future__ import annotations

import msgspec

from madang.kernel.secret import Secret


class OnvifCamera(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A camera whose events are listened to."""

    camera: str
    """Ours: its id, or `SITE_KEY/NUMBER` as in the imported list."""
    url: str
    """Its event service, e.g. `http://10.1.2.3/onvif/event_service`; within `[video] camera_networks`."""
    username: str = ""
    password: Secret = Secret()


class TopicRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a topic means here. The first rule that matches counts."""

    topic: str
    """Without name-space prefixes; `*` stands for anything, e.g. `RuleEngine/*/Motion`."""
    class_code: str
    """A class of signals, e.g. `intrusion`; `ignore` keeps nothing."""
    item: str = ""
    """The data item that says whether it holds; empty takes the first there is."""
    camera: str = ""
    """Only for the camera configured by this name; e.g. what is wired to its digital input."""
    priority: int | None = None


IGNORE = "ignore"
_TAMPERED = (
    "RuleEngine/*/Tamper",
    "VideoSource/ImageTooDark/*",
    "VideoSource/ImageTooBright/*",
    "VideoSource/ImageTooBlurry/*",
    "VideoSource/GlobalSceneChange/*",
)
_INTRUDED = (
    "RuleEngine/LineDetector/Cross*",
    "RuleEngine/*/LineCross",
    "RuleEngine/FieldDetector/ObjectsInside",
    "RuleEngine/*/Intrusion",
)
_MOVED = ("RuleEngine/CellMotionDetector/Motion", "RuleEngine/MotionDetector/*", "VideoSource/MotionAlarm")
_SEEN = (
    "RuleEngine/ObjectDetection/Object",
    "RuleEngine/*/People",
    "RuleEngine/*/TPSmartEvent",
    "RuleEngine/*/TpSmartEvent",
    "Device/Trigger/DigitalInput",
    "Device/Trigger/AlarmIn",
)
RULES = (
    *(TopicRule(topic=topic, class_code="device_tampered") for topic in _TAMPERED),
    *(TopicRule(topic=topic, class_code="intrusion") for topic in _INTRUDED),
    *(TopicRule(topic=topic, class_code="motion") for topic in _MOVED),
    *(TopicRule(topic=topic, class_code="object_seen") for topic in _SEEN),
)


class OnvifConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The cameras of one city. Without `cameras` nothing is asked."""

    authority: str = ""
    cameras: tuple[OnvifCamera, ...] = ()
    topics: tuple[TopicRule, ...] = RULES
    pull_s: int = 10
    """How long a camera may wait before it answers that nothing happened."""
    lease_s: int = 60
    """How long a subscription is asked for; it is renewed after half of it."""
    skew_s: float = 5.0
    """A camera's clock that is further off is not believed: the time of arrival counts, its own is noted."""
    max_answer: int = 1_000_000
    """A larger answer is refused, bytes."""

    def __post_init__(self) -> None:
        if self.cameras and not self.authority:
            raise ValueError("authority is needed: the city whose cameras these are")
