"""Signed documents: a report and its addenda as files that anybody can check without this platform.

A file is one JSON object: `document` (for reading), `jws` (RFC 7515 compact, ES256, whose payload is the canonical JSON
of the same document: UTF-8, keys sorted, no spaces) and, for those who may read them, `names`: who the codes `P1`…
stand for, each with the salt of the digest that the document holds of it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from madang.journal.checkpoint import public_pem
from madang.kernel.canonical import canonical_json, digest, parse_json
from madang.kernel.errors import BadRequestError, MadangError
from madang.response.review.people import Disclosure

JsonRow = dict[str, Any]  # Any: JSON values
TYPE = "madang-report+jws"
MAX_BYTES = 20_000_000
_ALGORITHMS = ["ES256"]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A document under its signature. `digest` is the SHA-256 of its canonical JSON."""

    jws: str
    digest: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a good file says, and who signed it."""

    document: JsonRow
    digest: str
    key_id: str
    names: int


class BadFileError(ValueError):
    """The file does not hold; the text says what is wrong with it."""


def sign(document: JsonRow, private_pem: bytes) -> Sealed:
    """Signs with the platform's key (the one that signs the audit checkpoints)."""
    payload = canonical_json(document)
    key = ECKey.import_key(private_pem)
    key_id = key_id_of(public_pem(private_pem))
    header = {"alg": "ES256", "typ": TYPE, "kid": key_id}
    return Sealed(jws.serialize_compact(header, payload, key, algorithms=_ALGORITHMS), digest(payload), key_id)


@lru_cache(maxsize=8)
def key_id_of(pem: bytes) -> str:
    """The RFC 7638 thumbprint of a public key."""
    return ECKey.import_key(pem).thumbprint()


def document_of(compact: str) -> JsonRow:
    """The payload of one's own JWS, not checked."""
    part = compact.split(".")[1]
    found: JsonRow = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def file_of(compact: str, names: Sequence[Disclosure]) -> bytes:
    """The file as it is handed out, indented for people."""
    body: JsonRow = {"document": document_of(compact), "jws": compact}
    if names:
        body["names"] = [{"code": one.code, "id": one.id, "name": one.name, "salt": one.salt} for one in names]
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def verify(data: bytes, trusted_pem: bytes) -> Checked:
    """Checks signature, text and names of a file against a key one trusts; raises `BadFileError`."""
    body = _body(data)
    key = ECKey.import_key(trusted_pem)
    try:
        found = jws.deserialize_compact(str(body["jws"]), key, algorithms=_ALGORITHMS)
    except (JoseError, ValueError, TypeError) as error:
        raise BadFileError(f"its signature does not hold under this key ({error})") from None
    header = found.headers()
    if header.get("typ") != TYPE:
        raise BadFileError(f"what was signed is no report ({header.get('typ')!r})")
    if canonical_json(body["document"]) != found.payload:
        raise BadFileError("what is shown was changed: it is not what was signed")
    names = _names(body)
    return Checked(body["document"], digest(found.payload), str(header.get("kid", "")), names)


def _body(data: bytes) -> JsonRow:
    try:
        body = parse_json(data, max_bytes=MAX_BYTES, where="the file")
    except MadangError as error:
        raise BadFileError(error.detail) from None
    if not isinstance(body, dict) or not isinstance(body.get("document"), dict) or "jws" not in body:
        raise BadFileError("it is not a signed report: it has no `document` and `jws`")
    return body


def _names(body: JsonRow) -> int:
    """How many names were given, each held against its digest in the document."""
    given = body.get("names", [])
    known = {one.get("code"): one.get("digest") for one in body["document"].get("staff", [])}
    try:
        shown = [Disclosure(str(n["code"]), str(n["id"]), str(n["name"]), str(n["salt"])) for n in given]
    except (KeyError, TypeError):
        raise BadFileError("its names cannot be read") from None
    for one in shown:
        if known.get(one.code) != one.digest:
            raise BadFileError(f"the name given for {one.code} is not the one that was signed")
    return len(shown)


def public_key_of(pem: bytes) -> bytes:
    """The public key in `pem`, which may hold a private one; raises `BadRequestError` for anything else."""
    try:
        ECKey.import_key(pem)
    except (JoseError, ValueError, TypeError):
        raise BadRequestError(
            "not an ECDSA P-256 key in PEM form", where="key", ko="ECDSA P-256 열쇠가 아닙니다."
        ) from None
    return public_pem(pem) if b"PRIVATE" in pem else pem
