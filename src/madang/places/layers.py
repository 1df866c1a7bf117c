"""Revisions of a city's layers: what was built from a layer asks here whether it is still new."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from madang.places.models import LayerRevision

if TYPE_CHECKING:
    from madang.journal.session import Session


class Layer(StrEnum):
    """What changes together."""

    BOUNDARIES = "boundaries"
    BASEMAP = "basemap"
    ADDRESSES = "addresses"


def bump(tx: Session, authority: str, layer: Layer) -> None:
    """Marks a layer as changed, in the transaction that changes it."""
    tx.execute(
        "INSERT INTO places_layerrevision (authority, layer, revision) VALUES (?, ?, 1)"
        " ON CONFLICT (authority, layer) DO UPDATE SET revision = places_layerrevision.revision + 1",
        (authority, layer.value),
    )


def revisions(authority: str) -> dict[Layer, int]:
    """The present revision of every layer of a city; 0 for one that holds nothing yet."""
    known = dict(LayerRevision.objects.filter(authority_id=authority).values_list("layer", "revision"))
    return {layer: known.get(layer.value, 0) for layer in Layer}
