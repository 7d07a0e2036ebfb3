# SPDX-License-Identifier: Apache-2.0
"""Connections that another process accepted: passed_app.py KIND PORT.

passed     the first process passes each to one of four, which serve it
read-first it has read the request, and passes that along with it
returned   who has answered one request passes the connection on for the next one
activated  the listener is there when the program starts
inetd      a program a connection, which is its standard input and output"""
import os
import socket
import subprocess
import sys
import threading

KIND = sys.argv[1]
HOST, PORT = os.environ["UPSTREAM"].split(":")
LEGS = ("a", "c", "d")


def call(i, leg):
    with socket.create_connection((HOST, int(PORT))) as s:
        s.sendall(f"GET /?id={i}&leg={leg} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\n\r\n".encode())
        while s.recv(4096):
            pass


def read_request(s):
    """A whole request; b"" at the end."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = s.recv(4096)
        if not more:
            return b""
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    length = [int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")]
    while length and len(body) < length[0]:
        body += s.recv(65536)
    return head + b"\r\n\r\n" + body


def serve(s, request):
    i = request.split(b" ")[1].split(b"id=")[1].split(b"&")[0].decode()
    for leg in LEGS if i != "0" else ():
        call(i, leg)
    last = b"Connection: close\r\n" if KIND == "inetd" else b""
    s.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (last, len(i), i.encode()))


def keep_serving(s):
    with s:
        for request in iter(lambda: read_request(s), b""):
            serve(s, request)


def thread(f, *args):
    threading.Thread(target=f, args=args, daemon=True).start()


def each_accepted(listener, f):
    while True:
        f(listener.accept()[0])


# --- connections that are passed ----------------------------------------------------------------

def worker(channel):
    """Serve what comes; `returned`: one request of it, and back it goes."""
    def one(s, request):
        request = request or read_request(s)
        if request:
            serve(s, request)
        if request and KIND == "returned":
            with lock:
                socket.send_fds(channel, [b"-"], [s.fileno()])
        s.close()

    lock = threading.Lock()
    while True:
        data, numbers, _, _ = socket.recv_fds(channel, 65536, 1)
        if not numbers:
            return
        s = socket.socket(fileno=numbers[0])
        thread(*((keep_serving, s) if KIND == "passed" else (one, s, data[1:])))


class Passer:
    """The process that accepts."""

    def __init__(self, listener):
        self.lock, self.channels, self.turn = threading.Lock(), [], 0
        for _ in range(4):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            if os.fork() == 0:
                ours.close()
                listener.close()
                worker(theirs)
                os._exit(0)
            theirs.close()
            self.channels.append(ours)
        for c in self.channels if KIND == "returned" else ():
            thread(self.take_back, c)

    def give(self, s, request=b""):
        with self.lock:
            self.turn += 1
            socket.send_fds(self.channels[self.turn % 4], [b"+" + request], [s.fileno()])
        s.close()

    def take_back(self, channel):
        while True:
            _, numbers, _, _ = socket.recv_fds(channel, 16, 1)
            if not numbers:
                return
            self.give(socket.socket(fileno=numbers[0]))

    def read_and_give(self, s):
        request = read_request(s)
        if request:
            self.give(s, request)


# --- listeners and connections that are inherited -------------------------------------------------

def start_again(listener, how):
    """This program anew, with the listener as number 3."""
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.execv(sys.executable, [sys.executable, "-S", __file__, KIND, how])


def inetd(s):
    with s:
        subprocess.run([sys.executable, "-S", "-E", __file__, KIND, "connection"], stdin=s, stdout=s, check=False)


def main():
    if sys.argv[2] == "connection":
        s = socket.socket(fileno=0)
        serve(s, read_request(s))
        return
    if sys.argv[2] == "listener":
        each_accepted(socket.socket(fileno=3), lambda s: thread(keep_serving, s))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=128)
    if KIND == "activated":
        start_again(listener, "listener")
    if KIND == "inetd":
        each_accepted(listener, lambda s: thread(inetd, s))
    passer = Passer(listener)
    each_accepted(listener, lambda s: thread(passer.read_and_give, s) if KIND == "read-first" else passer.give(s))


main()
