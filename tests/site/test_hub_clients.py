"""OAuth2 in the running platform: a client made on the command line reaches the hub, and is out soon after its end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from madang.hub.client import ClientCredentials, EntityQuery, HubClient, NotAllowedError, NotAuthenticatedError
from madang.site.services import TOKEN_MEMORY_S
from tests.site.serving import Installation, copied, serving, until


@pytest.fixture(scope="module")
def city(template: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running city."""
    home = copied(template, tmp_path_factory.mktemp("oauth") / "city")
    with serving(home):
        yield home


def made(home: Installation, *allow: str) -> tuple[str, str]:
    """A new client's id and secret."""
    options = [part for scope in allow for part in ("--allow", scope)]
    done = home.run("client", "add", "analysis", *options)
    assert done.returncode == 0, done.stderr
    client_id, secret = done.stdout.split()
    return client_id, secret


def hub_of(home: Installation, client_id: str, secret: str, scope: str = "") -> HubClient:
    return HubClient(home.url, auth=ClientCredentials(f"{home.url}/oauth2/token", client_id, secret, scope))


def test_a_client_does_what_it_was_granted_until_it_is_revoked(city: Installation) -> None:
    client_id, secret = made(city, "read:Sensor", "create:Sensor")
    sensor = {"id": "urn:ngsi-ld:Sensor:1", "type": "Sensor", "a": {"type": "Property", "value": 1}}
    with hub_of(city, client_id, secret) as hub, hub_of(city, client_id, secret, "read:Sensor") as reader:
        hub.create_entity(sensor)
        assert [one["id"] for one in reader.entities(EntityQuery(type="Sensor"))] == ["urn:ngsi-ld:Sensor:1"]
        with pytest.raises(NotAllowedError):
            hub.create_entity(sensor | {"id": "urn:x:1", "type": "Other"})
        with pytest.raises(NotAllowedError):
            reader.create_entity(sensor | {"id": "urn:x:2"})
        assert client_id in city.run("client", "list").stdout
        assert city.run("client", "revoke", client_id).returncode == 0
        revoked_s = time.monotonic()
        until(lambda: refuses(hub), TOKEN_MEMORY_S + 5)
        assert time.monotonic() - revoked_s < TOKEN_MEMORY_S + 5


def refuses(hub: HubClient) -> bool:
    try:
        hub.types()
    except NotAuthenticatedError:
        return True
    return False


def test_who_is_unknown_is_told_how_to_ask(city: Installation) -> None:
    url = f"{city.url}/ngsi-ld/v1/types"
    nobody = httpx.get(url)
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="madang"')
    for shown in ("forged", "a.b.c", "mdg_a_b", "x" * 9_000):
        answer = httpx.get(url, headers={"Authorization": f"Bearer {shown}"})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert answer.json()["status"] == 401


def test_the_command_line_closes_a_city_and_renews_a_secret(city: Installation) -> None:
    client_id, secret = made(city, "read:*")
    fresh = city.run("client", "renew-secret", client_id).stdout.strip()
    form = {"grant_type": "client_credentials", "client_id": client_id}
    answers = [
        httpx.post(f"{city.url}/oauth2/token", data=form | {"client_secret": one}).status_code
        for one in (secret, fresh)
    ]
    assert answers == [401, 200]
    assert city.run("client", "allow", client_id).returncode == 0
    refused = httpx.post(f"{city.url}/oauth2/token", data=form | {"client_secret": fresh})
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    for wrong in (["client", "add", "x", "--allow", "peek:T"], ["client", "revoke", "nobody"]):
        done = city.run(*wrong)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
