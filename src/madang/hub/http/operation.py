"""What the hub can be asked: one `Operation` for each method of each resource (ETSI GS CIM 009 clause 6.2).

The list of operations is the router, the OpenAPI description and the table of clauses in the documents at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from madang.hub.access import Access
from madang.hub.errors import MethodRefusedError, ResourceNotFoundError
from madang.hub.http.wire import JSON, JSON_LD, MERGE_PATCH, Header, Request, Response

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

Handler = Callable[["HubApp", Request, Access], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `path` is below `/ngsi-ld/v1`; `clauses` are those of the operation and of its HTTP binding.

    `parameters` are the query parameters it takes, `body` and the values of `answers` name schemas of the OpenAPI
    description ("" where there is none).
    """

    method: str
    path: str
    name: str
    clauses: tuple[str, ...]
    summary: str
    handler: Handler
    parameters: frozenset[str] = frozenset()
    body: str = ""
    answers: Mapping[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    methods: dict[str, Operation] = field(default_factory=dict)
    exact: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None


class Router:
    """Finds the operation of a request: exact segments first, then `{placeholders}`."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._root
            for part in operation.path.strip("/").split("/"):
                if part.startswith("{"):
                    node.any = node.any or _Node()
                    node = node.any
                else:
                    node = node.exact.setdefault(part, _Node())
            if operation.method in node.methods:
                raise ValueError(f"{operation.method} {operation.path} is there twice")
            node.methods[operation.method] = operation

    def options(self, segments: list[str]) -> list[Header]:
        """What a resource takes (RFC 9110 §9.3.7, RFC 5789 §3.1); raises `ResourceNotFoundError`."""
        methods = set(self._node(segments).methods)
        allow = sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
        headers = [(b"allow", ", ".join(allow).encode())]
        if "PATCH" in methods:
            headers.append((b"accept-patch", b", ".join((JSON, JSON_LD, MERGE_PATCH))))
        return headers

    def find(self, method: str, segments: list[str]) -> Operation:
        """The operation; raises `ResourceNotFoundError` or `MethodRefusedError`."""
        node = self._node(segments)
        operation = node.methods.get(method)
        if operation is None:
            known = ", ".join(sorted(node.methods))
            raise MethodRefusedError(f"{method} is not known here; {known} are", allow=known)
        return operation

    def _node(self, segments: list[str]) -> _Node:
        node: _Node | None = self._root
        for segment in segments:
            assert node is not None
            node = node.exact.get(segment) or (node.any if segment else None)
            if node is None:
                break
        if node is None or not node.methods:
            raise ResourceNotFoundError("There is no such resource", where="/".join(segments)[:200])
        return node
