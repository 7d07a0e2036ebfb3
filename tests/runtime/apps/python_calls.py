# SPDX-License-Identifier: Apache-2.0
"""One load for many Python servers: a call, two at once, an answer, and a call that leaves long after
it, often while the same connection serves another request. A ticker works for nobody.

    python_calls.py SERVER PORT, with CLIENT (httpx, aiohttp, requests, executor, to_thread) and
    LIMIT (connections of the client's pool; 0: as it likes) in the environment
"""
import asyncio
import os
import random
import sys
import time
from urllib.parse import parse_qs

UP = os.environ["UPSTREAM"]
CLIENT = os.environ.get("CLIENT", "httpx")
LIMIT = int(os.environ.get("LIMIT", "0"))
QUIET = 0.01


def url(i, leg):
    return f"http://{UP}/?id={i}&leg={leg}"


# --- asyncio and trio ---------------------------------------------------------------------------

def httpx_get():
    import httpx
    limits = httpx.Limits(max_connections=LIMIT or None)
    return httpx.AsyncClient(timeout=60, limits=limits, trust_env=False).get


def aiohttp_get():
    import aiohttp
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=LIMIT))

    async def get(where):
        async with session.get(where) as r:
            await r.read()
    return get


def tornado_get():
    from tornado.httpclient import AsyncHTTPClient
    client = AsyncHTTPClient(max_clients=LIMIT or 200)
    return lambda where: client.fetch(where, connect_timeout=60, request_timeout=60)


def executor_get():
    import requests

    async def get(where):
        await asyncio.get_running_loop().run_in_executor(None, requests.get, where)
    return get


def to_thread_get():
    import requests

    async def get(where):
        await asyncio.to_thread(requests.get, where)
    return get


class Calls:
    """Made inside the running loop."""

    def __init__(self):
        self.get = globals()[CLIENT + "_get"]()
        self.tasks = {asyncio.create_task(self.tick())}

    async def tick(self):
        while True:
            await asyncio.sleep(QUIET)
            try:
                await self.get(url("none", "t"))
            except Exception:
                pass

    async def late(self, i):
        await asyncio.sleep(random.uniform(0.02, 0.22))
        await self.get(url(i, "bg"))

    async def work(self, i):
        if i == "0":
            return
        await asyncio.sleep(random.uniform(0, 0.015))
        await self.get(url(i, "a"))
        await asyncio.sleep(random.uniform(0, 0.005))
        await asyncio.gather(self.get(url(i, "p1")), self.get(url(i, "p2")))
        task = asyncio.create_task(self.late(i))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


calls = None


async def app(scope, receive, send):
    """ASGI: uvicorn and hypercorn."""
    global calls
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup":
                calls = Calls()
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    i = parse_qs(scope["query_string"].decode())["id"][0]
    await calls.work(i)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(i)).encode())]})
    await send({"type": "http.response.body", "body": i.encode()})


def uvicorn_main(port, loop="asyncio", http="h11"):
    import uvicorn
    uvicorn.run(app, port=port, loop=loop, http=http, log_level="error")


def uvloop_main(port):
    uvicorn_main(port, "uvloop", "httptools")


def httptools_main(port):
    uvicorn_main(port, "asyncio", "httptools")


def hypercorn_main(port):
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(app, config))


def aiohttp_main(port):
    from aiohttp import web

    async def handle(request):
        i = request.query["id"]
        await request.read()
        await calls.work(i)
        return web.Response(text=i)

    async def start(_):
        global calls
        calls = Calls()
    application = web.Application()
    application.on_startup.append(start)
    application.router.add_route("*", "/", handle)
    web.run_app(application, host="127.0.0.1", port=port, print=None)


def tornado_main(port):
    from tornado import web

    class Handler(web.RequestHandler):
        async def get(self):
            i = self.get_query_argument("id")
            await calls.work(i)
            self.write(i)
        post = get

    async def main():
        global calls
        calls = Calls()
        web.Application([("/", Handler)]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()
    asyncio.run(main())


def trio_main(port):
    """hypercorn on trio."""
    import trio
    from hypercorn.config import Config
    from hypercorn.trio import serve
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]

    async def main():
        get = httpx_get()

        async def tick():
            while True:
                await trio.sleep(QUIET)
                try:
                    await get(url("none", "t"))
                except Exception:
                    pass

        async def late(i):
            await trio.sleep(random.uniform(0.02, 0.22))
            await get(url(i, "bg"))

        async def work(i):
            if i == "0":
                return
            await trio.sleep(random.uniform(0, 0.015))
            await get(url(i, "a"))
            async with trio.open_nursery() as both:
                both.start_soon(get, url(i, "p1"))
                both.start_soon(get, url(i, "p2"))
            outer.start_soon(late, i)

        global calls
        calls = type("TrioCalls", (), {"work": staticmethod(work)})
        async with trio.open_nursery() as outer:
            outer.start_soon(tick)
            await serve(trio_app, config)

    async def trio_app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    trio.run(main)


# --- greenlets ----------------------------------------------------------------------------------

def green(spawn, sleep, wait):
    """A WSGI application."""
    import requests

    def tick():
        while True:
            sleep(QUIET)
            try:
                requests.get(url("none", "t"))
            except Exception:
                pass

    def late(i):
        sleep(random.uniform(0.02, 0.22))
        requests.get(url(i, "bg"))

    def application(environ, start):
        i = environ["QUERY_STRING"].split("=")[1]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if i != "0":
            sleep(random.uniform(0, 0.015))
            requests.get(url(i, "a"))
            wait([spawn(requests.get, url(i, leg)) for leg in ("p1", "p2")])
            spawn(late, i)
        start("200 OK", [("Content-Length", str(len(i)))])
        return [i.encode()]
    spawn(tick)
    return application


def gevent_main(port):
    from gevent import monkey
    monkey.patch_all()
    import gevent
    from gevent.pywsgi import WSGIServer
    WSGIServer(("127.0.0.1", port), green(gevent.spawn, gevent.sleep, gevent.joinall), log=None).serve_forever()


def eventlet_main(port):
    import eventlet
    eventlet.monkey_patch()
    from eventlet import wsgi
    application = green(eventlet.spawn, eventlet.sleep, lambda all: [g.wait() for g in all])
    wsgi.server(eventlet.listen(("127.0.0.1", port), backlog=512), application, log_output=False)


# --- threads ------------------------------------------------------------------------------------

def threads_main(port):
    """http.server with a thread a connection and a pool for the calls that run at once."""
    import requests
    from concurrent.futures import ThreadPoolExecutor
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    pool = ThreadPoolExecutor(LIMIT or 64)

    def tick():
        while True:
            time.sleep(0.01)
            requests.get(url("none", "t"))

    def late(i):
        time.sleep(random.uniform(0.02, 0.22))
        requests.get(url(i, "bg"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            i = self.path.split("=")[1]
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if i != "0":
                time.sleep(random.uniform(0, 0.015))
                requests.get(url(i, "a"))
                list(pool.map(requests.get, [url(i, "p1"), url(i, "p2")]))
                pool.submit(late, i)
            self.send_response(200)
            self.send_header("Content-Length", str(len(i)))
            self.end_headers()
            self.wfile.write(i.encode())
        do_POST = do_GET

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 512
        daemon_threads = True
    pool.submit(tick)
    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    sys.modules["python_calls"] = sys.modules["__main__"]
    globals()[sys.argv[1] + "_main"](int(sys.argv[2]))
