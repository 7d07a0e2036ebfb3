# SPDX-License-Identifier: Apache-2.0
"""Where may headers go? Real connections to addresses of every kind, in a network of this test's own
(`unshare -n`), while a request with headers of every class is served. A case prints its name and what
arrived: I (opaque ids), T (tracestate), U (baggage), C (authorization)."""
import os
import socket
import subprocess
import sys
import tempfile
import threading

ADDRESSES = ("203.0.113.7", "10.9.9.9", "169.254.169.254", "2001:db8::7", "fd00::7", "fe80::7")
INBOUND = (b"GET /in HTTP/1.1\r\nHost: me\r\nx-request-id: r1\r\n"
           b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=1\r\nbaggage: u=1\r\n"
           b"authorization: Bearer x\r\n\r\n")
LETTERS = (("I", (b"x-request-id: r1", b"traceparent: 00-0af7")), ("T", (b"tracestate: a=1",)), ("U", (b"baggage: u=1",)),
           ("C", (b"authorization: Bearer x",)))
PUBLIC, PRIVATE, LINK = "203.0.113.7", "10.9.9.9", "169.254.169.254"
GET, TRACES = "GET /x HTTP/1.1", "POST /v1/traces HTTP/1.1"


def get(host):
    return f"{GET}\r\nHost: {host}"


def absolute(target, host="shop"):
    return f"GET {target} HTTP/1.1\r\nHost: {host}"


# (TRACEBATON_PEERS, name, address, head, what may arrive)
CASES = [
    ("", "loopback", "127.0.0.1", get("127.0.0.1"), "ITU"),
    ("", "name-without-dot", PUBLIC, get("shop"), "ITU"),
    ("", "name-of-the-mesh", PUBLIC, get("SHOP.Default.SVC:80"), "ITU"),
    ("", "name-outside", PUBLIC, get("api.example.com"), "I"),
    ("", "name-outside-at-a-private-address", PRIVATE, get("api.example.com"), "ITU"),
    ("", "public-literal-at-a-private-address", PRIVATE, get(PUBLIC), "I"),
    ("", "public-v6", "2001:db8::7", get("[2001:db8::7]:80"), "I"),
    ("", "private-v6", "fd00::7", get("[fd00::7]"), "ITU"),
    ("", "name-outside-at-public-v6", "2001:db8::7", get("api.example.com"), "I"),
    ("", "name-outside-at-private-v6", "fd00::7", get("api.example.com"), "ITU"),
    ("", "link-local", LINK, get(LINK), ""),
    ("", "link-local-by-a-name-of-the-mesh", LINK, get("shop.svc"), ""),
    ("", "link-local-v6", "fe80::7", get("shop.svc"), ""),
    ("", "link-local-written", "127.0.0.1", get(LINK), ""),
    ("", "metadata-by-name", PRIVATE, get("Metadata.Google.Internal"), ""),
    ("", "unix-socket", "unix", get("api.example.com"), "ITU"),
    ("", "unix-socket-to-link-local", "unix", get(LINK), ""),
    ("", "no-host-at-a-private-address", PRIVATE, GET, "ITU"),
    ("", "no-host-at-a-public-address", PUBLIC, GET, "I"),
    ("", "empty-host-at-a-public-address", PUBLIC, get(""), "I"),
    ("", "two-hosts", "127.0.0.1", get("shop") + "\r\nHost: shop", ""),
    ("", "folded-host", "127.0.0.1", get("shop\r\n .svc"), ""),
    ("", "number-as-a-name", PUBLIC, get("2130706433"), "I"),
    ("", "number-in-hexadecimal", PUBLIC, get("0x7f.1"), "I"),
    ("", "number-in-octal", PUBLIC, get("0177.0.0.1"), "I"),
    ("", "list-of-names", PUBLIC, get("shop.svc, api.example.com"), "I"),
    ("", "name-that-only-ends-alike", PUBLIC, get("evilsvc.example"), "I"),
    ("", "name-with-the-mesh-inside", PUBLIC, get("shop.svc.example.com"), "I"),
    ("", "proxy-to-outside", "127.0.0.1", absolute("http://api.example.com/"), "I"),
    ("", "proxy-to-the-mesh", PUBLIC, absolute("http://shop.svc/x", "api.example.com"), "ITU"),
    ("", "proxy-to-link-local", "127.0.0.1", absolute(f"http://{LINK}/latest"), ""),
    ("", "proxy-with-user-information", "127.0.0.1", absolute("http://shop.svc@api.example.com/"), "I"),
    ("", "proxy-by-another-scheme", "127.0.0.1", absolute("HTTPS://api.example.com"), "I"),
    ("", "tunnel", "127.0.0.1", "CONNECT shop.svc:80 HTTP/1.1\r\nHost: shop.svc:80", ""),
    ("", "signed-by-aws", "127.0.0.1", get("shop") + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a", ""),
    ("", "signed-by-azure", "127.0.0.1", get("shop") + "\r\nauthorization:SharedKey a:b", ""),
    ("", "presigned", "127.0.0.1", get("shop").replace("/x", "/x?X-Amz-Signature=1"), ""),
    ("", "span-export", "127.0.0.1", TRACES + "\r\nHost: collector\r\nContent-Length: 0", ""),
    ("", "span-export-to-zipkin", "127.0.0.1", "POST /api/v2/spans HTTP/1.1\r\nHost: zipkin\r\nContent-Length: 0", ""),
    ("", "span-export-by-put", "127.0.0.1", "PUT /v0.4/traces HTTP/1.1\r\nHost: agent\r\nContent-Length: 0", ""),
    ("", "proxy-with-a-backslash", "127.0.0.1", absolute("http://api.example.com\\@shop.svc/"), ""),
    ("", "connected-by-its-first-bytes", "fast " + PUBLIC, get("shop.svc"), ""),
    ("U=.partner.example;T=none", "partner", PUBLIC, get("a.Partner.example"), "IU"),
    ("U=.partner.example;T=none", "not-the-partner", PRIVATE, get("partner.example.org"), "I"),
    ("I=mesh", "ids-stay-at-home", PUBLIC, get("api.example.com"), ""),
    ("T=any,!10.0.0.0/8;U=any,!shop", "forbidden-network", PRIVATE, get("api.example.com"), "IU"),
    ("T=any,!10.0.0.0/8;U=any,!shop", "forbidden-name", PUBLIC, get("shop"), "IT"),
    ("T=[2001:db8::]/32;U=none", "network-v6", "2001:db8::7", get("api.example.com"), "IT"),
    ("C=auth.svc:8080", "credentials", "127.0.0.1", get("auth.svc:8080"), "ITUC"),
    ("C=auth.svc:8080", "credentials-at-another-port", "127.0.0.1", get("auth.svc:8081"), "ITU"),
    ("C=auth.svc:8080", "credentials-elsewhere", "127.0.0.1", get("auth.svc.example:8080"), "ITU"),
    ("signed=insert", "signed-if-asked", "127.0.0.1", get("shop") + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a", "ITU"),
    ("I=;;T=,,;U=!;C=any;Q=1;signed=maybe", "rules-left-empty", PUBLIC, get("shop"), "C"),
]


def elsewhere(f):
    """In a thread of its own, so that nothing it does is an exchange of this one."""
    got = []
    t = threading.Thread(target=lambda: got.append(f()))
    t.start()
    t.join()
    return got[0]


def connected(address, where):
    """A connection to that address: its two ends."""
    family = socket.AF_UNIX if address == "unix" else socket.AF_INET6 if ":" in address else socket.AF_INET
    to = {socket.AF_UNIX: f"{where}/socket", socket.AF_INET: (address, 0),
          socket.AF_INET6: (address, 0, 0, socket.if_nametoindex("lo") if address[:4] == "fe80" else 0)}[family]
    with socket.socket(family) as listener:
        listener.bind(to)
        listener.listen()
        near = socket.socket(family)
        near.connect(listener.getsockname())
        far = elsewhere(lambda: listener.accept()[0])
    if family == socket.AF_UNIX:
        os.unlink(to)
    return near, far


def carried(sent, got):
    """Which classes; the rest of the head must be the program's."""
    before, found = sent[:-2], ""
    if not got.startswith(before) or not got.endswith(b"\r\n\r\n"):
        return f"SPOILED {got}"
    lines = got[len(before):-2].split(b"\r\n")[:-1]
    for letter, heads in LETTERS:
        n = sum(any(x.startswith(h) for h in heads) for x in lines)
        if n == len(heads):
            found += letter
        elif n:
            return f"PART OF {letter}: {got}"
    return found if sum(len(h) for x, h in LETTERS if x in found) == len(lines) else f"SPOILED {got}"


def fast(address, sent):
    """What arrives of bytes that make their connection (MSG_FASTOPEN): to whom it is not known before."""
    with socket.socket() as listener, socket.socket() as near:
        listener.bind((address, 0))
        listener.listen()
        near.sendto(sent, socket.MSG_FASTOPEN, listener.getsockname())
        return elsewhere(lambda: listener.accept()[0].recv(65536))


def called(address, sent, where):
    """What arrives at the other end of a connection to that address."""
    near, far = connected(address, where)
    with near, far:
        near.sendall(sent)
        return elsewhere(lambda: far.recv(65536))


def outcome(address, head, where):
    sent = (head + "\r\n\r\n").encode()
    inner, outer = elsewhere(socket.socketpair)
    with inner, outer:
        elsewhere(lambda: outer.sendall(INBOUND))
        inner.recv(4096)
        got = fast(address[5:], sent) if address.startswith("fast ") else called(address, sent, where)
    return carried(sent, got)


def run(rules):
    """In the network of our own, preloaded: the cases of these rules."""
    with tempfile.TemporaryDirectory() as where:
        for r, name, address, head, may in CASES:
            if r != rules:
                continue
            got = outcome(address, head, where)
            print(f"ok peers-{name}" if got == may else f"not ok peers-{name}: {got or 'nothing'} arrived, not {may or 'nothing'}",
                  flush=True)


def network():
    """The shell text that makes the addresses."""
    return "ip link set lo up && " + " && ".join(
        f"ip addr add {a}/{128 if ':' in a else 32} dev lo{' nodad' if ':' in a else ''}" for a in ADDRESSES)


def main(library):
    inside = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    made = subprocess.run(inside + ["sh", "-c", network()], capture_output=True, text=True)
    if made.returncode:
        print("skip peers: no network of its own with addresses of every kind: " + made.stderr.strip().split("\n")[0])
        return 0
    status = 0
    for rules in dict.fromkeys(c[0] for c in CASES):
        env = dict(os.environ, LD_PRELOAD=library, TRACEBATON_HEADERS="authorization", TRACEBATON_PEERS=rules)
        command = network() + ' && exec "$@"'
        env.pop("LD_PRELOAD")
        p = subprocess.run(inside + ["sh", "-c", command, "sh", "env", f"LD_PRELOAD={library}", sys.executable, __file__, "run", rules],
                           env=env, capture_output=True, text=True)
        print(p.stdout, end="")
        if p.returncode or not p.stdout:
            print(f"not ok peers: exit status {p.returncode}: {p.stderr.strip()[-300:]}")
        status |= p.returncode != 0 or "not ok" in p.stdout
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[2]) if sys.argv[1] == "run" else main(sys.argv[1]))
