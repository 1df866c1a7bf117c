"""A hub process with a subscription that writes, says each acknowledged number on standard output, and is killed.

Arguments: the store's path and the endpoint's address. Started again, it goes on where it was.
"""

from __future__ import annotations

import asyncio
import os
import sys

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from tests.hub.clauses.subscribing import QUICK, client_of, subscription


async def main(path: str, uri: str, first: int) -> None:
    """Writes numbers from `first` on until it is killed."""
    hub = await Hub.open(HubConfig(store=path, **QUICK))
    if not hub.subscriptions.every("open"):
        answer = await client_of(hub).post("/subscriptions", subscription(uri, id="urn:x:sub"))
        assert answer.status == 201
    for number in range(first, 1_000_000):
        await hub.upsert("open", [{"id": "urn:x:1", "type": "Sensor", "n": number}], source="child")
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
