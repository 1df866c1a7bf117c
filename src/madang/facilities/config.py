"""What a city may set about its facilities: the `[facilities]` section."""

from __future__ import annotations

import msgspec


class FacilitiesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When things count as silent, broken, mended and due. Times in seconds, unless they end in `_days`."""

    listen_every_s: float = 15.0
    """How often the feeds of watched things are looked at."""
    expected_every_s: dict[str, float] = msgspec.field(
        default_factory=lambda: {"sensor": 600.0, "bell": 3_600.0, "light": 3_600.0, "shelter": 900.0}
    )
    """How often a thing is expected to speak, by kind or by entity type, where it does not say so itself. Three missed
    turns are silence."""
    adopt_types: dict[str, str] = msgspec.field(
        default_factory=lambda: {
            "AirQualityObserved": "sensor",
            "TrafficFlowObserved": "sensor",
            "WeatherObserved": "sensor",
            "NoiseLevelObserved": "sensor",
            "WaterQualityObserved": "sensor",
            "EmergencyBell": "bell",
            "Streetlight": "light",
            "SmartShelter": "shelter",
        }
    )
    """Entity types of the hub whose entities are facilities, and of which kind: each is registered when it is first
    heard."""
    adopt_most: int = 20_000
    """At most so many entities of one type are registered by themselves."""

    confirm_s: float = 120.0
    """How long a suspicion must stand before an outage opens."""
    stable_s: float = 300.0
    """How long a thing must work before its outage is closed; doubles with each relapse, up to `stable_most_s`."""
    stable_most_s: float = 14_400.0
    wobbles: int = 3
    """So many suspicions that passed within `wobble_s` open an outage of their own."""
    wobble_s: float = 3_600.0
    picture_valid_s: float = 86_400.0
    """For how long a camera seen working counts as working."""

    inspect_every_days: dict[str, int] = msgspec.field(
        default_factory=lambda: {"cctv": 180, "bell": 90, "light": 365, "sensor": 180, "shelter": 180}
    )
    """How many days may lie between two inspections of a kind; kinds not named are not asked for any."""
    order_due_days: int = 7
    """When a work order is due where nobody says."""
    verify_within_s: float = 86_400.0
    """Work reported done whose feed is not back by then is sent back."""
    cleared_kept_days: int = 30
    """Suspicions that passed are forgotten after so many days."""

    def every_s(self, kind: str, entity_type: str = "") -> float:
        """How often a thing is expected to speak, by its entity type or else its kind; 0 where nothing is expected."""
        return self.expected_every_s.get(entity_type, self.expected_every_s.get(kind, 0.0))
