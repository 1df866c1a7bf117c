"""The nationwide CCTV file: 375,000 sites in the real layout (18 columns, CP949), imported into an empty city.

Run in a process of its own, so that the memory measured is the import's. The goals are absolute (a minute, a
gigabyte), so `limit` is the goal and `ratio` how much of it was used.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.result import Result

ROOT = Path(__file__).resolve().parents[1]
ROWS = 375_000
QUICK_ROWS = 20_000
GOAL_S = 60.0
GOAL_MB = 1_000.0
HEADER = (
    "개방자치단체코드,관리번호,관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,"
    "보관일수,설치연월,관리기관전화번호,WGS84위도,WGS84경도,데이터기준일자,데이터갱신구분,데이터갱신시점,최종수정시점"
)
_PURPOSES = ("생활방범", "다목적", "어린이보호", "교통단속", "시설물관리", "쓰레기단속", "재난재해", "방범(공원)")
_VIEWS = ("360도 전방면", "고정", "회전", "", "남쪽 방향", "60도 단방향")


def rows(count: int, seed: int = 7) -> Iterator[str]:
    """Invented rows over all of Korea, dirt in small doses."""
    rng = random.Random(seed)
    for number in range(count):
        city = number * 226 // count
        lat, lon = 34.6 + rng.random() * 3.4, 126.4 + rng.random() * 2.8
        place = f"{lat:.7f},{lon:.7f}"
        if rng.random() < 0.002:
            place = rng.choice(["0,0", ",", f"{lon:.6f},{lat:.6f}", f"{lat:.6f},139.1"])
        street = f"가상{city}시 보기{rng.randrange(900)}로{rng.randrange(1, 90)}번길 {rng.randrange(1, 200)}"
        lot = f"가상{city}시 보기{rng.randrange(40)}동 {rng.randrange(1, 900)}-{rng.randrange(1, 30)}"
        cameras = rng.choice((1, 1, 1, 1, 1, 2, 2, 3))
        yield (
            f"{5000000 + city * 10},{number:07},가상{city}시청,{street},{lot},{rng.choice(_PURPOSES)},{cameras},200,"
            f"{rng.choice(_VIEWS)},30,20{rng.randrange(8, 26):02}-{rng.randrange(1, 13):02},055-000-{city:04},{place},"
            f"2026-06-30,I,2026-07-01 00:00:00,2026-07-01 00:00:00"
        )


def write_file(path: Path, count: int) -> None:
    """Writes the file as the portal would: CP949, CRLF."""
    with path.open("w", encoding="cp949", newline="\r\n") as file:
        file.write(f"{HEADER}\n")
        for row in rows(count):
            file.write(f"{row}\n")


def run(quick: bool) -> list[Result]:
    """Imports the file once and again; seconds and the largest resident set."""
    from benchmarks.result import Result

    count = QUICK_ROWS if quick else ROWS
    share = count / ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nationwide.csv"
        write_file(path, count)
        told = _measure(Path(folder), path)
    goal_s = GOAL_S * share
    name = f"CCTV file of {count:,} rows"
    return [
        Result(f"{name}: first import", told["first_s"], goal_s, told["first_s"] / goal_s, 1.0, "s", at_least=False),
        Result(f"{name}: imported again", told["again_s"], goal_s, told["again_s"] / goal_s, 1.0, "s", at_least=False),
        Result(f"{name}: memory", told["peak_mb"], GOAL_MB, told["peak_mb"] / GOAL_MB, 1.0, "MB", at_least=False),
    ]


def _measure(folder: Path, path: Path) -> dict[str, float]:
    """Runs `_child` in a process of its own, with an empty state directory and no settings of ours."""
    (folder / "var").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MADANG_", "DJANGO_"))}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = kept | {"PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "madang.site.settings"}
    child = [sys.executable, "-m", "benchmarks.import_cctv", "child", str(path)]
    done = subprocess.run(child, env=environment, cwd=folder, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _child(path: Path) -> None:
    import resource

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)

    from madang.connectors.cctv_standard import command
    from madang.identity.models import Authority
    from madang.identity.rights import system_actor

    Authority.objects.create(code="bench", name_ko="전국", name_en="Nationwide", lon=127.8, lat=36.3)
    told: dict[str, float] = {}
    for name in ("first_s", "again_s"):
        start = time.perf_counter()
        done = command.run(path, "bench", system_actor("bench"))
        told[name] = time.perf_counter() - start
        assert done.state == "done", done.reason_en
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        _child(Path(sys.argv[2]))
    else:
        for result in run(quick="--quick" in sys.argv):
            print(result)
