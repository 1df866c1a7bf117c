"""The OpenAPI description: whole, valid, served, and kept by what the hub really answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from madang.hub.http.app import OPERATIONS
from madang.hub.http.openapi import PARAMETERS, describe
from madang.hub.http.operation import Operation
from madang.hub.http.schemas import SCHEMAS
from tests.hub.client import run
from tests.hub.conftest import OpenClient
from tests.hub.live import hub_alone

DOCUMENT = orjson.loads(orjson.dumps(describe(OPERATIONS)))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
IDS = [f"urn:ngsi-ld:Sensor:{number}" for number in range(5)]
SUBSCRIPTION = "urn:ngsi-ld:Subscription:1"
EXAMPLES = 6
AnyOperation = APIOperation[Any, Any, Any, Any]  # Any: as schemathesis has it
AnyCase = Case[Any]  # Any: the same


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_operation_is_described_in_full(operation: Operation) -> None:
    assert operation.parameters <= PARAMETERS.keys()
    assert {operation.body, *operation.answers.values()} - {""} <= SCHEMAS.keys()
    assert operation.answers


def test_operations_have_names_of_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_json_schema_and_refers_to_what_is_there(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert references(SCHEMAS[name]) <= SCHEMAS.keys()


def references(schema: Any) -> set[str]:  # Any: JSON
    if isinstance(schema, dict):
        own = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else set()
        return own.union(*(references(value) for value in schema.values()))
    return set().union(*(references(value) for value in schema)) if isinstance(schema, list) else set()


def test_the_document_is_valid_openapi() -> None:
    SCHEMA.validate()
    assert DOCUMENT["openapi"] == "3.1.0"
    assert len(SCHEMA) == len(OPERATIONS)


def test_a_server_that_knows_its_address_says_where_clients_get_tokens() -> None:
    told = describe(OPERATIONS, "https://madang.example.kr/")
    schemathesis.openapi.from_dict(orjson.loads(orjson.dumps(told))).validate()
    flow = told["components"]["securitySchemes"]["client"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://madang.example.kr/oauth2/token"
    assert "client" not in DOCUMENT["components"]["securitySchemes"]


def test_the_hub_serves_its_description_to_whoever_may_ask_it(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.get("/openapi.json")
            assert (answer.status, answer.header("content-type")) == (200, "application/json")
            assert answer.json == DOCUMENT

    run(body)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub with a few entities, in a process of its own."""
    with hub_alone(tmp_path_factory.mktemp("described")) as url:
        entities = [
            {
                "id": one,
                "type": "Sensor",
                "a": {"type": "Property", "value": number, "observedAt": "2026-01-01T00:00:00Z"},
            }
            for number, one in enumerate(IDS)
        ]
        httpx.post(f"{url}/ngsi-ld/v1/entityOperations/upsert", json=entities).raise_for_status()
        subscription = {
            "id": SUBSCRIPTION,
            "type": "Subscription",
            "entities": [{"type": "Nothing"}],
            "notification": {"endpoint": {"uri": "https://example.org/notify"}},
        }
        httpx.post(f"{url}/ngsi-ld/v1/subscriptions", json=subscription).raise_for_status()
        yield url


def asked() -> list[tuple[AnyOperation, GenerationMode]]:
    """Every operation, with requests that keep its description and, where there is one to break, ones that do not."""
    found = []
    for result in SCHEMA.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        modes = list(GenerationMode) if operation.path != "/openapi.json" else [GenerationMode.POSITIVE]
        found += [(operation, mode) for mode in modes]
    return found


def known_paths(operation: AnyOperation) -> list[dict[str, str] | None]:
    """Paths of things that are there, since no address made up would be; None where a path has no id."""
    names = re.findall(r"{(\w+)}", operation.path)
    if not names:
        return [None]
    others = {"attrId": "a", "type": "Sensor", "contextId": "x", "instanceId": "urn:ngsi-ld:Instance:1"}
    return [{name: others.get(name, one if name == "entityId" else SUBSCRIPTION) for name in names} for one in IDS]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("operation", "mode"), asked(), ids=lambda one: getattr(one, "label", one))
def test_generated_requests_are_answered_as_described(hub: str, operation: AnyOperation, mode: GenerationMode) -> None:
    cases = st.one_of(
        [operation.as_strategy(mode, path_parameters=path) for path in known_paths(operation)]
        if mode is GenerationMode.POSITIVE
        else [operation.as_strategy(mode)]
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: AnyCase) -> None:
        response = case.call(base_url=f"{hub}/ngsi-ld/v1")
        assert response.status_code < 500 or "LdContextNotAvailable" in response.text, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
