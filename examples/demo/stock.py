# SPDX-License-Identifier: Apache-2.0
"""Last hop: the stock, under gunicorn. It knows nothing of tracing."""
import itertools

left = itertools.count(100, -1)


def app(environ, start):
    body = str(next(left)).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
