# SPDX-License-Identifier: Apache-2.0
"""An application without any tracing: three clients, four calls."""
import http.client
import os
import time

import requests
import urllib3
from flask import Flask, request

UP = os.environ["UPSTREAM"]
DECOY = "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n" % 0xdec0
app = Flask(__name__)
session = requests.Session()
pool = urllib3.PoolManager(maxsize=8)


def calls(i):
    requests.get(f"http://{UP}/?id={i}&leg=a")
    requests.post(f"http://{UP}/?id={i}&leg=b", data=(DECOY * 20 + i).encode())
    time.sleep(0.002)
    pool.request("GET", f"http://{UP}/?id={i}&leg=c")
    session.get(f"http://{UP}/?id={i}&leg=d")
    c = http.client.HTTPConnection(UP)
    c.request("GET", f"/?id={i}&leg=e")
    c.getresponse().read()


@app.route("/", methods=["GET", "POST"])
def handle():
    i = request.args["id"]
    request.get_data()
    if i != "0":
        calls(i)
    return i


def fan_out(environ, start):
    """WSGI: the calls leave from a thread pool."""
    i = environ["QUERY_STRING"].split("=")[1]
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if i != "0":
        jobs = [EXECUTOR.submit(requests.get, f"http://{UP}/?id={i}&leg={leg}") for leg in "acd"]
        for j in jobs:
            j.result()
    start("200 OK", [("Content-Length", str(len(i)))])
    return [i.encode()]


if os.environ.get("FAN_OUT"):
    from concurrent.futures import ThreadPoolExecutor
    EXECUTOR = ThreadPoolExecutor(6)
