"""The contract page cannot lie: its example verifies, its samples follow the schemas, its tables name them all."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from madang.linkages import police112

HERE = Path(police112.__file__).parent
README = (HERE / "README.md").read_text(encoding="utf-8")
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "schema").glob("*.json")}
EXAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "examples").glob("*.json")}


def block(label: str) -> str:
    """The fenced block of the README whose info string ends with `label`."""
    found = re.search(rf"^```\w+ {re.escape(label)}\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"README has no block {label!r}"
    return found[1]


def validator(name: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry()  # Any: JSON Schema documents
    for schema in SCHEMAS.values():
        registry = Resource.from_contents(schema) @ registry
    return Draft202012Validator(SCHEMAS[name], registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def wire_headers() -> dict[str, str]:
    lines = block("request").splitlines()[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def wire_signature() -> bytes:
    return base64.b64decode(wire_headers()["signature"].removeprefix("sig1=:").removesuffix(":"))


def test_the_examples_digest_is_of_the_body_as_printed() -> None:
    body = block("signed-body").encode()
    assert f"({len(body)} bytes)" in README
    expected = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    assert wire_headers()["content-digest"] == expected
    assert f'"content-digest": {expected}' in block("signature-base")


def test_the_signature_base_repeats_what_goes_over_the_wire() -> None:
    last = block("signature-base").splitlines()[-1]
    assert last == '"@signature-params": ' + wire_headers()["signature-input"].removeprefix("sig1=")


def test_the_ecdsa_example_verifies_as_raw_r_and_s_over_the_printed_base() -> None:
    key = serialization.load_pem_public_key(block("ecdsa-p256-sha256").encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = wire_signature()
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, block("signature-base").encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(der, block("signature-base").encode() + b"\n", ec.ECDSA(hashes.SHA256()))


def test_the_ed25519_example_can_be_reproduced_byte_for_byte() -> None:
    seed = re.search(r"`([0-9a-f]{64})` \(32 bytes", README)
    assert seed
    base = block("signature-base").replace('keyid="doc-ec-1";alg="ecdsa-p256-sha256"', 'keyid="doc-ed-1";alg="ed25519"')
    signature = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed[1])).sign(base.encode())
    assert base64.b64encode(signature).decode() == block("ed25519-signature")


def test_the_signed_body_follows_its_own_schema() -> None:
    validator("VideoRequest").validate(json.loads(block("signed-body")))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_valid_and_has_an_example_that_follows_it(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    if name != "definitions":
        validator(name).validate(EXAMPLES[name])


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"definitions", "Receipt", "Problem", "LeaseTicket"}))
def test_a_schema_refuses_a_message_without_its_mode(name: str) -> None:
    assert list(validator(name).iter_errors({k: v for k, v in EXAMPLES[name].items() if k != "mode"}))


def test_the_manifest_and_the_page_name_the_same_messages() -> None:
    manifest = tomllib.loads((HERE / "manifest.toml").read_text(encoding="utf-8"))
    sent, got = README.split("## What you send")[1].split("## What you get")
    got = got.split("## Viewing")[0]
    named = re.compile(r"^\| `(\w+)` \| \[schema\]", re.MULTILINE)
    assert set(named.findall(sent)) == set(manifest["inbound"])
    assert set(named.findall(got)) == set(manifest["outbound"])
    assert set(manifest["inbound"]) | set(manifest["outbound"]) <= set(SCHEMAS)


def test_every_link_of_the_page_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(((?:schema|examples)/[^)]*)\)", README):
        assert (HERE / target).exists(), target
