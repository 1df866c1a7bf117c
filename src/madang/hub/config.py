"""What can be set about the hub."""

from __future__ import annotations

import msgspec

from madang.kernel.mode import Mode


class ReadingMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a simple reading becomes an entity fragment at the batch door.

    `id` is a template over the reading's fields (`urn:ngsi-ld:AirQualityObserved:{station}`); `attributes` maps a
    field to an attribute name; fields it does not name are left out, `unit_codes` maps a field to its UN/CEFACT code.
    """

    type: str
    id: str
    attributes: dict[str, str]
    observed_at: str = "observedAt"
    unit_codes: dict[str, str] = {}


class HubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[hub]` section. Sizes in bytes unless the name says otherwise, durations in seconds."""

    store: str = "var/hub.sqlite3"
    mode: Mode = Mode.LIVE
    """Stamped on what comes in at the batch door."""
    indexed_attributes: tuple[str, ...] = ()
    """Attributes whose value gets an expression index, by core name (default-context attributes by short name)."""
    max_body: int = 10_000_000
    max_entity: int = 1_000_000
    max_batch: int = 5_000
    max_depth: int = 64
    default_limit: int = 20
    max_limit: int = 1_000
    query_timeout_s: float = 10.0
    cache_bytes: int = 32_000_000
    column_bytes: int = 64_000_000
    """Memory for attribute values kept in columns, which answer queries never asked before."""
    group_max: int = 512
    """At most this many waiting writes share one commit."""
    feed_keep_days: int = 30
    """Changes older than this leave the feed; history goes on in files."""
    history: str = ""
    """The folder of history files; beside the store where nothing is said."""
    history_hot_s: float = 3_600.0
    """History younger than this is read from the store's rows; older is moved to Parquet files."""
    history_hot_rows: int = 20_000
    """It is moved earlier where more changes than these wait, so that reading them stays quick."""
    history_keep_days: float = 0.0
    """How long history is kept, in rows and files; 0 is for ever. Entities themselves are not touched."""
    history_keep_days_of: dict[str, float] = {}
    """The same by entity type (core name); of an entity of several types the shortest counts."""
    history_memory: str = "512MB"
    """What questions about history may use of memory; the rest goes to disk."""
    history_instances: int = 1_000
    """At most so many instances of one attribute in one answer; where there are more, it is partial (206)."""
    history_answer: int = 100_000
    """At most so many instances, or aggregation periods, in one answer altogether."""
    history_grace_s: float = 60.0
    """Files that were superseded stay this long for those who are reading them."""
    rejects_kept: int = 10_000
    stale_after_s: float = 600.0
    """A feed silent for longer is shown as stale unless `feed_stale_after_s` names it."""
    feed_stale_after_s: dict[str, float] = {}
    context_files: dict[str, str] = {}
    """Address of a JSON-LD context → a local file that answers for it."""
    context_timeout_s: float = 2.0
    context_keep_s: float = 86_400.0
    public_url: str = ""
    """Where clients reach this server (`https://host`): for the addresses of @contexts it serves to others."""
    outward_allow: tuple[str, ...] = ()
    """Hosts or networks (`host`, `10.1.0.0/16`) that may be called although their addresses are private."""
    notify_timeout_s: float = 5.0
    """How long an endpoint may take for one notification, unless its subscription says otherwise."""
    notify_timeout_max_s: float = 60.0
    """The longest that a subscription may ask for."""
    notify_attempts: int = 10
    """A notification that failed so often is parked."""
    notify_backoff_s: float = 1.0
    """Waiting time after the first failure; it doubles with each."""
    notify_backoff_max_s: float = 300.0
    notify_queue_max: int = 10_000
    """Notifications kept waiting for one subscription, and as many parked; what overflows is dropped and counted."""
    max_subscriptions: int = 50_000
    """Subscriptions of one tenant."""
    readings: dict[str, ReadingMap] = {}
    """Named mappings for simple readings at `/ingest/v1/batch?map=NAME`."""
