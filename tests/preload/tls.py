# SPDX-License-Identifier: Apache-2.0
"""TLS inside the program: a call over TLS while a plain request is served, and a plain call after a request
over TLS. Prints `CASE: WHAT`; with the argument `seen` the same without TLS."""
import socket
import ssl
import sys
import threading

CALL = b"GET /out HTTP/1.1\r\nHost: next\r\n\r\n"
ASKED = b"GET /in HTTP/1.1\r\nHost: me\r\nx-request-id: r1\r\n\r\n"
PLAIN = sys.argv[1:] == ["seen"]


def context(kind):
    """No certificate is needed for an anonymous key exchange."""
    c = ssl.SSLContext(kind)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    c.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return c


def wrapped(a, b):
    """Both ends of a connection, with TLS on it: a is the client."""
    if PLAIN:
        return a, b
    server = []
    t = threading.Thread(target=lambda: server.append(
        context(ssl.PROTOCOL_TLS_SERVER).wrap_socket(b, server_side=True)))
    t.start()
    client = context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(a)
    t.join()
    return client, server[0]


def shown(got):
    line = CALL[:-2] + b"x-request-id: r1\r\n\r\n"
    return "untouched" if got == CALL else "carries r1" if got == line else f"SPOILED {got}"


def elsewhere(f):
    """In a thread of its own, so that nothing it does is an exchange of this one."""
    got = []
    t = threading.Thread(target=lambda: got.append(f()))
    t.start()
    t.join()
    return got[0]


def out():
    a, b = wrapped(*socket.socketpair())
    near, far = socket.socketpair()
    elsewhere(lambda: far.sendall(ASKED))
    near.recv(4096)
    a.sendall(CALL)
    return shown(elsewhere(lambda: b.recv(4096)))


def inbound():
    a, b = wrapped(*socket.socketpair())
    near, far = socket.socketpair()
    elsewhere(lambda: a.sendall(ASKED))
    b.recv(4096)
    near.sendall(CALL)
    return shown(elsewhere(lambda: far.recv(4096)))


print("tls-out:", elsewhere(out))
print("tls-in:", elsewhere(inbound))
