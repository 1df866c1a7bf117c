"""Duty on real processes: two at once, and a core that is killed in the middle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.response.duty.working_city import Client, kill_outright, working_city
from tests.site.serving import serving, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


def sop_tasks(client: Client) -> list[Any]:  # Any: JSON rows
    return [task for task in client.get("/tasks")["tasks"] if task["kind"] == "sop"]


def incident_of(client: Client, kind: str) -> str:
    rows = client.get("/snapshot")["incidents"]
    return str(next(row["id"] for row in rows if row["class_code"] == kind))


def holder(client: Client, incident: str) -> Callable[[], str]:
    def ask() -> str:
        owner = client.get(f"/incidents/{incident}")["owner"]
        return str(owner["name"]) if owner else ""

    return ask


def test_killed_in_the_middle_nothing_of_the_work_is_lost_or_doubled(tmp_path: Path) -> None:
    home = working_city(tmp_path / "city")
    with serving(home) as first:
        kim, lee = Client(home, "kim"), Client(home, "lee")
        fault, flood = incident_of(kim, "facility_fault"), incident_of(kim, "flood")
        kim.post(f"/incidents/{fault}/claim").raise_for_status()
        kim.post("/presence").raise_for_status()
        to = next(row["id"] for row in kim.get("/duty")["people"] if row["name"] == "이야근")
        offer = kim.post("/handovers", {"to": to, "brief": "교대"}).json()
        run = kim.post(f"/sops/incidents/{flood}", {"code": "quick"}).json()
        step = f"/sops/runs/{run['id']}/steps/a/tick"
        twice = kim.post(f"/sops/incidents/{fault}", {"code": "quick"}).json()
        both = f"/sops/runs/{twice['id']}/steps/a/tick"
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda client: client.post(both), (kim, lee)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        kill_outright(first)
    with serving(home):
        kim, lee = Client(home, "kim"), Client(home, "lee")
        until(lambda: [task["ref"] for task in sop_tasks(kim)] == [f"{run['id']}:a"], 30)
        assert holder(kim, fault)() == "김관제"
        assert lee.get("/duty")["handovers"][0]["phase"] == "offered"
        lee.post(f"/handovers/{offer['id']}/accept").raise_for_status()
        assert holder(kim, fault)() == "이야근"
        kim.post(step).raise_for_status()
        assert sop_tasks(kim) == []
        overdue = [line for line in kim.get(f"/incidents/{flood}")["timeline"] if line["kind"] == "sop_overdue"]
        assert len(overdue) == 1
