# SPDX-License-Identifier: Apache-2.0
"""relay: the program under test: one server on the loopback that asks the upstream for each request it
gets, one at a time. Prints its port, ends with status 7 when asked for /quit, and says the year then,
so that what a preloaded clock does is seen."""
import http.client
import http.server
import os
import sys
import time

UPSTREAM = int(sys.argv[1])


class Relay(http.server.BaseHTTPRequestHandler):
    """Passes path and body on; the answer is what the upstream said."""
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp=None):
        return "now"

    def log_message(self, *_):
        pass

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        up = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=20)
        up.request(self.command, self.path, body, {"Host": "upstream.svc"})
        answer = up.getresponse().read()
        up.close()
        with open(os.devnull, "w", encoding="ascii") as f:
            f.write(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        if self.path == "/quit":
            self.server.wanted = False
            self.close_connection = True

    do_GET = do_POST = relay


with http.server.HTTPServer(("127.0.0.1", 0), Relay) as server:
    server.wanted = True
    print(server.server_port, flush=True)
    while server.wanted:
        server.handle_request()
print("year", time.strftime("%Y"))
sys.exit(7)
