#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's test suites, each run plain and preloaded, and the verdicts compared test by test.

    run [--all] [--budget SECONDS] [--jobs N] [--list] [--keep] [NAME...]

Without --all: the suites marked `make check`, within the budget. A test whose verdict differs is run
again twice each way, alone; if it agrees then, its whole unit (module, file) is run again each way,
as it may need what the tests before it left. What differs again, steadily, is the library's doing;
what plain runs disagree about among themselves is the suite's own. What is not run is said."""
import argparse
import collections
import contextlib
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
SO = os.path.join(BUILD, "libtracebaton.so")
OUT = os.path.join(BUILD, "suites")
MODES = ("plain", "preld")  # of one length: paths of Unix sockets have a limit
PYTHON = "/usr/bin/python3"
AS_NOBODY = "@nobody"
QUIET = 150  # seconds without a verdict: the test hangs
APT_SOURCES = """Types: deb-src
URIs: http://deb.debian.org/debian
Suites: %s
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


class Absent(Exception):
    """The suite cannot be had; the message says why."""


def text_of(command, **kw):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, check=False, **kw).stdout


fetch_lock = threading.Lock()
absent = {}


def source(package):
    """The unpacked Debian source of a package, fetched once, with lists of our own: no system file is changed."""
    with fetch_lock:
        if package in absent:
            raise Absent(absent[package])
        home = os.path.join(OUT, "src", package)
        for path in glob.glob(os.path.join(home, "*", "")):
            return path.rstrip("/")
        apt = os.path.join(OUT, "apt")
        for d in ("etc", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(apt, d), exist_ok=True)
        with open("/etc/os-release", encoding="utf-8") as f:
            suite = dict(re.findall(r'^(\w+)="?([^"\n]*)', f.read(), re.M)).get("VERSION_CODENAME", "stable")
        with open(os.path.join(apt, "etc", "src.sources"), "w", encoding="utf-8") as f:
            f.write(APT_SOURCES % suite)
        get = ["apt-get", "-q"] + [x for o in (
            "Dir::Etc::sourcelist=/dev/null", f"Dir::Etc::sourceparts={apt}/etc", f"Dir::State::lists={apt}/lists",
            f"Dir::Cache={apt}/cache", "APT::Sandbox::User=root", "Acquire::Retries=2") for x in ("-o", o)]
        if not glob.glob(os.path.join(apt, "lists", "*Sources*")):
            text_of(get + ["update"], timeout=120)
        tmp = home + ".tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        os.makedirs(tmp)
        said = text_of(get + ["source", package], cwd=tmp, timeout=240)
        if not glob.glob(os.path.join(tmp, "*", "")):
            why = [line for line in said.splitlines() if line.startswith("E: ")] or ["no source"]
            absent[package] = f"apt-get source {package}: {why[0][:200]}"
            raise Absent(absent[package])
        os.rename(tmp, home)
        return glob.glob(os.path.join(home, "*", ""))[0].rstrip("/")


# ---- the kinds of suites: how a unit is started, and where its verdicts are ----

class Kind:
    again_alone = True  # single tests of a unit can be run
    turn = contextlib.nullcontext()  # held while a unit runs

    def prepare(self, suite):
        """Raise Absent, or return the units of the suite."""
        raise NotImplementedError

    def command(self, unit, where, only):
        """(command, directory, more environment)"""
        raise NotImplementedError

    def verdicts(self, where):
        """{test: (verdict, why)}, the test that was being run, the names not reached, whether it came to its end."""
        return read_lines(os.path.join(where, "out"))


left = set()  # tests that the patterns of BROKEN and SLOW left out


def read_lines(path):
    seen, running, listed, done, preload = {}, None, [], False, None
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        what, *rest = line.split("\t")
        if what == "start":
            running = rest[0]
        elif what == "list":
            listed.append(rest[0])
        elif what == "left":
            left.add(rest[0])
        elif what == "end":
            running = None if running == rest[0] else running
            if rest[0] not in seen or seen[rest[0]][0] == "ok":
                seen[rest[0]] = (rest[1], rest[3] if len(rest) > 3 else "")
        elif what == "done":
            done = True
        elif what == "preload":
            preload = rest[0]
    return seen, running, [t for t in listed if t not in seen], done, preload


class CPython(Kind):
    def prepare(self, suite):
        where = text_of([PYTHON, "-c", "import test.test_socket as t, os; print(os.path.dirname(t.__file__))"]).strip()
        if not os.path.isdir(where):
            raise Absent("Debian's libpython3.11-testsuite is not installed for " + PYTHON)
        if os.path.isdir(os.path.join(where, suite)):
            return ["test." + suite + "." + os.path.basename(f)[:-3]
                    for f in sorted(glob.glob(os.path.join(where, suite, "test_*.py")))
                    if "windows" not in f and "proactor" not in f]
        if not os.path.exists(os.path.join(where, suite + ".py")):
            raise Absent(f"this version of CPython has no {suite}")
        # Root is spared some tests (CGI, permissions): run those as nobody, too.
        units = ["test." + suite]
        if suite in ("test_httpservers", "test_os", "test_posix") and os.geteuid() == 0:
            if text_of(["sha256sum", SO, os.path.join(HERE, "driver.py")]) == text_of(
                    ["sha256sum", SO, os.path.join(HERE, "driver.py")], user="nobody"):
                units.append("test." + suite + AS_NOBODY)
            else:
                print(f"skip suites {suite}{AS_NOBODY}: nobody may not read {SO}")
        return units

    def command(self, unit, where, only):
        unit = unit.removesuffix(AS_NOBODY)
        command = [PYTHON, os.path.join(HERE, "driver.py"), os.path.join(where, "out"), unit,
                   RESOURCES.get(unit, "cpu,subprocess"), "|".join(left_out())]
        if only is not None:
            with open(os.path.join(where, "only"), "w", encoding="utf-8") as f:
                f.write("\n".join(only))
            command.append(os.path.join(where, "only"))
        cwd = os.path.join(where, "cwd")
        os.makedirs(cwd, exist_ok=True)
        return command, cwd, {"PYTHONDONTWRITEBYTECODE": "1"}


class Ruby(Kind):
    def prepare(self, suite):
        package, patterns = RUBY[suite]
        src = source(package)
        source("ruby3.1")
        units = [p for pattern in patterns for p in sorted(glob.glob(os.path.join(src, pattern)))]
        if not units:
            raise Absent("the source package has no such tests")
        return [f"{package}:{os.path.relpath(u, src)}" for u in units]

    def command(self, unit, where, only):
        package, path = unit.split(":")
        ruby = source("ruby3.1")
        tree = os.path.join(where, "cwd")
        os.makedirs(tree)
        os.symlink(os.path.join(source(package), "test"), os.path.join(tree, "test"))
        os.symlink(os.path.join(ruby, "tool"), os.path.join(tree, "tool"))
        command = ["ruby3.1", "-I", "tool/lib", "-I", "test/lib", "-r", os.path.join(HERE, "verdicts.rb"),
                   "tool/test/runner.rb", "-v", "--seed=1", "--name=!/memory_leak/"]
        if only is not None:
            command[-1] = "--name=/^(" + "|".join(re.escape(t) for t in only) + ")$/"
        return command + [path], tree, {"TB_OUT": os.path.join(where, "out"), "OPENSSL_CONF": ruby + "/debian/openssl.cnf"}


class Perl(Kind):
    """Files that print TAP: the test is `file N`, as what follows the number may name ports and times."""
    again_alone = False

    def prepare(self, suite):
        package, patterns, _ = PERL[suite]
        src = source(package)
        seen = text_of(["perl", "-e", "open F, '/proc/self/maps'; print <F>"], env=environment("preld", {}, "/tmp"))
        if "libtracebaton" not in seen:
            raise Absent("perl does not load the library")
        units = [p for pattern in patterns for p in sorted(glob.glob(os.path.join(src, pattern)))
                 if not p.endswith("00-report-prereqs.t")]
        if not units:
            raise Absent("the source package has no such tests")
        return [f"{suite}:{os.path.relpath(u, src)}" for u in units]

    def command(self, unit, where, only):
        suite, path = unit.split(":")
        package, _, sub = PERL[suite]
        src = source(package)
        tree = os.path.join(where, "cwd")
        base = re.sub(r"(^|/)(t|lib)/.*", "", path) if sub == "." else sub
        file = os.path.relpath(path, base or ".")
        args = ["perl", "-It/lib", file]
        t = os.path.join(tree, "t")
        if suite == "perl-core-io":
            os.makedirs(os.path.join(t, os.path.dirname(file)[2:]))
            for f in [os.path.join(src, "t", n) for n in ("TEST", "harness")] + glob.glob(os.path.join(src, "t", "*.pl")):
                shutil.copyfile(f, os.path.join(t, os.path.basename(f)))
            os.symlink(os.path.join(src, "t", "lib"), os.path.join(t, "lib"))
            for f in glob.glob(os.path.join(src, "t", "io", "*")) if "/io/" in file else [os.path.join(src, file)]:
                shutil.copyfile(f, os.path.join(t, os.path.dirname(file)[2:], os.path.basename(f)))
            os.symlink(merged_lib(os.path.join(OUT, "perl-lib")), os.path.join(tree, "lib"))
            args, tree = ["perl", file[2:]], t
        else:
            shutil.copytree(os.path.join(src, base), tree, symlinks=True, dirs_exist_ok=True,
                            ignore=None if base else lambda d, names: [n for n in names if n in ("lib", ".git", "blib") and d == src])
            if package == "perl" and not os.path.exists(os.path.join(t, "test.pl")):
                shutil.copyfile(os.path.join(src, "t", "test.pl"), os.path.join(t, "test.pl"))
        return args, tree, {"PERL_USE_UNSAFE_INC": "1", "NO_NETWORK_TESTING": "1"}

    def verdicts(self, where):
        seen, plan, last = {}, None, 0
        with open(os.path.join(where, "log"), encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        for line in lines:
            m = re.match(r"1\.\.(\d+)(.*)", line)
            if m:
                plan = int(m.group(1))
                if plan == 0:
                    seen["all"] = ("skipped", m.group(2).strip(" #"))
            m = re.match(r"(not ok|ok)(?: (\d+))?([^#]*)(#\s*(skip|todo).*)?", line, re.I)
            if m:
                last = int(m.group(2) or last + 1)
                verdict = {"ok": "ok", "not ok": "FAIL"}[m.group(1)]
                if m.group(5):
                    verdict = "skipped" if m.group(5).lower() == "skip" else "todo " + verdict
                seen.setdefault(str(last), (verdict, m.group(3).strip()))
        missing = [str(i) for i in range(1, (plan or 0) + 1) if str(i) not in seen]
        return seen, None, missing, True, None


def merged_lib(lib):
    """What perl's own build has in lib/, where its tests look: the installed modules, as links."""
    with fetch_lock:
        if not os.path.isdir(lib):
            shutil.rmtree(lib + ".tmp", ignore_errors=True)
            link_modules(lib + ".tmp")
            os.rename(lib + ".tmp", lib)
    return lib


def link_modules(lib):
    shown = text_of(["perl", "-MConfig", "-e", 'print join "\\n", @Config{qw(privlibexp archlibexp)}, @INC'])
    for d in dict.fromkeys(shown.splitlines()):
        if not os.path.isdir(d) or "/local/" in d:
            continue
        for root, _, files in os.walk(d):
            to = os.path.join(lib, os.path.relpath(root, d))
            os.makedirs(to, exist_ok=True)
            for f in files:
                if not os.path.lexists(os.path.join(to, f)):
                    os.symlink(os.path.join(root, f), os.path.join(to, f))


class Libuv(Kind):
    """Node's event loop: its own tests, built from Debian's source, one test a unit. They use fixed ports."""

    turn = threading.Lock()

    def prepare(self, suite):
        if not shutil.which("cmake"):
            raise Absent("cmake is not installed")
        src = source("libuv1")
        build = os.path.join(src, "build-tests")
        runner = os.path.join(build, "uv_run_tests_a")
        if not os.path.exists(runner):
            text_of(["cmake", "-S", src, "-B", build, "-DLIBUV_BUILD_TESTS=ON", "-DCMAKE_BUILD_TYPE=Release"], timeout=120)
            said = text_of(["make", "-C", build, "-j2", "uv_run_tests_a"], timeout=400)
            if not os.path.exists(runner):
                raise Absent("the tests cannot be built: " + " ".join(said.splitlines()[-2:])[:200])
        user = {"user": "nobody"} if os.geteuid() == 0 else {}  # root is refused
        names = [n for n in text_of([runner, "--list"], **user).split() if LIBUV.match(n)]
        if not names:
            raise Absent("uv_run_tests --list names no tests")
        return [f"libuv:{n}" + (AS_NOBODY if user else "") for n in names]

    def command(self, unit, where, only):
        build = os.path.join(source("libuv1"), "build-tests")
        name = unit.split(":")[1].replace(AS_NOBODY, "")
        return [os.path.join(build, "uv_run_tests_a"), name], build, {"UV_TEST_TIMEOUT_MULTIPLIER": "4"}

    def verdicts(self, where):
        with open(os.path.join(where, "log"), encoding="utf-8", errors="replace") as f:
            m = re.search(r"^(ok|not ok) 1 - (\S+)(.*)", f.read(), re.M)
        if not m:
            return {}, None, [], False, None
        verdict = "skipped" if "# SKIP" in m.group(3) else {"ok": "ok", "not ok": "FAIL"}[m.group(1)]
        return {m.group(2): (verdict, m.group(3).strip())}, None, [], True, None


class Named(Kind):
    """A suite that is known not to be had."""

    def prepare(self, suite):
        raise Absent(NEVER[suite])


# ---- the suites: name, kind, whether `make check` runs it, seconds it takes one way (longest first) ----

RUBY = {
    "ruby-net-http": ("ruby3.1", ["test/net/http/test_*.rb", "test/net/protocol/test_*.rb", "test/open-uri/test_*.rb"]),
    "ruby-socket": ("ruby3.1", ["test/socket/test_*.rb", "test/io/*/test_*.rb"]),
    "ruby-io": ("ruby3.1", ["test/ruby/test_io.rb", "test/ruby/test_io_m17n.rb"]),
    "ruby-process": ("ruby3.1", ["test/ruby/test_process.rb", "test/ruby/test_signal.rb"]),
    "ruby-openssl-ssl": ("ruby3.1", ["test/openssl/test_ssl.rb"]),
    "ruby-webrick": ("ruby-webrick", ["test/webrick/test_*.rb"]),
}
PERL = {
    "perl-http-daemon": ("libhttp-daemon-perl", ["t/*.t"], ""),
    "perl-lwp": ("libwww-perl", ["t/*.t", "t/*/*.t", "t/*/*/*.t"], ""),
    "perl-core-io": ("perl", ["t/io/*.t", "t/op/fork.t", "t/op/sysio.t", "t/op/sselect.t", "t/op/alarm.t",
                              "t/op/die_keeperr.t", "t/op/exec.t", "t/op/kill0.t", "t/op/readline.t"], ""),
    "perl-io-socket": ("perl", ["dist/IO/t/*.t", "cpan/Socket/t/*.t", "cpan/IO-Socket-IP/t/*.t",
                                "cpan/HTTP-Tiny/t/*.t", "cpan/libnet/t/*.t"], "."),
}
# test_socketserver calls loopback a network; elsewhere the resource means the internet.
RESOURCES = {"test.test_socketserver": "cpu,subprocess,network"}
# What of libuv is about sockets, descriptors, children, signals and the loop itself.
LIBUV = re.compile(r"(tcp|pipe|poll|udp|spawn|fork|signal|shutdown|socket|delayed_accept|connect|callback_order|close|"
                   r"ipc|listen|loop|read|write|stream|dup|handle|kill|metrics|multiple_listen|ref|tty|not_|osx|queue|"
                   r"get|env|closed_fd|emfile|eintr|async|threadpool|barrier|condvar|semaphore|cwd|error)")
NEVER = {
    "test_urllibnet": "its tests are requests to hosts of the internet",
}


def table():
    for name in ("test_socket test_ssl test_httplib test_httpservers test_subprocess test_posix test_signal "
                 "test_threading test_urllib test_urllib2 test_urllib2_localnet test_wsgiref test_os test_fork1 "
                 "test_selectors test_poll test_epoll test_select test_socketserver test_ftplib test_smtplib "
                 "test_poplib test_imaplib test_xmlrpc test_telnetlib test_asyncio test_io "
                 "test_multiprocessing_fork test_multiprocessing_spawn").split():
        yield name, CPython()
    yield "test_urllibnet", Named()
    for name in PERL:
        yield name, Perl()
    for name in RUBY:
        yield name, Ruby()
    yield "libuv", Libuv()


# Left out unless --all: whole units that take long or say little about sockets, and single slow tests.
LONG = {
    r"test\.test_io$": "36 s each way",
    r"ruby3\.1:test/ruby/": "80 s each way",
    r"libuv:(?!(tcp|pipe|spawn)_[a-m])": "60 s each way",
    r"ruby3\.1:test/openssl/": "long",
    r"perl-core-io:t/(op/|io/(crlf|through|nargv|perlio|open\.|layers|utf8|bom|inplace|print|pvbm|argv|binmode|iprefix|data|"
    r"say|tell|read|paragraph|getcwd|defout|fs|iofile))": "60 s each way",
    r"perl-io-socket:cpan/HTTP-Tiny/t/(0|1[0-6])": "no sockets in them",
}
SLOW = {
    r"SiginterruptTest\.test_siginterrupt_off$": "30 s of sleep",
    r"PollTests\.test_poll2$": "10 s of sleep",
    r"MultiPathServerTestCase\.": "3 s of sleep each",
    r"NewIMAP(SSL)?Tests\.test_(imaplib_timeout_test|ssl_verified|ssl_raises)$": "5 s of sleep each",
}
# Never: what does not work on this kind of machine without the library, either.
BROKEN = {
    r"ThreadedVSOCKSocketStreamTest\.": "hangs without the library, too, where vsock has no loopback",
}
# Units known to be long are started first; the others have 1.
WEIGHT = {"test.test_multiprocessing_spawn": 300, "test.test_multiprocessing_fork": 80, "test.test_signal": 48,
          "test.test_ssl": 36, "test.test_subprocess": 30, "test.test_socket": 29, "test.test_imaplib": 28,
          "test.test_io": 36, "ruby3.1:test/ruby/test_process.rb": 38, "test.test_selectors": 15,
          "test.test_threading": 14, "test.test_ftplib": 12, "test.test_asyncio.test_tasks": 32,
          "test.test_asyncio.test_subprocess": 15, "test.test_asyncio.test_events": 12, "test.test_poplib": 9,
          "ruby3.1:test/net/http/test_http.rb": 12, "test.test_xmlrpc": 27}
EVERYTHING = False


def left_out():
    return list(BROKEN) + ([] if EVERYTHING else list(SLOW))


# ---- one run of one unit ----

class Run:
    def __init__(self):
        self.verdicts, self.cut, self.seconds = {}, False, 0.0


def environment(mode, more, tmp):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("TRACEBATON", "LD_", "PYTHON", "PERL5", "RUBY"))
           and not k.lower().endswith("_proxy") and k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    env.update(more, TMPDIR=tmp, HOME=tmp, LC_ALL="C.UTF-8")
    if mode == "preld":
        env["LD_PRELOAD"] = SO
    return env


def start_and_watch(user, command, cwd, env, where, deadline):
    """(exit status or None, "hung" / "cut" / ""); a test that says nothing for QUIET seconds hangs."""
    grown, size = time.time(), -1
    with open(os.path.join(where, "log"), "ab") as log:
        p = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True, **user)
    why = ""
    while True:
        try:
            p.wait(0.2)
            break
        except subprocess.TimeoutExpired:
            pass
        now = sum(os.path.getsize(f) for f in glob.glob(os.path.join(where, "out"))) or os.path.getsize(where + "/log")
        if now != size:
            grown, size = time.time(), now
        why = "cut" if time.time() > deadline else "hung" if time.time() - grown > QUIET else ""
        if why:
            break
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.wait()
    return p.returncode, why


def run_unit(kind, unit, mode, only, deadline, keep_as):
    """All verdicts of a unit; one that dies or hangs under a test is started again for the tests after it."""
    result, start = Run(), time.time()
    for attempt in range(6):
        base = tempfile.mkdtemp(prefix="tbs-", dir="/tmp")
        where = os.path.join(base, mode)
        os.makedirs(os.path.join(where, "tmp"))
        try:
            command, cwd, more = kind.command(unit, where, only)
            user = {}
            if unit.endswith(AS_NOBODY):
                user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
                for d, _, files in os.walk(base):
                    for path in [d] + [os.path.join(d, f) for f in files]:
                        shutil.chown(path, "nobody", "nogroup")
            with kind.turn:
                status, why = start_and_watch(user, command, cwd, environment(mode, more, where + "/tmp"), where, deadline)
            seen, at, missing, done, preload = kind.verdicts(where)
        finally:
            logs = os.path.join(OUT, "logs")
            os.makedirs(logs, exist_ok=True)
            name = f"{re.sub('[^A-Za-z0-9_.-]', '_', unit)}.{keep_as}.{mode}" + (f".{attempt}" if attempt else "")
            for f in ("out", "log"):
                if os.path.exists(os.path.join(where, f)):
                    shutil.copyfile(os.path.join(where, f), os.path.join(logs, f"{name}.{f}"))
            if not os.environ.get("KEEP"):
                shutil.rmtree(base, ignore_errors=True)
        for t, v in seen.items():
            result.verdicts.setdefault(t, v)
        if preload and preload != ("yes" if mode == "preld" else "no"):
            result.verdicts["(the library is loaded)"] = ("ERROR", f"loaded: {preload}, mode {mode}")
        if why == "cut":
            result.cut = True
            break
        if not isinstance(kind, Perl) and done:
            if only is None and status < 0:
                result.verdicts["(exit status)"] = (f"status {status}", "")
            break
        if isinstance(kind, Perl):
            for t in missing:
                result.verdicts[t] = ("not run", "")
            result.verdicts["exit status"] = ("HUNG" if why else f"status {status}", "")
            break
        result.verdicts[at or "(before any test)"] = ("HUNG" if why == "hung" else f"DIED, status {status}", "")
        rest = [t for t in missing if t != at]
        if not rest or at is None:
            for t in rest:
                result.verdicts[t] = ("not run", "")
            break
        only = rest
    result.seconds = time.time() - start
    return result


# ---- comparing ----

def differing(plain, preloaded):
    names = list(dict.fromkeys(list(plain.verdicts) + list(preloaded.verdicts)))
    if plain.cut or preloaded.cut:
        names = [n for n in names if n in plain.verdicts and n in preloaded.verdicts]
    none = ("not run", "")
    return names, [n for n in names if plain.verdicts.get(n, none)[0] != preloaded.verdicts.get(n, none)[0]]


def judge(kind, unit, first, names, limit):
    """Run again what differs. {test: (judgement, words)}, judgement one of differs, flaky, once."""
    told = {n: {m: [first[m].verdicts.get(n, ("not run", ""))] for m in MODES} for n in names}

    def add(run_of, which):
        for n in which:
            for m in MODES:
                told[n][m].append(run_of[m].verdicts.get(n, ("not run", "")))

    def verdict(n):
        sets = {m: {v for v, _ in told[n][m]} for m in MODES}
        if len(sets["plain"]) > 1:
            return "flaky"
        # Differs: every repetition of some kind (alone, or in the whole unit) differed again.
        again = [a[0] != b[0] for a, b in zip(told[n]["plain"][1:], told[n]["preld"][1:])]
        return "differs" if sum(again) >= 2 else "open"

    def both(only, tag):
        return {m: run_unit(kind, unit, m, only, time.time() + limit, tag) for m in MODES}

    if kind.again_alone:
        for i in (1, 2):
            add(both(names, f"again{i}"), names)
    for i in (3, 4):
        left = [n for n in names if verdict(n) == "open"]
        if left:
            add(both(None, f"again{i}"), left)
    words = {}
    for n in names:
        v = verdict(n)
        text = " ".join(f"{'plain' if m == 'plain' else 'preloaded'}={','.join(x for x, _ in told[n][m])}" for m in MODES)
        why = next((w for x, w in told[n]["preld"] + told[n]["plain"] if w and x not in ("ok", "skipped")), "")
        words[n] = ("once" if v == "open" else v, f"{text}{' (' + why[:160] + ')' if why else ''}")
    return words


def last_words(unit):
    with open(os.path.join(OUT, "logs", re.sub("[^A-Za-z0-9_.-]", "_", unit) + ".first.plain.log"), encoding="utf-8",
              errors="replace") as f:
        lines = f.read().splitlines()
    lines = [x for x in lines if re.search(r"Can't|cannot|rror|No such|ailed", x)] or lines
    return lines[0][:160] if lines else "says nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true", help="the long suites, too, and no budget")
    parser.add_argument("--budget", type=float, default=None, help="seconds for the first runs of all (default 1100)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--times", action="store_true", help="print what each unit took")
    parser.add_argument("names", nargs="*")
    a = parser.parse_args()
    every = dict(table())
    for n in a.names:
        if n not in every:
            parser.error(f"no suite {n}; they are: {' '.join(every)}")
    if a.list:
        for n in every:
            print(n)
        return 0
    if not os.path.exists(SO):
        print(f"not ok suites: {SO} is missing; run make")
        return 1
    shutil.rmtree(os.path.join(OUT, "logs"), ignore_errors=True)
    start = time.time()
    deadline = start + (a.budget or (1e9 if a.all or a.names else 1100))
    units, skips, notes = {}, {}, collections.defaultdict(list)
    global EVERYTHING
    EVERYTHING = a.all or bool(a.names)
    for name, kind in every.items():
        if a.names and name not in a.names:
            continue
        try:
            units[name] = kind.prepare(name)
            for pattern, why in LONG.items() if not EVERYTHING else ():
                far = [u for u in units[name] if re.match(pattern, u)]
                units[name] = [u for u in units[name] if u not in far]
                if far:
                    notes[name].append(f"skip suites {name}/long: {len(far)} units ({' '.join(map(os.path.basename, far))[:200]}) "
                                       f"only with --all: {why}")
        except (Absent, subprocess.TimeoutExpired, OSError) as e:
            skips[name] = str(e)
    jobs = [(name, u) for name in units for u in units[name]]
    jobs.sort(key=lambda j: -WEIGHT.get(j[1], 1))
    status = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        first = {(n, u, m): pool.submit(run_unit, every[n], u, m, None, deadline, "first") for n, u in jobs for m in MODES}
        for name in every:
            if name in skips:
                print(f"skip suites {name}: {skips[name]}", flush=True)
            for note in notes[name]:
                print(note, flush=True)
            if not units.get(name):
                continue
            total, cut, count = 0, [], collections.Counter()
            differ, flaky, once, seconds = [], [], [], 0
            for u in units[name]:
                runs = {m: first[name, u, m].result() for m in MODES}
                seconds += sum(r.seconds for r in runs.values())
                names, d = differing(runs["plain"], runs["preld"])
                total += len(names)
                count.update(v for v, _ in runs["plain"].verdicts.values())
                if any(r.cut for r in runs.values()):
                    cut.append(u)
                if a.times:
                    print(f"  {u}: {len(names)} tests, {' + '.join(f'{runs[m].seconds:.1f}' for m in MODES)} s")
                if d:
                    limit = 60 + 2 * max(r.seconds for r in runs.values())
                    # In the pool, so that no more than its number of jobs run at a time.
                    for n, (v, words) in pool.submit(judge, every[name], u, runs, d, limit).result().items():
                        {"differs": differ, "flaky": flaky, "once": once}[v].append(f"{u} {n} {words}")
            for u in units[name]:
                bad = [f"{n}: {v[0]}" for n, v in first[name, u, "plain"].result().verdicts.items()
                       if v[0].startswith(("not run", "DIED", "HUNG", "status")) and v[0] != "status 0"]
                if bad:
                    print(f"skip suites {name}/{os.path.basename(u)}: does not work without the library, too: {', '.join(bad)[:120]}; "
                          f"{last_words(u)}", flush=True)
            for pattern, why in list(BROKEN.items()) + list(SLOW.items()):
                n = sorted(t for t in left if re.search(pattern, t) and t.startswith(f"test.{name}."))
                if n and pattern in left_out():
                    print(f"skip suites {name}/{n[0].split('.', 2)[2]}{f' and {len(n) - 1} more' if n[1:] else ''}: {why}"
                          + (", only with --all" if pattern in SLOW else ""), flush=True)
            own = ", ".join(f"{v}: {n}" for v, n in sorted(count.items()) if v not in ("ok", "status 0"))
            print(f"   {name}: tests run {total}, verdicts that differ {len(differ)} (flaky plain: {len(flaky)}, "
                  f"not seen again: {len(once)}), {seconds:.0f} s; both ways {own or 'all ok'}")
            for kind_of, found in (("flaky plain", flaky), ("not seen again", once), ("differs", differ)):
                for f in found[:20] + ([f"and {len(found) - 20} more"] if found[20:] else []):
                    print(f"   {kind_of}: {f}")
            if cut:
                print(f"skip suites {name}: the budget was spent in {' '.join(cut)}; {total} tests compared", flush=True)
            if differ:
                status = 1
                print(f"not ok suites {name}: {len(differ)} of {total}: test {'; '.join(differ)[:1500]}", flush=True)
            elif total:
                print(f"ok suites {name} ({total} tests, 0 differ)", flush=True)
            elif not cut:
                status = 1
                print(f"not ok suites {name}: no test was run", flush=True)
    print(f"   all in {time.time() - start:.0f} s; logs in {os.path.join(OUT, 'logs')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
