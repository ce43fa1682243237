"""Starts an API server for a test module and speaks to it: as kubectl, and as a plain HTTPS client.

NONAGON_API_SERVER is the command to start, with {dir} for its data directory (appended when it is not named); it must
write DIR/kubeconfig and serve until SIGTERM. The default is the test program that the build passes in APISERVER_MAIN.
"""
import base64
import http.client
import json
import os
import pathlib
import shlex
import signal
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRDS = sorted(str(p) for p in (ROOT / "contracts").glob("*.yaml"))


def command(directory):
    chosen = os.environ.get("NONAGON_API_SERVER")
    if not chosen:
        return [os.environ["APISERVER_MAIN"], directory, *CRDS]
    if "{dir}" in chosen:
        return shlex.split(chosen.replace("{dir}", directory))
    return [*shlex.split(chosen), directory, *CRDS]


class Server:
    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="nonagon-api-")
        self.dir = self.tmp.name
        self.config = os.path.join(self.dir, "kubeconfig")
        self.proc = None
        self.start()

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.proc = subprocess.Popen(command(self.dir), stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.proc.poll() is not None:
                raise RuntimeError(f"the server ended: {self.output()}")
            if self.is_ready():
                return
            time.sleep(0.02)
        raise RuntimeError(f"the server is not ready: {self.output()}")

    def is_ready(self):
        try:
            self.read_config()
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, ValueError, IndexError, http.client.HTTPException):
            return False

    def read_config(self):
        text = pathlib.Path(self.config).read_text()
        values = dict(
            line.strip().lstrip("- ").split(": ", 1) for line in text.splitlines() if ": " in line
        )
        host = values["server"].removeprefix("https://")
        self.host, self.port = host.rsplit(":", 1)
        self.tls = ssl.create_default_context(
            cadata=base64.b64decode(values["certificate-authority-data"]).decode()
        )
        for name in ("client-certificate-data", "client-key-data"):
            path = pathlib.Path(self.dir, name)
            path.write_bytes(base64.b64decode(values[name]))
        self.anonymous = ssl.create_default_context(
            cadata=base64.b64decode(values["certificate-authority-data"]).decode()
        )
        self.tls.load_cert_chain(
            os.path.join(self.dir, "client-certificate-data"), os.path.join(self.dir, "client-key-data")
        )

    def output(self):
        return pathlib.Path(self.dir, "log").read_text(errors="replace")

    def stop(self, signum=signal.SIGTERM):
        self.proc.send_signal(signum)
        code = self.proc.wait(timeout=30)
        self.log.close()
        return code

    def close(self):
        code = self.stop()
        text = self.output()
        self.tmp.cleanup()
        assert code == 0, text

    # ---- clients ----
    def connect(self, tls=None, timeout=20):
        return http.client.HTTPSConnection(
            self.host, int(self.port), context=tls or self.tls, timeout=timeout
        )

    def request(self, method, path, body=None, headers=None, tls=None):
        """(status, document or text, headers)"""
        conn = self.connect(tls)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        conn.request(method, path, body=body, headers=headers)
        answer = conn.getresponse()
        text = answer.read()
        conn.close()
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            text = json.loads(text)
        return answer.status, text, answer.headers

    def ok(self, method, path, body=None, headers=None):
        status, doc, _ = self.request(method, path, body, headers)
        assert status in (200, 201), (status, doc)
        return doc

    def fails(self, status, method, path, body=None, headers=None):
        got, doc, _ = self.request(method, path, body, headers)
        assert got == status, (got, doc)
        assert doc["kind"] == "Status" and doc["code"] == status, doc
        return doc

    def watch(self, path):
        return Watch(self, path)

    def kubectl(self, *args, stdin=None, check=True, timeout=60):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.config, "--cache-dir", os.path.join(self.dir, "cache"), *args],
            input=stdin, capture_output=True, text=True, timeout=timeout,
        )
        if check:
            assert done.returncode == 0, f"kubectl {args}: {done.stdout}{done.stderr}"
        return done

    def kubectl_start(self, *args):
        return subprocess.Popen(
            ["kubectl", "--kubeconfig", self.config, "--cache-dir", os.path.join(self.dir, "cache"), *args],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )


class Watch:
    """A watch that is read event by event."""

    def __init__(self, server, path):
        self.conn = server.connect()
        self.conn.request("GET", path)
        self.answer = self.conn.getresponse()
        self.status = self.answer.status

    def next(self):
        line = self.answer.readline()
        return json.loads(line) if line else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.conn.close()
