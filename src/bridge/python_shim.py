# SPDX-License-Identifier: Apache-2.0
# What the Python bridge has executed once threading is there (python_threads.c), in a namespace of its own
# that holds the bridge's function `baton`:
#   baton()                    the exchange that is current: a number that names it; 0: none is certain
#   baton(number, sure, thread)  runs thread.run() with it
#   baton(0, 0)                a function that calls its first argument with what is current now; 0: nothing is
#   baton(None)                the calling thread takes work from somewhere: what it was born with ends
#
# A thread that a handler starts, and a worker of a pool that a handler happens to make, look the same at
# birth. They are told apart by what is done with them: a request waits for the end of a thread of its own,
# and never for that of a pool's worker, for that has no end. Thread.join() makes the thread a call: what
# runs in it could run in the joining thread, and would be this request's by the rule `thread`.
#
# Whether it is joined is known too late for the first ones. So a place in the program (six frames of the
# stack, and the code the thread runs) earns trust: 16 exchanges have started threads there and have joined
# each while they were open, and none was ever not joined. One that is not: never again.
#
# With TRACEBATON_ATTRIBUTION=best a thread of a place without trust carries what its maker did, too, until
# it takes work from somewhere: a queue, or anything that has a condition variable in it.
import sys
import threading
from functools import partial, wraps

__name__ = "tracebaton"
EVIDENCE, DEPTH, PLACES, PENDING = 16, 6, 256, 256
POOLS = ("concurrent.futures.thread", "multiprocessing.pool", "socketserver", "asyncio.base_events")
Thread, Condition = threading.Thread, threading.Condition
run_of_thread = Thread.run
places, latest = {}, {}


class Place:
    __slots__ = ("seen", "pending", "trusted", "banned")

    def __init__(self):
        self.seen, self.pending, self.trusted, self.banned = set(), {}, False, False

    # A thread whose maker is busy with another request by now, or gone, was not joined.
    def check(self):
        for maker, number in list(self.pending.values()):
            if not maker.is_alive() or latest.get(maker.ident) != number:
                self.ban()
                break
        if len(self.pending) > PENDING:
            self.ban()

    def ban(self):
        self.banned = True
        self.seen, self.pending = set(), {}

    def joined(self, thread, number):
        self.pending.pop(thread, None)
        if not self.trusted and not self.banned:
            self.seen.add(number)
            self.trusted = len(self.seen) >= EVIDENCE


# The function that the thread will run, without its wrapping.
def function_of(thread):
    f = thread._target if type(thread).run is run_of_thread else type(thread).run
    while isinstance(f, partial):
        f = f.func
    return getattr(f, "__func__", f)


def place_of(f, frame):
    key = [f.__code__]
    while frame and len(key) <= 2 * DEPTH - 1:
        key += frame.f_code, frame.f_lasti
        frame = frame.f_back
    key = tuple(key)
    if key not in places and len(places) >= PLACES:
        return None
    return places.setdefault(key, Place())


def prepare(thread, frame):
    if thread._started.is_set() or "run" in thread.__dict__:
        return
    number, ident = baton(), threading.get_ident()
    latest[ident] = number
    f = function_of(thread) if number else None
    if not hasattr(f, "__code__") or f.__module__ in POOLS:
        return
    place, maker = place_of(f, frame), threading._active.get(ident)
    if place and maker:
        place.check()
        if not place.banned:
            place.pending[thread] = maker, number
            thread.__dict__["_tracebaton"] = place, number
    sure = bool(place and maker and place.trusted and not place.banned)
    if sure or best:
        thread.__dict__["run"] = partial(baton, number, sure, thread)


def finished(thread):
    made = thread.__dict__.get("_tracebaton")
    if made and not thread.is_alive():
        del thread.__dict__["_tracebaton"]
        if made[1] == baton():
            made[0].joined(thread, made[1])


def start_of(real):
    @wraps(real)
    def start(self):
        try:
            prepare(self, sys._getframe(1))
        except Exception:
            pass
        try:
            real(self)
        except BaseException:
            self.__dict__.pop("run", None)
            raise
    return start


def join_of(real):
    @wraps(real)
    def join(self, timeout=None):
        real(self, timeout)
        try:
            finished(self)
        except Exception:
            pass
    return join


# Waits that bring results or resources, not work, by the function that waits or the module of its caller.
HARMLESS = {"put", "put_nowait", "task_done", "qsize", "empty", "full", "set", "clear", "is_set", "release", "notify",
            "notify_all", "start", "join"}
MODULES = ("urllib3.", "requests.packages.urllib3.", "concurrent.futures.", "tracebaton")


def takes(frame):
    while frame and frame.f_globals.get("__name__") in ("queue", "threading"):
        if frame.f_code.co_name in HARMLESS:
            return
        frame = frame.f_back
    if frame and not str(frame.f_globals.get("__name__")).startswith(MODULES):
        baton(None)


def taking(real):
    @wraps(real)
    def wait(self, *args, **keywords):
        takes(sys._getframe(1))
        return real(self, *args, **keywords)
    return wait


def threads(with_best):
    global best
    best = with_best
    # Their threads are greenlets, which have contexts of their own.
    if "gevent" in sys.modules or "eventlet" in sys.modules:
        return
    Thread.start, Thread.join = start_of(Thread.start), join_of(Thread.join)
    if best:
        Condition.__enter__, Condition.wait = taking(Condition.__enter__), taking(Condition.wait)


def submit_of(real):
    @wraps(real)
    def submit(*args, **keywords):
        job = baton(0, 0)
        if job and len(args) > 1:
            args = args[0], job, *args[1:]
        return real(*args, **keywords)
    return submit


done = set()


# Called whenever one of these modules has been imported.
def patch(with_best):
    pools = sys.modules.get("concurrent.futures.thread")
    if "threads" not in done:
        done.add("threads")
        threads(with_best)
    if pools and "pools" not in done:
        done.add("pools")
        pools.ThreadPoolExecutor.submit = submit_of(pools.ThreadPoolExecutor.submit)
