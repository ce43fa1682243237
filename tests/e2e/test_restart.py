"""Stops, crashes and restarts: nothing acknowledged is lost, running pods are adopted, nothing is left behind."""
import json
import os
import pathlib
import random
import subprocess
import threading
import time

import pytest

from support import Nonagon, eventually, free_port, service

KILLS = int(os.environ.get("NONAGON_KILLS", "50"))


@pytest.fixture
def own():
    n = Nonagon(index=8).start()
    yield n
    print(n.tail(150))
    n.remove()


def container_pids(n):
    """Host process ids of the pods of this data directory, by pod name."""
    found = {}
    for p in n.get("pods")["items"]:
        for c in p["status"].get("containerStatuses", []):
            if "running" in c.get("state", {}):
                found[p["metadata"]["name"]] = c["containerID"]
    return found


def cgroup_name(n):
    """The node's group is named for the real path of the folder that it keeps: 32-bit FNV-1a."""
    h = 0x811c9dc5
    for b in os.path.realpath(n.dir / "node").encode():
        h = (h ^ b) * 0x01000193 & 0xffffffff
    return f"nonagon-{h:08x}"


def processes(n):
    """Processes in this instance's control groups, or started on its directory."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            mine = cgroup_name(n) in (p / "cgroup").read_text() or f"{n.dir}/".encode() in (p / "cmdline").read_bytes()
            if mine and int(p.name) != os.getpid():
                found.append(f"{p.name} {(p / 'cmdline').read_bytes()!r}")
        except OSError:
            pass  # it has ended
    return found


def leftovers(n):
    """What this instance holds in the kernel, by kind; kinds of which nothing is left are absent."""
    def lines(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()

    net = int(n.subnet.split(".")[1])
    links = lines("ip", "-o", "link")
    left = {
        "mounts": [m for m in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(n.dir) in m],
        # The near end of a pod's interface is named for its address; it goes with the network namespace.
        "interfaces": [i for i in links if f": ng0a{net:02x}" in i],
        "bridge": [i for i in links if f": {n.bridge}:" in i],
        "nft": [t for t in lines("nft", "list", "tables") if t.split()[-1] == n.bridge],
        "cgroups": [str(p) for p in pathlib.Path("/sys/fs/cgroup").glob(f"**/{cgroup_name(n)}")],
        "processes": processes(n),
        "pods": [str(p) for folder in ("pods", "crun") for p in (n.dir / "node" / folder).glob("*")],
    }
    return {kind: found for kind, found in left.items() if found}


def test_clean_stop_and_second_start(own, hello):
    own.apply(service("kept", hello, env={"TARGET": "Kept"}))
    own.wait_ready("ksvc", "kept")
    uid = own.get("ksvc", "kept")["metadata"]["uid"]
    assert {"interfaces", "bridge", "cgroups", "processes", "pods"} <= set(leftovers(own))
    assert own.stop() == 0
    assert leftovers(own) == {}
    own.start()
    assert own.get("ksvc", "kept")["metadata"]["uid"] == uid
    assert eventually(lambda: own.call("kept").text.strip() == "Hello Kept!", "it serves again")


def test_stop_under_watch(own, hello):
    """Followers of logs and watchers are sent away; they do not hold the stop up."""
    own.apply(service("seen", hello))
    own.wait_ready("ksvc", "seen")
    pod = own.pods("seen")[0]["metadata"]["name"]
    env = dict(os.environ, KUBECONFIG=str(own.kubeconfig))
    followers = [subprocess.Popen(["kubectl", "-v=6", *args], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                 for args in (["logs", "-f", pod], ["get", "pods", "-w"])]
    for f, what in zip(followers, (b"follow=true", b"watch=true")):
        assert any(what in line and b"200 OK" in line for line in f.stderr)
    assert own.stop() == 0
    for f in followers:
        f.communicate(timeout=60)
    assert leftovers(own) == {}


def test_pods_are_adopted_after_kill(own, hello):
    own.apply(service("adopt", hello, env={"TARGET": "Adopt"}, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    own.wait_ready("ksvc", "adopt")
    before = container_pids(own)
    assert before
    own.kill()
    own.start()
    assert eventually(lambda: own.call("adopt").text.strip() == "Hello Adopt!", "it serves again")
    assert container_pids(own) == before
    restarts = [c["restartCount"] for p in own.pods("adopt") for c in p["status"]["containerStatuses"]]
    assert restarts == [0]


def test_orphans_are_removed(own, hello):
    own.apply(service("orphan", hello, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    own.wait_ready("ksvc", "orphan")
    own.kill()
    # The state is lost while the container lives: it belongs to nobody now.
    for f in own.dir.glob("state.db*"):
        f.unlink()
    # A mistake would take the pods with it, so somebody has to mean it.
    p = subprocess.run(own.command(), capture_output=True, text=True, timeout=120)
    assert p.returncode == 1 and "start once with --accept-data-loss" in p.stderr
    own.extra = ["--accept-data-loss"]
    own.start()
    eventually(lambda: "pods" not in leftovers(own), "nothing of the orphan is left")
    assert own.pods() == []
    assert own.stop() == 0
    assert leftovers(own) == {}


def test_kill_at_random_moments(own, hello):
    """kill -9 during writes and rollouts, many times: every acknowledged object is there and the Service serves."""
    rnd = random.Random(20260101)
    acknowledged, counter = {}, 0
    own.apply(service("roll", hello, env={"TARGET": "v0"}, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    own.wait_ready("ksvc", "roll")
    rolled = 0
    for round_number in range(KILLS):
        stop = threading.Event()

        def write():
            nonlocal counter
            while not stop.is_set():
                name, value = f"ack-{counter % 40}", str(counter)
                m = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}
                counter += 1
                p = own.kubectl("apply", "-f", "-", input=json.dumps(m), check=False, timeout=60)
                if p.returncode == 0:
                    acknowledged[name] = value

        writer = threading.Thread(target=write)
        writer.start()
        if round_number % 3 == 0:
            rolled += 1
            own.kubectl("patch", "ksvc", "roll", "--type=merge", "-p", json.dumps(
                {"spec": {"template": {"spec": {"containers": [
                    {"image": hello, "env": [{"name": "TARGET", "value": f"v{rolled}"}]}]}}}}), check=False)
        time.sleep(rnd.uniform(0, 0.6))
        own.kill()
        stop.set()
        writer.join()
        own.start()
        have = {c["metadata"]["name"]: int(c["data"]["value"]) for c in own.get("configmaps")["items"]
                if c["metadata"]["name"].startswith("ack-")}
        for name, value in acknowledged.items():
            # A write that was cut off may have been committed unacknowledged: newer is right, older is a loss.
            assert have.get(name, -1) >= int(value), (round_number, name)
    want = f"Hello v{rolled}!"
    own.kubectl("patch", "ksvc", "roll", "--type=merge", "-p", json.dumps(
        {"spec": {"template": {"spec": {"containers": [
            {"image": hello, "env": [{"name": "TARGET", "value": f"v{rolled}"}]}]}}}}))
    own.wait_ready("ksvc", "roll")
    eventually(lambda: own.call("roll").text.strip() == want, "the last revision serves")
    own.kubectl("delete", "ksvc", "roll")
    eventually(lambda: not own.pods(), "pods end with their Service")
    assert own.stop() == 0
    assert leftovers(own) == {}


def test_kill_during_start(own, hello):
    """kill -9 while it starts, takes pods over and starts others: the last start finds its way."""
    rnd = random.Random(20260102)
    for i in range(3):
        own.apply(service(f"start-{i}", hello, annotations={"autoscaling.knative.dev/min-scale": "2"}))
    for _ in range(KILLS // 2):
        own.kill()
        # Some pods die meanwhile, so that there is something to start as well.
        for pid in [p.split()[0] for p in processes(own) if rnd.random() < 0.3]:
            subprocess.run(["kill", "-9", pid])
        own.process = subprocess.Popen(own.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rnd.uniform(0, 0.7))
    own.kill()
    own.start()
    for i in range(3):
        own.wait_ready("ksvc", f"start-{i}")
        assert eventually(lambda: own.call(f"start-{i}").status == 200, "it serves again")
        own.kubectl("delete", "ksvc", f"start-{i}")
    eventually(lambda: not own.pods(), "pods end with their Services")
    assert own.stop() == 0
    assert leftovers(own) == {}


def test_second_instance_on_the_same_directory_is_refused(own):
    p = subprocess.run(own.command()[:4] + ["--http-port", str(free_port()), "--api-port", str(free_port())],
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 1
    assert f"{own.dir} is in use by another nonagon" in p.stderr
