"""A simulated city's bells, sensors, cameras and citizens, who send signals to a platform.

Run as `python -m madang_demo.signals --dir var/demo` it is a quiet day without an end; with `--scene bell`, `crowd`,
`flap` or `storm` it plays that scene once and ends. `--dir` is the directory of a demo that runs.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import random
import signal
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from madang_demo.signal_scenes import SCENES, Cue, Signal, Spot, Town, everyday

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TOKEN = "signals.key"  # noqa: S105 -- a file's name
GATHER_S = 0.1
MOST = 500
"""So many signals share a request at most."""
RETRY_S = 1.0


# ---------------------------------------------------------------------------------------------- where it plays


def town_of(state: Path) -> Town:
    """The bells, cameras and places of a demo: of its generated city, or else of where its calls come from."""
    city = state / "city"
    places = _spots(city / "addresses.csv", "address", "lon", "lat", "address")
    places = places or _spots(state / "police112" / "places.csv", "address", "lon", "lat", "address")
    if not places:
        raise SystemExit(f"{state} is no demo that was set up: it knows no places (bring it up with `madang demo`)")
    bells = _spots(city / "bells.csv", "안전비상벨관리번호", "WGS84경도", "WGS84위도", "소재지도로명주소")
    cameras = _spots(city / "cctv.csv", "관리번호", "WGS84경도", "WGS84위도", "소재지도로명주소")
    return Town(bells or _numbered("BELL", places), cameras or _numbered("CAM", places), places)


def _spots(path: Path, number: str, lon: str, lat: str, address: str) -> list[Spot]:
    if not path.is_file():
        return []
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp949")
    return [
        Spot(row[number], float(row[lon]), float(row[lat]), row[address], row.get("경찰연계유무", "Y") == "Y")
        for row in csv.DictReader(io.StringIO(text, newline=""))
        if row.get(number) and _is_number(row.get(lon)) and _is_number(row.get(lat))
    ]


def _is_number(text: str | None) -> bool:
    try:
        return 20 < float(text or "") < 150
    except ValueError:
        return False


def _numbered(kind: str, places: list[Spot]) -> list[Spot]:
    return [
        Spot(f"{kind}-{number:03}", place.lon, place.lat, place.address)
        for number, place in enumerate(places[:60], start=1)
    ]


# ---------------------------------------------------------------------------------------------------- sending


class Sender:
    """Posts signals to `/signals/v1/batch` and counts what became of them; waits for a platform that is not up."""

    def __init__(self, url: str, token: str, stopped: Callable[[], bool] = lambda: False) -> None:
        self._url = url.rstrip("/") + "/signals/v1/batch"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._stopped = stopped
        self._run = uuid.uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self.counts: Counter[str] = Counter()

    def written(self, cue: Cue) -> list[Signal]:
        """The signal with its id and time; twice where it is sent twice."""
        stamp = {
            "source_id": f"{self._run}-{next(self._numbers)}",
            "observed_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        return [stamp | cue.signal] * (2 if cue.repeat else 1)

    def send(self, signals: list[Signal]) -> None:
        """Sends until it is answered for good: what was taken before counts as repeated, so nothing is doubled."""
        body = json.dumps({"signals": signals, "mode": "simulated"}, ensure_ascii=False).encode()
        while not self._stopped():
            try:
                request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 -- the demo's own address
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- the same
                    self._count(json.load(answer)["answers"])
                return
            except urllib.error.HTTPError as error:
                said = error.read()
                if error.code in (401, 403):
                    raise SystemExit(f"the platform does not take signals with this token ({error.code})") from None
                if error.code < 500 and error.code != 429:
                    self._refused(said, len(signals))
                    return
            except (OSError, ValueError):
                self.counts["tries that failed"] += 1
            time.sleep(RETRY_S)

    def _count(self, answers: list[dict[str, str]]) -> None:
        self.counts.update(answer["receipt"] for answer in answers)

    def _refused(self, said: bytes, sent: int) -> None:
        try:
            self._count(json.loads(said)["answers"])
        except (ValueError, KeyError, TypeError):
            self.counts["refused"] += sent


def play(cues: Iterable[Cue], sender: Sender, stopped: Callable[[], bool]) -> None:
    """Sends each signal at its time, together what falls due together."""
    began_s = time.monotonic()
    for batch in _together(cues):
        while (left_s := began_s + batch[-1].at_s - time.monotonic()) > 0 and not stopped():
            time.sleep(min(left_s, 0.2))
        if stopped():
            return
        sender.send([signal for cue in batch for signal in sender.written(cue)])


def _together(cues: Iterable[Cue]) -> Iterator[list[Cue]]:
    batch: list[Cue] = []
    for cue in cues:
        if batch and (cue.at_s - batch[0].at_s > GATHER_S or len(batch) >= MOST):
            yield batch
            batch = []
        batch.append(cue)
    if batch:
        yield batch


# ------------------------------------------------------------------------------------------------ the program


def main(arguments: list[str] | None = None) -> int:
    """Plays one scene, or a quiet day until it is ended."""
    options = _options(arguments)
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: ended.append(got))
    url, token = _platform(options)
    rng, town = random.Random(options.seed), town_of(options.dir)
    sender = Sender(url, token, lambda: bool(ended))
    if options.scene:
        scene, count, seconds = SCENES[options.scene]
        cues: Iterable[Cue] = scene(rng, town, options.count or count, options.seconds or seconds)
    else:
        cues = everyday(rng, town)
    sys.stdout.write(f"simulated signals → {url} ({options.scene or 'a quiet day'})\n")
    sys.stdout.flush()
    play(cues, sender, lambda: bool(ended))
    sys.stdout.write(" · ".join(f"{count} {what}" for what, count in sorted(sender.counts.items())) + "\n")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m madang_demo.signals", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("var/demo"), help="the directory of a demo that runs")
    parser.add_argument("--scene", choices=sorted(SCENES), help="play this once; without it, a quiet day")
    parser.add_argument("--count", type=int, default=0, help="how many signals (crowd, flap, storm)")
    parser.add_argument("--seconds", type=float, default=0.0, help="spread over so many seconds (crowd, flap, storm)")
    parser.add_argument("--url", default="", help="the platform, where it is not that of --dir")
    parser.add_argument("--token-file", type=Path, help="a file with a device token, where it is not that of --dir")
    parser.add_argument("--seed", type=int, default=None, help="another seed is another place")
    options = parser.parse_args(arguments)
    if options.count < 0 or options.seconds < 0:
        parser.error("--count and --seconds must not be below 0")
    return options


def _platform(options: argparse.Namespace) -> tuple[str, str]:
    path = options.token_file or options.dir / TOKEN
    if not path.is_file():
        raise SystemExit(f"{path} is missing: bring the demo up with `madang demo --fresh`, or name --token-file")
    url = options.url
    if not url:
        note = json.loads((options.dir / "demo.json").read_text(encoding="utf-8"))
        url = f"http://127.0.0.1:{note['ports']['core']}"
    return url, path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    raise SystemExit(main())
