"""Checking a package as a recipient does: signature, digests, nothing added, credentials inside. Needs no store.

`docs/verify_evidence.py` does the same without any of this code.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from madang.kernel.canonical import digest, parse_json
from madang.kernel.errors import BadRequestError, MadangError, TooLargeError
from madang.video.evidence.credentials import check_credentials, key_of, root_of

FORMAT = "madang-evidence/1"
_OWN_FILES = frozenset({"manifest.json", "manifest.jws", "certificates.pem", "read-me.txt"})
_MOST_BYTES = 4_000_000_000
_MOST_MANIFEST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked."""

    what: str
    good: bool
    text: str


@dataclass(slots=True)
class Report:
    """What was found; `told` says in one line what the package is."""

    lines: list[Line] = field(default_factory=list)
    told: str = ""

    @property
    def good(self) -> bool:
        """Whether everything held."""
        return bool(self.lines) and all(line.good for line in self.lines)

    def add(self, what: str, good: bool, text: str) -> bool:
        """Notes a finding, and passes it on."""
        self.lines.append(Line(what, good, text))
        return good


def check_package(path: Path, public_pem: bytes) -> Report:
    """Everything that can be checked with the city's public key in hand."""
    report = Report()
    try:
        with zipfile.ZipFile(path) as package:
            if sum(entry.file_size for entry in package.infolist()) > _MOST_BYTES:
                raise TooLargeError("the package is larger than any we make")
            _check(package, public_pem, report)
    except (zipfile.BadZipFile, KeyError, OSError, MadangError, RuntimeError, NotImplementedError) as error:
        report.add(path.name, False, f"cannot be read: {error}")
    return report


def _check(package: zipfile.ZipFile, public_pem: bytes, report: Report) -> None:
    manifest = package.read("manifest.json")
    if not report.add("manifest.jws", *_signature(package.read("manifest.jws"), manifest, public_pem)):
        return
    told = parse_json(manifest, max_bytes=_MOST_MANIFEST_BYTES, where="manifest.json")
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BadRequestError("the manifest is of a form not known here")
    items = {str(item["name"]): item for item in told["items"]}
    names = [entry.filename for entry in package.infolist()]
    others = set(names) - set(items) - _OWN_FILES
    report.add(
        "files", not others and len(names) == len(set(names)), f"besides the manifest: {sorted(others) or 'none'}"
    )
    chain = package.read("certificates.pem").decode()
    root = root_of(chain) if report.add("certificates.pem", *_certificate(chain, public_pem)) else ""
    for name, item in items.items():
        _check_item(package, name, item, root, report)
    who = told["recipient"]
    report.told = f"{len(items)} files of {told['incident']} for {who['office']} {who['name']}, {told['made_at']}"


def _signature(signed: bytes, manifest: bytes, public_pem: bytes) -> tuple[bool, str]:
    try:
        found = jws.deserialize_compact(signed.strip(), ECKey.import_key(public_pem), algorithms=["ES256"])
    except (JoseError, ValueError):
        return False, "the signature does not hold with this key"
    same = found.payload == manifest
    return same, "signed with this key" if same else "the signed manifest is not the one in the package"


def _certificate(chain: str, public_pem: bytes) -> tuple[bool, str]:
    same = key_of(chain) == public_pem
    return same, "of the same key" if same else "of another key: the credentials in the files are not looked at"


def _check_item(package: zipfile.ZipFile, name: str, item: dict[str, Any], root: str, report: Report) -> None:
    try:
        data = package.read(name)
    except (KeyError, zipfile.BadZipFile):
        report.add(name, False, "missing or damaged")
        return
    if not report.add(name, digest(data) == item["sha256"], f"SHA-256 {digest(data)[:16]}…") or not root:
        return
    state, codes = check_credentials(data, str(item["media_type"]), root)
    report.add(f"{name} (C2PA)", state == "Trusted", f"{state} {', '.join(codes)}".strip())
