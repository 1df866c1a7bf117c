"""Every role at every door of the office and the console, written down by hand: own city, other city, nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from madang.facilities.models import Facility
from madang.identity import models
from madang.identity.actors import actor_of_person
from madang.identity.models import Agency, AgencyKey, Authority, Person, Token
from madang.identity.office import site
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.places.models import Boundary, ImportRun
from madang.response import commands as response
from madang.response.domain import SaidPlace
from madang.response.messaging.models import Recipient, Template
from madang.response.signals.models import Policy
from madang.response.sop.drafting import Words, save_draft
from madang.video import commands as video
from madang.video.evidence.models import Export, Item, PastPolicy
from madang.video.models import Camera, DecisionTable, PurposeRetention, Site, VideoGrant
from tests.conftest import MakePerson

pytestmark = pytest.mark.django_db

OPERATOR, SUPERVISOR, LIAISON = Role.OPERATOR, Role.SUPERVISOR, Role.POLICE_LIAISON
OFFICER, AUDITOR, ADMIN = Role.CITY_OFFICER, Role.AUDITOR, Role.ADMINISTRATOR
ROLES = (OPERATOR, SUPERVISOR, LIAISON, OFFICER, AUDITOR, ADMIN)
AT_THE_OFFICE = (SUPERVISOR, OFFICER, AUDITOR, ADMIN)

OFFICE: dict[str, tuple[Role, ...]] = {
    "": AT_THE_OFFICE,
    "identity/person/": (ADMIN,),
    "identity/person/add/": (ADMIN,),
    "identity/agency/": (ADMIN,),
    "identity/agency/add/": (ADMIN,),
    "identity/agencykey/": (ADMIN,),
    "identity/agencykey/add/": (ADMIN,),
    "identity/token/": (ADMIN,),
    "identity/token/add/": (ADMIN,),
    "identity/client/": (ADMIN,),
    "identity/client/add/": (ADMIN,),
    "identity/authority/": (ADMIN,),
    "identity/authority/add/": (),
    "video/site/": (OFFICER, ADMIN),
    "video/site/add/": (),
    "video/camera/": (OFFICER, ADMIN),
    "video/camera/add/": (),
    "video/purposeretention/": (OFFICER, ADMIN),
    "video/purposeretention/add/": (OFFICER, ADMIN),
    "places/boundary/": (OFFICER, ADMIN),
    "places/addresspoint/": (OFFICER, ADMIN),
    "police112/linkstate/": (ADMIN,),
    "facilities/facility/": (OFFICER,),
    "facilities/facility/add/": (),
    "signals/policy/": (SUPERVISOR, OFFICER),
    "signals/policy/add/": (SUPERVISOR, OFFICER),
    "messaging/recipient/": (SUPERVISOR, OFFICER, ADMIN),
    "messaging/recipient/add/": (SUPERVISOR, OFFICER, ADMIN),
    "messaging/template/": (SUPERVISOR, OFFICER, ADMIN),
    "messaging/template/add/": (SUPERVISOR, OFFICER, ADMIN),
    "evidence/pastpolicy/": (OFFICER, ADMIN),
    "evidence/pastpolicy/add/": (OFFICER, ADMIN),
    "evidence/item/": (SUPERVISOR, OFFICER, AUDITOR),
    "evidence/item/add/": (),
    "evidence/export/": (SUPERVISOR, OFFICER, AUDITOR),
    "evidence/export/add/": (),
    "sops/": (SUPERVISOR, OFFICER),
    "rosters/": (SUPERVISOR,),
    "lockouts/": (ADMIN,),
    "decisions/": (OFFICER, ADMIN),
    "imports/": (OFFICER, ADMIN),
    "retention/": (OFFICER, ADMIN),
    "register/": (SUPERVISOR, OFFICER, AUDITOR),
    "disclosures/": (OFFICER,),
    "access-log/": (AUDITOR,),
    "broken-glass/": (SUPERVISOR, AUDITOR),
    "audit/": (AUDITOR,),
    "dead-letters/": (SUPERVISOR, ADMIN),
    "alarms/": (SUPERVISOR, ADMIN),
    "data-in/": (SUPERVISOR, ADMIN),
}
"""Who may open a page at all; others at the office get 403, everybody else is asked to log in."""

THINGS: dict[str, tuple[Role, ...]] = {
    "identity/person/{person}/change/": (ADMIN,),
    "identity/agency/{agency}/change/": (ADMIN,),
    "identity/agencykey/{key}/change/": (ADMIN,),
    "identity/token/{token}/change/": (ADMIN,),
    "identity/client/{client}/change/": (ADMIN,),
    "identity/authority/{city}/change/": (ADMIN,),
    "video/site/{site}/change/": (OFFICER, ADMIN),
    "video/camera/{camera}/change/": (OFFICER, ADMIN),
    "video/purposeretention/{retention}/change/": (OFFICER, ADMIN),
    "places/boundary/{boundary}/change/": (OFFICER, ADMIN),
    "facilities/facility/{facility}/change/": (OFFICER,),
    "signals/policy/{policy}/change/": (SUPERVISOR, OFFICER),
    "messaging/recipient/{recipient}/change/": (SUPERVISOR, OFFICER, ADMIN),
    "messaging/template/{template}/change/": (SUPERVISOR, OFFICER, ADMIN),
    "evidence/pastpolicy/{past}/change/": (OFFICER, ADMIN),
    "evidence/item/{item}/change/": (SUPERVISOR, OFFICER, AUDITOR),
    "evidence/export/{export}/change/": (SUPERVISOR, OFFICER, AUDITOR),
    "sops/{sop}/": (SUPERVISOR, OFFICER),
    "sops/version/{version}/": (SUPERVISOR, OFFICER),
    "decisions/{table}/": (OFFICER, ADMIN),
    "imports/{run}/": (OFFICER, ADMIN),
    "disclosures/{disclosure}/": (OFFICER,),
}
"""Who may open one thing of their own city; for the same role of another city it does not exist."""

CONSOLE: dict[str, tuple[Role, ...]] = {
    "/me": ROLES,
    "/snapshot": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
    "/roster": (OPERATOR, SUPERVISOR, LIAISON),
    "/basemap": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
    "/cameras?bbox=128,35,129,36": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
    "/near?lon=128.9&lat=35.2": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
    "/search?q=a": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
    "/cameras/{camera}": (OPERATOR, SUPERVISOR, LIAISON, OFFICER),
}
INCIDENT: tuple[Role, ...] = (OPERATOR, SUPERVISOR, LIAISON)

DEEDS: dict[str, tuple[dict[str, object], dict[Role, int]]] = {
    "/incidents": (
        {"class_code": "other", "priority": 3},
        {OPERATOR: 200, SUPERVISOR: 200, LIAISON: 403, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
    "/incidents/{incident}/note": (
        {"text": "메모"},
        {OPERATOR: 200, SUPERVISOR: 200, LIAISON: 403, OFFICER: 404, AUDITOR: 404, ADMIN: 404},
    ),
    "/grants": (
        {"incident_id": "{incident}", "camera_ids": ["{camera}"], "rights": ["live"]},
        {OPERATOR: 200, SUPERVISOR: 200, LIAISON: 200, OFFICER: 404, AUDITOR: 404, ADMIN: 404},
    ),
    "/grants/{grant}/approve": (
        {"reason": "확인함"},
        {OPERATOR: 403, SUPERVISOR: 200, LIAISON: 200, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
    "/grants/{grant}/revoke": (
        {"reason": "종료함"},
        {OPERATOR: 403, SUPERVISOR: 200, LIAISON: 403, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
    "/break-glass": (
        {"camera_ids": ["{camera}"], "reason": "칼부림 목격"},
        {OPERATOR: 200, SUPERVISOR: 200, LIAISON: 403, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
    "/leases": (
        {"camera_id": "{camera}", "grant_id": None},
        {OPERATOR: 403, SUPERVISOR: 403, LIAISON: 403, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
    "/shift/start": (
        {"hours": 8},
        {OPERATOR: 200, SUPERVISOR: 200, LIAISON: 403, OFFICER: 403, AUDITOR: 403, ADMIN: 403},
    ),
}
"""Writes, and what each role of the city hears. Without a shift nobody gets a lease for ordinary viewing."""


SQUARE = '{"type":"Polygon","coordinates":[[[128,35],[129,35],[129,36],[128,36],[128,35]]]}'


@dataclass
class World:
    """One city with one of everything, and people of every role here and next door."""

    names: dict[str, str]
    here: dict[Role, Person]
    there: dict[Role, Person]

    def client(self, person: Person | None) -> Client:
        client = Client()
        if person is not None:
            client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def filled(self, value: Any) -> Any:  # Any: a JSON value with names to fill in
        if isinstance(value, str):
            return value.format(**self.names)
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return {name: self.filled(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.fixture
def world(
    authority: Authority, other_authority: Authority, make_person: MakePerson, make_agency: Callable[..., Agency]
) -> World:
    agency = make_agency()
    far = Agency.objects.create(code="busan", authority=other_authority, kind="police", name_ko="부산")
    here = {role: make_person(role, agency=agency if role is LIAISON else None) for role in ROLES}
    there = {
        role: make_person(role, authority=other_authority, agency=far if role is LIAISON else None) for role in ROLES
    }
    for city in (authority, other_authority):
        make_person(SUPERVISOR, authority=city)
    return World(_things(authority, agency, here[OFFICER]), here, there)


def _things(city: Authority, agency: Agency, officer: Person) -> dict[str, str]:
    now = system_clock()
    key = AgencyKey.objects.create(agency=agency, key_id="k1", algorithm="ed25519", public_pem="x", not_before_at=now)
    token = Token.objects.create(authority=city, kind="device", name="t", lookup="a" * 16, hashed="b" * 64)
    client = models.Client.objects.create(authority=city, name="c", hashed="b" * 64)
    boundary = Boundary.objects.create(
        authority=city, code="1", name_ko="동", geometry=SQUARE, west=128, south=35, east=129, north=36
    )
    run = ImportRun.objects.create(authority=city, kind="cctv", filename="a.csv", actor="person:x", queued_at=now)
    retention = PurposeRetention.objects.create(authority=city, purpose="생활방범", days=30)
    rows = [video.SiteRow(source_key="s", name="앞", lon=128.9, lat=35.2, purpose="생활방범")]
    call = response.OpenIncident(
        authority=city.code,
        source="police112",
        mode=Mode.LIVE,
        class_text="소음",
        code=3,
        place=SaidPlace(128.9, 35.2),
        source_key="C1",
        agency=agency.code,
        basis="pipa_18_2_3",
    )
    with civic.transaction() as tx:
        video.put_sites(tx, city.code, rows, now, Mode.LIVE)
        incident = response.open_incident(tx, system_actor(city.code), call, now)
        asked = video.ask_disclosure(
            tx,
            authority=city.code,
            place="여기",
            from_at=now - timedelta(hours=2),
            to_at=now - timedelta(hours=1),
            contact="x",
            note="",
            now=now,
        )
        table = DecisionTable.objects.filter(authority=city).first()
        assert table is not None
        draft = video.draft_table(tx, actor_of_person(officer), city.code, table.rows, "", now)
        words = Words(title_ko="배회자", steps=[])
        sop = save_draft(tx, actor_of_person(officer), city.code, "prowler", words, now)
    grant = VideoGrant.objects.get(case__incident_id=incident.pk, state="PENDING_HUMAN")
    return {
        **_kept(city, grant, now),
        "sop": sop.template_id,
        "version": sop.pk,
        "person": officer.pk,
        "agency": agency.code,
        "key": key.pk,
        "token": token.pk,
        "client": client.pk,
        "city": city.code,
        "site": Site.objects.get().pk,
        "camera": Camera.objects.get().pk,
        "retention": str(retention.pk),
        "boundary": str(boundary.pk),
        "run": run.pk,
        "table": draft.pk,
        "disclosure": asked.pk,
        "incident": incident.pk,
        "grant": grant.pk,
    }


def _kept(city: Authority, grant: VideoGrant, now: datetime) -> dict[str, str]:
    """One row of every table that rooms put into the office."""
    camera, case = Camera.objects.get(), grant.case
    assert case is not None
    item = Item.objects.create(
        authority=city,
        kind="still",
        state="KEPT",
        case=case,
        incident_id=case.incident_id,
        grant=grant,
        camera=camera,
        camera_label="앞",
        taken_by="person:x",
        taken_by_name="홍",
        wanted_at=now,
        media_type="image/jpeg",
        mode=Mode.LIVE,
    )
    export = Export.objects.create(
        authority=city, incident_id=case.incident_id, state="REQUESTED", requested_at=now, mode=Mode.LIVE
    )
    past = PastPolicy.objects.create(authority=city, camera=camera, seconds=0, legal_note="없음", set_at=now)
    return {
        "facility": Facility.objects.create(authority=city, kind="bell", source_key="b1", registered_at=now).pk,
        "policy": Policy.objects.create(authority=city, class_code="other").pk,
        "recipient": Recipient.objects.create(authority=city, name="당직관", tier="authorities").pk,
        "template": str(Template.objects.create(authority=city, name="문안", text_ko="상황").pk),
        "past": past.pk,
        "item": item.pk,
        "export": export.pk,
    }


def test_every_role_at_every_page_of_the_office(world: World) -> None:
    for role, person in world.here.items():
        client = world.client(person)
        for page, allowed in OFFICE.items():
            status = client.get(f"/office/{page}").status_code
            expected = 200 if role in allowed else 403 if role in AT_THE_OFFICE else 302
            assert status == expected, (role, page)


def test_every_role_at_every_thing_of_its_own_city(world: World) -> None:
    for role, person in world.here.items():
        client = world.client(person)
        for page, allowed in THINGS.items():
            status = client.get(f"/office/{world.filled(page)}").status_code
            expected = 200 if role in allowed else 403 if role in AT_THE_OFFICE else 302
            assert status == expected, (role, page)


def test_another_citys_things_do_not_exist(world: World) -> None:
    for role, person in world.there.items():
        client = world.client(person)
        for page in THINGS:
            answer = client.get(f"/office/{world.filled(page)}")
            assert answer.status_code in (302, 403, 404), (role, page)
            if answer.status_code == 302:
                assert answer["Location"].startswith("/office/"), (role, page)


def test_lists_show_no_row_of_another_city(world: World) -> None:
    client = world.client(world.there[ADMIN])
    for name, page in (("k1", "identity/agencykey/"), ("소음", "video/camera/"), ("a.csv", "imports/")):
        assert name not in client.get(f"/office/{page}").content.decode(), page
    people = client.get("/office/identity/person/").content.decode()
    assert world.here[OFFICER].username not in people


def test_nobody_gets_past_the_door_without_logging_in(world: World) -> None:
    client = world.client(None)
    for page in (*OFFICE, *map(world.filled, THINGS)):
        answer = client.get(f"/office/{page}")
        assert answer.status_code == 302, page
        assert answer["Location"].startswith("/office/login/"), page


def test_the_table_above_names_every_page_there_is() -> None:
    routes = {page.route for page in site.pages.values()}
    tables = {f"{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry}
    named = {name.partition("{")[0] for name in (*OFFICE, *THINGS)}
    assert tables <= named
    elsewhere = {"register/export/", "hub/"}  # a file, and the way to the data hub (tests/console/test_hub_api.py)
    assert {route.partition("<")[0] for route in routes} - named == elsewhere


def test_every_role_at_every_read_of_the_console(world: World) -> None:
    for role, person in world.here.items():
        client = world.client(person)
        for path, allowed in CONSOLE.items():
            status = client.get(f"/api/console{world.filled(path)}").status_code
            assert status == (200 if role in allowed else 403), (role, path)
        status = client.get(f"/api/console/incidents/{world.names['incident']}").status_code
        assert status == (200 if role in INCIDENT else 404), role


def _deeds(world: World) -> Iterator[tuple[str, object, dict[Role, int]]]:
    for path, (body, statuses) in DEEDS.items():
        yield world.filled(path), world.filled(body), statuses


@pytest.mark.parametrize("role", ROLES)
def test_every_role_at_every_write_of_the_console(world: World, role: Role) -> None:
    client = world.client(world.here[role])
    for path, body, statuses in _deeds(world):
        answer = client.post(f"/api/console{path}", body, content_type="application/json")
        if path.endswith("/revoke") and statuses[role] == 200:
            assert answer.status_code in (200, 409), (role, path)
            continue
        assert answer.status_code == statuses[role], (role, path, answer.content)


@pytest.mark.parametrize("role", ROLES)
def test_the_same_writes_from_another_city_find_nothing(world: World, role: Role) -> None:
    client = world.client(world.there[role])
    for path, body, _ in _deeds(world):
        if path in ("/incidents", "/shift/start"):
            continue
        status = client.post(f"/api/console{path}", body, content_type="application/json").status_code
        assert status == 404, (role, path)


def test_writes_without_a_session_are_asked_to_log_in(world: World) -> None:
    client = world.client(None)
    for path, body, _ in _deeds(world):
        assert client.post(f"/api/console{path}", body, content_type="application/json").status_code == 401, path


def test_staff_and_superuser_flags_open_no_door(world: World) -> None:
    person = world.here[OPERATOR]
    person.is_staff = person.is_superuser = True
    person.save()
    client = world.client(person)
    for page in OFFICE:
        assert client.get(f"/office/{page}").status_code == 302, page


def test_a_person_nobody_knows_holds_nothing(world: World, rf: Any) -> None:  # Any: Django's request factory
    request = rf.get("/office/")
    request.user = AnonymousUser()
    assert not site.has_permission(request)
