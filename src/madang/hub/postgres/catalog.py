"""What a process knows of a tenant: its number, its types and the shapes of its attributes. Swapped whole, so that
the writer's thread and the event loop may both look at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from madang.hub.postgres.address import Connection
from madang.hub.query import Query

if TYPE_CHECKING:
    from madang.hub.postgres.sql import Select


@dataclass(frozen=True, slots=True)
class Catalog:
    """One tenant as the tables have it at `revision`."""

    tenant: int
    code: str
    indexed: Collection[str]
    revision: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, int] = field(default_factory=dict)
    selects: dict[tuple[int, tuple[str, ...] | None], tuple[Query, Select | None]] = field(default_factory=dict)
    """Compiled queries of the event loop; a new catalog starts without."""


@dataclass(slots=True)
class Tenant:
    """A tenant and the counters by which this process knows that something is no longer fresh."""

    catalog: Catalog
    stamp: int
    """Another after every commit that changed the tenant, of any process."""
    strangers: int = 0
    """How often another process was heard to change it: what was read before may not be kept after."""


def load_catalogs(connection: Connection, indexed: Collection[str], code: str | None = None) -> dict[str, Catalog]:
    """The catalogs as they stand, of one tenant or of all."""
    chosen = "WHERE t.code = %s" if code is not None else ""
    values = (code,) if code is not None else ()
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        run = connection.execute
        tenants = run(f"SELECT id, code, revision FROM tenant t {chosen}", values).fetchall()  # noqa: S608 -- constants, and pieces whose values are bound
        joined = f"JOIN tenant t ON t.id = x.tenant {chosen}"
        kinds = run(f"SELECT x.tenant, x.name, x.id FROM kind x {joined} ORDER BY x.id", values).fetchall()  # noqa: S608 -- constants, and pieces whose values are bound
        shapes = run(f"SELECT x.tenant, x.name, x.shape FROM attribute x {joined}", values).fetchall()  # noqa: S608 -- constants, and pieces whose values are bound
    return _grouped(tenants, kinds, shapes, indexed)


def _grouped(
    tenants: list[tuple[Any, ...]],  # Any: column values, here and below
    kinds: list[tuple[Any, ...]],
    shapes: list[tuple[Any, ...]],
    indexed: Collection[str],
) -> dict[str, Catalog]:
    kinds_of: dict[int, dict[str, int]] = {}
    shapes_of: dict[int, dict[str, int]] = {}
    for tenant, kind, key in kinds:
        kinds_of.setdefault(tenant, {})[kind] = key
    for tenant, attribute, shape in shapes:
        shapes_of.setdefault(tenant, {})[attribute] = shape
    return {
        code: Catalog(number, code, indexed, revision, kinds_of.get(number, {}), shapes_of.get(number, {}))
        for number, code, revision in tenants
    }
