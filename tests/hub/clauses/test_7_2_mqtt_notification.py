"""Clause 7.2: notifications over MQTT 3.1.1 and 5.0, at every quality of service, to a real mosquitto."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gmqtt
import orjson
import pytest

from tests.hub.certificates import certified
from tests.hub.clauses.subscribing import PATIENCE_S, QUICK, client_of, good, subscription, until
from tests.hub.client import Json, run, sensor
from tests.hub.conftest import OpenHub

pytestmark = pytest.mark.integration
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin"
BROKER = shutil.which("mosquitto", path=_PLACES)
PASSWD = shutil.which("mosquitto_passwd", path=_PLACES)
needs_broker = pytest.mark.skipif(
    BROKER is None or PASSWD is None, reason="no mosquitto; install the Debian package mosquitto"
)
SECRET = "gehe/im@1"


class Broker:
    """A mosquitto of our own with a user, who may not write to `closed`."""

    def __init__(self, folder: Path) -> None:
        assert PASSWD is not None
        self.port, self.secure_port = _free_port(), _free_port()
        self.certificate, key = certified(folder, "localhost")
        subprocess.run([PASSWD, "-c", "-b", str(folder / "users"), "city", SECRET], check=True, capture_output=True)
        (folder / "rights").write_text("user city\ntopic readwrite told/#\n")
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous false\npersistence false\n"
            f"password_file {folder / 'users'}\nacl_file {folder / 'rights'}\n"
            f"listener {self.secure_port} 127.0.0.1\ncertfile {self.certificate}\nkeyfile {key}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        assert BROKER is not None
        self._process = subprocess.Popen([BROKER, "-c", str(self._config)], stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def uri(self, topic: str = "told/sensors", user: str = "city:gehe%2Fim%401@") -> str:
        """The address of a topic."""
        return f"mqtt://{user}127.0.0.1:{self.port}/{topic}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[list[tuple[str, int, Json]]]:
    """What is published under `told`: topic, quality of service, body."""
    got: list[tuple[str, int, Json]] = []

    def heard(_client: object, topic: str, payload: bytes, qos: int, _properties: Any) -> int:  # Any: gmqtt's
        got.append((topic, qos, orjson.loads(payload)))
        return 0

    client = gmqtt.Client("listener")
    client.on_message = heard
    client.set_auth_credentials("city", SECRET)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await client.connect("127.0.0.1", broker.port)
                break
            except OSError:
                await asyncio.sleep(0.02)
    ready = asyncio.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.subscribe("told/#", qos=2)
    await ready.wait()
    try:
        yield got
    finally:
        await client.disconnect()


@needs_broker
@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_notifications_are_published_with_metadata_and_body(
    open_hub: OpenHub, broker: Broker, version: str, qos: int
) -> None:
    async def test() -> None:
        async with listening(broker) as got, open_hub(**QUICK) as hub:
            client = client_of(hub)
            endpoint = {
                "receiverInfo": [{"key": "Kind", "value": "warm"}],
                "notifierInfo": [
                    {"key": "MQTT-Version", "value": version},
                    {"key": "MQTT-QoS", "value": str(qos)},
                ],
            }
            await good(client.post("/subscriptions", subscription(broker.uri(), endpoint=endpoint)))
            for number in range(3):
                await good(client.post("/entities", sensor(number, a=number)))
            await until(lambda: len(got) == 3)
            assert {(topic, level) for topic, level, _ in got} == {("told/sensors", qos)}
            first = got[0][2]
            assert first["metadata"]["Content-Type"] == "application/json"
            assert "ngsi-ld-core-context" in first["metadata"]["Link"]
            assert first["metadata"]["Kind"] == "warm"
            assert first["body"]["type"] == "Notification"
            assert [body["body"]["data"] for _, _, body in got] == [[sensor(number, a=number)] for number in range(3)]

    run(test)


@needs_broker
def test_a_broker_that_was_away_gets_what_it_missed_in_order(open_hub: OpenHub, broker: Broker) -> None:
    async def test() -> None:
        async with open_hub(**QUICK | {"notify_attempts": 1000}) as hub:
            client = client_of(hub)
            endpoint = {"notifierInfo": [{"key": "MQTT-QoS", "value": "1"}]}
            broker.stop()
            await good(client.post("/subscriptions", subscription(broker.uri(), id="urn:x:1", endpoint=endpoint)))
            for number in range(3):
                await good(client.post("/entities", sensor(number, a=number)))
            await _failing(hub)
            await good(client.send("PATCH", "/subscriptions/urn:x:1", {"isActive": False}))
            broker.start()
            async with listening(broker) as got:
                await good(client.send("PATCH", "/subscriptions/urn:x:1", {"isActive": True}))
                await until(lambda: len(got) == 3)
                assert [body["body"]["data"][0]["a"]["value"] for _, _, body in got] == [0, 1, 2]

    run(test)


@needs_broker
def test_a_broker_over_tls_is_believed_only_with_a_certificate_for_its_name(
    open_hub: OpenHub, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.certificate))

    async def test() -> None:
        async with listening(broker) as got, open_hub(**QUICK) as hub:
            client = client_of(hub)
            for host in ("127.0.0.1", "localhost"):
                uri = f"mqtts://city:gehe%2Fim%401@{host}:{broker.secure_port}/told/{host}"
                await good(client.post("/subscriptions", subscription(uri)))
            await good(client.post("/entities", sensor(1, a=1)))
            await until(lambda: bool(got))
            assert "no connection to the MQTT broker" in await _failing(hub)
            assert {topic for topic, _, _ in got} == {"told/localhost"}

    run(test)


async def _failing(hub: Any) -> str:  # Any: a Hub
    async with asyncio.timeout(PATIENCE_S):
        while not (reason := (await hub.subscriptions.health("open"))[0].reason):
            await asyncio.sleep(0.01)
    return str(reason)


@needs_broker
@pytest.mark.parametrize(
    ("topic", "user", "qos", "reason"),
    [
        ("told/a", "city:wrong@", 0, "refused the connection"),
        ("closed/a", "city:gehe%2Fim%401@", 1, "refused the message"),
    ],
)
def test_what_a_broker_refuses_is_no_success(
    open_hub: OpenHub, broker: Broker, topic: str, user: str, qos: int, reason: str
) -> None:
    async def test() -> None:
        async with listening(broker), open_hub(**QUICK) as hub:
            client = client_of(hub)
            endpoint = {"notifierInfo": [{"key": "MQTT-QoS", "value": str(qos)}]}
            await good(client.post("/subscriptions", subscription(broker.uri(topic, user), endpoint=endpoint)))
            await good(client.post("/entities", sensor(1, a=1)))
            assert reason in await _failing(hub)

    run(test)
