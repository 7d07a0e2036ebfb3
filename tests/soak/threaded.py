# SPDX-License-Identifier: Apache-2.0
"""A thread for each connection, http.client outwards; knows nothing of traces."""
import http.client
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DECOY = "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-%032x-00f067aa0ba902b7-01\r\n\r\n" % 0xdec0


def calls(i):
    c = http.client.HTTPConnection(os.environ["UPSTREAM"])
    c.request("GET", f"/?id={i}&leg=a")
    c.getresponse().read()
    c.request("POST", f"/?id={i}&leg=b", body=(DECOY * 20 + i).encode())
    c.getresponse().read()
    c.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def answer(self):
        i = self.path.split("id=")[-1]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if i != "0":
            calls(i)
        self.send_response(200)
        self.send_header("Content-Length", str(len(i)))
        self.end_headers()
        self.wfile.write(i.encode())

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, request, address):
        pass


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
