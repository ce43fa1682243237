"""What anybody who can reach the ports can take: memory, descriptors and processor time stay within stated bounds under
every kind of flood, the owner's kubectl goes on working, and all recovers when the flood ends.

One instance with few descriptors, a release binary when there is one (the sanitizers multiply memory, so its bounds are
looked at only there). Attackers come over loopback and know no secret.
"""
import contextlib
import pathlib
import resource
import socket
import ssl
import threading
import time

import pytest

from support import NONAGON, ROOT, Nonagon, eventually, service

MB = 1 << 20
DESCRIPTORS = 1024
# More than anything here may cost for a moment: the server keeps 64 MiB of requests, sockets' buffers are the kernel's.
MOST_GROWTH = 120 * MB
LEFT_OVER = 24 * MB
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


def release_binary():
    path = ROOT / "build/nonagon"
    return str(path) if path.exists() else NONAGON


def is_sanitized(binary):
    return b"__asan_init" in pathlib.Path(binary).read_bytes()


class Small(Nonagon):
    """Nonagon under `ulimit -n`, whose consumption is watched."""

    def command(self):
        args = super().command()
        args[0] = release_binary()
        return ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", *args]

    def status(self, field):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise LookupError(field)

    def memory(self):
        return self.status("VmRSS")

    def descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def processor(self):
        """Seconds used so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def busy(self, seconds=1.0):
        """The share of one processor used during a while."""
        before = self.processor()
        time.sleep(seconds)
        return (self.processor() - before) / seconds


@pytest.fixture(scope="module")
def small(hello):
    # The tests themselves hold thousands of sockets.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = Small(index=9).start()
    try:
        n.apply(service("calm", hello, annotations={"autoscaling.knative.dev/min-scale": "1"}))
        n.wait_ready("ksvc", "calm")
        assert n.call("calm").status == 200
        eventually(lambda: n.busy() < 0.2, "nothing left to do")
        n.calm_memory, n.calm_descriptors = n.memory(), n.descriptors()
        yield n
    finally:
        print(n.tail(100))
        n.remove()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Peak(threading.Thread):
    """The most memory seen while it runs."""

    def __init__(self, n):
        super().__init__(daemon=True)
        self.n, self.most, self.over = n, n.memory(), threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.n.memory())


@contextlib.contextmanager
def flood(n):
    """Around an attack: bounds while it lasts, recovery after it."""
    peak = Peak(n)
    peak.start()
    sockets = []
    try:
        yield sockets
        assert n.process.poll() is None
        assert n.descriptors() <= DESCRIPTORS
    finally:
        for s in sockets:
            with contextlib.suppress(OSError):
                s.close()
        peak.over.set()
        peak.join()
    sanitized = is_sanitized(release_binary())
    print(f"memory {n.calm_memory >> 20} MiB, at most {peak.most >> 20} MiB")
    assert sanitized or peak.most - n.calm_memory < MOST_GROWTH
    works(n)
    eventually(lambda: n.descriptors() <= n.calm_descriptors + 40, "descriptors are given back")
    eventually(lambda: n.busy() < 0.3, "the processor is free again")
    if not sanitized:
        eventually(lambda: n.memory() <= n.calm_memory + LEFT_OVER, "memory is given back")
    print(f"afterwards {n.memory() >> 20} MiB, {n.descriptors()} descriptors")


def kubectl_works(n):
    """Reading and writing."""
    assert n.kubectl("get", "ksvc", "calm", "-o", "name", timeout=30).stdout.strip() != ""
    n.kubectl("annotate", "ksvc", "calm", "--overwrite", f"flood.example/at={time.monotonic_ns()}", timeout=30)


def works(n):
    kubectl_works(n)
    eventually(lambda: n.call("calm", timeout=5).status == 200, "the gateway serves", 30)


def dial(port, timeout=5):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def tls(port, timeout=5):
    return TRUSTING.wrap_socket(dial(port, timeout), server_hostname="localhost")


def opened(sockets, count, connect):
    """Up to count connections; whoever is refused or has to wait is no failure of the attack."""
    for _ in range(count):
        with contextlib.suppress(OSError):
            sockets.append(connect())
    return sockets


def push(s, data, most):
    """Sends data again and again until the other side takes no more; returns the bytes taken."""
    s.settimeout(1)
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            sent += s.send(data)
    return sent


def is_cut(s, piece, seconds=20):
    """Sends on, without haste, until the connection is no more."""
    s.settimeout(5)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            s.sendall(piece)
            time.sleep(0.002)
    except OSError:
        return True
    return False


class Target:
    """A port, how to connect to it, and a path that answers strangers."""

    def __init__(self, name):
        self.name = name

    def connect(self, n):
        return tls(n.api_port) if self.name == "api" else dial(n.http_port)

    def head(self, n):
        if self.name == "api":
            return "GET /version HTTP/1.1\r\nHost: x\r\n"
        return f"GET / HTTP/1.1\r\nHost: {n.host('calm')}\r\n"

    def post(self, n):
        return ("POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                if self.name == "api" else f"POST / HTTP/1.1\r\nHost: {n.host('calm')}\r\n")


@pytest.fixture(params=["api", "gateway"])
def target(request):
    return Target(request.param)


def test_pipelining_without_reading(small, target):
    """The server stops taking requests whose answers nobody reads."""
    with flood(small) as sockets:
        opened(sockets, 8, lambda: target.connect(small))
        many = (target.head(small) + "\r\n").encode() * 500
        taken = [0] * len(sockets)

        def run(i):
            taken[i] = push(sockets[i], many, 100 * MB)

        threads = [threading.Thread(target=run, args=(i,)) for i in range(len(sockets))]
        for t in threads:
            t.start()
        kubectl_works(small)
        for t in threads:
            t.join()
        print(f"taken {max(taken) >> 20} MiB")
        assert max(taken) < 32 * MB, taken  # the kernel's buffers at both ends


def test_slow_bodies(small, target):
    """Announced bodies of strangers are not collected, or not for long, or not many."""
    with flood(small) as sockets:
        opened(sockets, 80, lambda: target.connect(small))
        head = (target.post(small) + f"Content-Length: {2900000}\r\n\r\n").encode()
        for s in sockets:
            push(s, head + b"x" * MB, len(head) + MB)
        kubectl_works(small)


def test_half_open_handshakes(small):
    """Handshakes that never go on take no place from those who go on."""
    with flood(small) as sockets:
        opened(sockets, 2000, lambda: dial(small.api_port))
        for s in sockets[-300:]:
            with contextlib.suppress(OSError):
                s.send(b"\x16\x03\x01\x02\x00\x01")
        for _ in range(3):
            kubectl_works(small)
        assert small.descriptors() < DESCRIPTORS / 2


def test_heads_without_end(small, target):
    with flood(small) as sockets:
        opened(sockets, 300, lambda: target.connect(small))
        head = (target.head(small) + "A: " + "a" * 60000).encode()
        for s in sockets:
            push(s, head, len(head))
        kubectl_works(small)


def test_idle_connections_to_exhaustion(small):
    """More connections than there are descriptors, at both doors: the owner still gets in, then everybody."""
    with flood(small) as sockets:
        opened(sockets, 1500, lambda: dial(small.http_port, 1))
        opened(sockets, 1500, lambda: dial(small.api_port, 1))
        for _ in range(5):
            kubectl_works(small)
        assert small.busy() < 0.8  # nobody turns round and round for want of a descriptor


def test_requests_and_idle_connections(small):
    """While others hold every place, pods are asked for over connections too: no thread may hang for want of one."""
    with flood(small) as sockets:
        opened(sockets, 1500, lambda: dial(small.http_port, 1))
        request = (Target("gateway").head(small) + "\r\n").encode()
        for s in sockets[:30]:
            with contextlib.suppress(OSError):
                s.send(request)
        kubectl_works(small)


@pytest.mark.parametrize("what", ["trailers", "extensions"])
def test_chunks_without_end(small, target, what):
    """What comes beside a body's bytes has a bound, beyond which the connection ends."""
    with flood(small) as sockets:
        opened(sockets, 4, lambda: target.connect(small))
        begin = (target.post(small) + "Transfer-Encoding: chunked\r\n\r\n").encode()
        begin += b"1\r\nx\r\n0\r\n" if what == "trailers" else b""
        piece = b"X-Trailer: " + b"t" * 1000 + b"\r\n" if what == "trailers" else b"1;" + b"e" * 1000 + b"\r\nx\r\n"
        for s in sockets:
            s.sendall(begin)
        # An answer may have come before; what matters is that somebody cuts the connection.
        for s in sockets:
            assert is_cut(s, piece * 16), "the connection goes on"
