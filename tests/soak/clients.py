# SPDX-License-Identifier: Apache-2.0
"""Connections that are kept, closed, cut, misused: each request has an id of its own."""
import random
import re
import socket
import struct
import threading

import load as L

MALFORMED = (b"GET /?id=%d HTTP/1.1\r\nHost : a\r\n\r\n", b"GET /?id=%d HTTP/9.9\r\nHost: a\r\n\r\n",
             b"GET /?id=%d\r\n\r\n", b"\x16\x03\x01 %d\r\n\r\n", b"GET /?id=%d HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
             b"POST /?id=%d HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"GET /?id=%d HT")


class Clients:
    """`crowd` connections at any time; each asks once in `pause` seconds."""

    def __init__(self, port, crowd, pause):
        self.port, self.crowd, self.pause = port, crowd, pause
        self.lock, self.done = threading.Lock(), threading.Event()
        self.next = 0
        self.unsure = set()  # ids of requests that were cut or misshapen: nobody can say what comes of them
        self.answered, self.failed = 0, []
        self.threads = [threading.Thread(target=self.client, args=(k,)) for k in range(crowd)]

    def number(self, unsure=False):
        with self.lock:
            self.next += 1
            if unsure:
                self.unsure.add(self.next)
            return self.next

    @staticmethod
    def request(i):
        lines = {} if L.bare(i) else L.headers(i)
        body = b"x" * 3000 if i % 6 == 1 else b""
        head = f"{'POST' if body else 'GET'} /?id={i} HTTP/1.1\r\nHost: soak\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        head += f"Content-Length: {len(body)}\r\n" if body else ""
        return head.encode() + b"\r\n" + body

    @staticmethod
    def answer(f):
        """(body, whether the connection is kept)"""
        status = f.readline()
        if not status:
            raise ConnectionResetError("closed")
        if b" 200 " not in status:
            raise ValueError(f"answer {status!r}")
        length, keep = 0, True
        while (line := f.readline().strip()):
            m = re.match(rb"(?i)content-length: *(\d+)", line)
            length = int(m.group(1)) if m else length
            keep = keep and not re.match(rb"(?i)connection: *close", line)
        return f.read(length), keep

    def ask(self, f, s, count):
        ids = [self.number() for _ in range(count)]
        try:
            s.sendall(b"".join(self.request(i) for i in ids))
            for i in ids:
                body, keep = self.answer(f)
                if body.strip() != str(i).encode():
                    raise ValueError(f"answer to {i}: {body[:60]!r}")
                self.answered += 1
                if not keep:
                    raise ConnectionResetError("asked to close")
            return True
        except ConnectionError:  # a kept connection may be closed at any time (RFC 9112 9.3.1)
            with self.lock:
                self.unsure.update(ids)
        except (OSError, ValueError) as e:
            with self.lock:
                self.unsure.update(ids)
                self.failed.append(repr(e))
        return False

    def misbehave(self, s, how):
        i = self.number(unsure=True)
        try:
            if how == "reset":
                s.sendall(self.request(i)[:random.randint(1, 400)] if i % 2 else self.request(i))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                s.sendall(MALFORMED[i % len(MALFORMED)] % i)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
        except OSError:
            pass
        return False

    def turn(self, f, s, dice):
        kind = dice.random()
        if kind < 0.05:
            return self.misbehave(s, "reset")
        if kind < 0.10:
            return self.misbehave(s, "malformed")
        if kind < 0.15:
            return self.ask(f, s, 2)
        return self.ask(f, s, 1) and kind < 0.90

    def client(self, k):
        dice = random.Random(k)
        self.done.wait(dice.random() * self.pause)
        while not self.done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 30) as s, s.makefile("rb") as f:
                    while not self.done.is_set() and self.turn(f, s, dice):
                        self.done.wait(self.pause * (0.5 + dice.random()))
            except OSError as e:
                self.failed.append(repr(e))
                self.done.wait(0.5)

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        self.done.set()
        for t in self.threads:
            t.join()
