"""A small city to watch: operators of two shifts, a supervisor, cameras with streams, a bell, devices that report."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.site.serving import (
    PASSWORD,
    Installation,
    accepts,
    children_of,
    environment,
    free_port,
    install,
    seed,
    until,
)

_MORE = """
import sys
from datetime import timedelta
from pathlib import Path
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.cli.demo_signals import give_token
from madang.identity import commands
from madang.identity.models import Person
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response.sop.seed import plant
from madang.video.commands import SiteRow, put_sites
from madang.video.commands.survey import SurveyRow, put_survey
from madang.video.models import DutyShift
state, farm = Path(sys.argv[1]), sys.argv[2]
actor, now, city = actor_at_the_keyboard("48250"), system_clock(), "48250"
with civic.transaction() as tx:
    for name, ko, role in (("lee", "이야근", Role.OPERATOR), ("chief", "박책임", Role.SUPERVISOR)):
        commands.create_account(tx, actor, authority=city, username=name, password=%r, name=ko, roles=[role], now=now)
    plant(tx, system_actor(city), city, now)
    rows = [
        SiteRow(f"site-{n}", name=f"거북공원 {n}", lon=128.889 + n / 4000, lat=35.228, purpose="생활방범")
        for n in range(3)
    ]
    put_sites(tx, city, rows, now, Mode.SIMULATED)
    streams = [
        SurveyRow(source_key=f"site-{n}", number=1, stream_url=f"http://127.0.0.1:{farm}/cam/{n}.ts") for n in range(3)
    ]
    put_survey(tx, actor, city, streams, now)
    for name in ("kim", "lee"):
        person = Person.objects.get(username=name)
        DutyShift.objects.create(
            person=person, authority_id=city, from_at=now, to_at=now + timedelta(hours=8), accepted_at=now
        )
give_token(state, city, now)
"""
_BELLS = "안전비상벨관리번호,WGS84경도,WGS84위도,소재지도로명주소\nBELL-7,128.889,35.228,김해시 거북공원길 7\n"
_CAMERAS = "관리번호,WGS84경도,WGS84위도,소재지도로명주소\nCAM-80,128.862,35.243,김해시 분성로 80\n"
_PLACES = "address,lon,lat\n김해시 수로왕릉 광장,128.878,35.234\n"


@dataclass(frozen=True)
class City:
    """The installation, and where its simulated devices find what they need."""

    home: Installation
    devices: Path
    farm: int

    def scene(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Devices that play a scene: a program of its own, which waits for a platform that is down."""
        command = [sys.executable, "-m", "madang_demo.signals", "--dir", str(self.devices), "--url", self.home.url]
        return subprocess.Popen([*command, "--scene", name, "--seed", "4", *more], stdout=subprocess.DEVNULL)


def watched_city(directory: Path) -> City:
    """A new city, not served yet."""
    home = install(directory / "city", more='\n[console]\nmode = "simulated"\n')
    seed(home)
    devices = directory / "devices"
    (devices / "city").mkdir(parents=True)
    for name, text in (("bells", _BELLS), ("cctv", _CAMERAS), ("addresses", _PLACES)):
        (devices / "city" / f"{name}.csv").write_text(text, encoding="utf-8")
    farm = free_port()
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    script = [sys.executable, "-c", _MORE % PASSWORD, str(devices), str(farm)]
    done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return City(home, devices, farm)


@contextmanager
def filming(city: City) -> Iterator[None]:
    """The camera farm, until the block ends."""
    command = [sys.executable, "-m", "madang_demo.cameras", "--port", str(city.farm), "--count", "3"]
    farm = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: accepts(city.farm), 60)
        yield
    finally:
        farm.terminate()
        farm.wait(20)


def kill_outright(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and everything it started, as a power cut would."""
    for pid in [*children_of(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait(30)
