# SPDX-License-Identifier: Apache-2.0
"""Cases for the Python bridge, each a program of its own under LD_PRELOAD: cases.py NAME.
A case says nothing, or why it is not as it should be. What left is read from the wire by a thread
that knows no HTTP library; requests carry `x-request-id`."""
import asyncio
import ctypes
import os
import queue
import re
import select
import socket
import subprocess
import sys
import threading
import time

ID = re.compile(rb"x-request-id: (\S+)")


class Upstream:
    """Answers each request with the identity it came with, in the body."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.pid = os.fork()
        if self.pid == 0:
            ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: a case may be killed
            self.serve()

    def serve(self):
        while True:
            c, _ = self.socket.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    @staticmethod
    def one(c):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = c.recv(65536)
                if not more:
                    return
                data += more
            head, data = data.split(b"\r\n\r\n", 1)
            got = ID.search(head)
            text = got.group(1) if got else b"none"
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


def answer(c):
    """The body of the next response on a blocking socket; not a byte more is read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = c.recv(1)
        if not more:
            raise OSError("closed")
        head += more
    n = int(re.search(rb"Content-Length: (\d+)", head).group(1))
    return c.recv(n, socket.MSG_WAITALL).decode()


REQUEST = b"GET / HTTP/1.1\r\nHost: upstream\r\n\r\n"


def call():
    """A call out by a blocking socket; whose it was."""
    with socket.create_connection(("127.0.0.1", UP.port)) as c:
        c.sendall(REQUEST)
        return answer(c)


async def acall():
    r, w = await asyncio.open_connection("127.0.0.1", UP.port)
    w.write(REQUEST)
    head = await r.readuntil(b"\r\n\r\n")
    body = await r.readexactly(int(re.search(rb"Content-Length: (\d+)", head).group(1)))
    w.close()
    return body.decode()


def request(name, path="/"):
    return f"GET {path} HTTP/1.1\r\nHost: here\r\nx-request-id: {name}\r\n\r\n".encode()


def response(text):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def client(port, names, together=False):
    """The answers to requests of these names on one connection, made outside our sight."""
    code = """
import socket, sys, re
sys.path.insert(0, %r)
import cases
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
names = sys.argv[3:]
if sys.argv[2] == "1":
    c.sendall(b"".join(cases.request(n) for n in names))
for n in names:
    if sys.argv[2] == "0":
        c.sendall(cases.request(n))
    print(cases.answer(c), flush=True)
""" % os.path.dirname(os.path.abspath(__file__))
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    return subprocess.Popen([sys.executable, "-c", code, str(port), str(int(together)), *names],
                            stdout=subprocess.PIPE, text=True, env=env)


def expect(got, want):
    if got != want:
        print(f"got {got!r}, expected {want!r}")


# --- threads ------------------------------------------------------------------------------------

def serve_blocking(handle, names, listener=None):
    """One connection, one thread, blocking reads; handle() answers with a text."""
    s = listener or socket.create_server(("127.0.0.1", 0))
    p = client(s.getsockname()[1], names)
    c, _ = s.accept()
    for _ in names:
        c.recv(65536)
        c.sendall(response(handle()))
    return p.communicate()[0].split()


def case_thread():
    expect(serve_blocking(call, ["t1", "t2", "t3"]), ["t1", "t2", "t3"])


def in_thread(function=None, join=True, thread=threading.Thread):
    """A call that leaves from a thread of its own; whose it was."""
    got = queue.Queue()
    t = thread(target=lambda: got.put((function or call)()))
    t.start()
    if join:
        t.join()
    return got.get()


MANY = ["t%d" % i for i in range(24)]


def learned(names, got):
    """Nothing for 16 requests, then all."""
    expect(got, ["none"] * 16 + names[16:])


def case_child_thread():
    """A thread is its request's, where 16 requests have joined theirs."""
    learned(MANY, serve_blocking(in_thread, MANY))


def case_child_thread_loop():
    """What it runs may be a loop, with tasks and jobs of its own."""
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(1)

    async def work():
        return await asyncio.get_running_loop().run_in_executor(pool, call)
    learned(MANY, serve_blocking(lambda: in_thread(lambda: asyncio.run(work())), MANY))


def case_child_thread_own_class():
    """Threads that override run(), by threads that were started so themselves."""
    class Own(threading.Thread):
        def __init__(self, target):
            super().__init__()
            self.function = target

        def run(self):
            self.function()
            expect("run" in vars(self), False)
    got = serve_blocking(lambda: in_thread(lambda: in_thread(thread=Own), thread=Own), MANY + MANY)
    expect(got, ["none"] * 32 + MANY[8:])


def case_child_thread_not_joined():
    """One that is not joined, or not by its maker, or not in time, earns nothing."""
    def elsewhere():
        t = threading.Thread(target=lambda: got.append(call()))
        t.start()
        other = threading.Thread(target=t.join)
        other.start()
        other.join()
        return got.pop()
    got = []
    expect(set(serve_blocking(lambda: in_thread(join=False), MANY)), {"none"})
    expect(set(serve_blocking(elsewhere, MANY)), {"none"})

    def late():
        t = threading.Thread(target=lambda: (time.sleep(0.03), left.append(call())))
        t.start()
        t.join(0.001)
        threads.append(t)
        return "x"
    threads, left = [], []
    serve_blocking(late, MANY)
    for t in threads:
        t.join()
    expect(set(left), {"none"})


def case_child_thread_distrusted():
    """Once a thread of a place is not joined there is no more trust in it."""
    names = iter(range(100))

    def handle():
        return in_thread(join=next(names) != 20)
    got = serve_blocking(handle, MANY)
    expect(got, ["none"] * 16 + MANY[16:21] + ["none"] * 3)


def case_child_thread_kept_worker():
    """The same class, the same code: joined by requests in one place, kept in the other."""
    from collections import deque
    kept, lock, results = [], threading.Lock(), {}

    class Pool:
        def __init__(self):
            self.jobs, self.over = deque(), False
            self.thread = threading.Thread(target=self.work, daemon=True)
            self.thread.start()

        def work(self):
            while self.jobs or not self.over:
                with lock:
                    job = self.jobs.popleft() if self.jobs else None
                if job:
                    results[job] = call()
                time.sleep(0.001)

        def result(self, job):
            self.jobs.append(job)
            while job not in results:
                time.sleep(0.001)
            return results.pop(job)

    def private():
        p = Pool()
        got = p.result("x")
        p.over = True
        p.thread.join()
        return got

    def shared():
        if not kept:
            kept.append(Pool())
        return kept[0].result("y")
    learned(MANY, serve_blocking(private, MANY))
    expect(set(serve_blocking(shared, MANY)), {"none"})


def case_child_thread_serves():
    """A thread that a request has left behind, and that serves requests itself."""
    servers = []

    def handle():
        t = threading.Thread(target=lambda: servers.append(serve_blocking(call, ["u1", "u2"])))
        t.start()
        t.join()
        return "x"
    serve_blocking(handle, MANY)
    expect([s for s in servers if s != ["u1", "u2"]], [])


def case_child_thread_traces():
    """What goes wrong in a thread is told as without us; a thread is started once."""
    import traceback
    seen = []
    threading.excepthook = lambda a: seen.append([f.filename for f in traceback.extract_tb(a.exc_traceback)])

    def handle():
        t = threading.Thread(target=lambda: 1 // 0)
        t.start()
        t.join()
        expect(sorted(k for k in vars(t) if "trace" in k or k == "run"), [])
        try:
            t.start()
            print("started twice")
        except RuntimeError:
            pass
        return "x"
    serve_blocking(handle, MANY)
    expect(len(seen), len(MANY))
    expect({f for s in seen for f in s} <= {threading.__file__, __file__}, True)


def best(code):
    """The same in a process of its own."""
    if os.environ.get("TRACEBATON_ATTRIBUTION") == "best":
        return False
    env = dict(os.environ, TRACEBATON_ATTRIBUTION="best")
    print(subprocess.run([sys.executable, __file__, code], env=env, capture_output=True, text=True).stdout, end="")
    return True


def case_best_threads():
    """Which thread takes work from others: by a queue of each kind, a condition, an event."""
    if best("best_threads"):
        return
    simple, full, condition, event = queue.SimpleQueue(), queue.Queue(), threading.Condition(), threading.Event()
    event.set()
    lifo = queue.LifoQueue()
    for q in (simple, full, lifo):
        for _ in range(4):
            q.put(1)

    def entered():
        with condition:
            pass

    def nested():
        t = threading.Thread(target=int)
        t.start()
        t.join()
    takes = {"none": [simple.get, simple.get_nowait, lambda: simple.get(timeout=1), full.get, full.get_nowait, lifo.get,
                      entered, event.wait],
             "t1": [lambda: None, lambda: full.put(1), nested]}
    for want, functions in takes.items():
        for i, f in enumerate(functions):
            expect((i, serve_blocking(lambda f=f: in_thread(lambda: (f(), call())[-1], False), ["t1"])), (i, [want]))


def case_pool():
    """Jobs are their submitter's; the same worker has nothing afterwards."""
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(1)
    expect(serve_blocking(lambda: pool.submit(call).result(), ["t1", "t2"]), ["t1", "t2"])
    expect(pool.submit(call).result(), "none")


def case_inherited():
    """3.14 can have threads begin with a copy of the context: a pool's worker still has nothing of its own."""
    print(subprocess.run([sys.executable, "-X", "thread_inherit_context=1", __file__, "pool"], capture_output=True,
                         text=True).stdout, end="")


def case_pool_late():
    """A job that outlives the response stays its submitter's."""
    from concurrent.futures import ThreadPoolExecutor
    pool, late = ThreadPoolExecutor(4), []

    def job(name):
        time.sleep(0.2)
        return name, call()

    names = iter(["t1", "t2", "t3"])

    def handle():
        late.append(pool.submit(job, next(names)))
        return "x"
    serve_blocking(handle, ["t1", "t2", "t3"])
    expect([f.result() for f in late], [(n, n) for n in ("t1", "t2", "t3")])


def case_pool_api():
    """What submit() looks like from outside."""
    import inspect
    from concurrent.futures import ThreadPoolExecutor
    serve_blocking(call, ["t1"])
    pool = ThreadPoolExecutor(1)
    expect(str(inspect.signature(pool.submit)), "(fn, /, *args, **kwargs)")
    expect(pool.submit(lambda *a, **k: (a, k), 1, 2, x=3).result(), ((1, 2), {"x": 3}))
    expect(list(pool.map(abs, [-1, 2])), [1, 2])
    for wrong in ((), (1, 2)):
        try:
            pool.submit(*wrong).result()
            print("submit took", wrong)
        except TypeError:
            pass

    class Own(ThreadPoolExecutor):
        def submit(self, *args, **kwargs):
            return super().submit(*args, **kwargs)
    expect(Own(1).submit(pow, 2, 3).result(), 8)
    try:
        pool.submit(int, "x").result()
        print("no exception")
    except ValueError as e:
        expect(str(e), "invalid literal for int() with base 10: 'x'")


# --- asyncio ------------------------------------------------------------------------------------

class Detached(asyncio.Protocol):
    """As uvicorn: a task is made where the head is read."""
    tasks = []
    late = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for name in ID.findall(data):
            self.tasks.append(asyncio.create_task(self.work(name.decode())))

    async def work(self, name):
        got = await acall()
        self.tasks.append(asyncio.create_task(self.after(name)))
        self.transport.write(response(got))

    async def after(self, name):
        await asyncio.sleep(0.15)
        self.late.append((name, await acall()))


async def with_client(port, names, together=False):
    p = client(port, names, together)
    out, _ = await asyncio.get_running_loop().run_in_executor(None, p.communicate)
    return out.split()


async def protocol(names, together=False):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Detached, "127.0.0.1", 0)
    got = await with_client(server.sockets[0].getsockname()[1], names, together)
    await asyncio.sleep(0.4)
    return got


def case_detached():
    names = ["t%d" % i for i in range(8)]
    expect(asyncio.run(protocol(names)), names)
    expect(sorted(Detached.late), [(n, n) for n in names])


def case_pipelined():
    """Several requests at once on one connection: whose task is whose is not sure."""
    names = ["t1", "t2", "t3"]
    got = asyncio.run(protocol(names, together=True))
    for n, g in list(zip(names, got)) + Detached.late:
        if g not in ("none", n):
            print(f"{n} carried {g}")


def case_streams():
    """asyncio.start_server: the task is made before the request is read. The first request is certain,
    of later ones what they *make* is; nothing is ever another's."""
    made, late = [], []

    async def after(name):
        await asyncio.sleep(0.15)
        late.append((name, await acall()))

    async def serve(r, w):
        while True:
            try:
                head = await r.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            name = ID.search(head).group(1).decode()
            text = await acall() + "," + await asyncio.create_task(acall())
            made.append(asyncio.create_task(after(name)))
            w.write(response(text))

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        got = await with_client(server.sockets[0].getsockname()[1], ["t1", "t2", "t3"])
        await asyncio.sleep(0.4)
        return got
    expect(asyncio.run(main()), ["t1,t1", "none,t2", "none,t3"])
    expect(sorted(late), [("t1", "t1"), ("t2", "t2"), ("t3", "t3")])


def case_after_the_answer():
    """What is made between two requests of a connection is not the next one's."""
    late = []

    async def after(name):
        await asyncio.sleep(0.004)
        late.append((name, await acall(), await asyncio.create_task(acall())))

    async def serve(r, w):
        tasks = []
        while True:
            try:
                head = await r.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            await asyncio.sleep(0.01)
            w.write(response("x"))
            tasks.append(asyncio.create_task(after(ID.search(head).group(1).decode())))

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        await with_client(server.sockets[0].getsockname()[1], ["t%d" % i for i in range(50)])
        await asyncio.sleep(0.4)
    asyncio.run(main())
    for name, *got in late:
        for g in got:
            if g not in ("none", name):
                print(f"{name} carried {g}")


def case_ticker():
    """Tasks that were there before, or come from nowhere, carry nothing."""
    seen = []

    async def tick():
        while True:
            await asyncio.sleep(0.002)
            seen.append(await acall())

    async def main():
        t = asyncio.create_task(tick())
        await protocol(["t%d" % i for i in range(30)])
        t.cancel()
    asyncio.run(main())
    expect(set(seen), {"none"})


def case_async_view():
    """A thread's handler that runs a loop of its own."""
    expect(serve_blocking(lambda: asyncio.run(acall()), ["t1", "t2"]), ["t1", "t2"])


def case_sock_accept():
    """One task accepts and reads several connections: nothing, or the right one."""
    async def main():
        loop = asyncio.get_running_loop()
        s = socket.create_server(("127.0.0.1", 0))
        s.setblocking(False)
        clients = [client(s.getsockname()[1], ["c%d" % i]) for i in range(3)]
        conns = [(await loop.sock_accept(s))[0] for _ in clients]
        await asyncio.sleep(0.3)
        names = [ID.search(await loop.sock_recv(c, 65536)).group(1).decode() for c in conns]
        for name, c in zip(names, conns):
            got = await acall()
            await loop.sock_sendall(c, response(name))
            if got not in ("none", name):
                print(f"{name} carried {got}")
        for p in clients:
            await loop.run_in_executor(None, p.communicate)
    asyncio.run(main())


# --- a loop that nobody knows -------------------------------------------------------------------

def case_own_loop():
    """select() in plain Python, handlers that are resumed later: never another's."""
    s = socket.create_server(("127.0.0.1", 0))
    clients = [client(s.getsockname()[1], ["c%d_%d" % (i, k) for k in range(6)]) for i in range(4)]
    conns, work, left = [], [], 4
    while left:
        ready, _, _ = select.select([s, *conns], [], [], 0.002)
        for c in ready:
            if c is s:
                conns.append(s.accept()[0])
                conns[-1].setblocking(False)
                continue
            data = c.recv(65536)
            if not data:
                conns.remove(c)
                left -= 1
                continue
            work.append((c, ID.search(data).group(1).decode()))
        if len(work) > 1 or not ready:
            for c, name in work[::-1]:
                got = call()
                if got not in ("none", name):
                    print(f"{name} carried {got}")
                c.sendall(response(name))
            work = []
    for p in clients:
        p.communicate()


# --- safety -------------------------------------------------------------------------------------

def case_mutex():
    """An extension that sends with its own mutex held, while other threads wait for it."""
    import mutex
    end = time.time() + 4
    counts = [0, 0]

    def sender():
        with socket.create_connection(("127.0.0.1", UP.port)) as c:
            while time.time() < end:
                mutex.send(c.fileno(), REQUEST)
                answer(c)
                counts[0] += 1

    def toucher():
        while time.time() < end:
            mutex.touch()
            counts[1] += 1

    async def main():
        threads = [threading.Thread(target=f, daemon=True) for f in (sender, sender, toucher, toucher)]
        for t in threads:
            t.start()
        await protocol(["t%d" % i for i in range(100)])
        for t in threads:
            await asyncio.get_running_loop().run_in_executor(None, t.join, 20)
        if any(t.is_alive() for t in threads):
            print(f"stuck after {counts}")
            sys.stdout.flush()
            os._exit(1)
    asyncio.run(main())
    if min(counts) < 10:
        print(f"only {counts}")


def case_kept():
    """A pending exception and errno are where they were."""
    import mutex

    async def main():
        await protocol(["t1"])

        async def probe(c, fd):
            return mutex.probe(fd, REQUEST)
        with socket.create_connection(("127.0.0.1", UP.port)) as c:
            expect(await probe(c, c.fileno()), (len(REQUEST), 77, 1))
            answer(c)
        a, b = socket.socketpair()
        b.close()
        expect(await probe(a, a.fileno()), (-1, 32, 1))
    asyncio.run(main())


def case_interpreters():
    """A second interpreter: Python is left alone, whichever came first."""
    try:
        import _xxsubinterpreters as sub
    except ImportError:
        import _interpreters as sub
    expect(serve_blocking(call, ["t1"]), ["t1"])
    i = sub.create()
    sub.run_string(i, "import socket\nsocket.create_server(('127.0.0.1', 0)).close()")
    expect(serve_blocking(call, ["t2", "t3"]), ["t2", "t3"])
    sub.destroy(i)


def case_forked():
    """Prefork: the parent listens, children serve with loops of their own."""
    s = socket.create_server(("127.0.0.1", 0))
    pids, (end, parent) = [], os.pipe()
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os.close(parent)

            async def main():
                loop, ended = asyncio.get_running_loop(), asyncio.Event()
                server = await loop.create_server(Detached, sock=s)
                loop.add_reader(end, ended.set)
                await ended.wait()
            asyncio.run(main())
            os._exit(0)
        pids.append(pid)
    clients = [client(s.getsockname()[1], ["c%d_%d" % (i, k) for k in range(5)]) for i in range(9)]
    for i, p in enumerate(clients):
        expect(p.communicate()[0].split(), ["c%d_%d" % (i, k) for k in range(5)])
    os.close(parent)
    for pid in pids:
        expect(os.waitpid(pid, 0)[1], 0)


def case_last_words():
    """Calls out while the interpreter shuts down: daemon threads, finalizers."""
    code = """
import sys, threading, asyncio, socket
sys.path.insert(0, %r)
import cases
cases.UP = type("Up", (), {"port": int(sys.argv[1])})
def forever():
    while True:
        cases.call()
class Last:
    def __del__(self, call=cases.call):
        call()
asyncio.run(cases.protocol(["t1", "t2"]))
keep = Last()
sys.modules["last"] = keep
for _ in range(6):
    threading.Thread(target=forever, daemon=True).start()
""" % os.path.dirname(os.path.abspath(__file__))
    for _ in range(8):
        p = subprocess.run([sys.executable, "-c", code, str(UP.port)], capture_output=True, text=True, timeout=60)
        if p.returncode or "Fatal" in p.stderr:
            print(f"exit status {p.returncode}: {p.stderr[-300:]}")


def case_contexts():
    """The program's own context variables are what they would be without us."""
    import contextvars
    own = contextvars.ContextVar("own", default="default")
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(1)

    async def main():
        own.set("main")
        await protocol(["t1"])
        expect(await asyncio.create_task(asyncio.sleep(0, own.get())), "main")
        expect(await asyncio.get_running_loop().run_in_executor(pool, own.get), "default")
        ours = [v for v in contextvars.copy_context() if v is not own]
        expect([v.name for v in ours if v.name == "tracebaton"], [])
        c = contextvars.copy_context()
        c.run(own.set, "inner")
        expect((own.get(), c[own]), ("main", "inner"))
    asyncio.run(main())


if __name__ == "__main__":
    sys.modules["cases"] = sys.modules["__main__"]
    if len(sys.argv) < 2:
        print("\n".join(sorted(n[5:] for n in globals() if n.startswith("case_"))))
        sys.exit()
    UP = Upstream()
    try:
        globals()["case_" + sys.argv[1]]()
    except BaseException as e:  # whatever it is, it is a line of the report
        print(f"{type(e).__name__}: {e}")
    sys.stdout.flush()
    os.kill(UP.pid, 9)
