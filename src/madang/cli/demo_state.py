"""What a demo city is made of: its directory, its configuration, its people, and the views of its cameras."""

from __future__ import annotations

import csv
import json
import secrets
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from madang.kernel.errors import PermanentError, UnavailableError

if TYPE_CHECKING:
    from datetime import datetime


AGENCY = "gimhae-police"
AGENCY_KEY = "gimhae-police-1"
NOTE = "demo.json"
PLACES = "places.csv"
MIDDLE_OF_KOREA = (127.8, 36.3)
_ORDER = ("boundaries", "basemap", "addresses", "cctv", "survey", "bells")
"""In which order files build on each other."""

ACCOUNTS = (
    ("operator", "김관제", "operator", "관제요원 Operator"),
    ("operator2", "오교대", "operator", "관제요원 Operator"),
    ("supervisor", "이책임", "supervisor", "관제 책임자 Supervisor"),
    ("police", "박경위", "police_liaison", "파견 경찰관 Police liaison"),
    ("officer", "최주무", "city_officer", "시 담당 공무원 City officer"),
    ("auditor", "정감사", "auditor", "감사자 Auditor"),
    ("admin", "한관리", "administrator", "시스템 관리자 Administrator"),
)
"""Who may log in to the demo: account, name, role, what the role is called."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo's programs listen, all on loopback."""

    core: int = 8080
    media: int = 8081
    mqtt: int = 18830
    cameras: int = 8090
    police: int = 8100
    gateways: int = 8110


@dataclass(frozen=True, slots=True)
class City:
    """The city shown, and where its map opens."""

    code: str
    name_ko: str
    name_en: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that was set up: enough to bring it up again. Kept in the state directory, for its owner only."""

    city: City
    ports: Ports
    password: str
    cameras: int


def remembered(state: Path) -> Demo | None:
    """The demo set up in that directory before, if it was completed."""
    path = state / NOTE
    if not path.is_file():
        return None
    note = json.loads(path.read_text(encoding="utf-8"))
    return Demo(City(**note["city"]), Ports(**note["ports"]), note["password"], note["cameras"])


def remember(state: Path, demo: Demo) -> None:
    """Notes that the demo is complete."""
    from madang.site.keys import write_private

    (state / NOTE).unlink(missing_ok=True)
    write_private(state / NOTE, json.dumps(asdict(demo), ensure_ascii=False, indent=1).encode())


def new_password() -> str:
    """One password for every demo account, different in every installation."""
    return f"madang-{secrets.token_hex(4)}"


def configuration(city: City, ports: Ports) -> str:
    """The TOML that makes an installation a demo: everything in it is simulated and on loopback."""
    return f"""
[console]
mode = "simulated"

[video]
media_port = {ports.media}
health_every_s = 1800.0
health_per_minute = 40
health_confirm_s = 20.0
health_again_s = 15.0
frozen_after_s = 60.0

[facilities]
listen_every_s = 5.0
confirm_s = 20.0
stable_s = 60.0
expected_every_s = {{ sensor = 40.0, bell = 40.0 }}

[linkages.police112]
endpoints = ["http://127.0.0.1:{ports.police}/"]

[outward]
allow = ["127.0.0.1"]

[sms_gateway]
url = "http://127.0.0.1:{ports.gateways}"
token = {{ file = "gateways.key" }}
sender = "0551234567"
modes = ["simulated"]

[broadcast]
url = "http://127.0.0.1:{ports.gateways}"
token = {{ file = "gateways.key" }}
modes = ["simulated"]
honours_key = true

[mqtt]
url = "mqtt://127.0.0.1:{ports.mqtt}"
{_TOPICS.replace("AUTHORITY", city.code)}"""


_TOPICS = """
[[mqtt.topics]]
topic = "gimhae/air/{station}"
name = "대기질 Air"
authority = "AUTHORITY"
entity_type = "AirQualityObserved"
entity_id = "urn:ngsi-ld:AirQualityObserved:{station}"
observed_at = "observed_at"
lon = "lon"
lat = "lat"
[mqtt.topics.attributes]
pm10 = { path = "pm10", unit = "GQ", minimum = 0.0, maximum = 2000.0 }
pm25 = { path = "pm25", unit = "GQ", minimum = 0.0, maximum = 1000.0 }
o3 = { path = "o3", unit = "59", minimum = 0.0, maximum = 5.0 }
no2 = { path = "no2", unit = "59", minimum = 0.0, maximum = 5.0 }
temperature = { path = "temperature", unit = "CEL", minimum = -50.0, maximum = 60.0 }
relativeHumidity = { path = "humidity", unit = "P1", minimum = 0.0, maximum = 100.0 }

[[mqtt.topics]]
topic = "gimhae/traffic/{detector}"
name = "교통량 Traffic"
authority = "AUTHORITY"
entity_type = "TrafficFlowObserved"
entity_id = "urn:ngsi-ld:TrafficFlowObserved:{detector}"
observed_at = "observed_at"
lon = "lon"
lat = "lat"
[mqtt.topics.attributes]
intensity = { path = "flow_vph", minimum = 0.0, maximum = 20000.0 }
averageVehicleSpeed = { path = "speed_kmh", unit = "KMH", minimum = 0.0, maximum = 300.0 }
occupancy = { path = "occupancy", minimum = 0.0, maximum = 1.0 }

[[mqtt.topics]]
topic = "gimhae/bell/{number}"
name = "비상벨 Bells"
authority = "AUTHORITY"
entity_type = "EmergencyBell"
entity_id = "urn:ngsi-ld:EmergencyBell:{number}"
observed_at = "observed_at"
lon = "lon"
lat = "lat"
[mqtt.topics.attributes]
batteryLevel = { path = "battery", unit = "P1", minimum = 0.0, maximum = 100.0 }
"""


_NOTICES = (
    ("미세먼지 나쁨 알림 Dust notice", "AirQualityObserved", "pm10", "pm10>40", "notices/air"),
    (
        "정체 알림 Congestion notice",
        "TrafficFlowObserved",
        "averageVehicleSpeed",
        "averageVehicleSpeed<40",
        "notices/road",
    ),
)
"""Subscriptions that make the demo's hub tell somebody: name, type, attribute, condition, topic at its own broker."""


async def subscribe(store: Path, city: City, ports: Ports) -> None:
    """Has the hub tell the demo's own broker of bad air and slow roads. Nothing else may have the store open."""
    from madang.hub.access import Access
    from madang.hub.config import HubConfig
    from madang.hub.contexts.context import CORE_CONTEXT
    from madang.hub.hub import Hub
    from madang.identity.rights import system_actor

    hub = await Hub.open(HubConfig(store=str(store), outward_allow=("127.0.0.1",)))
    access = Access(system_actor(city.code), city.code, ())
    for name, entity_type, attribute, condition, topic in _NOTICES:
        endpoint = {
            "uri": f"mqtt://127.0.0.1:{ports.mqtt}/{topic}",
            "notifierInfo": [{"key": "MQTT-Version", "value": "mqtt3.1.1"}],
        }
        wish = {
            "type": "Subscription",
            "subscriptionName": name,
            "entities": [{"type": entity_type}],
            "watchedAttributes": [attribute],
            "q": condition,
            "notification": {"format": "concise", "endpoint": endpoint},
        }
        await hub.subscriptions.create(access.tenant, wish, CORE_CONTEXT, access, tenant_said=False)
    await hub.close()


def generate_city(out: Path, seed: int) -> None:
    """Has the simulated city write its files; raises `PermanentError` with its last words."""
    command = [sys.executable, "-m", "madang_demo.city", "--out", str(out), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise PermanentError(f"the simulated city could not be made: {last[0]}")


def city_of(directory: Path) -> City:
    """The city a generated directory says it is."""
    about = json.loads((directory / "city.json").read_text(encoding="utf-8"))["authority"]
    return City(**{name: about[name] for name in ("code", "name_ko", "name_en", "lon", "lat")})


def files_of(directory: Path) -> list[tuple[str, Path]]:
    """The files that can be imported from a directory, in the order in which they build on each other."""
    found = [(kind, path) for path in sorted(directory.iterdir()) if path.is_file() and (kind := kind_of(path))]
    if not any(kind == "cctv" for kind, _ in found):
        raise UnavailableError(f"{directory} holds no file of cameras (CSV with the columns of the national standard)")
    return sorted(found, key=lambda item: _ORDER.index(item[0]))


def kind_of(path: Path) -> str:
    """What a file seems to be by its ending and its first lines; empty for what is not imported."""
    if path.suffix.lower() not in (".csv", ".json", ".geojson"):
        return ""
    with path.open("rb") as file:
        head = _text(file.read(8_000))
    if path.suffix.lower() == ".csv":
        if "방위각" in head or "azimuth_deg" in head:
            return "survey"
        if "비상벨" in head:
            return "bells"
        return "cctv" if "카메라" in head else "addresses" if "주소" in head or "address" in head else ""
    if '"azimuth_deg"' in head:
        return "survey"
    if '"FeatureCollection"' in head:
        return "basemap" if '"kind"' in head else "boundaries"
    return "cctv" if "카메라" in head else ""


def _text(data: bytes) -> str:
    """Decodes a file's beginning, which may end in the middle of a letter."""
    for encoding in ("utf-8-sig", "cp949"):
        text = data.decode(encoding, errors="ignore")
        if any(word in text for word in ("주소", "address", "Feature", "azimuth", "카메라", "방위각")):
            return text
    return ""


def seed_people(city: City, password: str, police_key: str, ports: Ports, now: datetime) -> None:
    """Adds the city, its accounts with their roles, the police room and its key."""
    from madang.cli.house import actor_at_the_keyboard
    from madang.identity import commands
    from madang.identity.models import AgencyKind
    from madang.identity.rights import Role
    from madang.journal import civic
    from madang.kernel.mode import Mode

    actor = actor_at_the_keyboard(city.code)
    with civic.transaction() as tx:
        commands.add_city(tx, actor, **asdict(city), now=now)
        agency = commands.add_agency(
            tx,
            actor,
            authority=city.code,
            code=AGENCY,
            kind=AgencyKind.POLICE,
            name_ko="김해중부경찰서 112상황실 (모의)",
            name_en="Simulated police 112 room",
            endpoint_url=f"http://127.0.0.1:{ports.police}/",
            mode=Mode.SIMULATED,
            now=now,
        )
        commands.add_key(tx, actor, agency=agency, key_id=AGENCY_KEY, public_pem=police_key, not_before_at=now, now=now)
        for username, name, role, _ in ACCOUNTS:
            belongs = AGENCY if role == Role.POLICE_LIAISON else ""
            commands.create_account(
                tx,
                actor,
                authority=city.code,
                username=username,
                password=password,
                name=name,
                roles=[Role(role)],
                agency=belongs,
                now=now,
            )


def police_settings(state: Path, city: City, ports: Ports, places: Path | None) -> Path:
    """Writes what the simulated police room is told; its keys and ledger stay in a folder of its own."""
    folder = state / "police112"
    folder.mkdir(exist_ok=True)
    path = folder / "police112.toml"
    spots = f'places = "{places.absolute() if places else PLACES}"\n'
    path.write_text(
        f'[platform]\norigin = "http://127.0.0.1:{ports.core}"\nauthority = "{city.code}"\n\n'
        f'[me]\nagency = "{AGENCY}"\nmode = "simulated"\nkey_id = "{AGENCY_KEY}"\nprivate_key = "police.pem"\n'
        f'listen = "127.0.0.1:{ports.police}"\nledger = "ledger.sqlite3"\n\n[calls]\n{spots}'
        "per_minute = 4.0\nwatch_s = 40.0\n",
        encoding="utf-8",
    )
    return path


def police_public_key(settings: Path) -> str:
    """Has the police room make its own keys; returns the public one, as it would be handed over on paper."""
    command = [sys.executable, "-m", "madang_demo.police112", "--config", str(settings), "--make-keys"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()).read_text(encoding="utf-8")


def places_from_cameras(city: City, path: Path, now: datetime) -> None:
    """Lets calls come from near the cameras where no addresses are known, and opens the map there."""
    from madang.cli.house import actor_at_the_keyboard
    from madang.identity import commands
    from madang.journal import civic
    from madang.video.models import Site

    sites = Site.objects.filter(authority_id=city.code, lon__isnull=False, lat__isnull=False)
    rows = [(name, lon, lat) for name, lon, lat in sites.values_list("name", "lon", "lat") if lon and lat]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["address", "lon", "lat"])
        writer.writerows(rows)
    if rows:
        middle = {"lon": median(lon for _, lon, _ in rows), "lat": median(lat for _, _, lat in rows)}
        with civic.transaction() as tx:
            commands.add_city(tx, actor_at_the_keyboard(city.code), **(asdict(city) | middle), now=now)


BROKEN_CAMERAS = {17: "frozen", 42: "black"}
"""Cameras (by their number in the farm) that show what broken ones do; they are looked at first."""


def give_streams(city: City, ports: Ports, now: datetime) -> int:
    """Gives every camera of the city a stream of the camera farm, two of them a faulty one; returns how many."""
    from madang.cli.house import actor_at_the_keyboard
    from madang.journal import civic
    from madang.video.commands.survey import SurveyRow, put_survey
    from madang.video.models import Camera, CameraLook

    cameras = Camera.objects.filter(authority_id=city.code, active=True).order_by("site__source_key", "number")
    rows = [
        SurveyRow(source_key=key, number=number, stream_url=_stream(ports, index))
        for index, (key, number) in enumerate(cameras.values_list("site__source_key", "number"))
    ]
    for start in range(0, len(rows), _PER_TRANSACTION):
        with civic.transaction() as tx:
            put_survey(tx, actor_at_the_keyboard(city.code), city.code, rows[start : start + _PER_TRANSACTION], now)
    with civic.transaction():
        broken = [pk for index, pk in enumerate(cameras.values_list("pk", flat=True)) if index in BROKEN_CAMERAS]
        CameraLook.objects.bulk_create(CameraLook(camera_id=pk, due_at=now) for pk in broken)
    return len(rows)


def _stream(ports: Ports, index: int) -> str:
    fault = f"?fault={BROKEN_CAMERAS[index]}" if index in BROKEN_CAMERAS else ""
    return f"http://127.0.0.1:{ports.cameras}/cam/{index}.ts{fault}"


def put_things(city: City, path: Path, now: datetime) -> int:
    """Registers the lights and shelters of a generated city, and who made what its other lists do not say."""
    from madang.facilities.commands import FacilityRow, put_facilities
    from madang.facilities.models import Facility
    from madang.journal import civic
    from madang.kernel.mode import Mode

    things = json.loads(path.read_text(encoding="utf-8"))["facilities"]
    with civic.transaction() as tx:
        put_facilities(tx, city.code, [FacilityRow(**thing) for thing in things], now, Mode.SIMULATED)
        _tie_bells(city, path.with_name("sensors.json"))
        for number, maker in enumerate(_MAKERS):
            sites = Facility.objects.filter(authority_id=city.code, kind="cctv", source_key__endswith=str(number))
            sites.update(vendor=maker)
    return len(things)


def _tie_bells(city: City, path: Path) -> None:
    """Says which entity of the hub is the heartbeat of which registered bell."""
    from madang.facilities.models import Facility

    for bell in json.loads(path.read_text(encoding="utf-8"))["bells"]:
        known = Facility.objects.filter(authority_id=city.code, kind="bell")
        known.filter(source_key=f"{bell['agency']}:{bell['id']}").update(
            feed_key=f"urn:ngsi-ld:EmergencyBell:{bell['id']}"
        )


_MAKERS = [f"{name}(모의)" for name in ("큰눈시스템", "한빛통신", "새길정보", "큰눈시스템", "한빛통신") * 2]
"""Who keeps the cameras of a site, by the last digit of its number."""
_PER_TRANSACTION = 2_000
