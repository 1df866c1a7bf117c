"""Making the package of an approved export: the files with their credentials, the manifest, its signature, the root.

One ZIP: `items/…` (JPEG or MP4), `manifest.json` (canonical JSON: who, what, why, and each file's SHA-256),
`manifest.jws` (the same bytes, signed), `certificates.pem` and `read-me.txt`.
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import zipfile
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError

from madang.journal import civic
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import Clock, instant_text
from madang.kernel.errors import MadangError
from madang.video.evidence import domain, exports, record, signing, vault
from madang.video.evidence.domain import ExportEvent, ExportState, Kind
from madang.video.evidence.models import Export, Item

log = structlog.get_logger(__name__)
FORMAT = "madang-evidence/1"
PIECE_BYTES = 4_000_000
_REMUX_S = 120.0
_TRIES = 3
_SWEEP = timedelta(hours=1)
_READ_ME = """\
이 묶음은 마당 통합플랫폼이 내보낸 영상 증거입니다. This package holds video evidence exported by a Madang platform.

manifest.json     무엇을, 누가, 왜, 누구에게: 파일마다 SHA-256 / what, who, why, for whom; SHA-256 of each file
manifest.jws      manifest.json 에 대한 서명 / its signature (JWS, ES256)
certificates.pem  파일 안 C2PA 서명의 인증서 / certificates of the C2PA credentials inside the files

확인 To check:  madang evidence verify FILE.zip --key 도시가-따로-준-공개키.pem
공개키는 이 묶음이 아니라 시에서 직접 받으십시오. Take the public key from the city itself, never from this package.
"""


class PackingError(MadangError):
    """The package cannot be made; the reason is shown to whoever asked."""

    code = "packing"
    status = 500
    title = "The package could not be made"


def keep_packing(stop: threading.Event, clock: Clock) -> None:
    """Makes packages as they are approved, and sweeps the vault now and then."""
    from madang.video.evidence.retention import sweep

    swept_at: datetime | None = None
    try:
        while not stop.is_set():
            try:
                pack_all(clock)
                if swept_at is None or clock() - swept_at > _SWEEP:
                    swept_at = clock()
                    sweep()
            except DatabaseError:
                log.exception("evidence.packing_failed")
                civic.store.recover()
            civic.wait_for(exports.WAKE, 2.0)
    finally:
        civic.store.close_thread()


def pack_all(clock: Clock) -> int:
    """Makes every package that is approved and not made; how many."""
    made = 0
    for row in Export.objects.filter(state=ExportState.APPROVED).order_by("decided_at")[:20]:
        made += _try(row, clock())
    return made


def _try(row: Export, now: datetime) -> bool:
    try:
        package, manifest = build(row, now)
        _keep(row.pk, package, manifest, now)
    except (MadangError, OSError, subprocess.SubprocessError, ValueError, RuntimeError) as error:
        log.warning("evidence.package_failed", export=row.pk, error=type(error).__name__)
        _failed(row.pk, str(error), now)
        return False
    return True


def _keep(export_id: str, package: bytes, manifest: dict[str, Any], now: datetime) -> None:  # Any: JSON values
    key, told, length, pieces = vault.new_key(export_id), "", 0, 0
    for at in range(0, len(package), PIECE_BYTES):
        piece = package[at : at + PIECE_BYTES]
        length = vault.append(export_id, key, pieces, piece, at=length)
        told, pieces = vault.digest_after(told, piece), pieces + 1
    with civic.transaction() as tx:
        row = Export.objects.select_for_update().get(pk=export_id)
        if row.state != ExportState.APPROVED:
            return
        row.state = domain.EXPORT_STEPS[ExportState.APPROVED, ExportEvent.PACK].value
        row.manifest_digest = digest(canonical_json(manifest))
        row.manifest = manifest | {"package_digest": told, "package_sha256": digest(package)}
        row.pieces, row.bytes, row.sealed_bytes, row.key_sealed = pieces, len(package), length, key
        row.ready_at, row.fault = now, ""
        row.save()
        record.set_timer(tx, record.EXPORT_TIMER, row, now + timedelta(days=record.config().package_days))
        record.note(tx, row, "system:evidence", "export_ready", now, {"manifest": row.manifest_digest})


def _failed(export_id: str, fault: str, now: datetime) -> None:
    with civic.transaction() as tx:
        row = Export.objects.select_for_update().get(pk=export_id)
        if row.state != ExportState.APPROVED:
            return
        row.attempts, row.fault = row.attempts + 1, fault[:200]
        if row.attempts >= _TRIES:
            row.state = domain.EXPORT_STEPS[ExportState.APPROVED, ExportEvent.FAIL].value
            row.ended_at = now
            record.note(tx, row, "system:evidence", "export_failed", now, {"fault": row.fault})
        row.save()


def build(row: Export, now: datetime) -> tuple[bytes, dict[str, Any]]:  # Any: JSON values
    """The ZIP of an export, and its manifest."""
    pem = settings.MADANG_KEYS.checkpoint_private_pem
    chain = signing.certificates(pem, record.config().city_name, now)
    chosen = Item.objects.filter(exported__export=row).order_by("wanted_at", "id")
    items = [_file(number, item, row, pem, chain) for number, item in enumerate(chosen, start=1)]
    manifest = _manifest(row, now, [facts for _, facts in items])
    signed = signing.sign_manifest(pem, canonical_json(manifest))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as package:
        for data, facts in items:
            package.writestr(str(facts["name"]), data)
        package.writestr("manifest.json", canonical_json(manifest))
        package.writestr("manifest.jws", signed)
        package.writestr("certificates.pem", chain)
        package.writestr("read-me.txt", _READ_ME)
    return out.getvalue(), manifest


def _file(number: int, item: Item, row: Export, pem: bytes, chain: str) -> tuple[bytes, dict[str, Any]]:
    kept = b"".join(vault.read(item.pk, item.key_sealed, item.pieces, item.digest))
    plain = kept if item.kind == Kind.STILL else remuxed(kept)
    suffix = "jpg" if item.kind == Kind.STILL else "mp4"
    facts = _facts(item, row) | {"name": f"items/{number:03}-{item.kind}.{suffix}", "taken_sha256": digest(kept)}
    data = signing.with_credentials(plain, item.media_type, facts, pem, chain)
    return data, facts | {"sha256": digest(data), "bytes": len(data)}


def _facts(item: Item, row: Export) -> dict[str, Any]:  # Any: JSON values
    return {
        "id": item.pk,
        "kind": item.kind,
        "state": item.state,
        "media_type": item.media_type,
        "incident": row.incident_number or row.incident_id,
        "camera_id": item.camera_id,
        "camera": item.camera_label,
        "began_at": instant_text(item.began_at) if item.began_at else None,
        "ended_at": instant_text(item.ended_at) if item.ended_at else None,
        "taken_by": item.taken_by_name,
        "reason": item.reason,
        "grant": item.grant_id,
        "fault": item.fault,
        "mode": item.mode,
    }


def _manifest(row: Export, now: datetime, items: list[dict[str, Any]]) -> dict[str, Any]:  # Any: JSON values
    return {
        "format": FORMAT,
        "export": row.pk,
        "authority": row.authority_id,
        "mode": row.mode,
        "incident": row.incident_number or row.incident_id,
        "recipient": {"name": row.recipient_name, "office": row.recipient_office},
        "basis": row.basis,
        "purpose": row.purpose,
        "requested_by": row.requested_by_name,
        "requested_at": instant_text(row.requested_at),
        "approved_by": row.decided_by_name,
        "approved_at": instant_text(row.decided_at) if row.decided_at else None,
        "made_at": instant_text(now),
        "items": items,
    }


def remuxed(kept: bytes) -> bytes:
    """A recording's pictures as plain MP4, made in a process of its own (`video.media.remuxer`)."""
    command = [sys.executable, "-m", "madang.video.media.remuxer"]
    done = subprocess.run(command, input=kept, capture_output=True, check=False, timeout=_REMUX_S)
    if done.returncode != 0 or not done.stdout:
        raise PackingError(f"a recording cannot be repacked: {done.stderr.decode(errors='replace').strip()[:120]}")
    return done.stdout


__all__ = ["FORMAT", "build", "keep_packing", "pack_all", "remuxed"]
