# SPDX-License-Identifier: Apache-2.0
"""peers: both neighbours of the relay: the client that asks it and the upstream that it asks, none of them
with our library. `peers.py PRELOAD` starts the relay with that LD_PRELOAD and prints as JSON every byte
that left the relay, its output and its exit status. SOCKS_PORT: be a SOCKS 5 proxy there, too."""
import json
import os
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TRACE = "traceparent: 00-{0:032x}-{0:016x}-01\r\ntracestate: n={0}\r\nx-request-id: r{0}\r\nbaggage: n={0}\r\n"


def read_message(sock):
    """The bytes of one message with Content-Length, or what came before the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while length and len(body) < length[0]:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def listener(port=0):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(8)
    sock.settimeout(25)
    return sock


def upstream(sock, seen):
    while True:
        try:
            conn, _ = sock.accept()
        except OSError:
            return
        with conn:
            conn.settimeout(20)
            seen.append(read_message(conn).decode("latin-1"))
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswer")


def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)


def socks(sock):
    """RFC 1928 without authentication, CONNECT to an IPv4 address, one connection at a time."""
    while True:
        try:
            conn, _ = sock.accept()
        except OSError:
            return
        with conn:
            conn.recv(257)
            conn.sendall(b"\x05\x00")
            asked = conn.recv(10)
            with socket.create_connection((socket.inet_ntoa(asked[4:8]), int.from_bytes(asked[8:10], "big"))) as to:
                conn.sendall(b"\x05\x00\x00\x01" + b"\0" * 6)
                back = threading.Thread(target=pump, args=(to, conn), daemon=True)
                back.start()
                pump(conn, to)
                back.join(20)


def ask(sock, n, path, trace=True, body=b""):
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: relay\r\n" + (TRACE.format(n) if trace else "")
    sock.sendall((head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
    return read_message(sock).decode("latin-1")


def conversation(port):
    """Fresh connections, one that is kept for two requests, one request without an identity, a body."""
    answers = []
    for requests in ([(1, "/a")], [(2, "/b"), (3, "/c")], [(4, "/plain", False)], [(5, "/post", True, b"b" * 9000)],
                     [(6, "/quit")]):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            answers += [ask(sock, *r) for r in requests]
    return answers


def main(preload):
    seen, sock = [], listener()
    threading.Thread(target=upstream, args=(sock, seen), daemon=True).start()
    if "SOCKS_PORT" in os.environ:
        threading.Thread(target=socks, args=(listener(int(os.environ["SOCKS_PORT"])),), daemon=True).start()
    relay = subprocess.Popen([sys.executable, "-S", os.path.join(HERE, "relay.py"), str(sock.getsockname()[1])],
                             env=dict(os.environ, LD_PRELOAD=preload, PYTHONDONTWRITEBYTECODE="1"), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    port = relay.stdout.readline()
    answers = conversation(int(port)) if port.strip() else []
    out, err = relay.communicate(timeout=30)
    print(json.dumps({"sent": seen, "answers": answers, "out": out, "err": err, "status": relay.returncode}))


main(sys.argv[1])
