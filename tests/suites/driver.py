# SPDX-License-Identifier: Apache-2.0
"""Run one module of CPython's own tests and write one line a verdict to a file: what `-v` prints,
but not mixed with what the tests and their children print.

    driver.py OUT MODULE RESOURCES NOT [LIST]   NOT: a pattern of tests to leave out; LIST: a file of those to run

Lines of OUT, tab-separated: `preload yes|no`, `list NAME`, `left NAME`, `start NAME`, `end NAME VERDICT SECONDS WHY`, `done`."""
import faulthandler
import os
import re
import sys
import time
import unittest

out = None
me = os.getpid()
RANK = ("ok", "skipped", "expected failure", "unexpected success", "FAIL", "ERROR")


def say(*words):
    if os.getpid() != me or out is None:  # a child that a test forked and that came back here
        return
    line = "\t".join(str(w).replace("\t", " ").replace("\n", " ") for w in words) + "\n"
    fd = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    os.write(fd, line.encode("utf-8", "backslashreplace"))
    os.close(fd)  # tests count open descriptors: keep none


class Result(unittest.TestResult):
    verdict = why = None

    def startTest(self, test):
        super().startTest(test)
        self.verdict, self.why, self.start = "ok", "", time.time()
        say("start", test.id())

    def stopTest(self, test):
        say("end", test.id(), self.verdict, f"{time.time() - self.start:.2f}", self.why)
        self.verdict = None
        super().stopTest(test)

    def note(self, test, verdict, why):
        if self.verdict is None:  # setUpClass, setUpModule and their tearDowns
            say("end", test.id(), verdict, "0", why)
        elif RANK.index(verdict) > RANK.index(self.verdict):
            self.verdict, self.why = verdict, why

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)

    def bad(self, test, verdict, err):
        text = self._exc_info_to_string(err, test)
        sys.stderr.write(f"{'=' * 70}\n{verdict}: {test.id()}\n{text}\n")
        sys.stderr.flush()
        self.note(test, verdict, text.strip().splitlines()[-1][:300])

    def addFailure(self, test, err):
        self.bad(test, "FAIL", err)

    def addError(self, test, err):
        self.bad(test, "ERROR", err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.bad(test, "FAIL" if issubclass(err[0], test.failureException) else "ERROR", err)

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure", "")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success", "")


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main():
    # Here and not above: the children of multiprocessing import this file as their main module.
    global out
    out, module, resources, leave_out = sys.argv[1:5]
    only = None
    if len(sys.argv) > 5:
        with open(sys.argv[5], encoding="utf-8") as f:
            only = set(f.read().splitlines())
    del sys.argv[1:]

    def wanted(test):
        return (only is None or test.id() in only) and not (leave_out and re.search(leave_out, test.id()))

    with open("/proc/self/maps", encoding="utf-8", errors="replace") as f:
        say("preload", "yes" if "libtracebaton" in f.read() else "no")
    faulthandler.enable()
    from test import support
    from test.support import threading_helper
    support.verbose = 1
    support.use_resources = resources.split(",")
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(module)
    except unittest.SkipTest as e:
        say("end", module, "skipped", "0", e)
        say("done")
        return
    for test in tests_of(suite):
        say("list" if wanted(test) else "left", test.id())
    if only is not None or leave_out:
        suite = unittest.TestSuite(t for t in tests_of(suite) if wanted(t))
    result = Result()
    before = threading_helper.threading_setup()
    try:
        suite.run(result)
    except unittest.SkipTest as e:
        say("end", module, "skipped", "0", e)
    threading_helper.threading_cleanup(*before)
    support.reap_children()
    say("done")


if __name__ == "__main__":
    main()
