"""The pods' network taken away from outside: noticed, repaired, said while it lasts; and put back as it was at a stop."""
import os
import pathlib
import subprocess

import pytest

from support import NONAGON, Nonagon, die_with_us, eventually, free_port, service

SOON = 15  # seconds that a repair may take on a machine that is busy with other things


def run(*command, check=True):
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


@pytest.fixture(scope="module")
def own(hello):
    n = Nonagon(index=6).start()
    n.apply(service("kept", hello, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    n.wait_ready("ksvc", "kept")
    yield n
    print(n.tail(150))
    n.remove()


def pod_of(n):
    """The pods by their identity, address and count of restarts."""
    return [(p["metadata"]["uid"], p["status"]["podIP"], p["status"]["containerStatuses"][0]["restartCount"])
            for p in n.pods("kept")]


def serves(n):
    return n.call("kept", timeout=5).status == 200


def repairs(n):
    return n.log.read_text().count("was changed from outside and is repaired")


DAMAGE = {
    "bridge deleted": lambda n: run("ip", "link", "del", n.bridge),
    "bridge down": lambda n: run("ip", "link", "set", n.bridge, "down"),
    "address removed": lambda n: run("ip", "addr", "flush", "dev", n.bridge),
    "route removed": lambda n: run("ip", "route", "del", n.subnet, "dev", n.bridge),
    "refusing route removed": lambda n: run("ip", "route", "del", "unreachable", n.subnet),
    "rules removed": lambda n: run("nft", "delete", "table", "ip", n.bridge),
    "rules emptied": lambda n: run("nft", "flush", "chain", "ip", n.bridge, "arriving"),
    "port taken out": lambda n: [run("ip", "link", "set", p.name, "nomaster")
                                 for p in pathlib.Path(f"/sys/class/net/{n.bridge}/brif").iterdir()],
    "other hardware address": lambda n: run("ip", "link", "set", n.bridge, "address", "02:00:00:00:00:01"),
}


def whole(n):
    """Everything that belongs to the network, as one text."""
    ports = sorted(p.name for p in pathlib.Path(f"/sys/class/net/{n.bridge}/brif").iterdir())
    link = pathlib.Path("/sys/class/net", n.bridge)
    address = [l.split()[1] for l in run("ip", "-4", "addr", "show", "dev", n.bridge).splitlines() if "inet " in l]
    routes = [l.strip() for l in run("ip", "route", "show", "root", n.subnet).splitlines()]
    kinds = sorted(r.split()[0] for r in routes)
    return (bool(ports), (link / "address").read_text(), address, kinds,
            run("nft", "-s", "list", "table", "ip", n.bridge), int((link / "flags").read_text(), 16) & 1)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_repaired(own, damage):
    assert serves(own)
    before, pods, told = whole(own), pod_of(own), repairs(own)
    DAMAGE[damage](own)
    eventually(lambda: repairs(own) > told, f"it is said: {damage}", deadline=SOON)
    eventually(lambda: whole(own) == before, f"it is as before: {damage}", deadline=SOON)
    eventually(lambda: serves(own), "requests are served", deadline=SOON)
    assert pod_of(own) == pods, "pods lived through it"
    eventually(lambda: own.condition("pod", own.pods("kept")[0]["metadata"]["name"])["status"] == "True", "ready")
    assert repairs(own) == told + 1


def test_what_cannot_be_repaired_is_said(own):
    """A route of somebody else is left alone; while it leads packets away pods are not ready."""
    pod = own.pods("kept")[0]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    run("ip", "route", "add", f"{address}/32", "dev", "lo")
    try:
        c = eventually(lambda: next((c for c in [own.condition("pod", name)] if c["status"] == "False"), None),
                       "the pod is not ready", deadline=SOON)
        assert c["reason"] == "NetworkUnavailable" and "route" in c["message"], c
        node = own.get("nodes")["items"][0]["metadata"]["name"]
        eventually(lambda: own.condition("node", node, "NetworkUnavailable")["status"] == "True", "the node says so")
        assert own.log.read_text().count("is broken, pods are not ready") == 1
    finally:
        run("ip", "route", "del", f"{address}/32", "dev", "lo")
    eventually(lambda: own.condition("pod", name)["status"] == "True", "ready again", deadline=SOON)
    eventually(lambda: serves(own), "requests are served", deadline=SOON)


def test_hardware_address_is_fixed(own, hello):
    """Neither pods nor restarts change it: pods remember it."""
    link = pathlib.Path("/sys/class/net", own.bridge, "address")
    first = link.read_text()
    assert first == "0a:58:" + ":".join(f"{int(b):02x}" for b in own.gateway_ip.split(".")) + "\n"
    for round in range(3):
        own.kill()
        own.start()
        assert link.read_text() == first
        eventually(lambda: serves(own), "the adopted pod serves")
    own.apply(service("more", hello))
    own.wait_ready("ksvc", "more")
    assert link.read_text() == first


def test_packets_for_pods_stay_while_nobody_runs(own):
    """After a crash too, with the bridge gone, they are refused here; the next start puts pods back."""
    pods = pod_of(own)
    own.kill()
    run("ip", "link", "del", own.bridge)
    assert f"unreachable {own.subnet}" in run("ip", "route", "show")
    p = subprocess.run(["ip", "route", "get", pods[0][1]], capture_output=True, text=True)
    assert p.returncode != 0 and "unreachable" in p.stdout + p.stderr or "No route" in p.stderr, p
    own.start()
    eventually(lambda: serves(own), "the adopted pod serves", deadline=SOON)
    assert pod_of(own) == pods


# ---- a machine of its own: a network namespace ----

# /sys shows the network of who mounted it, and the control groups lie beneath it.
ENTER = """set -e
mkdir -p "$0.cgroup"
mount --rbind /sys/fs/cgroup "$0.cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$0.cgroup" /sys/fs/cgroup
exec "$@"
"""


class Machine:
    """One interface to the world, and nothing that forwards."""

    def __init__(self, name, tmp):
        self.name = name
        self.dir = tmp / "data"
        run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "far0")
        self.run("ip", "addr", "add", "192.168.77.1/24", "dev", "up0")
        self.run("ip", "link", "set", "up0", "up")
        self.write("ip_forward", "0")
        self.process = None

    def run(self, *command):
        return run("ip", "netns", "exec", self.name, *command)

    def read(self, switch):
        return self.run("cat", f"/proc/sys/net/ipv4/{switch}").strip()

    def write(self, switch, value):
        self.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{switch}")

    def start(self):
        log = self.dir.with_suffix(".log")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "-m", "sh", "-c", ENTER, str(self.dir),
                 NONAGON, "up", "--data-dir", str(self.dir), "--http-port", str(free_port()), "--api-port",
                 str(free_port()), "--bridge", "nonatestns", "--subnet", "10.99.0.0/16"], stdout=out, stderr=out, preexec_fn=die_with_us)
        eventually(lambda: b"ready in" in log.read_bytes(), "it is ready")

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0

    def network(self):
        return (self.read("ip_forward"), self.read("conf/up0/forwarding"), self.run("nft", "list", "ruleset"),
                self.run("ip", "route"), [l.split(":")[1] for l in self.run("ip", "-o", "link").splitlines()])


@pytest.fixture
def machine(tmp_path):
    m = Machine(f"nonatest-{os.getpid()}", tmp_path)
    yield m
    if m.process and m.process.poll() is None:
        m.kill()
    run("ip", "netns", "del", m.name)


def test_forwarding_is_narrow_and_put_back(machine):
    before = machine.network()
    machine.start()
    eventually(lambda: machine.read("conf/up0/forwarding") == "1", "pods reach the world")
    assert machine.read("ip_forward") == "0"
    assert machine.read("conf/nonatestns/forwarding") == "1"
    assert 'iifname "up0" oifname != "nonatestns" drop' in machine.run("nft", "list", "ruleset")
    machine.kill()
    machine.start()
    assert machine.read("conf/up0/forwarding") == "1"
    machine.stop()
    assert machine.network() == before


def test_a_router_stays_one(machine):
    """Somebody makes the machine a router while we run: nothing of his is filtered, and it stays so."""
    machine.start()
    machine.write("ip_forward", "1")
    eventually(lambda: "oifname !=" not in "".join(
        l for l in machine.run("nft", "list", "ruleset").splitlines(True) if "up0" in l), "no rule is in his way",
        deadline=SOON)
    machine.stop()
    assert machine.read("ip_forward") == "1" and machine.read("conf/up0/forwarding") == "1"


def test_a_new_interface_forwards_too(machine):
    machine.start()
    machine.run("ip", "link", "add", "up1", "type", "veth", "peer", "name", "far1")
    machine.run("ip", "addr", "add", "192.168.78.1/24", "dev", "up1")
    eventually(lambda: machine.read("conf/up1/forwarding") == "1", "it forwards", deadline=SOON)
    machine.stop()
    assert machine.read("conf/up1/forwarding") == "0"
