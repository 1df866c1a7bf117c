"""Signals, storms and shelves as the console's API tells them, for the screen's tests: rows and deeds, no server."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from tests.frontend.mock_city import DISTRICTS, City, Row, instant, offset

CLASSES = [
    ("noise", "이상음", "Unusual sound"),
    ("loitering", "배회", "Loitering"),
    ("intrusion", "침입", "Intrusion"),
    ("flood", "침수", "Flooding"),
]
SOURCES = ["sensor", "frigate", "onvif", "sensor", "bell"]
TRUE_ONE = "지하차도에 차가 잠김"
"""The one event of the storm that matters."""


class Signals:
    """What the mock knows of signals; `change` tells the live stream."""

    def __init__(self, city: City, change: Callable[..., None]) -> None:
        self.city = city
        self.change = change
        self.events: dict[str, Row] = {}
        self.signals: dict[str, list[Row]] = {}
        self.shelves: dict[str, Row] = {}
        self.load = {"new_items": 4, "new_urgent": 2}
        self._count = itertools.count(1)

    # --- what tests do ---------------------------------------------------------------------------------------------

    def storm(self, size: int = 3_000) -> Row:
        """A storm with so many events breaks loose."""
        row = self._like(self.city.incidents["i3"], "storm1", 77, ("storm", "경보 폭주", "Alarm storm"), 2)
        row |= {"signal_count": size * 3, "last_signal_at": instant(datetime.now(UTC)), "state": "NEW", "owner": None}
        row["place"] = {**row["place"], "address": "", "district": "내외동"}
        self.events |= {f"e{index}": self._event(index, row["id"]) for index in range(size)}
        self.change("incident", row)
        self.change("shelf", {"id": "event:e0"})
        return row

    def grow(self, by: int) -> None:
        """More of the same."""
        storm = {**self.city.incidents["storm1"]}
        start = len(self.events)
        self.events |= {f"e{index}": self._event(index, "storm1") for index in range(start, start + by)}
        storm |= {"signal_count": storm["signal_count"] + by, "version": storm["version"] + 1}
        storm["last_signal_at"] = instant(datetime.now(UTC))
        self.change("incident", storm)
        self.change("shelf", {"id": "event:e1"})

    def behind(self, incident: str, count: int = 3) -> None:
        """Signals stand behind an incident."""
        row = {**self.city.incidents[incident]}
        now = datetime.now(UTC)
        event: Row = {**self._event(0, incident), "id": f"of-{incident}", "storm_id": None, "in_storm": False}
        event |= {"text": "", "place": row["place"], "signals": count}
        self.events[event["id"]] = event
        self.signals[incident] = [self._signal(index, event, now) for index in range(count)]
        row |= {"signal_count": count, "last_signal_at": instant(now), "version": row["version"] + 1}
        self.change("incident", row)

    def shelve(self, device: str, reason: str = "계속 울림", *, automatic: bool = True, source: str = "sensor") -> Row:
        now = datetime.now(UTC)
        row: Row = {
            "id": f"shelf{next(self._count)}",
            "mode": "simulated",
            "source": source,
            "device": device,
            "reason": reason,
            "automatic": automatic,
            "shelved_by": {"id": "person:1", "name": "" if automatic else "김하늘"},
            "shelved_at": instant(now),
            "until": instant(now + timedelta(minutes=30)),
            "ended_at": None,
            "ended_by": None,
            "ended_reason": "",
            "signals": 214,
        }
        self.shelves[row["id"]] = row
        self.change("shelf", row)
        return row

    # --- rows ------------------------------------------------------------------------------------------------------

    def _like(self, row: Row, key: str, number: int, named: tuple[str, str, str], priority: int) -> Row:
        code, ko, en = named
        now = instant(datetime.now(UTC))
        return {
            **row,
            "id": key,
            "number": f"2026-{number:06d}",
            "version": 1,
            "source": "signal",
            "agency": None,
            "call_no": None,
            "class_code": code,
            "class_ko": ko,
            "class_en": en,
            "priority": priority,
            "opened_at": now,
            "updated_at": now,
            "pending_grants": 0,
        }

    def _event(self, index: int, incident: str) -> Row:
        code, ko, en = CLASSES[index % len(CLASSES)]
        lon, lat = offset(-900 + 7 * (index % 250), 300 + 9 * (index % 40))
        seen = datetime.now(UTC) - timedelta(seconds=index % 600)
        return {
            "id": f"e{index}",
            "class_code": code,
            "class_ko": ko,
            "class_en": en,
            "mode": "simulated",
            "priority": 2 if index % 9 == 0 else 3,
            "source": SOURCES[index % len(SOURCES)],
            "device": f"SN-{index:04d}",
            "district": DISTRICTS[index % 3],
            "place": {"lon": lon, "lat": lat, "accuracy_m": 30, "address": f"김해시 내외동 중앙로 {index % 200 + 1}"},
            "text": TRUE_ONE if index == 1234 else "기준값 초과",
            "first_at": instant(seen - timedelta(minutes=3)),
            "last_at": instant(seen),
            "ended_at": instant(seen) if index % 7 == 0 else None,
            "signals": 1 + index % 12,
            "incident_id": incident,
            "storm_id": incident,
            "in_storm": True,
        }

    def _signal(self, index: int, event: Row, now: datetime) -> Row:
        seen = now - timedelta(seconds=20 * index + (400 if index == 2 else 1))
        return {
            **{name: event[name] for name in ("class_code", "class_ko", "class_en", "mode", "source", "device")},
            "id": f"sig-{event['id']}-{index}",
            "observed_at": instant(seen),
            "received_at": instant(now - timedelta(seconds=20 * index)),
            "place": event["place"],
            "priority": event["priority"],
            "confidence": 0.87 if index == 0 else None,
            "text": "사람이 쓰러진 모습",
            "media_ref": "clip-1" if index == 0 else "",
            "attributes": {},
            "rule": "fall@3" if index == 1 else "",
            "ending": False,
            "outcome": "incident",
            "reason": "opened" if index == 0 else "late" if index == 2 else "repeated",
            "event_id": event["id"],
            "shelf_id": None,
        }

    # --- answers ---------------------------------------------------------------------------------------------------

    def storms(self) -> list[Row]:
        """The storms with what they hold."""
        rows = [row for row in self.city.incidents.values() if row["class_code"] == "storm"]
        return [
            self._storm(row, [one for one in self.events.values() if one["incident_id"] == row["id"]]) for row in rows
        ]

    def _storm(self, row: Row, held: list[Row]) -> Row:
        by_class = Counter(one["class_code"] for one in held)
        names = {code: (ko, en) for code, ko, en in CLASSES}
        apart = [one for one in self.events.values() if one["storm_id"] == row["id"] and not one["in_storm"]]
        return {
            "incident_id": row["id"],
            "number": row["number"],
            "state": row["state"],
            "mode": row["mode"],
            "district": row["place"]["district"],
            "opened_at": row["opened_at"],
            "last_at": row["last_signal_at"],
            "signals": row["signal_count"],
            "split_out": len(apart),
            "events": len(held),
            "by_priority": dict(Counter(str(one["priority"]) for one in held)),
            "by_class": [
                {"class_code": code, "class_ko": names[code][0], "class_en": names[code][1], "events": count}
                for code, count in by_class.most_common()
            ],
        }

    def find(self, incident: str | None, query: Row) -> Row:
        """The events asked for, the most pressing first."""
        rows: Iterable[Row] = self.events.values()
        exact = {name: query[name] for name in ("class_code", "source") if query.get(name)}
        if incident is not None:
            exact["incident_id"] = incident
        found = [row for row in rows if all(row[name] == value for name, value in exact.items())]
        found = [row for row in found if query.get("priority") in (None, str(row["priority"]))]
        for word in str(query.get("q", "")).split():
            found = [row for row in found if word in f"{row['text']} {row['device']} {row['place']['address']}"]
        found.sort(key=lambda row: row["last_at"], reverse=True)
        found.sort(key=lambda row: row["priority"])
        return self.page(found, query)

    def page(self, rows: list[Row], query: Row) -> Row:
        start, most = int(query.get("offset", 0)), int(query.get("limit", 50))
        some = rows[start : start + most]
        return {"rows": some, "total": len(rows), "next_offset": start + most if start + most < len(rows) else None}

    def split(self, key: str) -> Row:
        event = self.events[key]
        number = 200 + next(self._count)
        named = (event["class_code"], event["class_ko"], event["class_en"])
        row = self._like(self.city.incidents["i3"], f"split{number}", number, named, event["priority"])
        row |= {"state": "NEW", "owner": None, "parent_id": event["storm_id"], "signal_count": event["signals"]}
        row["place"] = {**row["place"], **event["place"], "state": "located"}
        self.events[key] = {**event, "incident_id": row["id"], "in_storm": False}
        self.change("incident", row)
        self.change("shelf", {"id": f"event:{key}"})
        return row

    def merge(self, gone: str, into: str) -> Row:
        for key, event in self.events.items():
            if event["incident_id"] == gone:
                self.events[key] = {**event, "incident_id": into, "in_storm": event["storm_id"] == into}
        over = {**self.city.incidents[gone], "state": "MERGED", "closed_at": instant(datetime.now(UTC))}
        over["version"] += 1
        kept = {**self.city.incidents[into], "version": self.city.incidents[into]["version"] + 1}
        self.change("incident", over)
        self.change("incident", kept)
        return kept

    def alarm_load(self) -> Row:
        new, urgent = self.load["new_items"], self.load["new_urgent"]
        return {
            "operators": 2,
            "window_s": 600,
            "allowed": 20,
            "new_items": new,
            "new_urgent": urgent,
            "per_operator": new / 2,
            "per_operator_hour": (new + urgent) / 2,
            "in_storms": len(self.events),
            "shelved": len([row for row in self.shelves.values() if row["ended_at"] is None]),
            "by_operator": [
                {"id": "person:1", "name": "김하늘", "taken": 3, "open": 2},
                {"id": "person:2", "name": "이야근", "taken": 1, "open": 1},
            ],
        }

    def talkers(self) -> list[Row]:
        said = sorted(self.events.values(), key=lambda row: row["signals"], reverse=True)[:5]
        aside = {row["device"] for row in self.shelves.values() if row["ended_at"] is None}
        return [
            {
                **{name: row[name] for name in ("mode", "source", "device", "signals", "last_at")},
                "events": 1,
                "shelved": row["device"] in aside,
            }
            for row in said
        ]
