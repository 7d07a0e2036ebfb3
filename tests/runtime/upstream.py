# SPDX-License-Identifier: Apache-2.0
"""A recording upstream: keeps the exact bytes of every request, answers after a few milliseconds."""
import random
import re
import socket
import threading
import time


class Upstream:
    """requests: list of (head bytes without the empty line, body bytes)."""

    def __init__(self):
        self.requests = []
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    more = c.recv(65536)
                    if not more:
                        return
                    data += more
                head, data = data.split(b"\r\n\r\n", 1)
                body, data = self.body(c, head, data)
                with self.lock:
                    self.requests.append((head, body))
                time.sleep(random.uniform(0.001, 0.012))
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
                if re.search(rb"\r\nconnection: *close", head, re.I) or b" HTTP/1.0\r\n" in head:
                    return
        except OSError:
            pass
        finally:
            c.close()

    @staticmethod
    def body(c, head, data):
        if re.search(rb"\r\nexpect: *100-continue", head, re.I):
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.I):
            return Upstream.chunked(c, data)
        m = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        n = int(m.group(1)) if m else 0
        while len(data) < n:
            more = c.recv(65536)
            if not more:
                raise OSError("short body")
            data += more
        return data[:n], data[n:]

    @staticmethod
    def chunked(c, data):
        body = b""
        while True:
            while b"\r\n" not in data:
                data += c.recv(65536)
            size, data = data.split(b"\r\n", 1)
            n = int(size.split(b";")[0], 16)
            while len(data) < n + 2:
                more = c.recv(65536)
                if not more:
                    raise OSError("short chunk")
                data += more
            body, data = body + data[:n], data[n + 2:]
            if n == 0:
                return body, data

    def take(self):
        with self.lock:
            got, self.requests = self.requests, []
        return got

    def close(self):
        self.socket.close()
