"""A data directory that changed behind Nonagon's back: what is damaged is named, what is gone refuses the start, the rest serves."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from support import Nonagon, eventually

LOST = "start once with --accept-data-loss"


@pytest.fixture
def own():
    n = Nonagon(index=9).start()
    yield n
    print(n.tail(150))
    n.remove()


def config_map(name, value="x"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}}


def names(n):
    return {c["metadata"]["name"] for c in n.get("configmaps")["items"]}


def refused(n, *extra):
    """Starts it and returns what it says when it ends by itself."""
    p = subprocess.run(n.command() + list(extra), capture_output=True, text=True, timeout=120)
    assert p.returncode == 1, p.stderr
    return p.stderr


def raw(n, path):
    return n.kubectl("get", "--raw", path, check=False)


def test_one_damaged_object_stops_nothing(own):
    for name in ("good", "bad", "worse"):
        own.apply(config_map(name))
    assert own.stop() == 0
    with sqlite3.connect(own.dir / "state.db") as db:
        changed = db.execute("UPDATE log SET value = replace(value, '\"value\":\"x\"', '\"value\":\"y\"') WHERE key IN "
                             "('/configmaps/default/bad', '/configmaps/default/worse')").rowcount
        assert changed == 2
    db.close()
    own.start()
    assert "bad does not fit its checksum" in own.tail(500)
    assert "good" in names(own) and not {"bad", "worse"} & names(own)
    p = own.kubectl("get", "configmap", "bad", check=False)
    assert p.returncode and "cannot be read" in p.stderr and "create it again" in p.stderr
    assert raw(own, "/readyz").stdout == "ok"
    assert "2 objects cannot be read" in raw(own, "/readyz?verbose").stdout
    assert raw(own, "/readyz/store/objects").returncode
    own.kubectl("delete", "configmap", "bad")
    own.kubectl("create", "-f", "-", input=json.dumps(config_map("worse", "new")))
    p = own.kubectl("get", "configmap", "bad", check=False)
    assert "NotFound" in p.stderr
    assert raw(own, "/readyz/store/objects").returncode == 0
    own.kill()
    own.start()
    assert own.get("configmap", "worse")["data"] == {"value": "new"}
    assert not own.exists("configmap", "bad")


def test_lost_writes_refuse_the_start(own):
    own.apply(config_map("early"))
    assert own.stop() == 0
    own.start()
    for i in range(10):
        own.apply(config_map(f"late-{i}"))
    own.kill()
    wal = own.dir / "state.db-wal"
    kept = wal.read_bytes()
    wal.unlink()
    said = refused(own)
    assert "were acknowledged" in said and LOST in said and str(own.dir) in said
    # What was put back is what counts.
    wal.write_bytes(kept)
    own.start()
    assert {f"late-{i}" for i in range(10)} <= names(own)
    own.kill()
    wal.write_bytes(b"")
    assert LOST in refused(own)
    own.extra = ["--accept-data-loss"]
    own.start()
    assert "early" in names(own)
    own.apply(config_map("after"))
    assert own.stop() == 0
    own.extra = []
    own.start()
    assert {"early", "after"} <= names(own)


def test_an_emptied_database_is_no_new_one(own):
    own.apply(config_map("here"))
    assert own.stop() == 0
    db = own.dir / "state.db"
    kept = db.read_bytes()
    for empty in (lambda: db.write_bytes(b""), db.unlink):
        empty()
        assert "is gone or empty" in refused(own)
    db.write_bytes(kept)
    own.start()
    assert "here" in names(own)


def test_watches_go_on_over_a_restart(own):
    own.apply(config_map("seen", "1"))
    rv = own.get("configmap", "seen")["metadata"]["resourceVersion"]
    own.apply(config_map("seen", "2"))
    own.kubectl("delete", "configmap", "seen")
    own.kill()
    own.start()
    path = f"/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={rv}&timeoutSeconds=1"
    events = [json.loads(line) for line in raw(own, path).stdout.splitlines()]
    assert [(e["type"], e["object"]["data"]["value"]) for e in events
            if e["object"]["metadata"].get("name") == "seen"] == [("MODIFIED", "2"), ("DELETED", "2")]


def test_only_the_owner_can_look_in(own):
    assert own.stop() == 0
    for path in own.dir.glob("state.db*"):
        assert path.stat().st_mode & 0o777 == 0o600
    own.dir.chmod(0o755)
    own.start()
    assert own.dir.stat().st_mode & 0o777 == 0o700
    assert "its mode is now 0700" in own.tail(500)
    assert own.stop() == 0
    # Not where others' files are.
    other = own.dir.with_name(own.dir.name + "-other")
    other.mkdir()
    try:
        other.chmod(0o755)
        (other / "theirs").write_text("x")
        p = subprocess.run([*own.command()[:3], str(other), *own.command()[4:]], capture_output=True, text=True, timeout=60)
        assert p.returncode == 1 and "chmod 700" in p.stderr
        assert other.stat().st_mode & 0o777 == 0o755 and os.listdir(other) == ["theirs"]
    finally:
        shutil.rmtree(other)


def test_a_broken_authority_is_kept(own):
    assert own.stop() == 0
    key = next(own.dir.glob("pki/**/ca.key"))
    kept = key.read_bytes()
    key.write_bytes(b"broken")
    said = refused(own)
    assert "ca.key is damaged" in said and key.read_bytes() == b"broken"
    key.write_bytes(kept)
    own.start()
    assert own.kubectl("get", "namespaces").returncode == 0


def test_the_lock_of_a_killed_process_is_waited_for(own):
    """Another holds the lock for a moment: it is no other Nonagon."""
    own.kill()
    holder = subprocess.Popen(["flock", str(own.dir / "lock"), "sleep", "1"])
    eventually(lambda: subprocess.run(["flock", "-n", str(own.dir / "lock"), "true"]).returncode, "the lock is held")
    own.start()
    holder.wait(30)
