# SPDX-License-Identifier: Apache-2.0
"""What one call, one exchange and one process cost: the loops of bench.c without the library and with it, in
turns. Timings are the median of several; the instruction counts of callgrind, in which the machine's mood
has no part, decide for the hot path (tests/budget holds them in make check)."""
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
SO = os.path.abspath(os.path.join(BUILD, "libtracebaton.so"))
BENCH = os.path.join(BUILD, "tests", "bench")
FAILED = []


def env(preload):
    e = {k: v for k, v in os.environ.items() if not k.startswith("TRACEBATON")}
    e.pop("LD_PRELOAD", None)
    if preload:
        e["LD_PRELOAD"] = SO
    return e


def out(args, preload):
    return subprocess.run(args, env=env(preload), check=True, capture_output=True, text=True).stdout


def pairs(args, rounds, pick=statistics.median, without=None):
    """The median (or other pick) of `rounds` interleaved runs, without and with; each prints a number.
    `without`: another program to be compared with."""
    got = ([], [])
    for _ in range(rounds):
        for preload in (False, True):
            got[preload].append(float(out(args if preload else without or args, preload)))
    return pick(got[0]), pick(got[1])


def line(what, without, with_, unit, verdict, bar, ok):
    print(f"{what:<34} {without:>12.2f} {with_:>12.2f} {unit:<8} {verdict:<16} bar {bar}"
          f"{'' if ok else '   MISSED'}", flush=True)
    if not ok:
        FAILED.append(what)


def instructions(n, preload):
    if not shutil.which("valgrind"):
        return None
    args = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", BENCH, "pass", str(n)]
    text = subprocess.run(args, env=env(preload), capture_output=True, text=True).stderr
    return int(re.search(r"Collected : (\d+)", text).group(1))


def per_call(preload):
    a, b = instructions(1000, preload), instructions(101000, preload)
    return None if a is None else (b - a) / 100000


def hooks():
    a, b = per_call(False), per_call(True)
    if a is None:
        print("skip instruction counts: valgrind is not installed")
    else:
        line("not ours: instructions a call", a, b, "Ir", f"+{b - a:.1f}", "+12", b - a <= 12)
    a, b = pairs([BENCH, "pass", "300000"], 9)
    print(f"{'not ours: write() to /dev/null':<34} {a:>12.2f} {b:>12.2f} ns       {b - a:+.2f} "
          f"(the bar is +1 ns or the instructions above)")
    with tempfile.TemporaryDirectory() as pages:
        a, b, c = exchange(("told", env(False)), ("exchange", env(True)), ("exchange", dict(env(True), TRACEBATON_DIR=pages)))
    line("exchange: time of the thread", a, b, "ns", f"+{b - a:.0f} ns", "+2000", b - a <= 2000)
    line("the same, with an account kept", b, c, "ns", f"+{c - b:.0f} ns", "+100", c - b <= 100)


def exchange(*modes, blocks=1500):
    """Of processes in turns for a millisecond or two each: what else the machine does hits all alike. The one
    without the library sends the same eight headers itself. The fifth percentile of each: what other work
    does to the caches only ever adds."""
    ends = [subprocess.Popen([BENCH, mode], env=e, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, bufsize=1) for mode, e in modes]
    got = [[] for _ in modes]
    for _ in range(blocks):
        for i, p in enumerate(ends):
            p.stdin.write("\n")
            got[i].append(float(p.stdout.readline()))
    for p in ends:
        p.stdin.close()
        p.wait()
    return [sorted(g)[len(g) // 20] for g in got]


def sizes():
    text = out(["size", "-A", SO], False)
    n = sum(int(m.group(1)) for m in re.finditer(r"^\.text\S*\s+(\d+)", text, re.M))
    line("size of .text", 0, n / 1024, "KiB", f"{n / 1024:.1f} KiB", "96", n < 96 * 1024)
    # The least of several: how many pages of libc the kernel maps around a fault is chance.
    a, b = pairs([BENCH, "rss", "100"], 9, min)
    line("resident set after 100 exchanges", a, b, "KiB", f"+{b - a:.0f} KiB", "+300", b - a < 300)


def starts(preload, n=100):
    t = time.perf_counter()
    e = env(preload)
    for _ in range(n):
        subprocess.run(["/bin/true"], env=e, check=True)
    return (time.perf_counter() - t) / n * 1e3


def startup():
    got = ([], [])
    for _ in range(7):
        for preload in (False, True):
            got[preload].append(starts(preload))
    a, b = statistics.median(got[0]), statistics.median(got[1])
    line("start of /bin/true", a, b, "ms", f"+{b - a:.3f} ms", "+1", b - a < 1)


def calls():
    """All of them; the names of the bars that were missed."""
    print(f"{'':<34} {'without':>12} {'with':>12}")
    hooks()
    sizes()
    startup()
    return FAILED
