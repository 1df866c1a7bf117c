"""Keeps the horizons of a city's cameras: worked out by a background worker, in a file of the city's own.

A hundred thousand of them take minutes to work out and a blink to load.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from madang.journal import civic
from madang.places import files
from madang.places.files import Part
from madang.places.ground import ground_of
from madang.places.models import BaseKind
from madang.video.commands.sites import bump_coverage
from madang.video.coverage import cameras_in_store
from madang.video.horizon import BINS, Stand, work_out

_BYTES = 2 * BINS


def source_of(stands: Iterable[Stand], ground: str) -> str:
    """What horizons of these cameras on that ground are built from."""
    digest = hashlib.sha256(ground.encode())
    for stand in sorted(stands, key=lambda one: one.camera_id):
        digest.update(f"{stand.camera_id}:{stand.mark};".encode())
    return f"{ground}.{digest.hexdigest()[:32]}"


def write(path: Path, horizons: Mapping[str, tuple[str, bytes]]) -> None:
    """Writes horizons to a file of their own."""
    import numpy as np

    ids = list(horizons)
    table = b"".join(horizons[one][1] or b"\xff" * _BYTES for one in ids)
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            ids=np.array(ids, dtype=np.str_),
            marks=np.array([horizons[one][0] for one in ids], dtype=np.str_),
            table=np.frombuffer(table, dtype=np.uint8).reshape(len(ids), _BYTES),
        )


def read(path: Path) -> dict[str, tuple[str, bytes]]:
    """Mark and horizon by camera; empty for a file that cannot be read. A horizon of nothing in the way is empty."""
    import numpy as np

    clear = b"\xff" * _BYTES
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            rows = zip(kept["ids"].tolist(), kept["marks"].tolist(), kept["table"], strict=True)
            return {one: (mark, b"" if (raw := row.tobytes()) == clear else raw) for one, mark, row in rows}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}


def current(authority: str) -> dict[str, tuple[str, bytes]]:
    """The horizons of a city as they are known now."""
    published = files.current(authority, Part.HORIZONS)
    return {} if published is None else read(published.path)


def renew(authority: str, now: datetime, stopped: Callable[[], bool] = lambda: False) -> int | None:
    """Works out what is missing and publishes it; returns how many cameras there are, None when nothing changed."""
    ground, published = ground_of(authority), files.current(authority, Part.GROUND)
    if ground is None or published is None:
        return None
    stands = [Stand(one.id, one.lon, one.lat, one.range_m) for one in cameras_in_store(authority)]
    source = source_of(stands, published.token)
    before = files.current(authority, Part.HORIZONS)
    if not stands or (before is not None and before.source == source):
        return None
    same_ground = before is not None and before.source.startswith(f"{published.token}.")
    known = current(authority) if same_ground else {}
    found = work_out(
        stands, known, lambda box: [one.shape for one in ground.in_box(box, (BaseKind.BUILDING,))], stopped
    )
    if found is None:
        return None
    with files.building(authority, Part.HORIZONS) as path:
        write(path, found)
        with civic.transaction() as tx:
            files.publish(tx, authority, Part.HORIZONS, path, source, now)
            bump_coverage(tx, authority)
    return len(found)
