"""The sample app: what tests and benchmarks rely on, and that bad input does not end it."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    out = tmp_path_factory.mktemp("hello") / "hello"
    subprocess.run(["make", "-s", "-C", ROOT / "examples/hello", f"OUT={out}"], check=True)
    return out


class Hello:
    def __init__(self, program, **env):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = subprocess.Popen([program], env={"PORT": str(self.port), **env})
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.002)
        pytest.fail("hello does not listen")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, *pieces):
        """Sends, and returns all until the server closes."""
        with self.connect() as s:
            try:
                for piece in pieces:
                    s.sendall(piece)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused and closed before all was sent: the answer is there to read
            out = b""
            while True:
                try:
                    data = s.recv(65536)
                except ConnectionResetError:
                    return out
                if not data:
                    return out
                out += data

    def get(self, path, *fields):
        head = "".join(f"{field}\r\n" for field in fields)
        answer = self.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}Connection: close\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), head.decode(), body


@pytest.fixture
def hello(program):
    h = Hello(program, TARGET="Bob", K_REVISION="rev-1")
    yield h
    h.process.kill()
    h.process.wait()


def test_answers(hello):
    status, head, body = hello.get("/")
    assert (status, body) == (200, b"Hello Bob!\n")
    assert "K-Revision: rev-1" in head and "Connection: close" in head
    assert hello.get("/bytes?n=300000")[2] == b"x" * 300000
    assert b"TARGET=Bob\n" in hello.get("/env")[2]
    assert b"X-Mine: yes" in hello.get("/headers", "X-Mine: yes")[2]
    assert hello.get("/none")[0] == 404
    begin = time.monotonic()
    assert hello.get("/sleep?ms=30")[2] == b"slept\n"
    assert time.monotonic() - begin >= 0.03


def test_pipelined_and_in_pieces(hello):
    one = b"GET / HTTP/1.1\r\n\r\n"
    assert hello.raw(one * 200).count(b"HTTP/1.1 200") == 200
    assert hello.raw(*[bytes([b]) for b in one]).count(b"Hello Bob!") == 1
    mixed = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + b"GET /sleep?ms=1 HTTP/1.1\r\n\r\n" + one
    assert hello.raw(mixed).count(b"HTTP/1.1 200") == 3
    assert hello.raw(b"HEAD / HTTP/1.1\r\n\r\n" + one).count(b"Hello Bob!") == 1
    assert hello.raw(b"GET / HTTP/1.0\r\n\r\n" + one).count(b"HTTP/1.1 200") == 1


def test_echo(hello):
    body = os.urandom(700000)
    fixed = b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    with hello.connect() as s:
        # both directions at once, since the echo starts before the body ends
        s.setblocking(False)
        out, left = b"", fixed + body
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if left:
                try:
                    left = left[s.send(left[:100000]) :]
                except BlockingIOError:
                    pass
            try:
                data = s.recv(65536)
            except BlockingIOError:
                time.sleep(0.0005)
                continue
            if not data:
                break
            out += data
    assert out.partition(b"\r\n\r\n")[2] == body
    chunked = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    answer = hello.raw(chunked + b"GET / HTTP/1.1\r\n\r\n")
    assert b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 200" in answer and answer.endswith(b"Hello Bob!\n")
    empty = hello.raw(b"POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert empty.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n", b"431"),
    ],
)
def test_bad_requests(hello, request_bytes, status):
    answer = hello.raw(request_bytes)
    assert answer == b"" or answer.split(b" ")[1] == status
    assert hello.get("/")[0] == 200


def test_survives_noise(hello):
    rng = random.Random(1)
    valid = b"POST /echo?n=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for _ in range(300):
        data = bytearray(valid * rng.randint(1, 3))
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        hello.raw(bytes(data))
    assert hello.get("/")[0] == 200


def test_many_connections(hello):
    sockets = [hello.connect() for _ in range(500)]
    for s in sockets:
        s.sendall(b"GET /sleep?ms=5 HTTP/1.1\r\n\r\n")
    for s in sockets:
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
        s.close()


def test_exit(program):
    h = Hello(program)
    assert h.get("/exit?code=7")[2] == b"bye\n"
    assert h.process.wait(20) == 7


def test_term_lets_the_begun_end(program):
    h = Hello(program)
    with h.connect() as slow, h.connect() as idle:
        slow.sendall(b"GET /sleep?ms=200 HTTP/1.1\r\n\r\n")
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        h.process.send_signal(signal.SIGTERM)
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        assert h.process.wait(20) == 0
