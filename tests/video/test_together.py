"""Two people act on the same thing at the same moment: one of them is told that it has happened already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from madang.identity.rights import Actor, system_actor
from madang.journal import civic
from madang.kernel.errors import ConflictError, MadangError
from madang.video.commands import Recipient, close_case, decide_grant, open_lease, request_grant
from madang.video.models import Camera, Lease, VideoGrant
from tests.video.conftest import NOW, OpenCase

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], object]) -> list[object]:
    """Runs all at the same moment, each on its own connection; results or refusals in order."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        gate.wait(10)
        try:
            return work()
        except MadangError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def pending(police: Actor, case_id: str, cameras: list[Camera], code: int) -> VideoGrant:
    with civic.transaction() as tx:
        return request_grant(
            tx,
            police,
            case_id=case_id,
            recipient=Recipient("agency", police.agency),
            rights=["live"],
            camera_ids=[camera.pk for camera in cameras],
            facts={"crime_class": "robbery", "code": code},
            now=NOW,
        )


def test_of_two_answers_to_one_request_one_counts(
    police: Actor, supervisor: Actor, case_of: OpenCase, cameras: list[Camera]
) -> None:
    grant = pending(police, case_of().pk, cameras, code=3)

    def answer(approve: bool) -> str:
        with civic.transaction() as tx:
            return str(decide_grant(tx, supervisor, grant.pk, approve, "판단", NOW).state)

    results = at_once(lambda: answer(True), lambda: answer(False))
    refused = [result for result in results if isinstance(result, ConflictError)]
    grant.refresh_from_db()
    assert len(refused) == 1
    assert [result for result in results if isinstance(result, str)] == [grant.state]


def test_no_lease_survives_a_case_that_closes_at_the_same_moment(
    police: Actor, case_of: OpenCase, cameras: list[Camera]
) -> None:
    case = case_of()
    grant = pending(police, case.pk, cameras, code=0)

    def watch() -> object:
        with civic.transaction() as tx:
            return open_lease(tx, police, camera_id=cameras[0].pk, grant_id=grant.pk, viewer_name="김순경", now=NOW)

    def close() -> None:
        with civic.transaction() as tx:
            close_case(tx, system_actor(case.authority_id), case.pk, "종료", NOW)

    at_once(watch, close, watch, watch)
    grant.refresh_from_db()
    assert grant.state == "INCIDENT_CLOSED"
    assert not Lease.objects.filter(ended_at=None).exists()
