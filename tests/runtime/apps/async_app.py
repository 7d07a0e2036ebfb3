# SPDX-License-Identifier: Apache-2.0
"""asyncio: FastAPI with httpx (async and plain handlers), and an aiohttp server and client; each
with a background ticker that must never carry anything."""
import asyncio
import os
import sys

UP = os.environ["UPSTREAM"]
DECOY = "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n" % 0xdec0


async def tick(get):
    while True:
        await asyncio.sleep(0.01)
        try:
            await get(f"http://{UP}/?id=none&leg=t")
        except Exception:
            pass


def fastapi_app():
    import httpx
    import requests
    from fastapi import FastAPI, Request, Response
    app = FastAPI()

    @app.on_event("startup")
    async def start():
        app.state.client = httpx.AsyncClient(timeout=30)
        app.state.ticker = asyncio.create_task(tick(app.state.client.get))

    async def handle(request: Request):
        i = request.query_params["id"]
        await request.body()
        if i != "0":
            c = app.state.client
            await c.get(f"http://{UP}/?id={i}&leg=a")
            await c.post(f"http://{UP}/?id={i}&leg=b", content=(DECOY * 20 + i).encode())
            await asyncio.sleep(0.002)
            await asyncio.gather(c.get(f"http://{UP}/?id={i}&leg=c"), c.get(f"http://{UP}/?id={i}&leg=d"))
        return Response(i)

    def plain(id: str):
        if id != "0":
            requests.get(f"http://{UP}/?id={id}&leg=a")
            requests.post(f"http://{UP}/?id={id}&leg=b", data=(DECOY * 20 + id).encode())
            requests.get(f"http://{UP}/?id={id}&leg=c")
            requests.get(f"http://{UP}/?id={id}&leg=d")
        return Response(id)

    app.add_api_route("/", plain if os.environ.get("PLAIN") else handle, methods=["GET", "POST"])
    return app


def aiohttp_main(port):
    from aiohttp import ClientSession, web

    async def handle(request):
        i = request.query["id"]
        await request.read()
        if i != "0":
            s = request.app["session"]
            async with s.get(f"http://{UP}/?id={i}&leg=a") as r:
                await r.read()
            async with s.post(f"http://{UP}/?id={i}&leg=b", data=(DECOY * 20 + i).encode()) as r:
                await r.read()
            await asyncio.sleep(0.002)

            async def get(leg):
                async with s.get(f"http://{UP}/?id={i}&leg={leg}") as r:
                    await r.read()
            await asyncio.gather(get("c"), get("d"))
        return web.Response(text=i)

    async def start(app):
        app["session"] = ClientSession()

        async def get(url):
            async with app["session"].get(url) as r:
                await r.read()
        app["ticker"] = asyncio.create_task(tick(get))

    app = web.Application()
    app.on_startup.append(start)
    app.router.add_route("*", "/", handle)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    aiohttp_main(int(sys.argv[1]))
else:
    app = fastapi_app()
