"""What a kubectl user sees beside the resources: where pods run, why they fail, what one may do, what is refused."""
import json

import pytest

from support import eventually, service


def held_map(ns):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "held", "namespace": ns, "finalizers": ["example.com/hold"]}}


def test_pods_name_their_node(nonagon, hello):
    nonagon.apply(service("where", hello))
    nonagon.wait_ready("ksvc", "where")
    pods = eventually(lambda: nonagon.pods("where"), "a pod runs")
    assert {p["spec"]["nodeName"] for p in pods} == {"nonagon"}
    wide = nonagon.kubectl("get", "pods", "-o", "wide", "-l", "serving.knative.dev/service=where").stdout
    assert wide.splitlines()[1].split()[6] == "nonagon", wide
    assert pods[0]["metadata"]["name"] in nonagon.kubectl("describe", "node", "nonagon").stdout
    nonagon.kubectl("delete", "ksvc", "where")


def test_a_failing_pod_has_events(nonagon, busybox):
    nonagon.apply(service("dies", busybox, command=["sh", "-c", "echo last words; exit 5"]))

    def backs_off():
        text = nonagon.kubectl("get", "events", "--field-selector", "involvedObject.kind=Pod").stdout
        assert text.split("\n")[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], text
        return [line for line in text.splitlines() if "BackOff" in line and "pod/dies-00001" in line]

    eventually(backs_off, "the pod has a BackOff event")
    pod = nonagon.pods("dies")[0]["metadata"]["name"]
    assert "Back-off restarting failed container user-container" in nonagon.kubectl("describe", "pod", pod).stdout
    nonagon.kubectl("delete", "ksvc", "dies")


def test_who_may_do_what(nonagon):
    assert nonagon.kubectl("auth", "can-i", "create", "ksvc").stdout.strip() == "yes"
    assert "kubernetes-admin" in nonagon.kubectl("auth", "whoami").stdout
    assert "[*]" in nonagon.kubectl("auth", "can-i", "--list").stdout


def test_namespaces_that_the_server_needs_stay(nonagon):
    for name in ("default", "kube-system", "knative-serving"):
        p = nonagon.kubectl("delete", "namespace", name, check=False)
        assert p.returncode and f'namespaces "{name}" is forbidden: this namespace may not be deleted' in p.stderr


def test_nothing_new_in_a_namespace_that_goes(nonagon, hello):
    nonagon.kubectl("create", "namespace", "going")
    nonagon.apply(service("app", hello, ns="going"))
    nonagon.wait_ready("ksvc", "app", ns="going")
    nonagon.apply(held_map("going"))
    nonagon.kubectl("delete", "namespace", "going", "--wait=false")
    p = nonagon.kubectl("create", "configmap", "late", "-n", "going", check=False)
    assert "unable to create new content in namespace going because it is being terminated" in p.stderr
    eventually(lambda: not nonagon.exists("ksvc", "app", ns="going"), "the Service is gone")
    nonagon.kubectl("patch", "configmap", "held", "-n", "going", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    nonagon.kubectl("wait", "--for=delete", "namespace/going", "--timeout=60s")


@pytest.mark.parametrize("name, key, value, why", [
    ("config-network", "domain-template", "{{.Name", "domain-template"),
    ("config-network", "tag-template", "{{.Nope}}", "tag-template"),
    ("config-autoscaler", "stable-window", "1s", "stable-window"),
    ("config-autoscaler", "container-concurrency-target-percentage", "much", "container-concurrency-target-percentage"),
    ("config-domain", "bad.example.com", "selector: [", "bad.example.com"),
])
def test_bad_settings_are_refused(nonagon, name, key, value, why):
    p = nonagon.kubectl("patch", "configmap", name, "-n", "knative-serving", "--type=merge", "-p",
                        json.dumps({"data": {key: value}}), check=False)
    assert p.returncode and "denied the request" in p.stderr and why in p.stderr
