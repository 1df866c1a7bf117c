"""What the client returns beside entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from madang.hub.client.errors import HubError, problem_of

Json = Any  # Any: JSON as the hub sends it
Entity = dict[str, Any]  # Any: an entity's attributes are of its own making


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch was not taken; `entity_id` is empty where it could not be told."""

    entity_id: str
    error: HubError


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch, item by item (clause 5.2.16). `created` are those of `success` that are new, if told."""

    success: tuple[str, ...] = ()
    errors: tuple[ItemError, ...] = ()
    created: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every item was taken."""
        return not self.errors

    def raise_for_errors(self) -> None:
        """Raises the first error, if there is one."""
        if self.errors:
            raise self.errors[0].error

    def __add__(self, other: BatchResult) -> BatchResult:
        return BatchResult(self.success + other.success, self.errors + other.errors, self.created + other.created)


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """Attributes written, and those left as they were with the reasons, by expanded name (clause 5.2.18)."""

    updated: tuple[str, ...] = ()
    not_updated: Mapping[str, str] | None = None

    @property
    def ok(self) -> bool:
        """Whether everything was written."""
        return not self.not_updated


@dataclass(frozen=True, slots=True)
class TemporalPage:
    """Temporal entities. `content_range` is set when the hub sent a part of the time asked for only (status 206)."""

    entities: tuple[Entity, ...]
    content_range: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing of the time asked for was left out."""
        return not self.content_range


def batch_result(status: int, body: Json, ids: tuple[str, ...]) -> BatchResult:
    """The result of a batch: 207 tells item by item, 201 what was created, 204 that all went well."""
    if status == 207:
        errors = tuple(ItemError(str(one.get("entityId", "")), problem_of(one["error"])) for one in body["errors"])
        return BatchResult(tuple(body["success"]), errors)
    return BatchResult(ids, created=tuple(body) if status == 201 else ())


def update_result(status: int, body: Json) -> UpdateResult:
    """The result of writing several attributes."""
    if status != 207:
        return UpdateResult()
    left = {str(one["attributeName"]): str(one.get("reason", "")) for one in body["notUpdated"]}
    return UpdateResult(tuple(body["updated"]), left)
