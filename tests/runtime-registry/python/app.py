# SPDX-License-Identifier: Apache-2.0
"""Service under test: a bare ASGI application that calls out through httpx and aiohttp.

Run by the newest granian (a Rust server: tokio threads read the heads, Python runs the handler on a
thread of its own) and by the newest uvicorn on uvloop, both newer than any distribution has.

Room rule: ordinary code that knows nothing about tracing.
"""

import asyncio
import contextlib
import os
import urllib.parse

import aiohttp
import httpx

BASE = f"http://{os.environ['UPSTREAM']}/"
DECOY = os.environ["DECOY"]
PATIENCE = 20


class Calls:
    """The clients, made inside the running loop."""

    def __init__(self):
        limits = httpx.Limits(max_connections=4)
        self.narrow = httpx.AsyncClient(limits=limits, timeout=PATIENCE)
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        self.kept = aiohttp.ClientSession(timeout=patience)
        self.ticker = asyncio.create_task(self.tick())

    async def fresh(self, id_, leg):
        async with httpx.AsyncClient(verify=False, timeout=PATIENCE) as client:
            (await client.get(url(id_, leg))).raise_for_status()

    async def httpx_get(self, id_, leg):
        (await self.narrow.get(url(id_, leg))).raise_for_status()

    async def httpx_post(self, id_, leg):
        (await self.narrow.post(url(id_, leg), content=(DECOY + id_).encode())).raise_for_status()

    async def aiohttp_get(self, id_, leg):
        async with self.kept.get(url(id_, leg), raise_for_status=True) as answer:
            await answer.read()

    async def work(self, id_):
        await self.fresh(id_, "new")
        # Different ids sleep differently long, so that requests overtake each other.
        await asyncio.sleep(sum(id_.encode()) % 6 / 1000)
        await self.httpx_post(id_, "b")
        await asyncio.gather(
            self.httpx_get(id_, "narrow1"),
            self.httpx_get(id_, "narrow2"),
            self.aiohttp_get(id_, "kept"),
        )

    async def tick(self):
        """Work that belongs to no request: whatever it carries is wrong."""
        while True:
            await asyncio.sleep(0.01)
            with contextlib.suppress(Exception):
                await self.aiohttp_get("none", "tick")


def url(id_, leg):
    return f"{BASE}?id={id_}&leg={leg}"


async def lifespan(receive, send, state):
    """Starts and stops the clients with the server."""
    while True:
        kind = (await receive())["type"]
        if kind == "lifespan.startup":
            state["calls"] = Calls()
        await send({"type": kind + ".complete"})
        if kind == "lifespan.shutdown":
            return


async def drain(receive):
    while (await receive()).get("more_body"):
        pass


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send, scope["state"])
    query = urllib.parse.parse_qs(scope["query_string"].decode())
    id_ = query.get("id", [""])[0]
    await drain(receive)
    if id_ != "0":  # which only asks whether we are there
        await scope["state"]["calls"].work(id_)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(id_)).encode())]})
    await send({"type": "http.response.body", "body": id_.encode()})
