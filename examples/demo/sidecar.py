# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the mesh's sidecars: what Envoy does to the headers, no more.

Every request into a service and every request out of one passes a proxy that makes a span: it
continues the trace that the request names, or begins a new one where it names none. It cannot know
which outbound request belongs to which inbound one: only the service can, by passing the headers
on."""
import http.client
import http.server
import itertools
import secrets
import socketserver
import threading

SPANS = []
LOCK = threading.Lock()
ORDER = itertools.count()


class Span:
    def __init__(self, service, kind, path, headers):
        parent = headers.get("traceparent", "")
        parts = parent.split("-")
        known = len(parts) == 4 and len(parts[1]) == 32
        self.trace = parts[1] if known else secrets.token_hex(16)
        self.parent = parts[2] if known else None
        self.id = secrets.token_hex(8)
        self.service, self.kind, self.path = service, kind, path
        self.order = next(ORDER)

    def headers(self, old):
        """The request's headers with this span in them."""
        new = {k: v for k, v in old.items() if k.lower() not in ("traceparent", "x-request-id")}
        new["traceparent"] = f"00-{self.trace}-{self.id}-01"
        new["x-request-id"] = old.get("x-request-id") or secrets.token_hex(16)
        return new


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One direction of one sidecar: `kind` is "in" or "out"."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, service, kind, target):
        super().__init__(("127.0.0.1", 0), Handler)
        self.service, self.kind, self.target = service, kind, target
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        span = Span(self.server.service, self.server.kind, self.path, self.headers)
        with LOCK:
            SPANS.append(span)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        c = http.client.HTTPConnection(self.server.target, timeout=20)
        c.request(self.command, self.path, body or None, span.headers(dict(self.headers)))
        r = c.getresponse()
        answer = r.read()
        self.send_response(r.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        c.close()

    do_GET = do_POST = forward

    def log_message(self, *args):
        pass
