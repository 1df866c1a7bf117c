"""A control room that faults are done to: a city, its people and devices, a clock set by hand, workers run by hand."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from madang.identity.actors import actor_of_agency, actor_of_person
from madang.identity.models import Agency, Authority, Person, RoleAssignment
from madang.identity.rights import Actor, Role, system_actor
from madang.journal import civic, handlers, relay
from madang.journal.session import Session
from madang.kernel.clock import system_clock
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.response.commands import OpenIncident
from madang.response.config import SignalsConfig
from madang.response.domain import SaidPlace
from madang.response.duty.presence import LOOKOUT
from madang.response.signals.intake import Answer, Draft, accept
from madang.response.signals.settlement import Settlement
from madang.video.commands import SiteRow, put_sites
from madang.video.coverage import COVERAGE
from madang.video.models import Camera

CITY = "48250"
HALL = Point(128.8894, 35.2285)
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SIMULATED = Mode.SIMULATED
_WIPED = ("signals_", "response_", "journal_", "duty_", "sop_", "messaging_", "rules_", "review_", "facilities_")
_WIPED_VIDEO = ("case", "videogrant", "grant", "lease", "viewsession", "breakglass", "provision", "cameralook")
_KEPT = ("journal_retention", "facilities_retention")


_steering: list[Room] = []


def _steered() -> datetime:
    return _steering[-1].now if _steering else system_clock()


def steer() -> None:
    """Every module of the platform that reads the system's clock reads the room's instead."""
    for name, module in list(sys.modules.items()):
        if name.startswith("madang.") and name != "madang.kernel.clock" and hasattr(module, "system_clock"):
            module.system_clock = _steered  # type: ignore[attr-defined]  # found by its name


def wipe() -> None:
    """Takes everything away but the city, its people and its cameras."""
    names = [name for name in connection.introspection.table_names() if _is_wiped(name)]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys=OFF")
        for name in names:
            cursor.execute(f'DELETE FROM "{name}"')
        cursor.execute("PRAGMA foreign_keys=ON")


def _is_wiped(name: str) -> bool:
    of_video = name.startswith("video_") and name.removeprefix("video_").startswith(_WIPED_VIDEO)
    return (name.startswith(_WIPED) and not name.startswith(_KEPT)) or of_video


def _person(name: str, role: Role) -> Actor:
    person = Person.objects.filter(username=name).first()
    if person is None:
        person = Person.objects.create_user(username=name, password="unused", name_ko=name, authority_id=CITY)
        RoleAssignment.objects.create(person=person, role=role.value, authority_id=CITY)
    return actor_of_person(person)


def _cameras() -> list[str]:
    if not Camera.objects.filter(authority_id=CITY, site__source_key__startswith="hall").exists():
        at = [destination(HALL, 60.0 * n, 40) for n in range(4)]
        rows = [
            SiteRow(f"hall-{n}", name=f"hall {n}", lon=p.lon, lat=p.lat, purpose="생활방범") for n, p in enumerate(at)
        ]
        with civic.transaction() as tx:
            put_sites(tx, CITY, rows, START, SIMULATED)
    COVERAGE.rebuild(CITY)
    cameras = Camera.objects.filter(authority_id=CITY, site__source_key__startswith="hall")
    return list(cameras.order_by("pk").values_list("pk", flat=True))


@dataclass
class Room:
    """Everything faults are done with. `dice` is the only chance there is: the same seed does the same."""

    dice: random.Random
    config: SignalsConfig = field(default_factory=lambda: SignalsConfig(group=7))
    now: datetime = START
    sent: int = 0
    settlement: Settlement = field(init=False)

    def __post_init__(self) -> None:
        wipe()
        _steering[:] = [self]
        steer()
        LOOKOUT.forget()
        handlers.CIVIC.subscribers.pop("hub_mirror", None)
        Authority.objects.get_or_create(
            code=CITY, defaults={"name_ko": "김해시", "name_en": "Gimhae", "lon": HALL.lon, "lat": HALL.lat}
        )
        self.kim, self.lee = _person("fault-kim", Role.OPERATOR), _person("fault-lee", Role.OPERATOR)
        self.chief, self.deputy = _person("fault-chief", Role.SUPERVISOR), _person("fault-deputy", Role.SUPERVISOR)
        values = {"authority_id": CITY, "kind": "police", "name_ko": "112", "mode": "simulated"}
        self.agency = Agency.objects.get_or_create(code="fault-police", defaults=values)[0]
        self.police = actor_of_agency(self.agency)
        self.system = system_actor(CITY)
        self.cameras = _cameras()
        self.restart()

    @staticmethod
    def leave() -> None:
        """The system's clock is the platform's again."""
        _steering.clear()

    # --------------------------------------------------------------------------------------- time and workers

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def restart(self) -> None:
        """What a process remembers is gone, as after kill -9."""
        self.settlement = Settlement(civic.store, self.clock, self.config)
        LOOKOUT.forget()

    def settle(self) -> None:
        """Settles every signal that waits."""
        while self.settlement.run_once():
            pass

    def work(self) -> None:
        """Timers, deliveries and what follows from them, until nothing is due."""
        for _ in range(200):
            if not relay.run_once(self.clock):
                return
        raise AssertionError("the relay never comes to rest")

    def live(self, seconds: float, step_s: float = 5.0) -> None:
        """Time passes with the platform awake."""
        for _ in range(round(seconds / step_s)):
            self.wait(step_s)
            LOOKOUT.look(self.now, 15)
            self.work()

    # ------------------------------------------------------------------------------------------- what comes in

    def draft(self, class_code: str = "intrusion", *, at: Point | None = HALL, **more: Any) -> Draft:
        """A report of a sensor, new each time. `more`: fields of a draft (Any)."""
        self.sent += 1
        values: dict[str, Any] = {  # Any: fields of a draft
            "authority": CITY,
            "mode": SIMULATED,
            "source": "sensor",
            "source_id": f"s-{self.sent}",
            "device": "D-1",
            "class_code": class_code,
            "observed_at": self.now,
            "lon": at.lon if at else None,
            "lat": at.lat if at else None,
            "accuracy_m": None,
        }
        return Draft(**(values | more))

    def take_in(self, *drafts: Draft) -> list[Answer]:
        with civic.transaction() as tx:
            return accept(tx, self.system, drafts, self.now)

    def call(self, key: str, code: int = 1, seq: int = 1) -> OpenIncident:
        """A police call as its linkage hands it over."""
        return OpenIncident(
            authority=CITY,
            source="police112",
            mode=SIMULATED,
            class_text="robbery",
            code=code,
            place=SaidPlace(HALL.lon, HALL.lat, 20.0, "김해대로 2401"),
            source_key=key,
            agency=self.agency.code,
            basis="pipa_18_2_3",
            seq=seq,
            message_id=f"{key}-{seq}",
        )


@contextmanager
def tx() -> Iterator[Session]:
    """One transaction."""
    with civic.transaction() as session:
        yield session
