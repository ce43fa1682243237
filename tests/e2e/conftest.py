import os
import pathlib
import shutil
import subprocess

import pytest

from support import BUILD, FAST_ZERO, Nonagon, Registry


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="pods need root"))


@pytest.fixture(scope="session")
def registry():
    r = Registry()
    yield r
    r.stop()


@pytest.fixture(scope="session")
def hello(registry):
    """The sample server as an image in the registry."""
    return registry.push("hello:v1", pathlib.Path(BUILD, "examples/hello/hello"))


@pytest.fixture(scope="session")
def busybox(registry, tmp_path_factory):
    """A root file system with a shell and the usual tools."""
    root = tmp_path_factory.mktemp("busybox")
    for d in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        (root / d).mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for tool in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split():
        if tool != "busybox":
            (root / "bin" / tool).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1234:1234:app:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\napp:x:1234:\n")
    return registry.push("busybox:v1", root)


@pytest.fixture(scope="session")
def nonagon():
    n = Nonagon().start()
    yield n
    print(n.tail(200))
    n.remove()


@pytest.fixture(scope="session", autouse=True)
def quick_zero(request):
    """Scale to zero with a short grace period in the shared instance."""
    if "nonagon" not in request.fixturenames and not any("nonagon" in i.fixturenames for i in request.session.items):
        return
    n = request.getfixturevalue("nonagon")
    n.kubectl("patch", "configmap", "config-autoscaler", "-n", "knative-serving", "--type=merge", "-p",
              '{"data":{"scale-to-zero-grace-period":"1s"}}')


@pytest.fixture
def fast_zero():
    return dict(FAST_ZERO)
