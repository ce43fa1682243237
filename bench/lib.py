"""Shared by the benchmarks: a Nonagon on a scratch directory, an API client without kubectl's start-up time, figures."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import platform
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
os.environ.setdefault("NONAGON", str(ROOT / "build/nonagon"))

from support import Nonagon, Registry, eventually, free_port, service  # noqa: E402,F401

SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"


def machine():
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return f"{os.cpu_count()} x {cpu}, Linux {platform.release()}"


class Api:
    """JSON requests with the kubeconfig's client certificate over one kept connection."""

    def __init__(self, nonagon):
        import yaml
        c = yaml.safe_load(nonagon.kubeconfig.read_text())
        user, cluster = c["users"][0]["user"], c["clusters"][0]["cluster"]
        self.port = int(cluster["server"].rsplit(":", 1)[1])
        with tempfile.TemporaryDirectory() as d:
            names = {}
            for name, text in (("ca", cluster["certificate-authority-data"]), ("cert", user["client-certificate-data"]),
                               ("key", user["client-key-data"])):
                names[name] = pathlib.Path(d, name)
                names[name].write_bytes(base64.b64decode(text))
            self.tls = ssl.create_default_context(cafile=str(names["ca"]))
            self.tls.load_cert_chain(names["cert"], names["key"])
        self.conn = self.connect()

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=120)

    def do(self, method, path, body=None, ctype="application/json", ok=(200, 201)):
        self.conn.request(method, path, body=None if body is None else json.dumps(body),
                          headers={"Content-Type": ctype, "Accept": "application/json"})
        r = self.conn.getresponse()
        text = r.read()
        if r.status not in ok:
            raise RuntimeError(f"{method} {path}: {r.status} {text[:300]!r}")
        return json.loads(text)

    def config(self, name, data):
        self.do("PATCH", f"/api/v1/namespaces/knative-serving/configmaps/{name}", {"data": data},
                "application/merge-patch+json")

    @contextlib.contextmanager
    def watch(self, path, since):
        c = self.connect()
        c.request("GET", f"{path}?watch=1&resourceVersion={since}", headers={"Accept": "application/json"})
        r = c.getresponse()
        try:
            yield (json.loads(line) for line in r)
        finally:
            c.close()

    def ready(self, name):
        return self.do("GET", f"{SERVICES}/{name}")

    def create_and_wait(self, manifest):
        """Seconds from the request to Ready at the current generation, as a watcher sees it."""
        name = manifest["metadata"]["name"]
        since = self.do("GET", f"{SERVICES}?limit=1")["metadata"]["resourceVersion"]
        with self.watch(SERVICES, since) as events:
            begin = time.perf_counter()
            self.do("POST", SERVICES, manifest)
            for e in events:
                o = e["object"]
                if o["metadata"]["name"] == name and is_ready(o):
                    return time.perf_counter() - begin
        raise RuntimeError(f"the watch ended before {name} was Ready")


def is_ready(o):
    s = o.get("status", {})
    return s.get("observedGeneration") == o["metadata"]["generation"] and any(
        c["type"] == "Ready" and c["status"] == "True" for c in s.get("conditions", []))


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def ms(seconds):
    return f"{seconds * 1000:.1f}"


def row(*cells, widths=None):
    print("  ".join(str(c).rjust(w) if i else str(c).ljust(w)
                    for i, (c, w) in enumerate(zip(cells, widths or [14] * len(cells)))), flush=True)


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hello_binary(directory):
    out = pathlib.Path(directory, "hello")
    subprocess.run(["make", "-s", "-C", str(ROOT / "examples/hello"), f"OUT={out}"], check=True)
    return out


@contextlib.contextmanager
def stage(index=int(os.environ.get("NONAGON_BENCH_INDEX", "6"))):
    """A registry with the hello image, and a fresh Nonagon."""
    with tempfile.TemporaryDirectory(prefix="nonagon-bench-") as d:
        registry = Registry()
        n = Nonagon(index=index)
        try:
            image = registry.push("hello:bench", hello_binary(d))
            n.start()
            yield n, Api(n), image, pathlib.Path(d)
        finally:
            n.remove()
            registry.stop()


ZERO = {"autoscaling.knative.dev/initial-scale": "0", "autoscaling.knative.dev/window": "6s"}
