"""A Service from apply to a running container, to zero and back; revisions, traffic, tags, visibility."""
import collections
import re

import pytest

from support import FAST_ZERO, eventually, service


def test_apply_becomes_ready_and_answers(nonagon, hello):
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    s = nonagon.wait_ready("ksvc", "first")
    assert s["status"]["url"] == f"http://first.default.localhost:{nonagon.http_port}"
    assert s["status"]["address"]["url"] == "http://first.default.svc.cluster.local"
    assert s["status"]["latestReadyRevisionName"] == "first-00001"
    a = nonagon.call("first")
    assert (a.status, a.text.strip()) == (200, "Hello World!")


def test_curl_resolves_the_url_by_itself(nonagon, hello):
    import subprocess
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    url = nonagon.wait_ready("ksvc", "first")["status"]["url"]
    out = subprocess.run(["curl", "-fsS", url], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip() == "Hello World!"


def test_columns_are_upstreams(nonagon, hello):
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    nonagon.wait_ready("ksvc", "first")
    heads = {
        "ksvc": "NAME URL LATESTCREATED LATESTREADY READY REASON",
        "rev": "NAME CONFIG NAME GENERATION READY REASON ACTUAL REPLICAS DESIRED REPLICAS",
        "rt": "NAME URL READY REASON",
        "config": "NAME LATESTCREATED LATESTREADY READY REASON",
        "kpa": "NAME DESIREDSCALE ACTUALSCALE READY REASON",
        "king": "NAME READY REASON",
        "sks": "NAME MODE ACTIVATORS SERVICENAME PRIVATESERVICENAME READY REASON",
        "deploy": "NAME READY UP-TO-DATE AVAILABLE AGE",
        "pods": "NAME READY STATUS RESTARTS AGE",
        "svc": "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE",
    }
    for kind, head in heads.items():
        lines = nonagon.kubectl("get", kind).stdout.splitlines()
        assert lines, kind
        assert " ".join(lines[0].split()) == head, kind
    together = nonagon.kubectl("get", ",".join(heads), "-A").stdout
    assert "first-00001" in together and together.count("NAMESPACE") == len(heads)


def test_owner_labels_and_children(nonagon, hello):
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    nonagon.wait_ready("ksvc", "first")
    rev = nonagon.get("rev", "first-00001")
    labels = rev["metadata"]["labels"]
    assert labels["serving.knative.dev/service"] == "first"
    assert labels["serving.knative.dev/configuration"] == "first"
    assert labels["serving.knative.dev/configurationGeneration"] == "1"
    assert labels["serving.knative.dev/routingState"] == "active"
    digest = rev["status"]["containerStatuses"][0]["imageDigest"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+/hello@sha256:[0-9a-f]{64}", digest)
    images = [i for i in nonagon.get("images.caching.internal.knative.dev")["items"]
              if i["metadata"]["labels"].get("serving.knative.dev/revision") == "first-00001"]
    assert [i["spec"]["image"] for i in images] == [digest]
    pa = nonagon.get("kpa", "first-00001")
    assert pa["metadata"]["annotations"]["autoscaling.knative.dev/class"] == "kpa.autoscaling.knative.dev"
    assert nonagon.get("deploy", "first-00001-deployment")["spec"]["template"]["spec"]["containers"][0]["image"] == digest
    for kind, name in (("sks", "first-00001"), ("king", "first"), ("rt", "first"), ("config", "first")):
        nonagon.get(kind, name)


def test_second_revision_split_and_rollback(nonagon, hello):
    name = "split"
    nonagon.apply(service(name, hello, env={"TARGET": "One"}, annotations={"autoscaling.knative.dev/min-scale": "1"}))
    nonagon.wait_ready("ksvc", name)
    second = service(name, hello, env={"TARGET": "Two"}, annotations={"autoscaling.knative.dev/min-scale": "1"})
    nonagon.apply(second)
    eventually(lambda: nonagon.call(name).text.strip() == "Hello Two!", "the second revision answers")
    second["spec"]["traffic"] = [{"revisionName": f"{name}-00001", "percent": 80, "tag": "old"},
                                 {"revisionName": f"{name}-00002", "percent": 20}]
    nonagon.apply(second)
    s = nonagon.wait_ready("ksvc", name)
    assert s["status"]["traffic"][0]["url"] == f"http://old-{name}.default.localhost:{nonagon.http_port}"
    seen = collections.Counter(nonagon.call(name).text.strip() for _ in range(500))
    assert set(seen) == {"Hello One!", "Hello Two!"}
    # Five standard deviations of a binomial with n=500, p=0.8 are 45.
    assert 355 <= seen["Hello One!"] <= 445, seen
    assert nonagon.request(f"old-{name}.default.localhost").text.strip() == "Hello One!"
    second["spec"]["traffic"] = [{"revisionName": f"{name}-00001", "percent": 100}]
    nonagon.apply(second)
    nonagon.wait_ready("ksvc", name)
    assert {nonagon.call(name).text.strip() for _ in range(20)} == {"Hello One!"}


def test_own_revision_name(nonagon, hello):
    m = service("named", hello)
    m["spec"]["template"].setdefault("metadata", {})["name"] = "named-blue"
    nonagon.apply(m)
    s = nonagon.wait_ready("ksvc", "named")
    assert s["status"]["latestReadyRevisionName"] == "named-blue"
    m["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TARGET", "value": "x"}]
    p = nonagon.kubectl("apply", "-f", "-", input=__import__("json").dumps(m), check=False)
    assert p.returncode != 0
    assert "Saw the following changes without a name change (-old +new): spec.template.metadata.name" in p.stderr


def test_cluster_local(nonagon, hello):
    nonagon.apply(service("inside", hello, env={"TARGET": "Inside"},
                          labels={"networking.knative.dev/visibility": "cluster-local"}))
    s = nonagon.wait_ready("ksvc", "inside")
    assert s["status"]["url"] == "http://inside.default.svc.cluster.local"
    assert nonagon.call("inside").status == 404
    assert nonagon.request("inside.default.svc.cluster.local").status == 404
    for host in ("inside.default.svc.cluster.local", "inside.default.svc", "inside.default"):
        assert nonagon.request(host, local=True).text.strip() == "Hello Inside!"


def test_to_zero_and_back(nonagon, hello):
    nonagon.apply(service("zero", hello, env={"TARGET": "Zero"}, annotations=FAST_ZERO))
    nonagon.wait_ready("ksvc", "zero")
    eventually(lambda: not nonagon.pods("zero"), "no pods are left")
    pa = eventually(lambda: [p for p in [nonagon.get("kpa", "zero-00001")]
                             if p["status"].get("actualScale") == 0], "the scale says zero")[0]
    active = [c for c in pa["status"]["conditions"] if c["type"] == "Active"][0]
    assert (active["status"], active["reason"]) == ("False", "NoTraffic")
    assert nonagon.condition("ksvc", "zero")["status"] == "True"
    a = nonagon.call("zero", headers={"X-Nonagon-Server-Timing": "1"})
    assert (a.status, a.text.strip()) == (200, "Hello Zero!")
    stages = re.findall(r"(\w+);dur=([\d.]+)", a.headers["Server-Timing"])
    assert [s for s, _ in stages] == ["queue", "decide", "create", "start", "ready"]


@pytest.mark.parametrize("count", [25])
def test_many_from_zero_at_once(nonagon, hello, count):
    import concurrent.futures
    names = [f"burst-{i}" for i in range(count)]
    never = {"autoscaling.knative.dev/initial-scale": "0", **FAST_ZERO}
    nonagon.kubectl("patch", "configmap", "config-autoscaler", "-n", "knative-serving", "--type=merge", "-p",
                    '{"data":{"allow-zero-initial-scale":"true"}}')

    def allowed():
        return nonagon.kubectl("apply", "--dry-run=server", "-f", "-", check=False,
                               input=__import__("json").dumps(service("probe", hello, annotations=never))).returncode == 0

    eventually(allowed, "initial scale zero is allowed")
    for n in names:
        nonagon.apply(service(n, hello, env={"TARGET": n}, annotations=never))
    for n in names:
        nonagon.wait_ready("ksvc", n)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        texts = list(pool.map(lambda n: nonagon.call(n).text.strip(), names))
    assert texts == [f"Hello {n}!" for n in names]
    nonagon.kubectl("delete", "ksvc", *names)


def test_delete_removes_everything(nonagon, hello):
    nonagon.apply(service("gone", hello))
    nonagon.wait_ready("ksvc", "gone")
    nonagon.kubectl("delete", "ksvc", "gone")

    def nothing_left():
        kinds = "rt,config,rev,kpa,king,sks,deploy,svc,endpoints,pods,images.caching.internal.knative.dev"
        items = __import__("json").loads(nonagon.kubectl("get", kinds, "-o", "json").stdout)["items"]
        return not [i for i in items if i["metadata"]["name"].startswith("gone")]

    eventually(nothing_left, "owned objects are collected")
    assert nonagon.call("gone").status == 404
