"""Pulling, resolving and importing images, against docker-registry and a registry that misbehaves on request.

Each test starts what it needs on free loopback ports and in a temporary directory. IMAGE_TOOL names the program that
drives the store; without it the tests look into the build directories.
"""
import base64
import hashlib
import http.client
import http.server
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def find_tool():
    if os.environ.get("IMAGE_TOOL"):
        return os.environ["IMAGE_TOOL"]
    found = sorted(ROOT.glob("build*/tests/unit/image/image_tool"), key=os.path.getmtime)
    return str(found[-1]) if found else None


TOOL = find_tool()
pytestmark = pytest.mark.skipif(TOOL is None or os.geteuid() != 0, reason="needs image_tool and root")


class Result:
    def __init__(self, line):
        self.line = line
        self.ok = line.startswith("ok")
        self.words = line.split(" ")

    @property
    def digest(self):
        return self.words[2]

    @property
    def layers(self):
        return [pathlib.Path(p) for p in self.words[4:]]

    @property
    def code(self):
        return int(self.words[1])


def run(*args, env=None):
    done = subprocess.run(
        [TOOL, *map(str, args)], capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return [Result(line) for line in done.stdout.splitlines()]


def one(*args, env=None):
    results = run(*args, env=env)
    assert len(results) == 1, [r.line for r in results]
    return results[0]


def pull(store, *refs, policy="ifnot", auths="-", env=None):
    return run("pull", store, policy, auths, *refs, env=env)


def nothing_left(store):
    """No temporary file outlives its owner."""
    return list((store / "tmp").iterdir()) == []


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Two layers; the second hides a file of the first."""
    base, top = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("top")
    (base / "etc").mkdir()
    (base / "etc/issue").write_text("base\n")
    (base / "etc/gone").write_text("gone\n")
    (base / "big").write_bytes(os.urandom(3 << 20))
    (top / "etc").mkdir()
    (top / "etc/.wh.gone").write_text("")
    (top / "etc/issue").write_text("top\n")
    return [base, top]


def make_image(*args):
    done = subprocess.run(
        [sys.executable, ROOT / "tools/make-image", *map(str, args)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- a real registry ----


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, "the registry ended"
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail("the registry does not listen")


def start_registry(directory, auth=""):
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    port = free_port()
    config = directory / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\n"
        f"http:\n  addr: 127.0.0.1:{port}\nlog:\n  accesslog:\n    disabled: true\n  level: error\n{auth}"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
    )
    wait_for_port(port, process)
    return process, f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    process, host = start_registry(tmp_path_factory.mktemp("registry"))
    yield host
    process.kill()
    process.wait()




@pytest.fixture(scope="module")
def private_registry(tmp_path_factory):
    directory = tmp_path_factory.mktemp("private")
    try:
        import crypt

        salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)
        hashed = crypt.crypt("secret", salt)
    except (ImportError, ValueError):
        pytest.skip("no bcrypt to make a password file")
    (directory / "htpasswd").write_text(f"ann:{hashed.replace('$2b$', '$2y$')}\n")
    process, host = start_registry(
        directory, f"auth:\n  htpasswd:\n    realm: test\n    path: {directory}/htpasswd\n"
    )
    yield host
    process.kill()
    process.wait()


def write_auths(path, host, user, password, joined=True):
    entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    if not joined:
        entry = {"username": user, "password": password}
    path.write_text(json.dumps({"auths": {host: entry}}))
    return path


def test_pull_from_registry(registry, roots, store):
    digest = make_image("--push", f"{registry}/app:v1", "--env", "A=b", *roots)
    got = pull(store, f"{registry}/app:v1")[0]
    assert got.ok, got.line
    assert got.digest == digest
    assert len(got.layers) == 2
    assert (got.layers[0] / "etc/gone").read_text() == "gone\n"
    assert (got.layers[1] / "etc/issue").read_text() == "top\n"
    assert (got.layers[1] / "etc/gone").is_char_device()
    assert int(got.words[3]) > 3 << 20
    assert nothing_left(store)
    # it is found without the registry, by tag and by digest
    for ref in (f"{registry}/app:v1", f"{registry}/app@{digest}"):
        assert one("find", store, ref).digest == digest
    assert not one("find", store, f"{registry}/app:v2").ok


def test_policies(registry, roots, store):
    ref = f"{registry}/policy:v1"
    first = make_image("--push", ref, roots[0])
    assert pull(store, ref, policy="never")[0].code == -2
    assert pull(store, ref)[0].digest == first
    second = make_image("--push", ref, roots[1])
    assert pull(store, ref)[0].digest == first
    assert pull(store, ref, policy="never")[0].digest == first
    assert pull(store, ref, policy="always")[0].digest == second
    assert pull(store, ref)[0].digest == second
    assert pull(store, f"{registry}/policy@{first}", policy="never")[0].digest == first


def test_many_at_once(registry, roots, store):
    refs = []
    for number in range(6):
        refs.append(f"{registry}/many{number}:v1")
        make_image("--push", refs[-1], "--label", f"n={number}", *roots)
    got = pull(store, *refs, *refs, "not an image", f"{registry}/absent")
    assert [r.ok for r in got].count(True) == 12
    assert len({p for r in got if r.ok for p in r.layers}) == 2  # shared
    assert sorted(r.code for r in got if not r.ok) == [-22, -2]
    assert nothing_left(store)


def test_several_processes(registry, roots, store):
    ref = f"{registry}/processes:v1"
    make_image("--push", ref, *roots)
    commands = [TOOL, "pull", str(store), "always", "-", ref]
    processes = [subprocess.Popen(commands, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {p.communicate(timeout=60)[0] for p in processes}
    assert len(outputs) == 1 and outputs.pop().startswith("ok")
    assert nothing_left(store)


def test_basic_auth(private_registry, roots, store, tmp_path):
    ref = f"{private_registry}/app:v1"
    digest = make_image("--push", ref, "--login", "ann:secret", *roots)
    refused = pull(store, ref)[0]
    assert refused.code == -13 and ref in refused.line and "pull secret" in refused.line
    wrong = write_auths(tmp_path / "wrong", private_registry, "ann", "wrong")
    assert pull(store, ref, auths=wrong)[0].code == -13
    right = write_auths(tmp_path / "right", f"https://{private_registry}/v2/", "ann", "secret", joined=False)
    assert pull(store, ref, auths=right)[0].digest == digest
    assert one("resolve", right, 0, ref).words[1] == digest
    assert one("resolve", "-", 0, ref).code == -13


def test_resolve(registry, roots):
    digest = make_image("--push", f"{registry}/resolve", roots[0])
    assert one("resolve", "-", 0, f"{registry}/resolve").words[1] == digest
    assert one("resolve", "-", 0, f"{registry}/resolve@{digest}").words[1] == digest
    missing = one("resolve", "-", 0, f"{registry}/resolve:none")
    assert missing.code == -2 and "resolve:none" in missing.line and registry in missing.line
    assert one("resolve", "-", 0, "Bad Name").code == -22


def test_index_chooses_platform(registry, roots, store):
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    own = make_image("--push", f"{registry}/multi:own", *roots)
    make_image("--push", f"{registry}/multi:other", "--arch", "s390x", roots[0])
    host = http.client.HTTPConnection(registry)

    def size(tag):
        host.request("GET", f"/v2/multi/manifests/{tag}", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
        body = host.getresponse().read()
        return "sha256:" + hashlib.sha256(body).hexdigest(), len(body)

    entries = []
    for tag, name in (("other", "s390x"), ("own", arch)):
        digest, length = size(tag)
        entries.append(
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest,
                "size": length,
                "platform": {"os": "linux", "architecture": name},
            }
        )
    kind = "application/vnd.oci.image.index.v1+json"
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    host.request("PUT", "/v2/multi/manifests/latest", body, {"Content-Type": kind})
    assert host.getresponse().read() is not None
    top = "sha256:" + hashlib.sha256(body).hexdigest()
    assert one("resolve", "-", 0, f"{registry}/multi").words[1] == top
    got = pull(store, f"{registry}/multi@{top}")[0]
    assert got.ok and got.digest == own, got.line
    # both digests find it now
    assert one("find", store, f"{registry}/multi@{top}").ok
    assert one("find", store, f"{registry}/multi@{own}").ok


# ---- a registry that misbehaves ----


class Fake:
    """An image in memory and a list of faults: each a function (handler) -> bool, True if it answered."""

    def __init__(self, *sources):
        loader = importlib.machinery.SourceFileLoader("maker", str(ROOT / "tools/make-image"))
        maker = importlib.util.module_from_spec(importlib.util.spec_from_loader("maker", loader))
        loader.exec_module(maker)
        image = maker.Image()
        for source in sources:
            image.add_layer(maker.make_layer(source, False), True)
        image.finish({"Env": []}, {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine))
        self.image = image
        self.blobs = dict(image.blobs)
        self.digest = image.manifest["digest"]
        self.layer = image.layers[0][0]["digest"]
        self.requests = []
        self.faults = []
        self.token = None
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_HEAD(self):
                fake.handle(self)

            def do_GET(self):
                fake.handle(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, h, status, body=b"", **fields):
        h.send_response(status)
        for key, value in fields.items():
            h.send_header(key.replace("_", "-"), value)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(body)

    def handle(self, h):
        with self.lock:
            self.requests.append((h.command, h.path, dict(h.headers)))
        for fault in list(self.faults):
            if fault(h):
                return
        what = h.path.split("/")[-1]
        if "/manifests/" in h.path:
            what = self.digest if what == "v1" else what
            kind = "application/vnd.oci.image.manifest.v1+json"
        else:
            kind = "application/octet-stream"
        if what not in self.blobs:
            self.answer(h, 404, b"{}")
            return
        body = self.blobs[what]
        start = h.headers.get("Range")
        if start:
            at = int(start[len("bytes=") : -1])
            self.answer(
                h, 206, body[at:], Content_Type=kind, Content_Range=f"bytes {at}-{len(body) - 1}/{len(body)}"
            )
        else:
            self.answer(h, 200, body, Content_Type=kind, Docker_Content_Digest=what)

    def count(self, part):
        return sum(part in path for _, path, _ in self.requests)


@pytest.fixture
def fake(roots):
    f = Fake(*roots)
    yield f
    f.close()


def times(n, act):
    left = [n]

    def fault(h):
        if left[0] == 0 or not act(h, False):
            return False
        left[0] -= 1
        act(h, True)
        return True

    return fault


def on(part, answer):
    """A fault for paths with a part in them."""

    def act(h, really):
        if part in h.path and really:
            answer(h)
        return part in h.path

    return act


def cut_off(fake):
    def answer(h):
        body = fake.blobs[h.path.split("/")[-1]]
        h.send_response(200)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body[: len(body) // 2])
        h.wfile.flush()
        h.close_connection = True
        h.connection.shutdown(socket.SHUT_RDWR)

    return answer


def test_resumes_partial_download(fake, store):
    fake.faults.append(times(1, on(f"/blobs/{fake.layer}", cut_off(fake))))
    got = pull(store, f"{fake.host}/app:v1")[0]
    assert got.ok, got.line
    ranges = [headers["Range"] for _, path, headers in fake.requests if fake.layer in path and "Range" in headers]
    assert len(ranges) == 1 and int(ranges[0][6:-1]) > 0


def test_restarts_when_ranges_are_ignored(fake, store):
    fake.faults.append(times(1, on(f"/blobs/{fake.layer}", cut_off(fake))))

    def whole(h):
        fake.answer(h, 200, fake.blobs[fake.layer])

    fake.faults.append(times(1, on(f"/blobs/{fake.layer}", whole)))
    assert pull(store, f"{fake.host}/app:v1")[0].ok
    assert fake.count(fake.layer) == 2


def test_tries_again_after_server_errors(fake, store):
    fake.faults.append(times(2, on("/manifests/v1", lambda h: fake.answer(h, 503, b"busy"))))
    assert pull(store, f"{fake.host}/app:v1")[0].ok
    assert fake.count("/manifests/v1") == 3


def test_gives_up_after_three_tries(fake, store):
    fake.faults.append(times(99, on("/manifests/v1", lambda h: fake.answer(h, 500, b"broken inside"))))
    got = pull(store, f"{fake.host}/app:v1")[0]
    assert got.code == -113 and "broken inside" in got.line and fake.host in got.line
    assert fake.count("/manifests/v1") == 3
    assert nothing_left(store)


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_wrong_content_is_refused(fake, store, which):
    digest = {"layer": fake.layer, "config": fake.image.config["digest"], "manifest": fake.digest}[which]
    body = fake.blobs[digest]
    fake.blobs[digest] = body[:-1] + bytes([body[-1] ^ 1])
    got = pull(store, f"{fake.host}/app@{fake.digest}")[0]
    assert got.code == -74 and digest in got.line and fake.host in got.line, got.line
    assert not one("find", store, f"{fake.host}/app@{fake.digest}").ok
    assert nothing_left(store)


def test_too_long_blob_is_refused(fake, store):
    fake.blobs[fake.layer] += b"x" * 1000
    assert pull(store, f"{fake.host}/app:v1")[0].code == -74


def test_wrong_diff_id_is_refused(fake, store):
    config = json.loads(fake.blobs[fake.image.config["digest"]])
    config["rootfs"]["diff_ids"][0] = "sha256:" + "0" * 64
    text = json.dumps(config).encode()
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    manifest = json.loads(fake.blobs[fake.digest])
    manifest["config"] = {**manifest["config"], "digest": digest, "size": len(text)}
    body = json.dumps(manifest).encode()
    fake.digest = "sha256:" + hashlib.sha256(body).hexdigest()
    fake.blobs[digest], fake.blobs[fake.digest] = text, body
    got = pull(store, f"{fake.host}/app:v1")[0]
    assert got.code == -74 and "not sha256:000" in got.line and fake.host in got.line, got.line
    assert list((store / "layers").glob("0000*")) == []


def test_joined_pulls_ask_once(fake, store):
    got = pull(store, *[f"{fake.host}/app:v1"] * 8)
    assert all(r.ok for r in got) and len(got) == 8
    assert fake.count("/manifests/") == 1
    assert fake.count(fake.layer) == 1


def test_shared_layer_failure_is_not_shared(fake, store):
    """Two images miss the same layer; the first one's download fails for good, the second's must not."""
    fake.faults.append(times(1, on(f"/first/blobs/{fake.layer}", lambda h: fake.answer(h, 404))))
    got = pull(store, f"{fake.host}/first:v1", f"{fake.host}/second:v1")
    by_name = {r.words[1] if r.ok else "err": r for r in got}
    assert f"{fake.host}/second:v1" in by_name, [r.line for r in got]


def test_cancel_one_of_three(fake, store):
    got = run("cancel", store, f"{fake.host}/app:v1")
    assert [r.ok for r in got] == [True], [r.line for r in got]


def test_closing_ends_a_running_pull(fake, store):
    def stall(h):
        time.sleep(0.3)
        fake.answer(h, 404)

    fake.faults.append(times(9, on("/manifests/", stall)))
    got = run("drop", store, f"{fake.host}/app:v1")
    assert [r.line for r in got] == ["ok"]
    assert nothing_left(store)


def test_head_falls_back_to_get(fake):
    fake.faults.append(lambda h: h.command == "HEAD" and (fake.answer(h, 405) or True))
    assert one("resolve", "-", 0, f"{fake.host}/app:v1").words[1] == fake.digest


def test_head_without_digest_falls_back(fake):
    fake.faults.append(lambda h: h.command == "HEAD" and (fake.answer(h, 200) or True))
    assert one("resolve", "-", 0, f"{fake.host}/app:v1").words[1] == fake.digest


def test_resolve_keeps_its_time_limit(fake):
    done = threading.Event()

    def stall(h):
        done.wait(30)
        return False

    fake.faults.append(stall)
    got = one("resolve", "-", 300, f"{fake.host}/app:v1")
    done.set()
    assert got.code == -113 and "time" in got.line


def test_follows_redirects_without_credentials(fake, roots, store, tmp_path):
    other = Fake(*roots)
    try:

        def redirect(h):
            if "/blobs/" not in h.path:
                return False
            fake.answer(h, 307, Location=f"http://localhost:{other.server.server_port}{h.path}")
            return True

        def wants_basic(h):
            if h.headers.get("Authorization"):
                return False
            fake.answer(h, 401, WWW_Authenticate='Basic realm="x"')
            return True

        fake.faults += [wants_basic, redirect]
        auths = write_auths(tmp_path / "auths", fake.host, "ann", "secret")
        assert pull(store, f"{fake.host}/app:v1", auths=auths)[0].ok
        assert other.requests and all("Authorization" not in headers for _, _, headers in other.requests)
    finally:
        other.close()


def token_fault(fake, good_login, tokens):
    """Bearer authentication: /token wants the login (or none), everything else a token in `tokens`."""

    def fault(h):
        got = h.headers.get("Authorization", "")
        if h.path.startswith("/token"):
            fake.token_requests = getattr(fake, "token_requests", []) + [(h.path, got)]
            want = "Basic " + base64.b64encode(good_login.encode()).decode() if good_login else ""
            if got != want:
                fake.answer(h, 401)
            else:
                tokens.append(f"t{len(fake.token_requests)}")
                fake.answer(h, 200, json.dumps({"token": tokens[-1]}).encode())
            return True
        if got[len("Bearer ") :] in tokens:
            return False
        fake.answer(
            h,
            401,
            WWW_Authenticate=f'Bearer realm="http://{fake.host}/token",service="fake",scope="repository:app:pull"',
        )
        return True

    return fault


def test_anonymous_token(fake, store):
    fake.faults.append(token_fault(fake, None, []))
    assert pull(store, f"{fake.host}/app:v1")[0].ok
    assert fake.token_requests == [("/token?service=fake&scope=repository%3Aapp%3Apull", "")]


def test_token_with_credentials(fake, store, tmp_path):
    fake.faults.append(token_fault(fake, "ann:secret", []))
    assert pull(store, f"{fake.host}/app:v1")[0].code == -13
    wrong = write_auths(tmp_path / "wrong", fake.host, "ann", "no")
    assert pull(store, f"{fake.host}/app:v1", auths=wrong)[0].code == -13
    right = write_auths(tmp_path / "right", fake.host, "ann", "secret")
    assert pull(store, f"{fake.host}/app:v1", auths=right)[0].ok


def test_wrong_credentials_do_not_block_a_public_image(fake, store, tmp_path):
    fake.faults.append(token_fault(fake, None, []))
    wrong = write_auths(tmp_path / "wrong", fake.host, "ann", "no")
    assert pull(store, f"{fake.host}/app:v1", auths=wrong)[0].ok


def test_expired_token_is_renewed(fake, store):
    tokens = []
    fake.faults.append(token_fault(fake, None, tokens))

    def expire(h):
        if fake.layer in h.path and len(fake.token_requests) == 1:
            tokens.clear()
        return False

    fake.faults.insert(0, expire)
    assert pull(store, f"{fake.host}/app:v1")[0].ok
    assert len(fake.token_requests) in (2, 3)  # one for each layer


def test_unreachable_registry(store):
    host = f"127.0.0.1:{free_port()}"
    got = pull(store, f"{host}/app:v1")[0]
    assert got.code == -113 and host in got.line and "app:v1" in got.line


def test_tls_is_demanded_elsewhere(fake, store):
    """A name that is neither local nor listed is spoken to by HTTPS only; listed, by HTTP."""
    name = f"127.0.0.1.registry.invalid:{fake.server.server_port}"
    got = pull(store, f"{name}/app:v1")[0]
    assert got.code == -113 and "by HTTPS" in got.line
    got = pull(store, f"{name}/app:v1", env={"NONAGON_INSECURE_REGISTRIES": f"a.b, {name}"})[0]
    assert got.code == -113 and "by HTTP:" in got.line
    assert fake.requests == []


def test_rate_limit(fake, store):
    fake.faults.append(times(99, on("/manifests/", lambda h: fake.answer(h, 429))))
    got = pull(store, f"{fake.host}/app:v1")[0]
    assert got.code == -16 and "rate" in got.line


# ---- the store by itself ----


def test_garbage_of_the_dead_is_removed(fake, store):
    pull(store, f"{fake.host}/app:v1")
    (store / "tmp/12345-dead/deep/er").mkdir(parents=True)
    (store / "tmp/12345-dead/file").write_text("x")
    assert one("find", store, f"{fake.host}/app:v1").ok
    assert nothing_left(store)


def test_incomplete_images_are_pulled_again(fake, store):
    got = pull(store, f"{fake.host}/app:v1")[0]
    shutil.rmtree(got.layers[0])
    assert not one("find", store, f"{fake.host}/app:v1").ok
    again = pull(store, f"{fake.host}/app:v1")[0]
    assert again.ok and (again.layers[0] / "etc/issue").exists()
    blob = store / "blobs/sha256" / got.digest.split(":")[1]
    blob.write_text("{}")
    assert not one("find", store, f"{fake.host}/app:v1").ok


def test_unreadable_names_are_passed_over(fake, store):
    pull(store, f"{fake.host}/app:v1")
    (store / "images/bad").write_text("not json")
    (store / "images/bad2").write_text('{"name":"x","digest":"../../etc"}')
    assert one("find", store, f"{fake.host}/app:v1").ok


@pytest.mark.parametrize("form", ["oci", "docker", "dir", "plain"])
def test_import(roots, store, tmp_path, form):
    out = tmp_path / "archive"
    flags = {"oci": ["--tar", out], "docker": ["--docker", "--tar", out], "dir": ["--dir", out], "plain": ["--no-gzip", "--tar", out]}
    make_image("--name", "dev.local/hello:v1", *flags[form], *roots)
    got = one("import", store, out)
    assert got.ok and got.words[1] == "dev.local/hello:v1", got.line
    found = one("find", store, "dev.local/hello:v1")
    assert found.ok and len(found.layers) == 2
    assert (found.layers[0] / "etc/gone").read_text() == "gone\n"
    assert one("find", store, f"dev.local/hello@{found.digest}").ok
    assert pull(store, "dev.local/hello:v1")[0].digest == found.digest
    assert one("import", store, out, "other:v2").ok
    assert one("find", store, "docker.io/library/other:v2").digest == found.digest
    assert nothing_left(store)


def test_import_needs_a_name(roots, store, tmp_path):
    make_image("--tar", tmp_path / "a", roots[0])
    got = one("import", store, tmp_path / "a")
    assert not got.ok and "no name" in got.line


def test_import_refuses_damage(roots, store, tmp_path):
    make_image("--name", "x", "--dir", tmp_path / "a", roots[0])
    for blob in (tmp_path / "a/blobs/sha256").iterdir():
        body = blob.read_bytes()
        blob.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        assert not one("import", store, tmp_path / "a").ok
        blob.write_bytes(body)
    assert one("import", store, tmp_path / "a").ok
    (tmp_path / "empty").mkdir()
    assert "index.json" in one("import", store, tmp_path / "empty").line
    (tmp_path / "text").write_text("hello")
    assert not one("import", store, tmp_path / "text").ok
    assert not one("import", store, tmp_path / "absent").ok


def test_import_cannot_read_outside(roots, store, tmp_path):
    """A docker archive whose layer is a link to a file of this machine."""
    secret = tmp_path / "secret.tar"
    with tarfile.open(secret, "w") as tar:
        tar.add(roots[0], arcname=".")
    make_image("--name", "x", "--docker", "--tar", tmp_path / "good", roots[0])
    with tarfile.open(tmp_path / "good") as tar:
        tar.extractall(tmp_path / "open")
    (tmp_path / "open/layer0/layer.tar").unlink()
    (tmp_path / "open/layer0/layer.tar").symlink_to(secret)
    with tarfile.open(tmp_path / "bad", "w") as tar:
        tar.add(tmp_path / "open", arcname=".")
    assert not one("import", store, tmp_path / "bad").ok
    assert not one("import", store, tmp_path / "open").ok


def test_running_store_sees_imports(roots, store, tmp_path):
    make_image("--name", "dev.local/app", "--tar", tmp_path / "one", roots[0])
    make_image("--name", "dev.local/app", "--tar", tmp_path / "two", roots[1])
    first = None
    for archive in ("one", "two"):
        watching = subprocess.Popen([TOOL, "watch", str(store), "dev.local/app"], stdout=subprocess.PIPE, text=True)
        assert watching.stdout.readline() == "waiting\n"
        assert one("import", store, tmp_path / archive).ok
        out, _ = watching.communicate(timeout=30)
        assert out.startswith("ok dev.local/app") and out != first
        first = out
