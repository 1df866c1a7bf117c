"""Builds a city's search index from all that is known: road-name addresses, address rows, names on the map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

from madang.journal import civic
from madang.places import files, staging
from madang.places.files import Part
from madang.places.gazetteer import PlaceName, Record, Writer
from madang.places.layers import Layer, revisions
from madang.places.models import AddressPoint, BaseFeature, Boundary

AT_ONCE = 20_000


def source_now(authority: str) -> str:
    """What an index built now would be built from."""
    now = revisions(authority)
    ground = files.current(authority, Part.GROUND)
    return f"{now[Layer.ADDRESSES]}.{now[Layer.BASEMAP]}.{now[Layer.BOUNDARIES]}.{ground.token if ground else ''}"


def rebuild(authority: str, now: datetime, told: Callable[[int], None] = lambda _: None) -> dict[str, int]:
    """Builds and publishes the index; returns how much of what is in it. `told` hears of each batch of addresses."""
    source = source_now(authority)
    with files.building(authority, Part.ADDRESSES) as path:
        writer = Writer(path)
        if staging.path_of(authority).exists():
            with staging.opened(authority) as gathered:
                _put(writer, gathered.records(), told)
        _put(writer, _rows(authority), told)
        writer.put_places(_places(authority))
        counts = {"addresses": writer.addresses, **writer.finish()}
        with civic.transaction() as tx:
            files.publish(tx, authority, Part.ADDRESSES, path, source, now)
    return counts


def _put(writer: Writer, records: Iterator[Record], told: Callable[[int], None]) -> None:
    while part := list(islice(records, AT_ONCE)):
        writer.put(part)
        told(len(part))


def _rows(authority: str) -> Iterator[Record]:
    """Addresses of the civic store: those of sites, and those of plain tables."""
    rows = AddressPoint.objects.filter(authority_id=authority).values_list(
        "street", "area", "main_number", "sub_number", "hill", "kind", "lon", "lat"
    )
    for street, area, main, sub, hill, kind, lon, lat in rows.iterator(chunk_size=5_000):
        words = area.split()
        town = " ".join(word for word in words if word[-1] in "시군구")
        emd = next((word for word in words if word[-1] in "읍면동"), "")
        ri = next((word for word in words if word[-1] == "리"), "")
        if kind == "road":
            yield Record("", town, emd, ri, street, 0, main, sub, False, 0, 0, "", lon, lat)
        elif street[-1:] == "리":
            yield Record("", town, emd, street, "", 0, 0, 0, hill, main, sub, "", lon, lat)
        else:
            yield Record("", town, street, "", "", 0, 0, 0, hill, main, sub, "", lon, lat)


def _places(authority: str) -> Iterable[PlaceName]:
    from madang.places.ground import ground_of

    ground = ground_of(authority)
    if ground is not None:
        return (PlaceName(*row) for row in ground.named_places())
    districts = set(Boundary.objects.filter(authority_id=authority).values_list("name_ko", flat=True))
    features = BaseFeature.objects.filter(authority_id=authority).exclude(name="").exclude(kind="road")
    rows = features.values_list("name", "west", "south", "east", "north")
    return (
        PlaceName(name, (west + east) / 2, (south + north) / 2)
        for name, west, south, east, north in rows.iterator(chunk_size=5_000)
        if name not in districts
    )
