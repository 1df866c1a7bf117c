"""Revisions of a city's layers: what was built from a layer asks here whether it is still new."""

from __future__ import annotations

import secrets
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
    TILES = "tiles"


def bump(tx: Session, authority: str, layer: Layer) -> None:
    """Marks a layer as changed, in the transaction that changes it.

    The revision is random: only equality matters, and a number must not come back after a rollback or a restore.
    """
    tx.execute(
        "INSERT INTO places_layerrevision (authority, layer, revision) VALUES (?, ?, ?)"
        " ON CONFLICT (authority, layer) DO UPDATE SET revision = excluded.revision",
        (authority, layer.value, secrets.randbits(62)),
    )


def revisions(authority: str) -> dict[Layer, int]:
    """The present revision of every layer of a city; 0 for one that holds nothing yet."""
    known = dict(LayerRevision.objects.filter(authority_id=authority).values_list("layer", "revision"))
    return {layer: known.get(layer.value, 0) for layer in Layer}
