# SPDX-License-Identifier: Apache-2.0
"""An application whose calls are made by other programs: curl, started in every way Python has."""
import multiprocessing
import os
import subprocess
import urllib.request

from flask import Flask, request

UP = os.environ["UPSTREAM"]
app = Flask(__name__)


def fetch(url):
    urllib.request.urlopen(url).read()


@app.route("/", methods=["GET", "POST"])
def handle():
    i = request.args["id"]
    request.get_data()
    if i != "0":
        url = f"http://{UP}/?id={i}&leg="
        subprocess.run(["curl", "-s", url + "a"], check=True, capture_output=True)
        os.system(f"curl -s '{url}c' >/dev/null")
        os.popen(f"curl -s '{url}d'").read()
        subprocess.run(f"true; curl -s '{url}e' | cat", shell=True, check=True, capture_output=True)
        p = multiprocessing.get_context("fork").Process(target=fetch, args=(url + "f",))
        p.start()
        p.join()
    return i
