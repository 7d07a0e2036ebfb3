# SPDX-License-Identifier: Apache-2.0
"""One hop on an event loop: httpx, connections kept; no framework, so that the hop is most of the work."""
import os

import httpx

URL = "http://" + os.environ["UPSTREAM"] + "/x"
client = httpx.AsyncClient()


async def app(scope, receive, send):
    body = (await client.get(URL)).content
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
