"""OAuth2 client credentials: who gets a token, what it opens, when it ends, and how failing is answered."""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from madang.identity import commands
from madang.identity.access_tokens import AUDIENCE, LIFETIME_S, AccessClaims, read_access, sign_access, signing_key
from madang.identity.actors import actor_today
from madang.identity.api import TokenEndpoint
from madang.identity.clients import Asked, Issued, actor_of_access, issue_access
from madang.identity.config import IdentityConfig
from madang.identity.models import Authority, Client
from madang.identity.rights import Actor, Right, Thing, may, system_actor
from madang.identity.scopes import read_scopes
from madang.identity.throttle import Throttle
from madang.journal import civic
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, NotFoundError

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CLI = system_actor("48250", "cli")
SECRET = b"k" * 32
KEY = signing_key(SECRET)


@pytest.fixture
def client(authority: Authority) -> tuple[str, Client]:
    """A client with rights in the city under test, and its secret."""
    with civic.transaction() as tx:
        return commands.add_client(
            tx,
            CLI,
            authority="48250",
            name="분석",
            rights=read_scopes(["read:*", "write:Sensor", "read:Sensor"]),
            lives=timedelta(days=90),
            longest=timedelta(days=365),
            now=NOW,
        )


def token(client: tuple[str, Client], scope: str = "", tenant: str = "", at: datetime = NOW) -> Issued | Rejected:
    return issue_access(KEY, Asked(client[1].pk, client[0], scope, tenant), at)


def actor(issued: Issued | Rejected, at: datetime = NOW) -> Actor | None:
    assert isinstance(issued, Issued), issued
    claims = read_access(KEY, issued.token, at)
    return None if claims is None else actor_of_access(claims, at)


def opens(who: Actor | None, right: Right, entity_type: str, city: str = "48250") -> bool:
    assert who is not None
    return bool(may(who, right, Thing(city, entity_type=entity_type)))


def test_a_client_gets_a_token_for_what_it_was_granted(client: tuple[str, Client]) -> None:
    issued = token(client)
    who = actor(issued)
    assert isinstance(issued, Issued)
    assert issued.lives_s == LIFETIME_S <= 900
    assert opens(who, Right.HUB_READ, "Anything")
    assert opens(who, Right.HUB_DELETE, "Sensor")
    assert not opens(who, Right.HUB_UPDATE, "Anything")
    assert not opens(who, Right.HUB_READ, "Sensor", city="26440")


def test_a_scope_narrows_the_token_and_a_wider_one_is_refused(client: tuple[str, Client]) -> None:
    issued = token(client, "read:Camera")
    who = actor(issued)
    assert isinstance(issued, Issued)
    assert issued.scope == "read:Camera"
    assert opens(who, Right.HUB_READ, "Camera")
    assert not opens(who, Right.HUB_READ, "Sensor")
    for scope in ("write:Camera", "read:Sensor history:Sensor", "nonsense", "write:*"):
        refused = token(client, scope)
        assert isinstance(refused, Rejected)
        assert refused.code == "invalid_scope"


def test_a_wrong_secret_an_unknown_and_an_ended_client_look_the_same(client: tuple[str, Client]) -> None:
    secret, row = client
    answers = [
        issue_access(KEY, Asked(row.pk, secret + "x"), NOW),
        issue_access(KEY, Asked("mdc-nobody", secret), NOW),
        issue_access(KEY, Asked(row.pk, secret), NOW + timedelta(days=90)),
    ]
    with civic.transaction() as tx:
        commands.revoke_client(tx, CLI, client=row, now=NOW)
    answers.append(issue_access(KEY, Asked(row.pk, secret), NOW))
    assert [answer for answer in answers if answer != answers[0]] == []
    assert isinstance(answers[0], Rejected)


def test_revoking_narrowing_and_closing_reach_tokens_already_issued(client: tuple[str, Client]) -> None:
    issued = token(client)
    with civic.transaction() as tx:
        commands.allow_client(
            tx, CLI, client=client[1], authority="48250", rights=read_scopes(["read:Sensor"]), now=NOW
        )
    assert not opens(actor(issued), Right.HUB_DELETE, "Sensor")
    assert opens(actor(issued), Right.HUB_READ, "Sensor")
    with civic.transaction() as tx:
        commands.allow_client(tx, CLI, client=client[1], authority="48250", rights=(), now=NOW)
    assert actor(issued) is None
    with civic.transaction() as tx:
        commands.allow_client(tx, CLI, client=client[1], authority="48250", rights=read_scopes(["read:*"]), now=NOW)
        commands.revoke_client(tx, CLI, client=client[1], now=NOW)
    assert actor(issued) is None


def test_a_new_secret_ends_the_old_one(client: tuple[str, Client]) -> None:
    with civic.transaction() as tx:
        fresh = commands.renew_secret(tx, CLI, client=client[1], now=NOW)
    assert isinstance(token(client), Rejected)
    assert isinstance(token((fresh, client[1])), Issued)


def test_a_client_of_two_cities_says_which_one_it_means(client: tuple[str, Client], other_authority: Authority) -> None:
    neighbour = system_actor(other_authority.code, "cli")
    with civic.transaction() as tx:
        rights = read_scopes(["read:Weather"])
        commands.allow_client(tx, neighbour, client=client[1], authority=other_authority.code, rights=rights, now=NOW)
    refused = token(client)
    assert isinstance(refused, Rejected)
    assert refused.code == "invalid_request"
    who = actor(token(client, tenant=other_authority.code))
    assert opens(who, Right.HUB_READ, "Weather", city=other_authority.code)
    assert not opens(who, Right.HUB_READ, "Weather")
    assert isinstance(token(client, tenant="99999"), Rejected)


def test_only_a_citys_own_administrator_opens_it(client: tuple[str, Client], other_authority: Authority) -> None:
    with pytest.raises(NotFoundError), civic.transaction() as tx:
        commands.allow_client(
            tx, CLI, client=client[1], authority=other_authority.code, rights=read_scopes(["read:*"]), now=NOW
        )


@pytest.mark.parametrize("days", [0, 366])
def test_a_client_lives_no_longer_than_the_city_allows(authority: Authority, days: int) -> None:
    with pytest.raises(BadRequestError, match="365"), civic.transaction() as tx:
        commands.add_client(
            tx,
            CLI,
            authority="48250",
            name="x",
            rights=(),
            lives=timedelta(days=days),
            longest=timedelta(days=365),
            now=NOW,
        )


# ------------------------------------------------------------------------------------------ the token itself

CLAIMS = AccessClaims("t1", "mdc-1", "48250", "read:*", int(NOW.timestamp()), int(NOW.timestamp()) + 900)


def test_a_signed_token_says_what_was_signed_until_it_ends() -> None:
    signed = sign_access(KEY, CLAIMS)
    assert read_access(KEY, signed, NOW) == CLAIMS
    assert read_access(KEY, signed, NOW + timedelta(seconds=899)) == CLAIMS
    assert read_access(KEY, signed, NOW + timedelta(seconds=900)) is None


@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
@pytest.mark.parametrize("audience", ["madang-media", AUDIENCE, None])
def test_a_token_for_another_door_is_refused(typ: str, audience: str | None) -> None:
    payload: dict[str, Any] = {"jti": "t", "client_id": "c", "tenant": "48250", "scope": "read:*", "iat": 0}
    payload |= {"exp": 4_000_000_000} | ({"aud": audience} if audience else {})
    signed = jwt.encode({"alg": "ES256", "typ": typ}, payload, KEY, algorithms=["ES256"])
    assert (read_access(KEY, signed, NOW) is not None) is (typ == "at+jwt" and audience == AUDIENCE)


def test_a_token_signed_by_another_key_or_by_none_is_refused() -> None:
    signed = sign_access(signing_key(b"x" * 32), CLAIMS)
    assert read_access(KEY, signed, NOW) is None
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    assert read_access(KEY, f"{head}.{signed.split('.')[1]}.", NOW) is None
    for broken in ("", "a.b.c", signed[:-3], signed + "x" * 9_000):
        assert read_access(KEY, broken, NOW) is None


def test_the_key_of_access_tokens_is_always_the_same_for_one_secret_and_no_other() -> None:
    signing_key.cache_clear()
    assert isinstance(signing_key(SECRET), ECKey)
    assert signing_key(SECRET).as_dict() == KEY.as_dict()
    assert signing_key(b"x" * 32).as_dict() != KEY.as_dict()


# --------------------------------------------------------------------------------------------- the endpoint


class Endpoint:
    """The token endpoint, called as a client would; `now` is the civic clock's."""

    def __init__(self, **config: Any) -> None:  # Any: configuration values
        self.app = TokenEndpoint(self._run, lambda: NOW, SECRET, IdentityConfig(**config))

    @staticmethod
    async def _run(work: Callable[[], T]) -> T:
        return work()

    def post(
        self,
        form: dict[str, str] | bytes,
        *,
        basic: tuple[str, str] | None = None,
        method: str = "POST",
        media: str = "application/x-www-form-urlencoded",
        path: str = "/oauth2/token",
        address: str = "10.0.0.1",
    ) -> tuple[int, dict[str, str], Any]:  # Any: JSON
        headers = [(b"content-type", media.encode())]
        if basic is not None:
            headers.append((b"authorization", b"Basic " + base64.b64encode(":".join(basic).encode())))
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": (address, 1)}
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def call() -> None:
            await self.app(scope, receive, send)

        run_here(call)
        got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], got, orjson.loads(sent[1]["body"])


def run_here(call: Callable[[], Coroutine[Any, Any, None]]) -> None:  # Any: as typing has it
    """Runs a coroutine that never really waits, on this thread and so on the test's own connection."""
    with pytest.raises(StopIteration):
        call().send(None)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


def grant(client: tuple[str, Client], **more: str) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": client[1].pk, "client_secret": client[0]} | more


def test_the_endpoint_answers_as_rfc_6749_says(client: tuple[str, Client], endpoint: Endpoint) -> None:
    status, headers, answer = endpoint.post(grant(client, scope="read:Sensor"))
    assert status == 200
    assert (headers["cache-control"], headers["pragma"]) == ("no-store", "no-cache")
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 900, "read:Sensor")
    assert read_access(KEY, answer["access_token"], NOW) is not None
    status, _, answer = endpoint.post({"grant_type": "client_credentials"}, basic=(client[1].pk, client[0]))
    assert (status, answer["expires_in"]) == (200, 900)


def test_every_refusal_of_the_endpoint_has_its_code(client: tuple[str, Client], endpoint: Endpoint) -> None:
    good = grant(client)
    for form, basic, status, code in (
        (good | {"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({name: good[name] for name in ("client_id", "client_secret")}, None, 400, "invalid_request"),
        (good | {"scope": "write:*"}, None, 400, "invalid_scope"),
        (good | {"tenant": "26440"}, None, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, (client[1].pk, "wrong"), 401, "invalid_client"),
        (good, (client[1].pk, client[0]), 400, "invalid_request"),
        (b"grant_type=client_credentials&grant_type=x", None, 400, "invalid_request"),
        (b"\xff=1", None, 400, "invalid_request"),
        (b"x" * 20_000, None, 400, "invalid_request"),
    ):
        got, headers, answer = endpoint.post(form, basic=basic)
        assert (got, answer["error"]) == (status, code), form
        assert ("www-authenticate" in headers) is (code == "invalid_client")
        assert client[0] not in str(answer)
    assert endpoint.post(good, media="application/json")[0] == 400
    assert endpoint.post(good, method="GET")[0] == 405
    assert endpoint.post(good, path="/oauth2/other")[0] == 404


def test_guessing_secrets_locks_the_client_at_the_guessers_address(
    client: tuple[str, Client], endpoint: Endpoint
) -> None:
    wrong = grant(client) | {"client_secret": "wrong"}
    assert [endpoint.post(wrong)[0] for _ in range(6)] == [401] * 5 + [429]
    status, headers, _ = endpoint.post(grant(client))
    assert status == 429
    assert 0 < int(headers["retry-after"]) <= 901
    assert endpoint.post(grant(client), address="10.0.0.2")[0] == 200


def test_one_address_may_not_ask_without_end(client: tuple[str, Client], endpoint: Endpoint) -> None:
    endpoint.app = Endpoint(token_requests_per_minute=3).app
    assert [endpoint.post(grant(client))[0] for _ in range(4)] == [200, 200, 200, 429]


def test_every_issue_and_refusal_is_in_the_citys_audit_and_no_secret_is(client: tuple[str, Client]) -> None:
    token(client)
    issue_access(KEY, Asked(client[1].pk, "wrong"), NOW)
    with civic.reading() as tx:
        rows = tx.execute("SELECT action, actor FROM journal_audit WHERE stream = ? ORDER BY seq", ("48250",))
    assert [row[0] for row in rows][-4:] == ["client.added", "client.allowed", "client.token_issued", "client.refused"]
    assert rows[-1][1] == f"client:{client[1].pk}"
    assert all(client[0] not in str(value) for value in Client.objects.values_list()[0])


def test_a_throttle_forgets_after_its_window_and_never_grows_without_bound() -> None:
    throttle = Throttle(2, 10.0)
    throttle.count("a", 0.0)
    assert throttle.wait_s("a", 1.0) == 0
    throttle.count("a", 1.0)
    assert throttle.wait_s("a", 4.0) == 6.0
    assert throttle.wait_s("a", 10.0) == 0
    for number in range(30_000):
        throttle.count(number, 5.0)
    assert len(throttle._counts) <= 20_000


def test_a_client_is_found_by_its_recorded_id_within_what_it_is_granted_today(client: tuple[str, Client]) -> None:
    asked = actor(token(client))
    assert asked is not None
    today = actor_today(asked.id, "48250", NOW)
    assert today is not None
    assert may(today, Right.HUB_READ, Thing("48250", entity_type="Sensor"))
    assert actor_today(asked.id, "11110", NOW) is None
