"""A real city at work for tests of real processes: three people, short checklists, incidents, logged-in clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.site.serving import PASSWORD, Installation, children_of, environment, install, seed

_MORE = """
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.identity import commands
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.domain import SaidPlace
from madang.response.sop.drafting import Words, publish, save_draft
from madang.response.sop.seed import plant
actor, now, system = actor_at_the_keyboard("48250"), system_clock(), system_actor("48250")
STEPS = [{"key": "a", "stage": 1, "ko": "바로 확인", "due_s": 2}, {"key": "b", "stage": 2, "ko": "그다음"}]
with civic.transaction() as tx:
    for name, ko, role in (("lee", "이야근", Role.OPERATOR), ("chief", "박책임", Role.SUPERVISOR)):
        commands.create_account(
            tx, actor, authority="48250", username=name, password=%r, name=ko, roles=[role], now=now
        )
    plant(tx, system, "48250", now)
    publish(tx, system, save_draft(tx, system, "48250", "quick", Words(title_ko="빠른 확인", steps=STEPS), now).id, now)
    kim = actor_of_person(Person.objects.get(username="kim"))
    for kind, code, address in (("fall", 1, "가야로 12"), ("flood", 2, "내외 지하차도"), ("facility_fault", 3, "활천")):
        place = SaidPlace(128.889, 35.228, 20.0, address)
        wanted = response.OpenIncident(
            authority="48250", source="operator", mode=Mode.SIMULATED, class_text=kind, code=code, place=place,
            note="관제 중 발견", basis="city_duty",
        )
        response.open_incident(tx, kim, wanted, now)
"""


def working_city(directory: Path) -> Installation:
    """A new installation with `kim`, `lee` and `chief`, and three open incidents."""
    home = install(directory, more='\n[console]\nmode = "simulated"\n')
    seed(home)
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    subprocess.run([sys.executable, "-c", _MORE % PASSWORD], env=env, check=True, timeout=120)
    return home


class Client:
    """Somebody logged in over HTTP; each call has a connection of its own, so that none outlives its server."""

    def __init__(self, home: Installation, username: str) -> None:
        self._base = f"{home.url}/api/console"
        self._cookies: dict[str, str] = {}
        self.get("/token")
        self.post("/login", {"username": username, "password": PASSWORD}).raise_for_status()

    def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"X-CSRFToken": self._cookies.get("csrftoken", "")}
        with httpx.Client(cookies=self._cookies, headers=headers, timeout=30) as http:
            answer = http.request(method, self._base + path, json=body)
            self._cookies |= dict(answer.cookies)
        return answer

    def get(self, path: str) -> Any:  # Any: JSON
        answer = self._call("GET", path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self._call("POST", path, body or {})


def kill_outright(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and everything it started, as a power cut would."""
    for pid in [*children_of(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait(30)
