# SPDX-License-Identifier: Apache-2.0
"""One hop: what the upstream says is what the handler says. A session of requests, connections kept."""
import os

import requests

URL = "http://" + os.environ["UPSTREAM"] + "/x"
session = requests.Session()


def app(environ, start):
    body = session.get(URL).content
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
