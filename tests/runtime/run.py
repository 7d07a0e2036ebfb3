#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs, unmodified, with only LD_PRELOAD set: 32 requests at once, an identity for each,
counted right / wrong / missing / altered / failed by a recording upstream.

  run.py [--only NAME,...] [--class CLASS] [--rounds N] [--table] [--no-preload] [--stacks MODULE]
"""
import argparse
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import load as L  # noqa: E402
from upstream import Upstream  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
SO = os.path.join(BUILD, "libtracebaton.so")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One run of a stack's program."""

    def __init__(self, stack, up, preload, account=True):
        self.where = tempfile.mkdtemp(prefix="tracebaton-")
        self.port = free_port()
        upstream = f"127.0.0.1:{up.port}"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TRACEBATON", "LD_PRELOAD"))}
        env.update(stack.env, UPSTREAM=upstream, PORT=str(self.port), PYTHONDONTWRITEBYTECODE="1")
        env = {k: v for k, v in env.items() if v != ""}
        if stack.prepare:
            stack.prepare(self.where, self.port, upstream)
        if preload and not account:
            env["LD_PRELOAD"] = SO
        elif preload:
            os.mkdir(self.where + "/pages")
            os.chmod(self.where + "/pages", 0o777)
            env.update(LD_PRELOAD=SO, TRACEBATON_DIR=self.where + "/pages")
        self.log = open(self.where + "/log", "wb")
        self.process = subprocess.Popen(stack.command(self.where, self.port, upstream), env=env, cwd=self.where,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)

    def processes(self):
        """All that run in its directory or session: some (PHP's process manager) make a session of their own."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="latin-1") as f:
                    session = int(f.read().rsplit(")", 1)[1].split()[3])
                if session == self.process.pid or os.readlink(f"/proc/{entry}/cwd").startswith(self.where):
                    yield int(entry)
            except OSError:
                pass

    def stop(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sig)
                self.process.wait(4)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                pass
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.close()

    def tail(self):
        with open(self.where + "/log", errors="replace") as f:
            return f.read()[-1500:]

    def counters(self):
        pages = self.where + "/pages"
        tool = os.path.join(BUILD, "tracebaton")
        if not os.path.isdir(pages) or not os.path.exists(tool):
            return ""
        text = subprocess.run([tool, "stats", pages], capture_output=True, text=True).stdout
        keep = [x for x in text.split("\n") if x.startswith(("abstain-", "rule-", "down-", "evidence-"))]
        return ", ".join(" ".join(x.split()) for x in keep)


def measure(stack, preload, rounds, skip, first):
    """(verdict or None, error text, counters, the requests)"""
    up = Upstream()
    server = Server(stack, up, preload)
    try:
        if not L.wait_ready(server.port):
            return None, "did not start: " + server.tail(), "", []
        up.take()
        load = L.Load(server.port, stack.keepalive, first, stack.resets).run(stack.concurrency, rounds)
        time.sleep(stack.linger)
        got = proxied(up.take()) if stack.proxy else up.take()
        if server.process.poll() is not None:
            load.failed.append(f"the server died with {server.process.returncode}: {server.tail()}")
        return load, got, server.counters(), server.tail()
    finally:
        server.stop()
        up.close()
        shutil.rmtree(server.where, ignore_errors=True)


def proxied(requests):
    """A proxy forwards the client's own target: give it the name of a leg."""
    return [(head.replace(b" HTTP/1", b"&leg=p HTTP/1", 1), body) for head, body in requests]




def run_stack(stack, args):
    if stack.proxy:
        L.Load.ask = proxy_ask
    else:
        L.Load.ask = ORIGINAL_ASK
    base_load, base_got, _, log = measure(stack, False, 2, 0, 900000)
    if base_load is None:
        return None, base_got, ""
    if base_load.failed:
        return None, "fails without the preload: " + base_load.failed[0] + log, ""
    base = L.baseline(base_got)
    if args.no_preload:
        v = L.judge(base_got, base_load, base, stack.legs)
        return v, None, ""
    load, got, counters, log = measure(stack, True, max(args.rounds, stack.rounds), 0, 1000)
    if load is None:
        return None, got, ""
    skip = load.first + 64 if stack.cls == "warmup" else 0
    v = L.judge(got, load, base, stack.legs, skip)
    if v.count["failed"]:
        v.notes.append(log)
    return v, None, counters


def proxy_ask(self, c, i):
    """Through a proxy the upstream answers `ok`; what is judged is what arrived there."""
    c.request("GET", f"/?id={i}", headers={} if L.bare(i) else L.headers(i))
    r = c.getresponse()
    if r.status != 200 or r.read() != b"ok":
        raise OSError(f"answer {r.status}")


ORIGINAL_ASK = L.Load.ask


def passes(stack, v):
    c = v.count
    if c["wrong"] or c["altered"] or c["failed"]:
        return False
    return stack.cls == "nowrong" or (c["missing"] == 0 and c["right"] > 0)


def load_stacks(path):
    spec = importlib.util.spec_from_file_location("stacks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STACKS


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only")
    p.add_argument("--class", dest="cls")
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--table", action="store_true")
    p.add_argument("--no-preload", action="store_true")
    p.add_argument("--stacks", default=os.path.join(HERE, "stacks.py"))
    args = p.parse_args()
    rows, status = [], 0
    for stack in load_stacks(args.stacks):
        if (args.only and stack.name not in args.only.split(",")) or (args.cls and stack.cls != args.cls):
            continue
        missing = stack.missing()
        if missing:
            print(f"skip {stack.name}: {missing} is not installed", flush=True)
            continue
        try:
            v, error, counters = run_stack(stack, args)
        except (OSError, subprocess.CalledProcessError) as e:
            v, error, counters = None, repr(e) + str(getattr(e, "stderr", "")), ""
        if v is None:
            print(f"not ok {stack.name}: {error}", flush=True)
            status = 1
            continue
        counts = " ".join(f"{k} {v.count[k]}" for k in L.Verdict.KEYS)
        ok = passes(stack, v)
        print(f"ok {stack.name}" if ok else f"not ok {stack.name}: {counts}")
        print(f"   {stack.name}: {counts}" + (f"  ({counters})" if counters else ""), flush=True)
        for n in v.notes if not ok else []:
            print("   " + n)
        rows.append((stack, v))
        status |= not ok
    if args.table:
        print("\n| stack | promise | " + " | ".join(L.Verdict.KEYS) + " |\n|" + " --- |" * 7)
        promise = {"right": "all right", "warmup": "all right after 64", "nowrong": "none wrong"}
        for stack, v in rows:
            print(f"| {stack.name} | {promise.get(stack.cls, stack.cls)} | "
                  + " | ".join(str(v.count[k]) for k in L.Verdict.KEYS) + " |")
    return status


if __name__ == "__main__":
    sys.exit(main())
