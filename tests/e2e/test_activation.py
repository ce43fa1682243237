"""A supervisor that keeps the gateway's socket: clients meet no gap when the process is killed and started again."""
import http.client
import os
import socket
import subprocess
import threading

import pytest

from support import Nonagon, eventually, service

ROUNDS = int(os.environ.get("NONAGON_RESTARTS", "10"))


class Activated(Nonagon):
    """Started as by systemd: the listening socket is descriptor 3, and outlives the process."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.socket = socket.create_server(("127.0.0.1", self.http_port), backlog=1000)

    def command(self):
        return ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=gateway exec "$@" 3<&%d' % self.socket.fileno(), "up",
                *super().command()]

    def start(self):
        self.socket.set_inheritable(True)
        return super().start()

    def remove(self):
        super().remove()
        self.socket.close()


@pytest.fixture
def activated(monkeypatch):
    n = Activated(index=5)
    popen = subprocess.Popen
    # The test's own descriptor goes along to the shell, which puts it where systemd would.
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, **{**k, "close_fds": False}))
    n.start()
    yield n
    n.remove()


def test_no_gap_over_kills(activated, hello):
    n = activated
    n.apply(service("ka", hello, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    n.wait_ready("ksvc", "ka")
    seen, over = [], threading.Event()

    def poll():
        while not over.is_set():
            try:
                seen.append(n.call("ka", timeout=30).status)
            except ConnectionRefusedError:
                seen.append("refused")
            except (OSError, http.client.HTTPException):
                pass  # it was inside when the process was killed

    client = threading.Thread(target=poll)
    client.start()
    try:
        for _ in range(ROUNDS):
            before = len(seen)
            eventually(lambda: seen[before:].count(200) >= 3, "requests are answered")
            n.kill()
            n.start()
    finally:
        over.set()
        client.join()
    assert set(seen) == {200}, {s: seen.count(s) for s in set(seen)}
