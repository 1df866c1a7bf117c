"""A client of the hub for Python programs: `HubClient`, and `AsyncHubClient` for asyncio, over httpx.

It speaks NGSI-LD alone (ETSI GS CIM 009), so it works with any broker; it imports nothing of the server.
"""

from madang.hub.client.asynchronous import AsyncHubClient
from madang.hub.client.auth import BearerToken, ClientCredentials
from madang.hub.client.errors import (
    AlreadyExistsError,
    BadRequestError,
    HubError,
    NotAllowedError,
    NotAuthenticatedError,
    NotFoundError,
    UnavailableError,
)
from madang.hub.client.queries import EntityQuery, TemporalQuery
from madang.hub.client.results import BatchResult, ItemError, TemporalPage, UpdateResult
from madang.hub.client.synchronous import HubClient

__all__ = [
    "AlreadyExistsError",
    "AsyncHubClient",
    "BadRequestError",
    "BatchResult",
    "BearerToken",
    "ClientCredentials",
    "EntityQuery",
    "HubClient",
    "HubError",
    "ItemError",
    "NotAllowedError",
    "NotAuthenticatedError",
    "NotFoundError",
    "TemporalPage",
    "TemporalQuery",
    "UnavailableError",
    "UpdateResult",
]
