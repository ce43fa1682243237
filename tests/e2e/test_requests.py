"""The data path of a running Service: streaming, time limits, concurrency, drain."""
import concurrent.futures
import http.client
import threading

import pytest

from support import FAST_ZERO, eventually, service


@pytest.fixture(scope="module")
def app(nonagon, hello):
    nonagon.apply(service("app", hello, env={"TARGET": "App"}, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    nonagon.wait_ready("ksvc", "app")
    return "app"


def test_large_bodies_both_ways(nonagon, app):
    body = bytes(range(256)) * 16384
    a = nonagon.call(app, "/echo", method="POST", body=body)
    assert (a.status, a.body) == (200, body)
    assert len(nonagon.call(app, f"/bytes?n={8 << 20}").body) == 8 << 20


def test_chunked_request(nonagon, app):
    a = nonagon.call(app, "/echo", method="POST", body=iter([b"one", b"two", b"three"]))
    assert a.body == b"onetwothree"


def test_keep_alive_on_the_client_side(nonagon, app):
    c = http.client.HTTPConnection("127.0.0.1", nonagon.http_port, timeout=30)
    for _ in range(50):
        c.request("GET", "/", headers={"Host": nonagon.host(app)})
        r = c.getresponse()
        assert r.read().strip() == b"Hello App!"
        assert not r.will_close
    c.close()


def test_headers_that_the_container_sees(nonagon, app):
    seen = nonagon.call(app, "/headers", headers={"X-Own": "kept"}).text.lower()
    assert f"host: {nonagon.host(app)}" in seen
    assert "x-own: kept" in seen
    assert "x-forwarded-for: 127.0.0.1" in seen
    assert "forwarded: " in seen
    assert "knative-serving-revision" not in seen


def test_time_limit(nonagon, hello):
    nonagon.apply(service("slow", hello, template={"timeoutSeconds": 1}))
    nonagon.wait_ready("ksvc", "slow")
    a = nonagon.call("slow", "/sleep?ms=5000")
    assert (a.status, a.text) == (504, "request timeout")


def test_container_concurrency_is_exact(nonagon, hello):
    nonagon.apply(service("single", hello, template={"containerConcurrency": 1},
                          annotations={"autoscaling.knative.dev/max-scale": "1", "autoscaling.knative.dev/min-scale": "1"}))
    nonagon.wait_ready("ksvc", "single")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: nonagon.call("single", "/sleep?ms=50"), range(8)))
    assert [a.status for a in seen] == [200] * 8
    # How many requests the server was working on when this one began, itself included.
    assert {a.headers["X-Concurrency"] for a in seen} == {"1"}


def test_burst_waits(nonagon, hello):
    nonagon.apply(service("full", hello, template={"containerConcurrency": 1},
                          annotations={"autoscaling.knative.dev/max-scale": "1", "autoscaling.knative.dev/min-scale": "1"}))
    nonagon.wait_ready("ksvc", "full")
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: nonagon.call("full", "/sleep?ms=50"), range(200)))
    assert [a.status for a in answers] == [200] * 200


def test_scales_up_under_load_and_drains_down(nonagon, hello):
    name = "load"
    nonagon.apply(service(name, hello, annotations={"autoscaling.knative.dev/target": "1",
                                                    "autoscaling.knative.dev/max-scale": "4", **FAST_ZERO}))
    nonagon.wait_ready("ksvc", name)
    failed, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            a = nonagon.call(name, "/sleep?ms=100")
            if a.status != 200:
                failed.append(a.status)

    threads = [threading.Thread(target=client) for _ in range(6)]
    for t in threads:
        t.start()
    try:
        eventually(lambda: len([p for p in nonagon.pods(name) if p["status"].get("phase") == "Running"]) >= 3,
                   "more pods run under load")
    finally:
        stop.set()
        for t in threads:
            t.join()
    eventually(lambda: len(nonagon.pods(name)) == 0, "it goes back to zero")
    assert failed == []


def test_rollout_loses_no_request(nonagon, hello):
    name = "noloss"
    m = service(name, hello, env={"TARGET": "0"})
    nonagon.apply(m)
    nonagon.wait_ready("ksvc", name)
    failed, stop, served = [], threading.Event(), [0]

    def client():
        c = http.client.HTTPConnection("127.0.0.1", nonagon.http_port, timeout=60)
        while not stop.is_set():
            c.request("GET", "/sleep?ms=5", headers={"Host": nonagon.host(name)})
            r = c.getresponse()
            r.read()
            served[0] += 1
            if r.status != 200:
                failed.append(r.status)
            if r.will_close:
                c.close()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(1, 4):
            m["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TARGET", "value": str(i)}]
            nonagon.apply(m)
            eventually(lambda: nonagon.call(name).text.strip() == f"Hello {i}!", f"revision {i} serves")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert failed == [] and served[0] > 0


def test_streams_as_it_comes(nonagon, app):
    c = http.client.HTTPConnection("127.0.0.1", nonagon.http_port, timeout=30)
    c.putrequest("POST", "/echo", skip_host=True)
    c.putheader("Host", nonagon.host(app))
    c.putheader("Transfer-Encoding", "chunked")
    c.endheaders()
    c.send(b"5\r\nfirst\r\n")
    # The first part comes back before the request has ended.
    r = c.getresponse()
    assert r.read(5) == b"first"
    c.send(b"4\r\nlast\r\n0\r\n\r\n")
    assert r.read() == b"last"
    c.close()
