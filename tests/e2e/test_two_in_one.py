"""Two whole Nonagons in one process: nothing is shared, so neither sees anything of the other."""
import pathlib

import pytest

from support import BUILD, FAST_ZERO, Nonagon, eventually, service

PROGRAM = pathlib.Path(BUILD, "tests/integration/two_ups")


class First(Nonagon):
    """Starts the process for itself and the other."""

    other = None

    def command(self):
        self.other.dir.mkdir(parents=True, exist_ok=True)
        return [str(PROGRAM)] + [str(x) for n in (self, self.other)
                                 for x in (n.dir, n.http_port, n.api_port, n.bridge, n.subnet)]


@pytest.fixture
def pair():
    a, b = First(index=3), Nonagon(index=4)
    a.other = b
    a.start()
    yield a, b
    if a.process.poll() is None:
        a.stop()
    print(a.tail(100))
    a.remove()
    b.remove()


def test_each_has_its_own(pair, hello):
    a, b = pair
    for n, word in ((a, "A"), (b, "B")):
        n.apply(service("same", hello, env={"TARGET": word}, annotations=FAST_ZERO))
    for n, word in ((a, "A"), (b, "B")):
        n.wait_ready("ksvc", "same")
        assert n.call("same").text.strip() == f"Hello {word}!"
    for n in (a, b):
        eventually(lambda: not n.pods("same"), "no pods are left")
    for n, word in ((a, "A"), (b, "B")):
        answer = n.call("same", headers={"X-Nonagon-Server-Timing": "1"})
        assert (answer.status, answer.text.strip()) == (200, f"Hello {word}!")
        assert "decide;dur=" in answer.headers["Server-Timing"]
    a.kubectl("delete", "ksvc", "same")
    assert b.call("same").status == 200
    assert a.stop() == 0
