"""What the end-to-end tests share: a running Nonagon, a registry, images, kubectl, and HTTP with the Host as curl sends it.

Nothing here sleeps a guess: `eventually` polls a condition until a deadline that only a broken product reaches.
"""
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NONAGON = os.environ.get("NONAGON", str(ROOT / "build/nonagon"))
BUILD = os.environ.get("NONAGON_BUILD", str(ROOT / "build"))
DEADLINE = float(os.environ.get("NONAGON_TEST_DEADLINE", "90"))


def die_with_us():
    """In a child before it runs its program: it gets SIGTERM when the tests end, however they end."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(check, what, deadline=None):
    """Calls check until it returns something true; returns that."""
    end = time.monotonic() + (deadline or DEADLINE)
    last = None
    while time.monotonic() < end:
        try:
            result = check()
            if result:
                return result
            last = result
        except (AssertionError, LookupError, OSError, http.client.HTTPException, subprocess.CalledProcessError) as e:
            last = e
        time.sleep(0.05)
    raise AssertionError(f"not within {deadline or DEADLINE:.0f} s: {what}; last: {last!r}")


class Registry:
    """Debian's docker-registry on a free loopback port."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="nonagon-registry-")
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        config = pathlib.Path(self.dir, "config.yml")
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.dir}/data}}}}\n"
            f"http: {{addr: '{self.host}'}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_us)
        eventually(self.answers, "the registry answers")

    def answers(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        c.request("GET", "/v2/")
        return c.getresponse().status == 200

    def push(self, name, binary, *options):
        ref = f"{self.host}/{name}"
        subprocess.run([str(ROOT / "tools/make-image"), *options, "--push", ref, str(binary)], check=True,
                       stdout=subprocess.DEVNULL)
        return ref

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode(errors="replace")


class Nonagon:
    """One `nonagon up` on a scratch directory, with ports, bridge and subnet of its own."""

    def __init__(self, data_dir=None, index=7, extra=()):
        self.own_dir = data_dir is None
        self.dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="nonagon-e2e-"))
        self.http_port, self.api_port = free_port(), free_port()
        # Several runs on one machine keep apart by NONAGON_TEST_NET, the second byte of the first of ten networks.
        net = int(os.environ.get("NONAGON_TEST_NET", "220")) + index
        self.bridge, self.subnet = f"nonatest{net}", f"10.{net}.0.0/16"
        self.gateway_ip = f"10.{net}.0.1"
        self.kubeconfig = self.dir / "kubeconfig"
        self.log = self.dir / "log.txt"
        self.extra = list(extra)
        self.process = None

    def command(self):
        return [NONAGON, "up", "--data-dir", str(self.dir), "--http-port", str(self.http_port), "--api-port",
                str(self.api_port), "--bridge", self.bridge, "--subnet", self.subnet, *self.extra]

    def start(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            mark = log.tell()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, preexec_fn=die_with_us)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"nonagon ended with {self.process.returncode}:\n{self.tail()}")
            return b"ready in" in self.log.read_bytes()[mark:]

        eventually(ready, "nonagon is ready")
        return self

    def tail(self, lines=60):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def stop(self, timeout=60):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout)
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def remove(self):
        if self.process and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        subprocess.run(["ip", "link", "del", self.bridge], stderr=subprocess.DEVNULL)
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- kubectl ----
    def kubectl(self, *args, input=None, check=True, timeout=120):
        env = dict(os.environ, KUBECONFIG=str(self.kubeconfig), HOME=str(self.dir))
        p = subprocess.run(["kubectl", *args], env=env, input=input, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=timeout)
        if check and p.returncode:
            raise AssertionError(f"kubectl {' '.join(args)}: {p.stderr}\n--- nonagon:\n{self.tail(20)}")
        return p

    def apply(self, manifest):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.kubectl("apply", "-f", "-", input=text)

    def get(self, kind, name=None, ns="default"):
        args = ["get", kind] + ([name] if name else []) + ["-n", ns, "-o", "json"]
        return json.loads(self.kubectl(*args).stdout)

    def exists(self, kind, name, ns="default"):
        return self.kubectl("get", kind, name, "-n", ns, check=False).returncode == 0

    def condition(self, kind, name, ctype="Ready", ns="default"):
        for c in self.get(kind, name, ns).get("status", {}).get("conditions", []):
            if c["type"] == ctype:
                return c
        return {}

    def wait_ready(self, kind, name, ns="default"):
        """Ready at the current generation."""
        def check():
            o = self.get(kind, name, ns)
            status = o.get("status", {})
            assert status.get("observedGeneration") == o["metadata"]["generation"], status
            ready = [c for c in status.get("conditions", []) if c["type"] == "Ready"]
            assert ready and ready[0]["status"] == "True", status.get("conditions")
            return o
        return eventually(check, f"{kind}/{name} is Ready")

    # ---- requests ----
    def request(self, host, path="/", method="GET", body=None, headers=None, timeout=60, local=False):
        address = (self.gateway_ip, 80) if local else ("127.0.0.1", self.http_port)
        c = http.client.HTTPConnection(*address, timeout=timeout)
        try:
            c.request(method, path, body=body, headers={"Host": host, **(headers or {})})
            r = c.getresponse()
            return Answer(r.status, dict(r.getheaders()), r.read())
        finally:
            c.close()

    def host(self, name, ns="default"):
        return f"{name}.{ns}.localhost"

    def call(self, name, path="/", ns="default", **kwargs):
        return self.request(self.host(name, ns), path, **kwargs)

    def pods(self, service=None, ns="default", **labels):
        args = ["get", "pods", "-n", ns, "-o", "json"]
        if service:
            labels["serving.knative.dev/service"] = service
        if labels:
            args += ["-l", ",".join(f"{k}={v}" for k, v in labels.items())]
        return json.loads(self.kubectl(*args).stdout)["items"]


def service(name, image, env=None, annotations=None, labels=None, template=None, ns="default", **container):
    """A Knative Service manifest. container: further fields of the container; template: of the template's spec."""
    c = {"image": image, **container}
    if env:
        c["env"] = [{"name": k, "value": v} for k, v in env.items()]
    spec = {"containers": [c], **(template or {})}
    meta = {"annotations": dict(annotations)} if annotations else {}
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service",
            "metadata": {"name": name, "namespace": ns, **({"labels": labels} if labels else {})},
            "spec": {"template": {**({"metadata": meta} if meta else {}), "spec": spec}}}


# Zero is reached in seconds instead of a minute and a half.
FAST_ZERO = {"autoscaling.knative.dev/window": "6s"}
