"""What the simulated devices and citizens promise: scenes in time, ids sent once, nothing lost to a busy platform."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import pytest

from madang_demo import signals
from madang_demo.signal_scenes import SCENES, Spot, Town, everyday

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPOTS = [Spot(f"B-{number}", 128.88 + number / 1000, 35.23, f"김해대로 {number}") for number in range(1, 31)]
TOWN = Town(SPOTS[:10], SPOTS[10:20], SPOTS)


@pytest.mark.parametrize("name", sorted(SCENES))
def test_every_scene_plays_in_its_time_and_the_same_seed_plays_the_same(name: str) -> None:
    scene, count, seconds = SCENES[name]
    cues = scene(random.Random(3), TOWN, count, seconds)
    times = [cue.at_s for cue in cues]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= seconds
    assert cues == scene(random.Random(3), TOWN, count, seconds)


def test_a_crowd_is_in_one_place_and_a_flapping_camera_is_one_device() -> None:
    crowd = SCENES["crowd"][0](random.Random(1), TOWN, 100, 10.0)
    assert len({cue.signal["device"] for cue in crowd}) == 40
    lons = [cue.signal["lon"] for cue in crowd]
    assert max(lons) - min(lons) < 0.0025
    flaps = SCENES["flap"][0](random.Random(1), TOWN, 40, 10.0)
    assert len({cue.signal["device"] for cue in flaps}) == 1
    assert Counter(cue.signal["ending"] for cue in flaps) == {True: 20, False: 20}


def test_a_storm_holds_bad_signals_repeated_ones_and_true_emergencies() -> None:
    cues = SCENES["storm"][0](random.Random(5), TOWN, 2_000, 60.0)
    classes = Counter(cue.signal.get("class", "") for cue in cues)
    assert classes["fire"] + classes["emergency_bell"] > 5
    assert any(cue.repeat for cue in cues)
    broken = [
        cue
        for cue in cues
        if not cue.signal.get("class")
        or {"observed_at", "severitty"} & set(cue.signal)
        or cue.signal.get("confidence", 0) > 1
        or cue.signal["source"] == "carrier-pigeon"
        or cue.signal.get("lat", 0) > 90
    ]
    assert 60 <= len(broken) <= 140


def test_a_quiet_day_is_quiet() -> None:
    first_hour = list(takewhile(lambda cue: cue.at_s < 3_600, everyday(random.Random(2), TOWN)))
    by_source = Counter(cue.signal.get("source") for cue in first_hour)
    assert 30 <= by_source["bell"] <= 70, "four signals each time somebody presses one"
    assert 10 <= by_source["citizen"] <= 26
    assert {cue.signal["device"] for cue in first_hour if cue.signal.get("source") == "sensor"} == {"NOISE-13"}
    times = [cue.at_s for cue in islice(everyday(random.Random(2), TOWN), 200)]
    assert times == sorted(times)


class Platform(HTTPServer):
    """Takes batches; is busy the first time."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.taken: list[dict[str, Any]] = []  # Any: JSON
        self.busy = 1


class Door(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["signals"]
        if self.server.busy:
            self.server.busy -= 1
            self.send_response(503)
            self.end_headers()
            return
        known = {one["source_id"] for one in self.server.taken}
        answers = []
        for one in sent:
            answers.append({"receipt": "repeated" if one["source_id"] in known else "new"})
            known.add(one["source_id"])
        self.server.taken += sent
        body = json.dumps({"answers": answers}).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Says nothing."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    server = Platform()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """Gives the process its own signal handlers back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_handlers")
def test_a_scene_is_sent_again_to_a_busy_platform_under_the_same_ids(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signals, "RETRY_S", 0.01)
    (tmp_path / "police112").mkdir()
    rows = "\n".join(f"김해대로 {number},128.8{number},35.23" for number in range(10, 40))
    (tmp_path / "police112" / "places.csv").write_text(f"address,lon,lat\n{rows}\n", encoding="utf-8")
    (tmp_path / "signals.key").write_text("mdg_x_y", encoding="utf-8")
    (tmp_path / "demo.json").write_text(json.dumps({"ports": {"core": platform.server_port}}), encoding="utf-8")
    arguments = ["--dir", str(tmp_path), "--scene", "crowd", "--count", "30", "--seconds", "0.3", "--seed", "1"]
    assert signals.main(arguments) == 0
    ids = [one["source_id"] for one in platform.taken]
    assert len(ids) == len(set(ids)) == 30
    assert all(datetime.fromisoformat(one["observed_at"]).tzinfo for one in platform.taken)
    assert "30 new" in capsys.readouterr().out


@pytest.mark.usefixtures("own_handlers")
def test_without_a_token_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="madang demo --fresh"):
        signals.main(["--dir", str(tmp_path), "--scene", "bell"])
