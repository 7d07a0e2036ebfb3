# SPDX-License-Identifier: Apache-2.0
"""WSGI, calls that leave from threads: of the request's own (`call`: one a call; `group`: some that share the
request's queue), or of a pool that is made by the requests which first want it, and takes its jobs from a
queue.Queue, a SimpleQueue, a condition with a deque, a lock with a deque, or is a ThreadPoolExecutor."""
import os
import queue
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import requests

UP = os.environ["UPSTREAM"]
KIND = os.environ["KIND"]
SIZE = 6
workers, lock, condition, jobs = [], threading.Lock(), threading.Condition(), deque()
full, simple = queue.Queue(), queue.SimpleQueue()


def fetch(i, leg):
    requests.get(f"http://{UP}/?id={i}&leg={leg}")


# --- of the request's own -----------------------------------------------------------------------

def start_and_join(threads):
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def call(i, legs):
    start_and_join([threading.Thread(target=fetch, args=(i, leg)) for leg in legs])


def group(i, legs):
    left = queue.Queue()
    for leg in legs:
        left.put(leg)

    def work():
        while True:
            try:
                leg = left.get_nowait()
            except queue.Empty:
                return
            fetch(i, leg)
    start_and_join([threading.Thread(target=work) for _ in range(2)])


# --- pools --------------------------------------------------------------------------------------

def take_condition():
    with condition:
        while not jobs:
            condition.wait()
        return jobs.popleft()


def put_condition(job):
    with condition:
        jobs.append(job)
        condition.notify()


def take_deque():
    while True:
        with lock:
            if jobs:
                return jobs.popleft()
        time.sleep(0.001)


def put_deque(job):
    with lock:
        jobs.append(job)


def worker(take):
    while True:
        i, leg, done = take()
        fetch(i, leg)
        done.set()


def pool(take, put):
    def calls(i, legs):
        waits = []
        for leg in legs:
            waits.append(threading.Event())
            put((i, leg, waits[-1]))
            with lock:
                if len(workers) < SIZE:
                    workers.append(threading.Thread(target=worker, args=(take,), daemon=True))
                    workers[-1].start()
        for w in waits:
            w.wait()
    return calls


def executor(i, legs):
    with lock:
        if not workers:
            workers.append(ThreadPoolExecutor(SIZE))
    list(workers[0].map(lambda leg: fetch(i, leg), legs))


KINDS = {"call": call, "group": group, "executor": executor, "queue": pool(full.get, full.put),
         "simple": pool(simple.get, simple.put), "condition": pool(take_condition, put_condition),
         "deque": pool(take_deque, put_deque)}


def app(environ, start):
    i = environ["QUERY_STRING"].split("=")[1]
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if i != "0":
        KINDS[KIND](i, "acd")
    start("200 OK", [("Content-Length", str(len(i)))])
    return [i.encode()]
