"""Ready means it serves: while a Service, Route or Ingress says Ready=True, a request to it is answered.

Conditions are watched and requests are sent all the time, through rollouts and while Services, ports, pods and Revisions
come and go. What is taken away can be asked for before the condition follows, so a failed request counts unless the
condition was, or within LAG seconds became, another. Where nothing is taken away no request may fail at all.
"""
import json
import os
import random
import subprocess
import threading
import time

import pytest

from support import die_with_us, eventually, service

LAG = 10
CLASS = "gateway.ingress.networking.nonagon.dev"


class ReadyWatch:
    """Who is Ready at its current generation, and when that changed; of all objects of a kind in the namespace."""

    def __init__(self, nonagon, kind):
        columns = '{.metadata.name},{.metadata.generation},{.status.observedGeneration},{.status.conditions[?(@.type=="Ready")].status}{"\\n"}'
        env = dict(os.environ, KUBECONFIG=str(nonagon.kubeconfig), HOME=str(nonagon.dir))
        self.changes = {}
        self.process = subprocess.Popen(["kubectl", "get", kind, "-w", "-o", "jsonpath=" + columns], env=env,
                                        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=die_with_us)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        for line in self.process.stdout:
            name, generation, observed, status = line.strip().split(",")
            is_ready = status == "True" and generation == observed
            history = self.changes.setdefault(name, [])
            if not history or history[-1][1] != is_ready:
                history.append((time.monotonic(), is_ready))

    def ready(self, name):
        history = self.changes.get(name)
        return bool(history) and history[-1][1]

    def ready_throughout(self, name, begin, end):
        inside = [r for t, r in self.changes.get(name, []) if begin <= t <= end]
        before = [r for t, r in self.changes.get(name, []) if t < begin]
        return all(inside) and bool(before) and before[-1]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.thread.join(10)


class Prober:
    """Asks one host again and again while its object says that it is Ready."""

    def __init__(self, nonagon, watch, name, host):
        self.nonagon, self.watch, self.name, self.host = nonagon, watch, name, host
        self.failures, self.asked, self.going = [], 0, True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.going:
            if not self.watch.ready(self.name):
                time.sleep(0.01)
                continue
            begin = time.monotonic()
            try:
                a = self.nonagon.request(self.host, timeout=30)
                said = None if a.status == 200 else f"{a.status} {a.text.strip()[:200]}"
            except OSError as e:
                said = repr(e)
            self.asked += 1
            if said:
                self.failures.append((begin, time.monotonic(), said))

    def stop(self):
        self.going = False
        self.thread.join(60)

    def lies(self):
        """Failures while the condition said True all the time, from before the request until LAG after it."""
        end = time.monotonic()
        return [f for f in self.failures if f[1] + LAG < end and
                self.watch.ready_throughout(self.name, f[0] - 0.001, f[1] + LAG)]


@pytest.fixture
def watching(nonagon):
    made = []

    def start(kind, name, host):
        watch = ReadyWatch(nonagon, kind)
        prober = Prober(nonagon, watch, name, host)
        made.extend([prober, watch])
        return prober

    yield start
    for m in made:
        m.stop()


def answers(nonagon, host, times=8):
    for _ in range(times):
        try:
            if nonagon.request(host, timeout=10).status != 200:
                return False
        except OSError:
            return False
    return True


def agree(nonagon, kind, name, host, what):
    """The condition comes to say what requests find, and keeps saying it."""
    def check():
        for _ in range(2):
            c = nonagon.condition(kind, name)
            works = answers(nonagon, host)
            assert (c.get("status") == "True") == works, (c, works)
        return c
    return eventually(check, f"{kind} {name} says what is: {what}")


# ---- a plain Ingress ----

def plain_pod(name, image):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 8080}],
                                     "env": [{"name": "TARGET", "value": name}],
                                     "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}]}}


def plain_service(name, port=80):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"name": "web", "port": port, "targetPort": 8080}]}}


def ingress(name, *splits):
    paths = [{"splits": [{"serviceName": s, "serviceNamespace": "default", "servicePort": port, "percent": percent}
                         for s, port, percent in splits]}]
    return {"apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {"name": name, "annotations": {"networking.knative.dev/ingress.class": CLASS}},
            "spec": {"httpOption": "Enabled", "rules": [{"hosts": [f"{name}.default.localhost"], "visibility": "ExternalIP",
                                                         "http": {"paths": paths}}]}}


SPLITS = [[("pa", 80, 100)], [("pa", "web", 100)], [("pb", 80, 100)], [("pa", 80, 50), ("pb", 80, 50)],
          [("pa", 81, 100)], [("nobody", 80, 100)], [("pa", 80, 100), ("nobody", 80, 0)]]


class Plain:
    """The world of the plain Ingress: each step changes one thing and says which."""

    def __init__(self, nonagon, rng):
        self.n, self.rng = nonagon, rng

    def which(self):
        return self.rng.choice(["pa", "pb"])

    def split(self):
        s = self.rng.choice(SPLITS)
        self.n.apply(ingress("plain", *s))
        return f"split {s}"

    def service(self):
        name, port = self.which(), self.rng.choice([80, 80, 81])
        self.n.apply(plain_service(name, port))
        return f"service {name}:{port}"

    def no_service(self):
        name = self.which()
        self.n.kubectl("delete", "service", name, "--ignore-not-found")
        return f"no service {name}"

    def label(self):
        name, value = self.which(), self.rng.choice(["in", "in", "out"])
        self.n.kubectl("label", "pod", name, "--overwrite", f"app={name if value == 'in' else 'out'}")
        return f"pod {name} {value}"


def test_plain_services_come_and_go(nonagon, hello, watching):
    seed = int(os.environ.get("NONAGON_TEST_SEED", random.randrange(100000)))
    print(f"NONAGON_TEST_SEED={seed}")
    world = Plain(nonagon, random.Random(seed))
    host = "plain.default.localhost"
    nonagon.apply(ingress("plain", ("pa", 80, 100)))
    c = agree(nonagon, "king", "plain", host, "no Service")
    assert (c["status"], c["reason"]) == ("False", "ServiceMissing"), c
    assert "default/pa" in c["message"], c
    prober = watching("king", "plain", host)
    for name in ("pa", "pb"):
        nonagon.apply(plain_pod(name, hello))
        nonagon.apply(plain_service(name))
    eventually(lambda: nonagon.condition("king", "plain").get("status") == "True", "the Ingress is Ready")
    eventually(lambda: prober.asked > 5, "requests are sent")
    agree(nonagon, "king", "plain", host, "all is there")
    steps = [world.split, world.service, world.no_service, world.label]
    for i in range(int(os.environ.get("NONAGON_TEST_STEPS", "12"))):
        what = world.rng.choice(steps)()
        agree(nonagon, "king", "plain", host, f"seed {seed}, step {i}: {what}")
    end = time.monotonic()
    eventually(lambda: time.monotonic() > end + LAG, "late conditions would have come")
    assert not prober.lies(), f"seed {seed}"
    prober.stop()
    nonagon.kubectl("delete", "king/plain", "pod/pa", "pod/pb", "--wait=false")
    nonagon.kubectl("delete", "service", "pa", "pb", "--ignore-not-found")


# ---- a Service ----

def test_rollouts_serve_while_ready(nonagon, hello, watching):
    def version(i, traffic=None):
        s = service("steady", hello, env={"TARGET": f"v{i}"},
                    annotations={"autoscaling.knative.dev/min-scale": "1"})
        if traffic:
            s["spec"]["traffic"] = traffic
        return s

    host = nonagon.host("steady")
    nonagon.apply(version(1))
    nonagon.wait_ready("ksvc", "steady")
    probers = [watching(kind, "steady", host) for kind in ("ksvc", "route", "king")]
    for p in probers:
        eventually(lambda: p.asked > 3, f"requests are sent while the {p.watch.process.args[2]} is Ready")
    for i in (2, 3):
        nonagon.apply(version(i))
        nonagon.wait_ready("ksvc", "steady")
    nonagon.apply(version(3, [{"revisionName": "steady-00001", "percent": 50},
                              {"revisionName": "steady-00003", "percent": 50, "tag": "new"}]))
    nonagon.wait_ready("ksvc", "steady")
    nonagon.kubectl("delete", "rev", "steady-00002")  # nobody goes there
    for pod in nonagon.pods("steady"):
        nonagon.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    nonagon.wait_ready("ksvc", "steady")
    agree(nonagon, "ksvc", "steady", host, "pods were replaced")
    assert [p.failures for p in probers] == [[], [], []]
    # A Revision that traffic goes to: now something is taken away.
    nonagon.kubectl("delete", "rev", "steady-00001")
    agree(nonagon, "king", "steady", host, "a revision is gone")
    agree(nonagon, "ksvc", "steady", host, "a revision is gone")
    nonagon.apply(version(3, [{"latestRevision": True, "percent": 100}]))
    nonagon.wait_ready("ksvc", "steady")
    agree(nonagon, "ksvc", "steady", host, "all goes to the latest again")
    assert [p.lies() for p in probers] == [[], [], []]
    nonagon.kubectl("delete", "ksvc", "steady")


def test_a_whole_tree_goes_in_the_foreground(nonagon, hello):
    nonagon.apply(service("tree", hello))
    nonagon.wait_ready("ksvc", "tree")
    nonagon.kubectl("delete", "ksvc", "tree", "--cascade=foreground", timeout=90)
    for kind in ("configuration", "revision", "route", "pods"):
        left = json.loads(nonagon.kubectl("get", kind, "-l", "serving.knative.dev/service=tree", "-o", "json").stdout)
        assert left["items"] == [], kind
