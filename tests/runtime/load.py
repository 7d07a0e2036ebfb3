# SPDX-License-Identifier: Apache-2.0
"""Load with an identity of its own for every request, and the verdict on what reached the upstream."""
import collections
import hashlib
import http.client
import re
import threading
import time

DECOY = "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n" % 0xdec0
TRACE = {b"x-request-id", b"traceparent", b"tracestate", b"x-b3-traceid", b"x-b3-spanid",
         b"x-b3-sampled", b"baggage"}


def headers(i):
    """The trace headers of request i."""
    return {"x-request-id": "8cda17a5-eb41-4ced-9843-%012x" % i,
            "traceparent": "00-%032x-00f067aa0ba902b7-01" % i,
            "tracestate": "vendor=%x" % i,
            "x-b3-traceid": "%032x" % i, "x-b3-spanid": "%016x" % i, "x-b3-sampled": "1",
            "baggage": "user=%d" % i}


def bare(i):
    """One request in eight comes without trace headers: its calls must carry none."""
    return i % 8 == 5


def post_body(i):
    """What every handler sends on leg b."""
    return (DECOY * 20 + str(i)).encode()


class Load:
    def __init__(self, port, keepalive, first=1, resets=False):
        self.port, self.keepalive, self.resets = port, keepalive, resets
        self.first = first
        self.failed = []
        self.lost = set()
        self.lock = threading.Lock()
        self.next = first

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def ask(self, c, i):
        extra = {} if bare(i) else headers(i)
        post = i % 6 == 1
        c.request("POST" if post else "GET", f"/?id={i}", body=b"x" * 3000 if post else None,
                  headers=extra)
        r = c.getresponse()
        text = r.read().decode(errors="replace").strip()
        if r.status != 200 or text != str(i):
            raise OSError(f"answer {r.status} {text[:60]!r}")

    def client(self, rounds, k):
        c = None
        for _ in range(rounds):
            i = self.number()
            reused = c is not None
            try:
                if c is None:
                    c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.ask(c, i)
            except (OSError, http.client.HTTPException) as e:
                # A server may close a connection that was kept open at any time (RFC 9112 9.3.1).
                gone = isinstance(e, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected))
                if (reused or self.resets) and gone:
                    self.lost.add(i)
                else:
                    self.failed.append(f"request {i}: {e!r}")
                c = None
            if c is not None and not (self.keepalive and k % 2):
                c.close()
                c = None

    def run(self, clients, rounds):
        threads = [threading.Thread(target=self.client, args=(rounds, k)) for k in range(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return self


def split_head(head):
    """(request line, [(lower name, line)])"""
    lines = head.split(b"\r\n")
    return lines[0], [(x.split(b":", 1)[0].lower(), x) for x in lines[1:]]


def normal(head, i):
    """The head but for the trace lines and for what differs between any two requests anyway."""
    line, fields = split_head(head)
    text = b"\r\n".join([line] + [x for name, x in fields if name not in TRACE])
    text = text.replace(b"id=%d&" % i, b"id=N&")
    text = re.sub(rb"(127\.0\.0\.1|localhost):\d+", b"HOST", text)
    text = re.sub(rb"(?i)\r\n(content-length|x-forwarded-port|x-forwarded-for|boundary|date): [^\r]*", b"", text)
    return text


class Verdict:
    KEYS = ("right", "wrong", "missing", "altered", "failed")

    def __init__(self):
        self.count = collections.Counter({k: 0 for k in self.KEYS})
        self.notes = []

    def add(self, kind, note=None):
        self.count[kind] += 1
        if note and len(self.notes) < 8:
            self.notes.append(f"{kind}: {note}")


def judge_one(head, want_carried, i):
    """right, wrong, missing or altered, by the trace lines alone."""
    _, fields = split_head(head)
    got = collections.defaultdict(list)
    for name, line in fields:
        if name in TRACE:
            got[name].append(line.split(b":", 1)[1].strip().decode("latin-1"))
    if not want_carried:
        return "wrong" if got else "right"
    want = headers(i)
    if not got:
        return "missing"
    for name, values in got.items():
        if any(v != want[name.decode()] for v in values):
            return "wrong"
    if any(len(v) != 1 for v in got.values()) or len(got) != len(want):
        return "altered"
    return "right"


def leg_of(head):
    m = re.search(rb"[?&]id=(\w+)&leg=(\w+)", head.split(b"\r\n", 1)[0])
    return (m.group(1).decode(), m.group(2).decode()) if m else (None, None)


def baseline(requests):
    """{leg: set of normal heads} of a run without the preload."""
    legs = collections.defaultdict(set)
    for head, _ in requests:
        i, leg = leg_of(head)
        if i and i.isdigit():
            legs[leg].add(normal(head, int(i)))
    return legs


def judge(requests, load, base, legs, skip_below=0):
    """Count the verdicts of a run. `legs`: how many calls each request makes."""
    v = Verdict()
    seen = collections.Counter()
    for head, body in requests:
        i, leg = leg_of(head)
        if i is None or (i != "none" and not i.isdigit()):
            v.add("altered", head[:80])
        elif i == "none":
            if judge_one(head, False, 0) == "wrong":
                v.add("wrong", f"the ticker carries {head!r}")
        elif int(i) > skip_below:
            i = int(i)
            seen[i] += 1
            kind = judge_one(head, not bare(i), i)
            if kind in ("right", "missing") and base is not None and normal(head, i) not in base[leg]:
                kind = "altered"
            if leg == "b" and hashlib.md5(body).digest() != hashlib.md5(post_body(i)).digest():
                kind = "altered"
            v.add(kind, f"id {i} leg {leg}: {head!r}" if kind in ("wrong", "altered") else None)
    for f in load.failed:
        v.add("failed", f)
    for i in range(max(load.first, skip_below) + 1, load.next + 1):
        if seen[i] != legs and i not in load.lost and not load.failed:
            v.add("failed", f"request {i} made {seen[i]} calls")
    return v


def wait_ready(port, seconds=40):
    """Until the server answers anything at all."""
    end = time.time() + seconds
    while time.time() < end:
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("GET", "/?id=0")
            c.getresponse().read()
            return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.15)
    return False
