"""A simulated ONVIF camera's event service: PullPoint subscriptions with WS-UsernameToken digest.

Run as `python -m madang_demo.onvif_camera --port 8120`: somebody crosses its line now and then, and it sees motion.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import random
import re
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import quoteattr

_PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:tev="http://www.onvif.org/ver10/events/wsdl"'
    ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:tns1="http://www.onvif.org/ver10/topics"><s:Body>%s</s:Body></s:Envelope>'
)


class OnvifCamera(ThreadingHTTPServer):
    """The camera. `ahead` is how far its clock is off; `elsewhere` a host its subscriptions falsely name."""

    daemon_threads = True

    def __init__(
        self,
        port: int = 0,
        *,
        user: str = "events",
        password: str = "secret",  # noqa: S107 -- a simulated camera's
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__((host, port), _Handler)
        self.user, self.password = user, password
        self.ahead = timedelta(0)
        self.elsewhere = ""
        self.asked: list[str] = []
        self.answer_instead = b""
        self._states: dict[tuple[str, str], str] = {}
        self._queues: dict[str, deque[str]] = {}
        self._nonces: set[str] = set()
        self._news = threading.Condition()

    @property
    def url(self) -> str:
        """Its event service."""
        return f"http://127.0.0.1:{self.server_port}/onvif/event_service"

    def now(self) -> datetime:
        """The time by its own clock."""
        return datetime.now(UTC) + self.ahead

    def set_state(self, topic: str, item: str, value: str) -> None:
        """A property takes a value; subscribers hear of a change."""
        with self._news:
            self._states[topic, item] = value
            self._tell(_notice(topic, item, value, "Changed", self.now()))

    def happen(self, topic: str, item: str, value: str) -> None:
        """Something happens that has no state."""
        with self._news:
            self._tell(_notice(topic, item, value, "", self.now()))

    def drop_subscriptions(self) -> None:
        """Forgets whoever subscribed, as a restart does."""
        with self._news:
            self._queues.clear()
            self._news.notify_all()

    def _tell(self, notice: str) -> None:
        for queue in self._queues.values():
            queue.append(notice)
        self._news.notify_all()

    def subscribe(self) -> str:
        """A new subscription, which first hears how things stand."""
        with self._news:
            name = f"{len(self.asked)}"
            first = [_notice(*key, value, "Initialized", self.now()) for key, value in self._states.items()]
            self._queues[name] = deque(first)
            return name

    def pull(self, name: str, wait_s: float) -> list[str] | None:
        """What is new for a subscription; None where it is not known."""
        deadline_s = time.monotonic() + wait_s
        with self._news:
            while (queue := self._queues.get(name)) is not None:
                left_s = deadline_s - time.monotonic()
                if queue or left_s <= 0:
                    found = list(queue)
                    queue.clear()
                    return found
                self._news.wait(left_s)
        return None

    def unsubscribe(self, name: str) -> None:
        """Forgets one."""
        with self._news:
            self._queues.pop(name, None)

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return len(self._queues)

    def knows(self, body: str) -> bool:
        """Whether the token's digest is right, new, and of now by the camera's clock."""
        user, digest, nonce, created = (_inside(body, name) for name in ("Username", "Password", "Nonce", "Created"))
        said = base64.b64decode(nonce or b"") + created.encode() + self.password.encode()
        right = base64.b64encode(hashlib.sha1(said, usedforsecurity=False).digest()).decode()
        try:
            off_s = abs((datetime.fromisoformat(created) - self.now()).total_seconds())
        except ValueError:
            return False
        if user != self.user or digest != right or off_s > 30 or nonce in self._nonces:
            return False
        self._nonces.add(nonce)
        return True


def _notice(topic: str, item: str, value: str, operation: str, at: datetime) -> str:
    said = f" PropertyOperation={quoteattr(operation)}" if operation else ""
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f'tns1:{topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime="{stamp}"{said}><tt:Source>'
        '<tt:SimpleItem Name="VideoSourceConfigurationToken" Value="v1"/></tt:Source>'
        f"<tt:Data><tt:SimpleItem Name={quoteattr(item)} Value={quoteattr(value)}/></tt:Data></tt:Message>"
        "</wsnt:Message></wsnt:NotificationMessage>"
    )


def _inside(body: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}\b[^>]*>([^<]*)<", body)
    return found[1].strip() if found else ""


class _Handler(BaseHTTPRequestHandler):
    server: OnvifCamera

    def do_POST(self) -> None:
        """One SOAP request."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), 65_536)).decode("utf-8", "replace")
        action = next((name for name in _ANSWERS if f":{name}" in body.partition("Body>")[2]), "")
        self.server.asked.append(action)
        if self.server.answer_instead:
            self._send(200, self.server.answer_instead)
        elif not self.server.knows(body):
            self._fault(400, "ter:NotAuthorized")
        elif not action:
            self._fault(400, "ter:ActionNotSupported")
        else:
            _ANSWERS[action](self, body)

    def _create(self, _body: str) -> None:
        host = self.server.elsewhere or f"127.0.0.1:{self.server.server_port}"
        address = f"http://{host}/onvif/subscription/{self.server.subscribe()}"
        self._page(
            f"<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><a:Address>{address}</a:Address>"
            f"</tev:SubscriptionReference>{self._times()}</tev:CreatePullPointSubscriptionResponse>"
        )

    def _pull(self, body: str) -> None:
        wait = re.search(r"PT(\d+)S", body)
        found = self.server.pull(self._name(), min(float(wait[1]) if wait else 1.0, 60.0))
        if found is None:
            self._fault(400, "wsrf-rw:ResourceUnknownFault")
            return
        times = self._times().replace("wsnt:", "tev:")
        self._page(f"<tev:PullMessagesResponse>{times}{''.join(found)}</tev:PullMessagesResponse>")

    def _renew(self, _body: str) -> None:
        self._page(f"<wsnt:RenewResponse>{self._times()}</wsnt:RenewResponse>")

    def _unsubscribe(self, _body: str) -> None:
        self.server.unsubscribe(self._name())
        self._page("<wsnt:UnsubscribeResponse/>")

    def _name(self) -> str:
        return self.path.rpartition("/")[2]

    def _times(self) -> str:
        now = self.server.now()
        stamps = (now.strftime("%Y-%m-%dT%H:%M:%SZ"), (now + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return "<wsnt:CurrentTime>{}</wsnt:CurrentTime><wsnt:TerminationTime>{}</wsnt:TerminationTime>".format(*stamps)

    def _fault(self, status: int, code: str) -> None:
        reason = f"<s:Reason><s:Text>{code}</s:Text></s:Reason>"
        text = f"<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>{reason}</s:Fault>"
        self._send(status, (_PAGE % text).encode())

    def _page(self, text: str) -> None:
        self._send(200, (_PAGE % text).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` header, by the camera's own clock."""
        del timestamp
        return format_datetime(self.server.now(), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Says nothing."""


_ANSWERS = {
    "CreatePullPointSubscription": _Handler._create,
    "PullMessages": _Handler._pull,
    "Renew": _Handler._renew,
    "Unsubscribe": _Handler._unsubscribe,
}


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m madang_demo.onvif_camera", description=__doc__)
    parser.add_argument("--port", type=int, default=8120)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    with OnvifCamera(options.port) as camera:
        threading.Thread(target=camera.serve_forever, daemon=True).start()
        while True:
            time.sleep(rng.uniform(20, 60))
            camera.set_state("RuleEngine/CellMotionDetector/Motion", "IsMotion", "true")
            if rng.random() < 0.3:
                camera.happen("RuleEngine/LineDetector/Crossed", "ObjectId", str(rng.randint(1, 999)))
            time.sleep(rng.uniform(2, 6))
            camera.set_state("RuleEngine/CellMotionDetector/Motion", "IsMotion", "false")


if __name__ == "__main__":
    main()
