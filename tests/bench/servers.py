# SPDX-License-Identifier: Apache-2.0
"""What whole servers cost with the library: the stacks of tests/runtime, each started twice, without and
with it, and loaded in turns, so that what else the machine does hits both alike. Requests carry the eight
headers; a stack's handler makes several calls, so that one request is several heads.

A row: requests a second, latency (median and 99th percentile), CPU microseconds a request of all the
server's processes; each the median of the rounds. The ratio is that of each round's pair."""
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "runtime"))
import load as L  # noqa: E402
import run as R  # noqa: E402

ROWS = ("nginx-keepalive", "haproxy", "php-fpm-curl", "puma", "java-httpserver", "gunicorn-gthread", "uvicorn-asyncio",
        "node-http")
ROUNDS, SECONDS, CONNECTIONS = 7, 1, 4
HEADERS = ("x-request-id: 8cda17a5-eb41-4ced-9843-acc826f95c8c",
           "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
           "x-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7", "x-b3-spanid: e457b5a2e4d86bd1",
           "x-b3-parentspanid: 05e3ac9a4f6e3b90", "x-b3-sampled: 1",
           "baggage: userId=alice,serverNode=DF%2028,isProduction=false")
UPSTREAM = """daemon off; worker_processes 1; pid {0}/pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}; proxy_temp_path {0};
fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
server {{ listen 127.0.0.1:{1}; location / {{ return 200 "ok"; }} }} }}
"""


class Upstream:
    """nginx, which answers everything with "ok" and is not preloaded."""

    def __init__(self):
        self.where, self.port = tempfile.mkdtemp(prefix="tracebaton-"), R.free_port()
        conf = os.path.join(self.where, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(UPSTREAM.format(self.where, self.port))
        self.process = subprocess.Popen(["nginx", "-e", "stderr", "-c", conf], stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.where, ignore_errors=True)


def cpu(server):
    """Nanoseconds that the threads of a server's living processes have run."""
    total = 0
    for pid in server.processes():
        for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(task, encoding="ascii") as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass
    return total


MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def percentile(text, name):
    m = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s)$", text, re.M)
    return float(m.group(1)) * MICROSECONDS[m.group(2)]


def load(server, seconds=SECONDS):
    """(requests a second, median latency, 99th percentile, CPU a request) of one loaded stretch"""
    before = cpu(server)
    args = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    for h in HEADERS:
        args += ["-H", h]
    text = subprocess.run(args + [f"http://127.0.0.1:{server.port}/?id=1"], capture_output=True, text=True,
                          check=True).stdout
    spent = cpu(server) - before
    done = int(re.search(r"(\d+) requests in", text).group(1))
    if "Non-2xx" in text or not done:
        raise OSError("not every answer was 200: " + text)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), percentile(text, "50"),
            percentile(text, "99"), spent / done / 1e3)


def rounds(pair):
    """[(without, with)] of each figure of load()"""
    for s in pair:
        load(s, 2)  # warm: compilers that learn, pools that grow
    got = []
    for turn in range(ROUNDS):
        two = [None, None]
        for which in ((0, 1) if turn % 2 else (1, 0)):
            two[which] = load(pair[which])
        got.append(list(zip(*two)))
    return list(zip(*got))


def row(stack, up):
    pair = []
    try:
        for preload in (False, True):
            pair.append(R.Server(stack, up, preload, account=False))
        for s in pair:
            if not L.wait_ready(s.port):
                raise OSError("did not start: " + s.tail())
        figures = rounds(pair)
    finally:
        for s in pair:
            s.stop()
            shutil.rmtree(s.where, ignore_errors=True)
    cells = [[statistics.median(x[i] for x in f) for i in (0, 1)] for f in figures]
    ratio = statistics.median(b / a for a, b in figures[0])
    print(f"{stack.name:<18}" + "".join(f"{a:>9.0f} {b:>9.0f}" for a, b in cells) + f"   x{ratio:.3f}", flush=True)


def servers(only):
    """One row each, of those that are named, or of all."""
    stacks = {s.name: s for s in R.load_stacks(os.path.join(R.HERE, "stacks.py"))}
    names = [n for n in ROWS if not only or n in only]
    for tool in ("wrk", "nginx"):
        if names and not shutil.which(tool):
            print(f"skip servers: {tool} is not installed")
            return
    if not names:
        return
    print(f"\n{'without, with':<18}{'requests/s':>19}{'median us':>19}{'99 % us':>19}{'CPU us/request':>19}   ratio")
    up = Upstream()
    try:
        for name in names:
            missing = stacks[name].missing()
            if missing:
                print(f"skip {name}: {missing} is not installed")
            else:
                row(stacks[name], up)
    finally:
        up.close()
