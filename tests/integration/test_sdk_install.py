"""The SDK as a plugin author gets it: installed under a prefix, found by pkg-config, linked by the example plugin.

BUILD names the build directory; without it, build/ or the newest one that has the SDK.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCHIVE = "src/kube/libnonagon-sdk.a"


def find_build():
    if os.environ.get("BUILD"):
        return ROOT / os.environ["BUILD"]
    if (ROOT / "build" / ARCHIVE).exists():
        return ROOT / "build"
    found = sorted(ROOT.glob(f"build*/{ARCHIVE}"), key=os.path.getmtime)
    return found[-1].parents[2] if found else None


BUILD = find_build()
pytestmark = pytest.mark.skipif(BUILD is None or shutil.which("pkg-config") is None,
                                reason="needs a build with the SDK, and pkg-config")


def option(name):
    text = subprocess.check_output(["meson", "introspect", str(BUILD), "--buildoptions"], text=True)
    return next(o["value"] for o in json.loads(text) if o["name"] == name)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """The environment that finds the installed SDK."""
    stage = tmp_path_factory.mktemp("stage")
    subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--tags", "devel"],
                   env={**os.environ, "DESTDIR": str(stage)}, check=True, stdout=subprocess.DEVNULL)
    pc = next(stage.rglob("nonagon-sdk.pc"))
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": ""}
    # DESTDIR is not part of the prefix that the file names.
    pc.write_text(pc.read_text().replace("prefix=/", f"prefix={stage}/", 1))
    if option("b_sanitize") != "none":
        flags = f"-fsanitize={option('b_sanitize')}"
        env |= {"CFLAGS": flags, "LDFLAGS": flags}
    return env


@pytest.fixture(scope="module")
def plugin(sdk, tmp_path_factory):
    """The example, copied away from the source tree and built there."""
    there = tmp_path_factory.mktemp("plugin")
    for name in ("fixed.c", "Makefile"):
        shutil.copy(ROOT / "examples/plugin-c" / name, there)
    done = subprocess.run(["make", "-C", str(there)], env=sdk, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return there / "fixed-autoscaler"


def test_headers_stand_alone(sdk, tmp_path):
    """Each installed header compiles alone, in C and with nothing but the flags of pkg-config."""
    flags = subprocess.check_output(["pkg-config", "--cflags", "nonagon-sdk"], env=sdk, text=True).split()
    include = next(pathlib.Path(f[2:]) for f in flags if f.endswith("/nonagon"))
    headers = sorted(h.relative_to(include).as_posix() for h in include.rglob("*.h"))
    assert "kube/controller.h" in headers
    for header in headers:
        source = tmp_path / "one.c"
        source.write_text(f'#include "{header}"\n#include "{header}"\nint one(void); int one(void) {{ return 1; }}\n')
        subprocess.run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-c", *flags,
                        "-o", str(tmp_path / "one.o"), str(source)], check=True)


def test_example_is_short():
    assert len((ROOT / "examples/plugin-c/fixed.c").read_text().splitlines()) < 120


def test_plugin_prints_usage(plugin):
    done = subprocess.run([plugin], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: fixed-autoscaler")


def test_plugin_explains_a_bad_kubeconfig(plugin, tmp_path):
    done = subprocess.run([plugin, tmp_path / "absent"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert f"cannot open {tmp_path}/absent" in done.stderr


def test_plugin_connects(plugin, tmp_path):
    """It reads the kubeconfig, connects to the server named there and asks for its PodAutoscalers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        config = tmp_path / "kubeconfig"
        config.write_text(
            "current-context: c\n"
            "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
            f"clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{server.getsockname()[1]}'}}}}]\n"
            "users: [{name: u, user: {token: t}}]\n")
        process = subprocess.Popen([plugin, config], stderr=subprocess.PIPE, text=True)
        try:
            asked = []
            while not any("/podautoscalers?" in a for a in asked):
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(20)
                    head = connection.recv(65536).decode()
                    asked.append(head.splitlines()[0])
                    assert "Authorization: Bearer t" in head
                    connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                       b"Connection: close\r\n\r\n")
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(20)
            process.stderr.close()
