# SPDX-License-Identifier: Apache-2.0
"""What whole servers cost with the library, for a request that makes one call. Servers are started by the
stacks of tests/runtime, most with a handler of apps/ that waits for nothing but its call: one that sleeps
hides what it costs. Each is started twice, without the library and with it, and the two are loaded in turns, so
that what else the machine does hits both alike. Where a process's memory happens to lie is worth several per
cent, so that one such pair says little: there are several fresh ones.

A row: requests a second, latency (median and 99th percentile), CPU microseconds a request of all the
server's processes, and two ratios, with the library to without: of the requests a second, and of that CPU
time. What disturbs a turn only ever slows it down, by more than the library does, so each figure is that
of the better turns: the best but a quarter of them, of all pairs together."""
import glob
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "runtime"))
import load as L  # noqa: E402
import run as R  # noqa: E402
import stacks as S  # noqa: E402

APPS = os.path.join(HERE, "apps")
THERE = os.path.relpath(APPS, S.APPS)  # for what takes the name of a file of tests/runtime/apps
SECONDS, CONNECTIONS = 1, 4
TURNS = 6  # of each side of a pair


class Row:
    """A stack; `warm`: seconds of load before anything counts; `pairs`: how many fresh ones; `bar`: the least ratio."""

    def __init__(self, name, command, needs, prepare=None, proxy=False, warm=1, pairs=3, bar=None):
        self.name, self.proxy, self.warm, self.pairs, self.bar = name, proxy, warm, pairs, bar
        self.stack = S.Stack(name, "right", command, needs, prepare=prepare)


def proxy(name, stack):
    """A row of a proxy: it sends the headers on itself, and there is nothing to add."""
    s = next(s for s in S.STACKS if s.name == stack)
    return Row(name, s.command, s.needs, s.prepare, proxy=True)


ROWS = (
    proxy("nginx", "nginx-keepalive"),
    proxy("haproxy", "haproxy"),
    Row("gunicorn", lambda w, p, u: [S.PY, "-m", "gunicorn", "-w", "1", "--chdir", APPS, "--log-level", "error",
                                     "-b", f"127.0.0.1:{p}", "hop_wsgi:app"], ("py:gunicorn", "py:requests"),
        pairs=9, bar=0.98),
    Row("php-fpm", lambda w, p, u: ["bash", f"{w}/start"], ("nginx", S.fpm_program(), "php", "php-ext:curl"),
        S.php_fpm(f"{THERE}/hop.php", "{where}/fpm.sock", True)),
    Row("puma", lambda w, p, u: ["puma", "-q", "-t", "4:4", "-b", f"tcp://127.0.0.1:{p}", f"{APPS}/hop.ru"], ("puma",)),
    # Without nodelay its answers leave in two segments, the second of which waits for the ACK of the first.
    Row("java", lambda w, p, u: ["java", "-Dsun.net.httpserver.nodelay=true", "-cp", w, "Hop", str(p)], ("javac",),
        S.compile_java(lambda: "", f"{THERE}/Hop.java"), warm=5),
    Row("node", lambda w, p, u: ["node", f"{APPS}/hop.js", str(p)], ("node",), warm=2),
    Row("uvicorn", lambda w, p, u: [S.PY, "-m", "uvicorn", "--app-dir", APPS, "--port", str(p), "--log-level", "error",
                                    "--lifespan", "off", "hop_asgi:app"], ("py:uvicorn", "py:httpx")),
)

HEADERS = ("x-request-id: 8cda17a5-eb41-4ced-9843-acc826f95c8c",
           "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
           "x-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7", "x-b3-spanid: e457b5a2e4d86bd1",
           "x-b3-parentspanid: 05e3ac9a4f6e3b90", "x-b3-sampled: 1",
           "baggage: userId=alice,serverNode=DF%2028,isProduction=false")
# Its answer says, in as many bytes, whether the call carried a trace.
UPSTREAM = """daemon off; worker_processes 1; pid {0}/pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}; proxy_temp_path {0};
fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
map $http_traceparent $carried {{ default yes; "" not; }}
server {{ listen 127.0.0.1:{1}; location / {{ return 200 $carried; }} }} }}
"""


class Upstream:
    """nginx, which is not preloaded."""

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
    text = subprocess.run(args + [f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True,
                          check=True).stdout
    spent = cpu(server) - before
    done = int(re.search(r"(\d+) requests in", text).group(1))
    if "Non-2xx" in text or "Socket errors" in text or not done:
        raise OSError("not every request was answered with 200: " + text)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), percentile(text, "50"),
            percentile(text, "99"), spent / done / 1e3)


def carries(server):
    """Whether the call of a request carries its trace: what does not is not worth measuring."""
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    c.request("GET", "/", headers=dict(h.split(": ") for h in HEADERS))
    try:
        return c.getresponse().read() == b"yes"
    finally:
        c.close()


def ready(row, server, preload):
    if not L.wait_ready(server.port):
        raise OSError("did not start: " + server.tail())
    load(server, row.warm)  # compilers that learn, pools that grow
    if carries(server) != (preload or row.proxy):
        raise OSError(f"the call of a request carries {'no' if preload else 'a'} trace {'with' if preload else 'without'} the library")


def fresh_pair(row, up):
    """([load(), ...], the same with the library) of one pair."""
    pair, got = [], ([], [])
    try:
        for preload in (False, True):
            pair.append(R.Server(row.stack, up, preload, account=False))
        for preload in (False, True):
            ready(row, pair[preload], preload)
        for turn in range(TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):
                got[which].append(load(pair[which]))
    finally:
        for s in pair:
            s.stop()
            shutil.rmtree(s.where, ignore_errors=True)
    return got


def better(turns):
    """Of each figure of load(): a quarter of the turns were better. The first is the better the higher it is."""
    return [sorted(x, reverse=i == 0)[len(x) // 4] for i, x in enumerate(zip(*turns))]


def measure(row, up):
    """Print the row; whether its bar is missed."""
    pairs = [fresh_pair(row, up) for _ in range(row.pairs)]
    plain, ours = (better(sum((p[which] for p in pairs), [])) for which in (0, 1))
    ratio, cpu_ratio = (ours[i] / plain[i] for i in (0, 3))
    missed = row.bar is not None and ratio < row.bar
    print(f"{row.name:<10}" + "".join(f"{a:>9.0f} {b:>9.0f}" for a, b in zip(plain, ours)) + f"   x{ratio:.3f} x{cpu_ratio:.3f}"
          + (f"   bar x{row.bar}" if row.bar else "") + ("   MISSED" if missed else ""), flush=True)
    return missed


def wanted(rows):
    """Those of which everything is installed; what is skipped is said."""
    for row in rows:
        missing = next((t for t in ("wrk", "nginx") if not shutil.which(t)), None) or row.stack.missing()
        if missing:
            print(f"skip {row.name}: {missing} is not installed", flush=True)
        else:
            yield row


def servers(rows):
    """One line each; the names of those whose bar was missed, or that failed."""
    rows, bad = list(wanted(rows)), []
    if not rows:
        return bad
    print(f"\n{'without, with':<10}{'requests/s':>16}{'median us':>19}{'99 % us':>19}{'CPU us/request':>19}   ratios: requests/s, CPU")
    up = Upstream()
    try:
        for row in rows:
            try:
                if measure(row, up):
                    bad.append(row.name)
            except (OSError, subprocess.CalledProcessError) as e:
                print(f"{row.name:<10} failed: {e}", flush=True)
                bad.append(row.name)
    finally:
        up.close()
    return bad
