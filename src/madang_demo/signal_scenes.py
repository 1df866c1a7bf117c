"""What happens in a simulated city, as the signals its devices and citizens send: one function a scene. Pure.

A scene is a list of `Cue`: so many seconds after its start, this signal (the form of `/signals/v1/schema`, without
`source_id` and `observed_at`, which the sender adds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

Signal = dict[str, Any]  # Any: JSON members
BAD_SHARE = 0.05
M_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something can happen: a bell, a camera, an address; `number` is what the platform knows it by."""

    number: str
    lon: float
    lat: float
    address: str = ""
    linked: bool = True


@dataclass(frozen=True, slots=True)
class Town:
    """What a scene is set in."""

    bells: Sequence[Spot]
    cameras: Sequence[Spot]
    places: Sequence[Spot]


@dataclass(frozen=True, slots=True)
class Cue:
    """A signal, so many seconds into its scene. `repeat` sends it twice under one id, as gateways do."""

    at_s: float
    signal: Signal = field(default_factory=dict)
    repeat: bool = False


def near(rng: random.Random, spot: Spot, radius_m: float) -> tuple[float, float]:
    """A longitude and latitude within `radius_m` of a spot."""
    away_m, bearing = radius_m * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
    lat = spot.lat + away_m * math.cos(bearing) / M_PER_DEGREE
    lon = spot.lon + away_m * math.sin(bearing) / (M_PER_DEGREE * math.cos(math.radians(spot.lat)))
    return round(lon, 6), round(lat, 6)


def bell(rng: random.Random, town: Town, _count: int, _seconds: float) -> list[Cue]:
    """Somebody presses a bell, presses again, is answered over the intercom, and the bell is reset."""
    spot = rng.choice(town.bells)
    said = _of("bell", spot, "emergency_bell") | {"accuracy_m": 5.0}

    def state(text: str, intercom: str, *, pressed: bool, ending: bool = False) -> Signal:
        attributes = {"pressed": pressed, "intercom": intercom, "police_linked": spot.linked, "simulated": True}
        return said | {"text": text, "attributes": attributes, "ending": ending}

    return [
        Cue(0.0, state("비상벨이 눌렸습니다", "ringing", pressed=True), repeat=True),
        Cue(8.0, state("비상벨이 다시 눌렸습니다", "ringing", pressed=True)),
        Cue(20.0, state("비상벨 통화 연결: 누가 따라온다고 합니다", "talking", pressed=True)),
        Cue(75.0, state("비상벨이 복구되었습니다", "idle", pressed=False, ending=True)),
    ]


def crowd(rng: random.Random, town: Town, count: int, seconds: float) -> list[Cue]:
    """People fill a place: counters around it raise the alarm one after the other, and do so again."""
    middle = rng.choice(town.places)
    counters = [Spot(f"CROWD-{number:02}", *near(rng, middle, 100), middle.address) for number in range(1, 41)]
    cues = []
    for number in range(count):
        counter = counters[number % len(counters)]
        density = round(min(9.0, 4.2 + 3.5 * number / count + rng.uniform(-0.4, 0.4)), 1)
        signal = _of("sensor", counter, "crowd") | {
            "text": f"인파 밀집 {density}명/㎡",
            "confidence": round(rng.uniform(0.7, 0.98), 2),
            "attributes": {"people_per_m2": density, "simulated": True},
        }
        cues.append(Cue(seconds * number / count, signal))
    return cues


def flap(rng: random.Random, town: Town, count: int, seconds: float) -> list[Cue]:
    """A camera sees an intruder where a branch moves in the wind: on and off, without an end."""
    spot = rng.choice(town.cameras)
    said = _of("frigate", spot, "intrusion") | {
        "attributes": {"zones": ["fence"], "label": "person", "simulated": True}
    }
    return [
        Cue(
            seconds * number / count,
            said
            | {
                "text": "" if number % 2 else "침입 감지",
                "confidence": round(rng.uniform(0.5, 0.62), 2),
                "ending": bool(number % 2),
            },
        )
        for number in range(count)
    ]


def storm(rng: random.Random, town: Town, count: int, seconds: float) -> list[Cue]:
    """A cloudburst: gauges, broken devices and citizens all over the city, a few true emergencies among them."""
    cues = []
    for _ in range(count):
        at_s = rng.uniform(0, seconds)
        drawn = rng.random()
        if drawn < BAD_SHARE:
            cues.append(Cue(at_s, bad(rng, _flooded(rng, town))))
        elif drawn < BAD_SHARE + 0.01:
            cues.append(Cue(at_s, _emergency(rng, town)))
        else:
            cues.append(Cue(at_s, _flooded(rng, town), repeat=rng.random() < BAD_SHARE))
    return sorted(cues, key=lambda cue: cue.at_s)


SCENES: dict[str, tuple[Callable[[random.Random, Town, int, float], list[Cue]], int, float]] = {
    "bell": (bell, 1, 75.0),
    "crowd": (crowd, 120, 60.0),
    "flap": (flap, 60, 60.0),
    "storm": (storm, 1_200, 120.0),
}
"""The scenes by name, each with how many signals in how many seconds where nobody says."""


def everyday(rng: random.Random, town: Town) -> Iterator[Cue]:
    """A quiet day without an end: a bell at times, citizens' reports (5 % bad ones), one noise sensor that flaps."""
    flapping, waits = rng.choice(town.places), {"bell": 90.0, "citizen": 45.0, "noise": 20.0}
    now_s, queue = 0.0, [Cue(at_s, {"next": kind}) for kind, at_s in waits.items()]
    while True:
        queue.sort(key=lambda cue: cue.at_s)
        cue = queue.pop(0)
        now_s = cue.at_s
        kind = cue.signal.get("next")
        if kind is None:
            yield cue
            continue
        queue += [Cue(now_s + one.at_s, one.signal, one.repeat) for one in _everyday_scene(rng, town, kind, flapping)]
        queue.append(Cue(now_s + rng.uniform(*_EVERY_S[kind]), {"next": kind}))


_EVERY_S = {"bell": (240.0, 420.0), "citizen": (150.0, 260.0), "noise": (600.0, 900.0)}


def _everyday_scene(rng: random.Random, town: Town, kind: str, flapping: Spot) -> list[Cue]:
    if kind == "bell":
        return bell(rng, town, 1, 0.0)
    if kind == "noise":
        said = _of("sensor", Spot("NOISE-13", flapping.lon, flapping.lat, flapping.address), "noise")
        level = {"text": "소음 기준 초과", "attributes": {"db": 71, "simulated": True}}
        return [Cue(3.5 * number, said | level) for number in range(16)]
    report = citizen(rng, town)
    return [Cue(0.0, bad(rng, report) if rng.random() < BAD_SHARE else report)]


_TOLD = (
    ("traffic_accident", "차 두 대가 부딪쳤어요. 다친 사람은 없는 것 같아요"),
    ("noise", "공사장 소리가 너무 커요"),
    ("abandoned_object", "벤치 밑에 큰 가방이 며칠째 있어요"),
    ("fall", "할아버지가 길에 쓰러져 계세요"),
    ("facility_fault", "가로등이 깜빡거려요"),
)


def citizen(rng: random.Random, town: Town) -> Signal:
    """A report over the city's app: in people's words, the place as the telephone or the citizen says it."""
    place, (class_code, text) = rng.choice(town.places), rng.choice(_TOLD)
    signal: Signal = {"source": "citizen", "device": "", "class": class_code, "text": text, "address": place.address}
    if rng.random() < 0.7 or not place.address:
        lon, lat = near(rng, place, 40)
        signal |= {"lon": lon, "lat": lat, "accuracy_m": round(rng.uniform(8, 120), 1)}
    return signal | {"attributes": {"channel": "app", "simulated": True}}


_WRONG: Signal = {"source": "carrier-pigeon", "observed_at": "어제 저녁", "confidence": 97, "severitty": "high"}


def bad(rng: random.Random, signal: Signal) -> Signal:
    """A signal as faulty devices send it: each of these is refused by name, or kept without its place."""
    broken = dict(signal)
    fault = rng.choice(("class", "swapped", *_WRONG))
    if fault == "swapped":
        broken["lon"], broken["lat"] = signal.get("lat", 35.2), signal.get("lon", 128.8)
    elif fault == "class":
        broken.pop("class", None)
    else:
        broken[fault] = _WRONG[fault]
    return broken


def _of(source: str, spot: Spot, class_code: str) -> Signal:
    return {
        "source": source,
        "device": spot.number,
        "class": class_code,
        "lon": spot.lon,
        "lat": spot.lat,
        "address": spot.address,
    }


_WET = (("flood", "수위 경보", 0.55), ("weather", "강우 초과", 0.2), ("facility_fault", "장비 이상", 0.25))


def _flooded(rng: random.Random, town: Town) -> Signal:
    if rng.random() < 0.1:
        return citizen(rng, town) | {"class": "flood", "text": "물이 넘쳐서 지나갈 수가 없어요"}
    class_code, text, _ = rng.choices(_WET, weights=[share for *_, share in _WET])[0]
    place = rng.choice(town.places)
    gauge = Spot(f"{class_code.upper()}-{abs(hash((place.lon, place.lat))) % 400:03}", place.lon, place.lat)
    signal = _of("sensor", gauge, class_code) | {"text": text, "confidence": round(rng.uniform(0.6, 0.99), 2)}
    return signal | {"attributes": {"simulated": True}}


def _emergency(rng: random.Random, town: Town) -> Signal:
    if rng.random() < 0.5:
        return bell(rng, town, 1, 0.0)[0].signal
    place = rng.choice(town.places)
    signal = _of("sensor", Spot(f"FIRE-{rng.randint(1, 60):02}", place.lon, place.lat, place.address), "fire")
    return signal | {"text": "화재 감지", "confidence": 0.93, "attributes": {"simulated": True}}
