"""Bad input and bad surroundings: one clear message that names the thing and the remedy, and nothing crashes."""
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from support import NONAGON, Nonagon, eventually, free_port, service


def up(*args, env=None, user=None, timeout=60):
    return subprocess.run([NONAGON, "up", *args], capture_output=True, text=True, timeout=timeout, env=env, user=user)


def one_message(p, *parts):
    """Failed with exactly one line on standard error that has all the parts."""
    assert p.returncode not in (0, None) and p.returncode > 0, p
    lines = [l for l in p.stderr.splitlines() if l.startswith("nonagon")]
    assert len(lines) == 1, p.stderr
    for part in parts:
        assert part in lines[0], p.stderr


def bad_apply(nonagon, text, *parts):
    p = nonagon.kubectl("apply", "-f", "-", input=text, check=False)
    assert p.returncode != 0
    for part in parts:
        assert part in p.stderr, p.stderr
    assert nonagon.process.poll() is None


@pytest.fixture(scope="module")
def private_tmp(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


def test_port_taken(private_tmp):
    with socket.socket() as s:
        s.bind(("0.0.0.0", 0))
        s.listen()
        port = s.getsockname()[1]
        args = ["--data-dir", str(private_tmp / "a"), "--bridge", "nonatest9", "--subnet", "10.229.0.0/16"]
        one_message(up(*args, "--http-port", str(port), "--api-port", str(free_port())), str(port), "in use")
        one_message(up(*args, "--http-port", str(free_port()), "--api-port", str(port)), str(port), "in use")
    subprocess.run(["ip", "link", "del", "nonatest9"], capture_output=True)


@pytest.fixture
def spare():
    """An instance that was never started."""
    n = Nonagon(index=9)
    yield n
    n.remove()


def fails(n, *parts):
    p = subprocess.run(n.command(), capture_output=True, text=True, timeout=60)
    one_message(p, *parts)


def test_port_taken_on_the_bridge(spare):
    def ip(*args):
        subprocess.run(["ip", *args], check=True)

    ip("link", "add", spare.bridge, "type", "bridge")
    ip("addr", "add", f"{spare.gateway_ip}/16", "dev", spare.bridge)
    ip("link", "set", spare.bridge, "up")
    for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 53), (socket.SOCK_STREAM, 80)):
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind((spare.gateway_ip, port))
            if kind == socket.SOCK_STREAM:
                s.listen()
            fails(spare, f"{spare.gateway_ip}:{port}", "in use")
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    assert f"table ip {spare.bridge}\n" not in tables
    ip("link", "show", spare.bridge)  # it was there before: it stays


def test_failed_start_leaves_no_network(spare):
    with socket.socket() as s:
        s.bind(("0.0.0.0", spare.api_port))
        s.listen()
        fails(spare, str(spare.api_port), "in use")
    assert not os.path.exists(f"/sys/class/net/{spare.bridge}")


def test_damaged_state(spare):
    spare.start()
    assert spare.stop() == 0
    db = spare.dir / "state.db"
    good = db.read_bytes()
    for bad in (os.urandom(65536), good[:len(good) // 2], good[:8192] + os.urandom(8192) + good[16384:]):
        for f in spare.dir.glob("state.db*"):
            f.unlink()
        db.write_bytes(bad)
        fails(spare, str(db), "restore a backup of it", "move it and the files beside it away")
    for f in spare.dir.glob("state.db*"):
        f.unlink()
    db.write_bytes(good)
    spare.start()


@pytest.mark.parametrize("name", ["server.crt", "server.key", "admin.crt", "admin.key"])
def test_damaged_certificates_are_made_again(spare, name):
    spare.start()
    assert spare.stop() == 0
    found = next(spare.dir.glob(f"pki/**/{name}"))
    found.write_bytes(found.read_bytes()[:100])
    spare.start()
    assert spare.kubectl("get", "ns").returncode == 0


@pytest.mark.parametrize("name", ["ca.crt", "ca.key"])
def test_a_damaged_authority_is_kept(spare, name):
    """A new one in its place would end every credential that was handed out, without a word."""
    spare.start()
    assert spare.stop() == 0
    found = next(spare.dir.glob(f"pki/**/{name}"))
    good = found.read_bytes()
    found.write_bytes(good[:100])
    fails(spare, str(found.parent), name, "restore")
    assert found.read_bytes() == good[:100]
    found.write_bytes(good)
    spare.start()
    assert spare.kubectl("get", "ns").returncode == 0


def test_disk_full_at_start(private_tmp):
    disk = private_tmp / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=0700", "tmpfs", str(disk)], check=True)
    try:
        fails(Nonagon(data_dir=disk, index=9), "disk full", str(disk))
    finally:
        subprocess.run(["umount", str(disk)])


def test_signals_at_any_moment_of_a_start(spare):
    """Twice each, as a terminal and a wrapper send them: a clean end, in the time that a start takes."""
    for delay in (0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
        for number in (signal.SIGTERM, signal.SIGINT):
            p = subprocess.Popen(spare.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                p.wait(delay)
            except subprocess.TimeoutExpired:
                pass
            p.send_signal(number)
            p.send_signal(number)
            p.communicate(timeout=60)
            # Before it asked to be told of signals, it just ends.
            assert p.returncode in (0, -number)
    assert not os.path.exists(f"/sys/class/net/{spare.bridge}")


def test_data_directory_not_writable():
    one_message(up("--data-dir", "/proc/nonagon"), "/proc/nonagon", "--data-dir")


def test_bad_options():
    assert up("--http-port", "70000").returncode == 2
    assert "70000" in up("--http-port", "70000").stderr
    assert up("--no-such-option").returncode == 2
    assert up("--log-level", "loud").returncode == 2


def test_missing_crun(private_tmp):
    env = dict(os.environ, PATH=str(private_tmp))
    one_message(up("--data-dir", str(private_tmp / "b"), env=env), "crun", "install")


def test_not_root():
    one_message(up("--data-dir", "/tmp/nonagon-not-root", user="nobody"), "root")


def test_disk_full(private_tmp):
    disk = private_tmp / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(disk)], check=True)
    n = Nonagon(data_dir=disk, index=9)
    try:
        n.start()
        (disk / "fill").write_bytes(b"")
        with open(disk / "fill", "wb") as f:
            try:
                while True:
                    f.write(b"x" * 65536)
            except OSError:
                pass
        big = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"},
                          "data": {"x": "y" * 500000}})
        p = eventually(lambda: next((p for p in [n.kubectl("create", "-f", "-", input=big, check=False)]
                                     if p.returncode), None), "a write is refused")
        assert "full" in p.stderr or "space" in p.stderr, p.stderr
        assert n.process.poll() is None
        assert n.kubectl("get", "ns").returncode == 0
        (disk / "fill").unlink()
        small = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "small"}})
        eventually(lambda: n.kubectl("apply", "-f", "-", input=small, check=False).returncode == 0,
                   "writes work again once there is room")
    finally:
        n.remove()
        subprocess.run(["umount", str(disk)])


def test_malformed_manifests(nonagon):
    bad_apply(nonagon, "apiVersion: v1\nkind: [", "yaml")
    bad_apply(nonagon, '{"apiVersion": "serving.knative.dev/v1", "kind": "Service"}', "name")
    bad_apply(nonagon, json.dumps({"apiVersion": "nowhere.example.com/v1", "kind": "Thing",
                                   "metadata": {"name": "x"}}), "Thing")


def test_wrong_types_name_the_path(nonagon, hello):
    m = service("bad", hello)
    m["spec"]["template"]["spec"]["containerConcurrency"] = "many"
    p = nonagon.kubectl("create", "--validate=false", "-f", "-", input=json.dumps(m), check=False)
    assert p.returncode != 0 and "spec.template.spec.containerConcurrency" in p.stderr, p.stderr


def test_unknown_field_is_named(nonagon, hello):
    m = service("bad", hello)
    m["spec"]["template"]["spec"]["containres"] = []
    p = nonagon.kubectl("create", "--validate=strict", "-f", "-", input=json.dumps(m), check=False)
    assert p.returncode != 0 and "containres" in p.stderr, p.stderr


def test_validation_in_upstreams_words(nonagon, hello):
    m = service("bad", hello, env={"A": "1"})
    del m["spec"]["template"]["spec"]["containers"][0]["image"]
    bad_apply(nonagon, json.dumps(m), 'admission webhook "validation.webhook.serving.knative.dev" denied the request',
              "missing field(s): spec.template.spec.containers[0].image")
    m = service("bad", hello)
    m["spec"]["traffic"] = [{"latestRevision": True, "percent": 90}]
    bad_apply(nonagon, json.dumps(m), "Traffic targets sum to 90, want 100: spec.traffic")
    bad_apply(nonagon, json.dumps(service("bad", "UPPER CASE")), "Failed to parse image reference")


def test_oversized_object(nonagon):
    m = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "huge"}, "data": {"x": "y" * 5_000_000}}
    p = nonagon.kubectl("create", "-f", "-", input=json.dumps(m), check=False)
    assert p.returncode != 0 and ("too large" in p.stderr or "TooLarge" in p.stderr), p.stderr


def test_anonymous_is_refused(nonagon):
    p = subprocess.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
                        f"https://127.0.0.1:{nonagon.api_port}/api/v1/namespaces"], capture_output=True, text=True)
    assert p.stdout == "401"


def test_oversized_request_head(nonagon, hello):
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    nonagon.wait_ready("ksvc", "first")
    assert nonagon.call("first", headers={"X-Big": "x" * 200_000}).status == 431
    assert nonagon.call("first").status == 200


def test_unknown_host(nonagon):
    assert nonagon.request("nobody.default.localhost").status == 404
