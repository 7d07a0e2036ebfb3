# SPDX-License-Identifier: Apache-2.0
"""The account: what stands in TRACEBATON_DIR after a SIGKILL at any instant, who can read it, and what a
directory that is not as it should be does to the program (nothing).

account.py LIBRARY TOOL EXCHANGE ENDLESS WHERE: tests/load/exchange.c and tests/tool/endless.c, compiled,
and a directory of the test's own."""
import ctypes
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

LIBRARY, TOOL, EXCHANGE, ENDLESS, WHERE = sys.argv[1:]
KILLS = 200
NOBODY = 65534
failed = False


def result(name, bad=""):
    global failed
    failed |= bool(bad)
    print(f"not ok {name}: {bad}" if bad else f"ok {name}", flush=True)


def preloaded(**more):
    return dict(os.environ, LD_PRELOAD=LIBRARY, **more)


def fresh(name):
    path = f"{WHERE}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def tool(*args, **more):
    return subprocess.run([TOOL, *args], capture_output=True, text=True, timeout=20, **more)


def sums(directory):
    p = tool("stats", "--json", directory)
    if p.returncode or p.stderr:
        raise ValueError(f"stats: exit {p.returncode} {p.stderr.strip()[:200]}")
    return json.loads(p.stdout)


# --- SIGKILL ------------------------------------------------------------------------------------

def progress(path):
    with open(path, "rb") as f:
        return struct.unpack("QQ", f.read(16))


def killed(directory, counted, seconds):
    """It and its children, all at once."""
    p = subprocess.Popen([ENDLESS, counted], env=preloaded(TRACEBATON_DIR=directory), start_new_session=True)
    time.sleep(seconds)
    os.killpg(p.pid, signal.SIGKILL)
    if p.wait() != -signal.SIGKILL:
        raise ValueError(f"it ended by itself: {p.returncode}")


def compare(directory, counted):
    """What the account says lies between what was done and what was begun; every decision can be read."""
    done = progress(counted)[1]
    said = sums(directory)
    begun = progress(counted)[0]
    if not done <= said["inserted"] <= begun:
        raise ValueError(f"{done} done, {said['inserted']} inserted, {begun} begun")
    p = tool("why", "--json", directory)
    for line in p.stdout.splitlines():
        e = json.loads(line)
        if e["kind"] == "out" and (e["rule"], e["result"]) != ("rule-thread", "inserted"):
            raise ValueError(f"why: {line}")
    return said["processes"], done


def typical():
    """How long it takes until a few hundred exchanges are done here and now."""
    counted, begin = f"{WHERE}/warm", time.monotonic()
    with open(counted, "wb") as f:
        f.write(bytes(16))
    subprocess.run([ENDLESS, counted, "10"], env=preloaded(TRACEBATON_DIR=fresh("warm-pages")), check=True)
    return time.monotonic() - begin


def kills():
    most, processes, exchanges, why = typical(), 0, 0, ""
    try:
        for group in range(10):
            directory, counted = fresh(f"killed-{group}"), f"{WHERE}/killed-{group}.n"
            with open(counted, "wb") as f:
                f.write(bytes(16))
            for _ in range(KILLS // 10):
                killed(directory, counted, random.uniform(0, most))
            p, n = compare(directory, counted)
            processes, exchanges = processes + p, exchanges + n
    except ValueError as e:
        why = str(e)
    if not why and (processes < KILLS // 4 or exchanges < KILLS):
        why = f"too little happened: {processes} pages, {exchanges} exchanges"
    result("account-after-a-kill", why)


# --- who can read it, and when nothing is written ----------------------------------------------------

def others():
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        print("skip account-of-another-user: not root, or no setpriv")
        return
    directory = fresh("readable")
    os.chmod(directory, 0o755)
    subprocess.run(["sh", "-c", 'umask 0; exec "$1"', "sh", EXCHANGE], env=preloaded(TRACEBATON_DIR=directory), check=True)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", f"--regid={NOBODY}"]
    p = subprocess.run(as_nobody + [TOOL, "stats", directory], capture_output=True, text=True)
    result("account-of-another-user", "" if "inserted" not in p.stdout and "cannot be read" in p.stderr
           else f"{p.stdout} {p.stderr}")
    p = subprocess.run(as_nobody + ["sh", "-c", f"cat {directory}/*.page"], capture_output=True)
    result("account-file-of-another-user", "" if p.returncode and not p.stdout else "it was read")


PLACES = ("/tmp", "/var/tmp", "/run", "/dev/shm")


def unwritten(name, setting):
    """In a mount namespace in which all that is commonly written to is empty before."""
    inside = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    mounts = "".join(f"mount -t tmpfs none {p} && " for p in PLACES if os.path.isdir(p))
    script = (f"exec 9<{LIBRARY} 8<{EXCHANGE}; {mounts} mkdir /tmp/home /tmp/own && cat <&9 >/tmp/own/library.so && cat <&8 >/tmp/own/exchange"
              " && chmod +x /tmp/own/exchange && cd /tmp/home && echo begun && "
              f"env {setting} HOME=/tmp/home TMPDIR=/tmp/home LD_PRELOAD=/tmp/own/library.so /tmp/own/exchange; echo status $?; "
              f"find {' '.join(PLACES)} -type f ! -path '/tmp/own/*'")
    p = subprocess.run(inside + ["sh", "-c", script], capture_output=True, text=True)
    if "begun" not in p.stdout:
        print(f"skip {name}: no mount namespace: {p.stderr.strip()[:100]}")
        return
    result(name, "" if p.stdout == "begun\nstatus 0\n" else p.stdout.replace("\n", " "))


# --- directories ---------------------------------------------------------------------------------------

def carries(name, directory, pages=None, before="", also=None, prefix=()):
    """The program does its work, and as many pages are there (None: whatever)."""
    where = directory if isinstance(directory, bytes) else os.fsencode(directory)
    command = list(prefix) + ["bash", "-c", before + '\nLD_PRELOAD="$2" TRACEBATON_DIR="$3" exec "$1"', "bash", EXCHANGE, LIBRARY, where]
    p = subprocess.run(command, capture_output=True, timeout=20)
    why = "" if p.returncode == 0 and not p.stderr else f"exit {p.returncode} {p.stderr[-200:]}"
    try:
        n = sum(f.endswith(b".page") and os.path.getsize(where + b"/" + f) == 65536 for f in os.listdir(where))
    except OSError:
        n = 0
    if not why and pages is not None and n != pages:
        why = f"{n} pages"
    result(f"account-{name}", why or (also() if also else ""))


def full(name, option):
    """A file system that takes the file's name but not its content, or not even the name."""
    directory = fresh("full")
    script = (f"mount -t tmpfs -o {option} none {directory} && (cat /dev/zero > {directory}/fill; i=0; while [ $i -lt 40 ] && : > {directory}/$i; do i=$((i+1)); done) 2>/dev/null;"
              f" mountpoint -q {directory} || exit 77; TRACEBATON_DIR={directory} LD_PRELOAD={LIBRARY} {EXCHANGE}")
    inside = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    p = subprocess.run(inside + ["sh", "-c", script], capture_output=True, text=True)
    if p.returncode == 77 or "unshare" in p.stderr:
        print(f"skip account-{name}: no file system of its own: {p.stderr.strip()[:100]}")
    else:
        result(f"account-{name}", "" if p.returncode == 0 else f"exit status {p.returncode} {p.stderr.strip()[-200:]}")


def same(path, content):
    def check():
        with open(path, "rb") as f:
            return "" if f.read() == content else f"{path} was written to"
    return check


def directories():
    real, victim = fresh("real"), f"{WHERE}/victim"
    with open(victim, "wb") as f:
        f.write(b"precious")
    os.symlink(real, f"{real}/link")
    carries("directory-is-a-symlink", f"{real}/link", 1)
    os.symlink(f"{WHERE}/nowhere", f"{real}/dangling")
    carries("directory-is-a-dangling-symlink", f"{real}/dangling", 0, also=lambda: "made" if os.path.exists(f"{WHERE}/nowhere") else "")
    os.symlink("loop", f"{real}/loop")
    carries("directory-is-a-loop", f"{real}/loop", 0)
    carries("directory-is-a-file", victim, 0, also=same(victim, b"precious"))
    for device in ("/dev/null", "/dev/full", "/proc/self/fd", "/proc/self/mem", ""):
        carries(f"directory-is-{device or 'empty'}", device, 0)
    carries("directory-of-4000-bytes", f"{WHERE}/" + "d" * 4000, 0)
    carries("directory-of-9000-bytes", "/" * 9000, 0)
    odd = os.fsencode(fresh("odd")) + b"/a\n\x1b[31m\xff %s\\"
    os.makedirs(odd)
    carries("directory-of-odd-bytes", odd, 1)
    carries("directory-is-relative", b".", None, before=f"cd {fresh('relative')}",
            also=lambda: "" if len(os.listdir(f"{WHERE}/relative")) == 1 else "no page")
    planted(victim)
    carries("limit-of-file-size", fresh("limited"), 0, before="ulimit -f 1")
    carries("no-file-descriptors", fresh("descriptors"), None, before="ulimit -n 16")
    full("full-file-system", "size=16k")
    full("no-inodes", "size=1m,nr_inodes=8")
    if os.geteuid() == 0 and shutil.which("setpriv"):
        as_nobody = ("setpriv", f"--reuid={NOBODY}", "--clear-groups")
        closed = fresh("closed")
        for mode in (0o755, 0o700, 0):
            os.chmod(closed, mode)
            carries(f"no-permission-{mode:o}", closed, 0, prefix=as_nobody)
    else:
        print("skip account-no-permission: not root, or no setpriv")


def planted(victim):
    """What another user may put where the page would be: it is not followed, opened or waited for."""
    for name, make in (("symlink", f"ln -s {victim} $3/$$.page"), ("fifo", "mkfifo $3/$$.page"), ("directory", "mkdir $3/$$.page"),
                       ("hard-link", f"ln {victim} $3/$$.page"), ("every-name", "for i in '' -{2..16}; do : > $3/$$$i.page; done")):
        directory = fresh("planted")
        carries(f"planted-{name}", directory, 0 if name == "every-name" else 1, before=make, also=same(victim, b"precious"))
        try:
            p = tool("stats", directory)
            result(f"stats-beside-a-planted-{name}", "" if p.returncode == 0 and (name == "every-name" or "inserted" in p.stdout) else p.stderr)
        except subprocess.TimeoutExpired:
            result(f"stats-beside-a-planted-{name}", "it waits for ever")


# --- pages that were made by an enemy --------------------------------------------------------------------

class Head(ctypes.Structure):
    """struct page_head of src/sys/page.h."""
    _fields_ = [("magic", ctypes.c_uint64)] + [(n, ctypes.c_uint32) for n in (
        "version", "bytes", "counters", "names_bytes", "pid", "events", "ring_at", "event_bytes", "children", "unused")]


def forged():
    directory = fresh("forged")
    subprocess.run([EXCHANGE], env=preloaded(TRACEBATON_DIR=directory), check=True)
    path = f"{directory}/{os.listdir(directory)[0]}"
    with open(path, "rb") as f:
        good = f.read()

    def with_head(**more):
        head = Head.from_buffer_copy(good)
        for k, v in more.items():
            setattr(head, k, v)
        return bytes(head) + good[ctypes.sizeof(Head):]

    at = ctypes.sizeof(Head)
    top = 0xffffffff
    cases = {"ring-at-the-end": with_head(ring_at=65535, events=0x3ffffff), "ring-beyond": with_head(ring_at=65536 - 8, events=512),
             "events": with_head(events=top), "counters": with_head(counters=top), "names": with_head(names_bytes=top),
             "names-of-nothing": with_head(names_bytes=0), "event-size": with_head(event_bytes=0), "no-events": with_head(events=0),
             "version": with_head(version=top), "escapes": good[:at] + b"\x1b]0;x" + good[at + 5:],
             "quotes": good[:at] + b'a":1,' + good[at + 5:], "bytes-above": good[:at] + b"\xff\xfe" + good[at + 2:],
             "names-without-end": good[:at] + b"x" * 16000 + good[at + 16000:]}
    for name, text in cases.items():
        with open(path, "wb") as f:
            f.write(text)
        got = [subprocess.run([TOOL, verb, directory], capture_output=True) for verb in ("stats", "why")]
        bad = [p for p in got if p.returncode or b"not a page" not in p.stderr or b"inserted" in p.stdout]
        result(f"forged-page-{name}", f"exit {bad[0].returncode}: {bad[0].stdout[:100]} {bad[0].stderr[:100]}" if bad else "")
    random.seed(1)
    worst = 0
    for _ in range(150):
        text = bytearray(good)
        for _ in range(random.choice((1, 3, 40))):
            text[random.choice((random.randrange(at), random.randrange(16384), random.randrange(16384, 65536)))] = random.choice((0, 1, 127, 255))
        with open(path, "wb") as f:
            f.write(text)
        for verb in ("stats", "why"):
            p = subprocess.run([TOOL, verb, "--json", directory], capture_output=True)
            worst = min(worst, p.returncode)
    result("forged-page-anything", f"killed by signal {-worst}" if worst else "")


def main():
    kills()
    others()
    unwritten("nothing-is-written-unasked", "-u TRACEBATON_DIR")
    unwritten("nothing-is-written-with-an-empty-name", "TRACEBATON_DIR=")
    directories()
    forged()
    return failed


sys.exit(main())
