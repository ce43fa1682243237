"""What a neighbour on the machine's network reaches: the public gateway, and nothing behind the bridge."""
import os
import socket
import subprocess

import pytest

from support import Nonagon, eventually, service

TRY = "import socket,sys\ns=socket.socket()\ns.settimeout(3)\ns.connect((sys.argv[1],int(sys.argv[2])))\n"
ASK = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(3)\n"
       "s.sendto(bytes.fromhex('1234010000010000000000000a6b756265726e657465730764656661756c74037376630763"
       "6c7573746572056c6f63616c0000010001'),(sys.argv[1],53))\ns.recv(512)\n")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Neighbour:
    """A machine on the same wire that sends packets for pods to us."""

    def __init__(self, n):
        self.net = n.subnet.split(".")[1]
        self.name = f"nonalan{self.net}"
        self.ours, self.theirs = f"192.168.{self.net}.1", f"192.168.{self.net}.2"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"nlan{self.net}", "type", "veth", "peer", "name", "lan0", "netns", self.name)
        run("ip", "addr", "add", f"{self.ours}/24", "dev", f"nlan{self.net}")
        run("ip", "link", "set", f"nlan{self.net}", "up")
        self.run("ip", "addr", "add", f"{self.theirs}/24", "dev", "lan0")
        self.run("ip", "link", "set", "lan0", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "route", "add", n.subnet, "via", self.ours)

    def command(self, *command):
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command):
        return run(*self.command(*command))

    def reaches(self, address, port):
        return subprocess.run(self.command("python3", "-c", TRY, address, str(port)), capture_output=True).returncode == 0

    def resolves(self, server):
        return subprocess.run(self.command("python3", "-c", ASK, server), capture_output=True).returncode == 0

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        subprocess.run(["ip", "link", "del", f"nlan{self.net}"], capture_output=True)


@pytest.fixture(scope="module")
def own(hello):
    n = Nonagon(index=5).start()
    n.apply(service("inner", hello, annotations={"autoscaling.knative.dev/min-scale": "1"},
                    labels={"networking.knative.dev/visibility": "cluster-local"}))
    n.wait_ready("ksvc", "inner")
    yield n
    print(n.tail(100))
    n.remove()


@pytest.fixture(scope="module")
def neighbour(own):
    lan = Neighbour(own)
    yield lan
    lan.remove()


def test_neighbour_reaches_the_public_gateway_only(own, neighbour):
    pod = own.pods("inner")[0]["status"]["podIP"]
    assert neighbour.reaches(neighbour.ours, own.http_port), "the wire works"
    for address, port in ((own.gateway_ip, 80), (own.gateway_ip, 8012), (own.gateway_ip, 53), (pod, 8080),
                          (own.gateway_ip, own.http_port), (own.gateway_ip, own.api_port)):
        assert not neighbour.reaches(address, port), f"{address}:{port}"
    assert not neighbour.resolves(own.gateway_ip)


def test_neighbour_that_pretends_to_be_a_pod(own, neighbour):
    """With an address of the subnet as its own, its packets are still not from the bridge."""
    fake = own.subnet.split(".")
    address = f"10.{fake[1]}.250.250"
    neighbour.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    neighbour.run("ip", "route", "replace", own.subnet, "via", neighbour.ours, "src", address)
    run("ip", "route", "add", f"{address}/32", "via", neighbour.theirs)
    try:
        assert not neighbour.reaches(own.gateway_ip, 80)
        assert not neighbour.reaches(own.pods("inner")[0]["status"]["podIP"], 8080)
    finally:
        run("ip", "route", "del", f"{address}/32")
        neighbour.run("ip", "route", "replace", own.subnet, "via", neighbour.ours)


def test_this_machine_and_pods_reach_it(own, neighbour, busybox):
    """What the rules must not break: pods to pods, to the bridge, to the world, and this machine to all of them."""
    pod = own.pods("inner")[0]["status"]["podIP"]
    with socket.create_connection((pod, 8080), 5), socket.create_connection((own.gateway_ip, 80), 5):
        pass
    server = subprocess.Popen(neighbour.command("python3", "-m", "http.server", "--bind", neighbour.theirs, "8099"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/proc/self/fdinfo")
    script = (f"wget -qO- http://{pod}:8080/ && nslookup inner.default.svc.cluster.local {own.gateway_ip} && "
              f"wget -qO- http://inner.default.svc.cluster.local/ && "
              f"until wget -qO /dev/null http://{neighbour.theirs}:8099/; do :; done; echo all-reached")
    try:
        own.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reach"},
                   "spec": {"restartPolicy": "Never", "containers": [
                       {"name": "main", "image": busybox, "command": ["/bin/sh", "-c", script]}]}})
        eventually(lambda: own.get("pod", "reach")["status"].get("phase") in ("Succeeded", "Failed"), "the pod ends")
        assert "all-reached" in own.kubectl("logs", "reach").stdout
    finally:
        server.terminate()
        seen = server.communicate()[1]
    assert neighbour.ours in seen, "the neighbour sees this machine, not the pod"


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv6"), reason="the kernel has no IPv6")
def test_ipv6_leads_nowhere(own):
    with open(f"/proc/sys/net/ipv6/conf/{own.bridge}/disable_ipv6") as f:
        assert f.read().strip() == "1"
