"""The API server's answers to a plain HTTPS client: messages, versions, deletion, custom resources, watches."""
import json
import signal

import pytest

from apiserver_support import Server

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def api():
    server = Server()
    yield server
    server.close()


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name, **spec):
    spec.setdefault("containers", [{"name": "c", "image": "busybox"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def crd(plural, kind, schema, versions=None, **version):
    group = "test.example.com"
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
                 "versions": versions or [one]},
    }


def custom(kind, name, **parts):
    return {"apiVersion": "test.example.com/v1", "kind": kind, "metadata": {"name": name}, **parts}


# ---- identity ----
def test_anonymous_sees_health_and_version_only(api):
    assert api.request("GET", "/healthz", tls=api.anonymous)[0] == 200
    assert api.request("GET", "/version", tls=api.anonymous)[1]["major"] == "1"
    status, doc, _ = api.request("GET", "/api/v1/pods", tls=api.anonymous)
    assert (status, doc["reason"], doc["message"]) == (401, "Unauthorized", "Unauthorized")


# ---- create, read, update ----
def test_create_fills_the_metadata(api):
    doc = api.ok("POST", MAPS, config_map("made", a="b"))
    meta = doc["metadata"]
    assert len(meta["uid"]) == 36 and meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0 and meta["namespace"] == "default"
    assert api.ok("GET", f"{MAPS}/made") == doc


def test_already_exists_and_not_found(api):
    api.ok("POST", MAPS, config_map("twice"))
    doc = api.fails(409, "POST", MAPS, config_map("twice"))
    assert doc["reason"] == "AlreadyExists" and doc["message"] == 'configmaps "twice" already exists'
    doc = api.fails(404, "GET", "/apis/serving.knative.dev/v1/namespaces/default/services/x")
    assert doc["message"] == 'services.serving.knative.dev "x" not found'
    assert doc["details"] == {"name": "x", "group": "serving.knative.dev", "kind": "services"}


def test_namespace_must_exist(api):
    doc = api.fails(404, "POST", "/api/v1/namespaces/nowhere/configmaps", config_map("x"))
    assert doc["message"] == 'namespaces "nowhere" not found'


def test_update_conflict(api):
    first = api.ok("POST", MAPS, config_map("conflict", a="1"))
    changed = json.loads(json.dumps(first))
    changed["data"]["a"] = "2"
    second = api.ok("PUT", f"{MAPS}/conflict", changed)
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    doc = api.fails(409, "PUT", f"{MAPS}/conflict", changed)
    assert doc["reason"] == "Conflict"
    assert doc["message"] == (
        'Operation cannot be fulfilled on configmaps "conflict": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert api.ok("PUT", f"{MAPS}/conflict", second) == second, "an update that changes nothing writes nothing"


def test_generate_name(api):
    doc = config_map("")
    doc["metadata"] = {"generateName": "gen-"}
    names = {api.ok("POST", MAPS, doc)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5 and all(n.startswith("gen-") and len(n) == 9 for n in names)


def test_bad_names_and_labels(api):
    doc = api.fails(422, "POST", MAPS, config_map("Bad_Name"))
    assert doc["reason"] == "Invalid" and doc["details"]["causes"][0]["field"] == "metadata.name"
    assert doc["message"].startswith('ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": ')
    bad = config_map("labels")
    bad["metadata"]["labels"] = {"a": "b c"}
    assert "metadata.labels" in api.fails(422, "POST", MAPS, bad)["message"]


def test_bodies(api):
    assert api.fails(415, "POST", MAPS, "x", {"Content-Type": "text/plain"})["reason"] == "UnsupportedMediaType"
    assert api.fails(400, "POST", MAPS, "{", {"Content-Type": "application/json"})
    big = {"metadata": {"name": "big"}, "involvedObject": {"namespace": "default"}, "message": "x" * (2 << 20)}
    assert api.fails(413, "POST", "/api/v1/namespaces/default/events", big)["reason"] == "RequestEntityTooLarge"
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  a: b\n"
    assert api.ok("POST", MAPS, text, {"Content-Type": "application/yaml"})["data"] == {"a": "b"}
    status, out, headers = api.request("GET", f"{MAPS}/from-yaml", headers={"Accept": "application/yaml"})
    assert status == 200 and b"kind: ConfigMap" in out and headers["Content-Type"] == "application/yaml"


def test_dry_run_writes_nothing(api):
    assert api.ok("POST", f"{MAPS}?dryRun=All", config_map("dry"))["metadata"]["name"] == "dry"
    api.fails(404, "GET", f"{MAPS}/dry")


def test_patches(api):
    api.ok("POST", MAPS, config_map("patched", a="1", b="2"))
    doc = api.ok("PATCH", f"{MAPS}/patched", {"data": {"a": None, "c": "3"}}, MERGE)
    assert doc["data"] == {"b": "2", "c": "3"}
    ops = [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/b"}]
    doc = api.ok("PATCH", f"{MAPS}/patched", ops, {"Content-Type": "application/json-patch+json"})
    assert doc["data"] == {"c": "3"}
    assert api.fails(422, "PATCH", f"{MAPS}/patched", ops, {"Content-Type": "application/json-patch+json"})
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"z": "1"}}
    assert api.fails(409, "PATCH", f"{MAPS}/patched", stale, MERGE)["reason"] == "Conflict"
    doc = api.fails(415, "PATCH", f"{MAPS}/patched", "a: b", {"Content-Type": "application/apply-patch+yaml"})
    assert "server-side apply" in doc["message"]


def test_strategic_merge_by_name(api):
    api.ok("POST", "/apis/apps/v1/namespaces/default/deployments", {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "smp"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "x", "image": "i:1"}, {"name": "y", "image": "j:1"}]}}}})
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "y", "image": "j:2"}]}}}}
    doc = api.ok("PATCH", "/apis/apps/v1/namespaces/default/deployments/smp", patch,
                 {"Content-Type": "application/strategic-merge-patch+json"})
    assert [c["image"] for c in doc["spec"]["template"]["spec"]["containers"]] == ["i:1", "j:2"]
    assert doc["metadata"]["generation"] == 2
    spec = doc["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


# ---- built-in kinds ----
def test_pod_defaults(api):
    doc = api.ok("POST", PODS, pod("defaults", containers=[
        {"name": "c", "image": "r/i", "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}}}]))
    spec, c = doc["spec"], doc["spec"]["containers"][0]
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", "ClusterFirst", 30)
    assert spec["enableServiceLinks"] is True and spec["securityContext"] == {}
    assert c["imagePullPolicy"] == "Always" and c["ports"][0]["protocol"] == "TCP"
    probe = c["readinessProbe"]
    assert (probe["periodSeconds"], probe["timeoutSeconds"], probe["successThreshold"], probe["failureThreshold"]) == (10, 1, 1, 3)
    assert doc["status"]["phase"] == "Pending" and doc["status"]["qosClass"] == "BestEffort"


def test_pod_validation(api):
    doc = api.fails(422, "POST", PODS, pod("bad", containers=[
        {"name": "c", "image": ""}, {"name": "c", "image": "i", "ports": [{"containerPort": 99999}]}]))
    fields = [c["field"] for c in doc["details"]["causes"]]
    assert "spec.containers[0].image" in fields and "spec.containers[1].name" in fields
    assert 'spec.containers[1].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535, inclusive' in doc["message"]
    assert "spec.containers: Required value" in api.fails(422, "POST", PODS, pod("none", containers=[]))["message"]


WRONG = [
    (PODS, pod("w", hostNetwork="yes"), "PodSpec.spec.hostNetwork of type bool"),
    (PODS, pod("w", nodeSelector={"a": 1}), "PodSpec.spec.nodeSelector of type string"),
    (PODS, pod("w", containers=[{"name": "c", "image": "i", "env": [{"name": "A", "value": 1}]}]),
     "EnvVar.spec.containers.env.value of type string"),
    (PODS, pod("w", containers=[{"name": "c", "image": "i", "args": [8080]}]),
     "Container.spec.containers.args of type string"),
    (PODS, {**pod("w"), "metadata": {"name": "w", "labels": {"a": 1}}}, "metadata.labels of type string"),
    (PODS, {**pod("w"), "metadata": {"name": "w", "ownerReferences": [{"uid": 5}]}}, "ownerReferences.uid of type string"),
    ("/api/v1/namespaces/default/services", {"metadata": {"name": "w"}, "spec": {"ports": [{"port": "80"}]}},
     "ServicePort.spec.ports.port of type int32"),
    ("/api/v1/namespaces/default/endpoints", {"metadata": {"name": "w"}, "subsets": "x"}, "Endpoints.subsets of type"),
    ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {"metadata": {"name": "w"}, "spec": {"renewTime": "x"}},
     "spec.renewTime"),
    ("/api/v1/nodes", {"metadata": {"name": "w"}, "spec": {"taints": "x"}}, "NodeSpec.spec.taints of type []v1.Taint"),
    (MAPS, {"metadata": {"name": "w"}, "immutable": "x"}, "ConfigMap.immutable of type bool"),
    (MAPS, {"metadata": {"name": "w"}, "binaryData": {"a": "!!"}}, "illegal base64 data"),
    ("/api/v1/namespaces/default/events", {"metadata": {"name": "w"}, "count": "x"}, "Event.count of type int32"),
    ("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "w"}, "secrets": "x"}, "ServiceAccount.secrets"),
]


@pytest.mark.parametrize("path,doc,words", WRONG, ids=[w[2] for w in WRONG])
def test_wrong_types_are_refused(api, path, doc, words):
    assert words in api.fails(400, "POST", path, doc)["message"]


def test_unknown_fields_of_built_in_kinds(api):
    doc = {**config_map("unknown"), "dta": {"a": "b"}}
    message = api.fails(400, "POST", MAPS + "?fieldValidation=Strict", doc)["message"]
    assert message == ('ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
                       'unknown field "dta"')
    status, made, headers = api.request("POST", MAPS + "?fieldValidation=Warn", doc)
    assert status == 201 and "dta" not in made and 'unknown field \\"dta\\"' in headers["Warning"]
    assert "dta" not in api.ok("PUT", MAPS + "/unknown?fieldValidation=Ignore", doc)


def test_fields_that_the_node_would_drop(api):
    doc = api.fails(422, "POST", PODS, pod("dropped", activeDeadlineSeconds=2, hostUsers=False))
    assert [c["field"] for c in doc["details"]["causes"]] == ["spec.activeDeadlineSeconds", "spec.hostUsers"]


def test_sizes_and_finalizers_of_built_in_kinds(api):
    assert "Too long" in api.fails(422, "POST", MAPS, config_map("large", a="x" * (1 << 20), b="y"))["message"]
    held = {**config_map("held"), "metadata": {"name": "held", "finalizers": ["nope"]}}
    assert "neither a standard finalizer" in api.fails(422, "POST", MAPS, held)["message"]


def test_definitions_that_change(api):
    rules = [{"rule": "self.a > 1"}]
    doc = crd("gauges", "Gauge", {"type": "object", "x-kubernetes-validations": rules})
    status, made, headers = api.request("POST", CRDS, doc)
    assert status == 201 and "does not evaluate them" in headers["Warning"], made
    assert {c["type"]: c["status"] for c in made["status"]["conditions"]}["ValidationRulesEnforced"] == "False"
    other = {**made["spec"]["versions"][0], "name": "v2"}
    refused = api.fails(422, "PATCH", CRDS + "/gauges.test.example.com", {"spec": {"versions": [other]}}, headers=MERGE)
    assert [c["field"] for c in refused["details"]["causes"]] == ["status.storedVersions[0]"]
    grouped = crd("meters", "Meter", {"type": "object"})
    grouped["metadata"]["name"], grouped["spec"]["group"] = "meters.x.k8s.io", "x.k8s.io"
    assert "api-approved.kubernetes.io" in api.fails(422, "POST", CRDS, grouped)["message"]
    grouped["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    api.ok("POST", CRDS, grouped)


def test_pod_update_forbidden(api):
    doc = api.ok("POST", PODS, pod("frozen"))
    doc["spec"]["containers"][0]["command"] = ["x"]
    assert "spec: Forbidden: pod updates may not change fields" in api.fails(422, "PUT", f"{PODS}/frozen", doc)["message"]


def test_pod_graceful_deletion(api):
    api.ok("POST", PODS, pod("graceful"))
    status = {"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}}
    api.ok("PATCH", f"{PODS}/graceful/status", status, MERGE)
    doc = api.ok("DELETE", f"{PODS}/graceful")
    assert doc["metadata"]["deletionGracePeriodSeconds"] == 30 and doc["metadata"]["deletionTimestamp"]
    assert api.ok("GET", f"{PODS}/graceful")["metadata"]["deletionTimestamp"]
    assert api.ok("DELETE", f"{PODS}/graceful?gracePeriodSeconds=0")["status"] == "Success"
    api.fails(404, "GET", f"{PODS}/graceful")


def test_cluster_ips(api):
    svcs = "/api/v1/namespaces/default/services"
    svc = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ip"}, "spec": {"ports": [{"port": 80}]}}
    doc = api.ok("POST", svcs, svc)
    ip = doc["spec"]["clusterIP"]
    assert ip.startswith("10.") and doc["spec"]["clusterIPs"] == [ip]
    assert doc["spec"]["ports"][0] == {"port": 80, "protocol": "TCP", "targetPort": 80}
    svc["metadata"]["name"], svc["spec"]["clusterIP"] = "same-ip", ip
    assert "already allocated" in api.fails(422, "POST", svcs, svc)["message"]
    svc["metadata"]["name"] = "ip"
    del svc["spec"]["clusterIP"]
    svc["spec"]["ports"][0]["port"] = 81
    kept = api.ok("PUT", f"{svcs}/ip", svc)
    assert kept["spec"]["clusterIP"] == ip, "an allocated address is kept"
    assert api.ok("PUT", f"{svcs}/ip", svc) == kept, "the same again writes nothing"
    external = {**svc, "spec": {"type": "ExternalName", "externalName": "example.com"}}
    assert "clusterIP" not in api.ok("PUT", f"{svcs}/ip", external)["spec"]
    headless = {**svc, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
    assert api.ok("PUT", f"{svcs}/ip", headless)["spec"]["clusterIPs"] == ["None"]
    api.ok("DELETE", f"{svcs}/ip")
    svc["metadata"]["name"], svc["spec"]["clusterIP"] = "same-ip", ip
    assert api.ok("POST", svcs, svc)["spec"]["clusterIP"] == ip, "a freed address can be had"
    headless = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "named"},
                "spec": {"type": "ExternalName", "externalName": "example.com"}}
    assert "clusterIP" not in api.ok("POST", svcs, headless)["spec"]


def test_secret_string_data(api):
    doc = api.ok("POST", "/api/v1/namespaces/default/secrets", {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hello"}})
    assert doc["data"] == {"a": "aGVsbG8="} and "stringData" not in doc and doc["type"] == "Opaque"


def test_namespace_life(api):
    api.ok("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "passing"}})
    doc = api.ok("DELETE", "/api/v1/namespaces/passing")
    assert doc["status"]["phase"] == "Terminating"
    doc = api.fails(403, "POST", "/api/v1/namespaces/passing/configmaps", config_map("late"))
    assert "because it is being terminated" in doc["message"]
    doc = api.ok("GET", "/api/v1/namespaces/passing")
    doc["spec"]["finalizers"] = []
    api.ok("PUT", "/api/v1/namespaces/passing/finalize", doc)
    api.fails(404, "GET", "/api/v1/namespaces/passing")


# ---- deletion ----
def test_finalizers_hold(api):
    doc = config_map("held")
    doc["metadata"]["finalizers"] = ["example.com/hold"]
    api.ok("POST", MAPS, doc)
    assert api.ok("DELETE", f"{MAPS}/held")["metadata"]["deletionTimestamp"]
    bad = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    assert "no new finalizers can be added" in api.fails(422, "PATCH", f"{MAPS}/held", bad, MERGE)["message"]
    api.ok("PATCH", f"{MAPS}/held", {"metadata": {"finalizers": None}}, MERGE)
    api.fails(404, "GET", f"{MAPS}/held")


def test_delete_preconditions(api):
    doc = api.ok("POST", MAPS, config_map("pre"))
    wrong = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "nope"}}
    assert api.fails(409, "DELETE", f"{MAPS}/pre", wrong)["reason"] == "Conflict"
    wrong["preconditions"] = {"uid": doc["metadata"]["uid"]}
    out = api.ok("DELETE", f"{MAPS}/pre", wrong)
    assert out["status"] == "Success" and out["details"]["uid"] == doc["metadata"]["uid"]


def test_orphan_takes_the_owner_off(api):
    owner = api.ok("POST", MAPS, config_map("owner"))
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]
    api.ok("POST", MAPS, child)
    api.ok("DELETE", f"{MAPS}/owner?propagationPolicy=Orphan")
    assert "ownerReferences" not in api.ok("GET", f"{MAPS}/child")["metadata"]


def test_delete_collection(api):
    for i in range(3):
        doc = config_map(f"many-{i}")
        doc["metadata"]["labels"] = {"many": "yes"}
        api.ok("POST", MAPS, doc)
    assert len(api.ok("DELETE", f"{MAPS}?labelSelector=many%3Dyes")["items"]) == 3
    assert api.ok("GET", f"{MAPS}?labelSelector=many%3Dyes")["items"] == []


# ---- lists ----
def test_selectors_and_chunks(api):
    ns = "/api/v1/namespaces/kube-system/configmaps"
    for i in range(7):
        doc = config_map(f"l{i}")
        doc["metadata"]["labels"] = {"odd": str(i % 2)}
        api.ok("POST", ns, doc)
    assert len(api.ok("GET", f"{ns}?labelSelector=odd%3D1")["items"]) == 3
    one = api.ok("GET", f"{ns}?fieldSelector=metadata.name%3Dl3")["items"]
    assert [o["metadata"]["name"] for o in one] == ["l3"]
    assert "field label not supported" in api.fails(400, "GET", f"{ns}?fieldSelector=data.a%3D1")["message"]
    names, token = [], ""
    while True:
        page = api.ok("GET", f"{ns}?limit=3&continue={token}")
        names += [o["metadata"]["name"] for o in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
        assert page["metadata"]["remainingItemCount"] == 7 - len(names)
    assert names == [f"l{i}" for i in range(7)]
    api.fails(400, "GET", f"{ns}?continue=zz")


def test_resource_versions_of_lists(api):
    assert api.fails(504, "GET", f"{MAPS}?resourceVersion=99999999")["reason"] == "Timeout"
    api.fails(410, "GET", f"{MAPS}?resourceVersion=1&resourceVersionMatch=Exact")


def test_table(api):
    api.ok("POST", PODS, pod("tabled"))
    table = api.ok("GET", f"{PODS}?fieldSelector=metadata.name%3Dtabled", headers=TABLE)
    assert table["kind"] == "Table" and table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert [c["name"] for c in table["columnDefinitions"]][:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert table["rows"][0]["cells"][:4] == ["tabled", "0/1", "Pending", "0"]


# ---- watches ----
def test_watch_from_version(api):
    start = api.ok("GET", MAPS)["metadata"]["resourceVersion"]
    api.ok("POST", MAPS, config_map("seen", a="1"))
    with api.watch(f"{MAPS}?watch=true&resourceVersion={start}") as w:
        assert (e := w.next())["type"] == "ADDED" and e["object"]["metadata"]["name"] == "seen"
        api.ok("PATCH", f"{MAPS}/seen", {"data": {"a": "2"}}, MERGE)
        assert (e := w.next())["type"] == "MODIFIED" and e["object"]["data"] == {"a": "2"}
        api.ok("DELETE", f"{MAPS}/seen")
        gone = w.next()
        assert gone["type"] == "DELETED"
        assert int(gone["object"]["metadata"]["resourceVersion"]) > int(e["object"]["metadata"]["resourceVersion"])


def test_watch_selector_transitions(api):
    with api.watch(f"{MAPS}?watch=true&labelSelector=in%3Dyes") as w:
        api.ok("POST", MAPS, config_map("moving"))
        api.ok("PATCH", f"{MAPS}/moving", {"metadata": {"labels": {"in": "yes"}}}, MERGE)
        assert w.next()["type"] == "ADDED"
        api.ok("PATCH", f"{MAPS}/moving", {"metadata": {"labels": {"in": "no"}}}, MERGE)
        assert w.next()["type"] == "DELETED"


def test_watch_initial_events_and_time_limit(api):
    api.ok("POST", "/api/v1/namespaces/knative-serving/configmaps", config_map("first"))
    path = "/api/v1/namespaces/knative-serving/configmaps?watch=true&timeoutSeconds=1&allowWatchBookmarks=true"
    with api.watch(f"{path}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan") as w:
        assert w.next()["type"] == "ADDED"
        mark = w.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert w.next()["type"] == "BOOKMARK", "one more before the end"
        assert w.next() is None


def test_watch_too_new(api):
    with api.watch(f"{MAPS}?watch=true&resourceVersion=99999999") as w:
        assert w.status == 504


# ---- custom resources ----
SCHEMA = {"type": "object", "properties": {
    "spec": {"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "name": {"type": "string", "pattern": "^[a-z]+(?:-[a-z]\\d)?$", "maxLength": 8},
        "port": {"x-kubernetes-int-or-string": True},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "env": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"],
                          "properties": {"name": {"type": "string"}, "proto": {"type": "string", "default": "TCP"}}}},
    }},
    "status": {"type": "object", "properties": {"ready": {"type": "integer"}}},
}}
WIDGETS = "/apis/test.example.com/v1/namespaces/default/widgets"


@pytest.fixture(scope="module")
def widgets(api):
    doc = api.ok("POST", CRDS, crd("widgets", "Widget", SCHEMA, subresources={
        "status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready"}},
        additionalPrinterColumns=[
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
            {"name": "Label", "type": "string", "jsonPath": ".metadata.labels['a\\.b/c']"}]))
    conditions = {c["type"]: c["status"] for c in doc["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert doc["status"]["acceptedNames"]["listKind"] == "WidgetList" and doc["status"]["storedVersions"] == ["v1"]
    return api


def test_custom_defaults_and_pruning(widgets):
    doc = widgets.ok("POST", WIDGETS, custom("Widget", "w1", spec={
        "size": 2, "bogus": 1, "any": {"x": {"y": 1}}, "port": "http", "env": [{"name": "A"}]}, status={"ready": 5}))
    assert doc["spec"] == {"size": 2, "mode": "a", "any": {"x": {"y": 1}}, "port": "http",
                           "env": [{"name": "A", "proto": "TCP"}]}
    assert "status" not in doc and doc["metadata"]["generation"] == 1


def api_warnings(headers):
    return [w.split('\\"')[1] for w in headers["Warning"].split("299 - ")[1:]]


def test_custom_field_validation(widgets):
    bad = custom("Widget", "strict", spec={"size": 1, "bogus": 1})
    doc = widgets.fails(400, "POST", f"{WIDGETS}?fieldValidation=Strict", bad)
    assert 'strict decoding error: unknown field "spec.bogus"' in doc["message"]
    status, _, headers = widgets.request("POST", f"{WIDGETS}?fieldValidation=Warn", bad)
    assert status == 201 and headers["Warning"] == '299 - "unknown field \\"spec.bogus\\""'
    bad["metadata"]["name"], bad["spec"]["more"] = "two", 1
    assert api_warnings(widgets.request("POST", WIDGETS, bad)[2]) == ["spec.bogus", "spec.more"]
    bad["metadata"]["name"] = "ignored"
    assert "Warning" not in widgets.request("POST", f"{WIDGETS}?fieldValidation=Ignore", bad)[2]


@pytest.mark.parametrize("spec, message", [
    ({}, "spec.size: Required value"),
    ({"size": "x"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
    ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
    ({"size": 11}, "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
    ({"size": 1, "mode": "c"}, 'spec.mode: Unsupported value: "c": supported values: "a", "b"'),
    ({"size": 1, "name": "A"}, "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+(?:-[a-z]\\d)?$'"),
    ({"size": 1, "name": "aaaaaaaaa"}, "spec.name: Too long: may not be more than 8 bytes"),
    ({"size": 1, "port": 1.5}, "spec.port in body must be of type integer,string"),
    ({"size": 1, "labels": {"a": 1}}, 'spec.labels.a in body must be of type string: "integer"'),
    ({"size": 1, "env": [{"name": "A"}, {"name": "A"}]}, 'spec.env[1]: Duplicate value: map[string]interface {}{"name":"A"}'),
    ({"size": 1, "env": [{}]}, "spec.env[0].name: Required value"),
])
def test_custom_validation(widgets, spec, message):
    doc = widgets.fails(422, "POST", WIDGETS, custom("Widget", "invalid", spec=spec))
    assert doc["message"].startswith('Widget.test.example.com "invalid" is invalid: ') and message in doc["message"]


def test_custom_status_and_generation(widgets):
    doc = widgets.ok("POST", WIDGETS, custom("Widget", "gen", spec={"size": 1}))
    doc["status"], doc["spec"]["size"] = {"ready": 3}, 9
    out = widgets.ok("PUT", f"{WIDGETS}/gen/status", doc)
    assert out["status"] == {"ready": 3} and out["spec"]["size"] == 1 and out["metadata"]["generation"] == 1
    out["status"], out["spec"]["size"] = {"ready": 4}, 9
    out = widgets.ok("PUT", f"{WIDGETS}/gen", out)
    assert out["status"] == {"ready": 3} and out["spec"]["size"] == 9 and out["metadata"]["generation"] == 2
    out = widgets.ok("PATCH", f"{WIDGETS}/gen", {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert out["metadata"]["generation"] == 2
    del out["metadata"]["resourceVersion"]
    assert "metadata.resourceVersion" in widgets.fails(422, "PUT", f"{WIDGETS}/gen", out)["message"]


def test_custom_scale(widgets):
    widgets.ok("POST", WIDGETS, custom("Widget", "scaled", spec={"size": 1}))
    scale = widgets.ok("GET", f"{WIDGETS}/scaled/scale")
    assert scale["kind"] == "Scale" and scale["spec"]["replicas"] == 1
    scale = widgets.ok("PATCH", f"{WIDGETS}/scaled/scale", {"spec": {"replicas": 4}}, MERGE)
    assert scale["spec"]["replicas"] == 4
    assert widgets.ok("GET", f"{WIDGETS}/scaled")["spec"]["size"] == 4


def test_custom_table(widgets):
    doc = custom("Widget", "columns", spec={"size": 7})
    doc["metadata"]["labels"] = {"a.b/c": "hit"}
    widgets.ok("POST", WIDGETS, doc)
    table = widgets.ok("GET", f"{WIDGETS}/columns", headers=TABLE)
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size", "Ready", "Label"]
    assert table["rows"][0]["cells"] == ["columns", 7, None, "hit"]


def test_custom_refuses_strategic_merge(widgets):
    widgets.fails(415, "PATCH", f"{WIDGETS}/columns", {}, {"Content-Type": "application/strategic-merge-patch+json"})


def test_versions_share_objects(api):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    api.ok("POST", CRDS, crd("dials", "Dial", schema, versions=[one, {**one, "name": "v2", "storage": False}]))
    doc = custom("Dial", "d", spec={"a": 1})
    doc["apiVersion"] = "test.example.com/v2"
    v2 = "/apis/test.example.com/v2/namespaces/default/dials"
    assert api.ok("POST", v2, doc)["apiVersion"] == "test.example.com/v2"
    assert api.ok("GET", f"{v2.replace('v2', 'v1')}/d")["apiVersion"] == "test.example.com/v1"
    assert api.ok("GET", v2)["items"][0]["apiVersion"] == "test.example.com/v2"
    assert api.ok("PATCH", f"{v2}/d", {"spec": {"a": 2}}, MERGE)["spec"] == {"a": 2}


def test_crd_validation_and_deletion(api):
    bad = crd("gizmos", "Gizmo", {"type": "object"})
    bad["metadata"]["name"] = "wrong"
    doc = api.fails(422, "POST", CRDS, bad)
    assert "metadata.name" in [c["field"] for c in doc["details"]["causes"]]
    broken = crd("gizmos", "Gizmo", {"type": "object", "properties": {"a": {"type": "string", "pattern": "a++"}}})
    assert "regular expression" in api.fails(422, "POST", CRDS, broken)["message"]
    api.ok("POST", CRDS, crd("gizmos", "Gizmo", {"type": "object"}))
    path = "/apis/test.example.com/v1/namespaces/default/gizmos"
    held = custom("Gizmo", "held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    api.ok("POST", path, custom("Gizmo", "free"))
    api.ok("POST", path, held)
    with api.watch(f"{CRDS}?watch=true&fieldSelector=metadata.name%3Dgizmos.test.example.com") as w:
        assert w.next()["type"] == "ADDED"
        api.ok("DELETE", f"{CRDS}/gizmos.test.example.com")
        assert w.next()["type"] == "MODIFIED"
        ending = w.next()["object"]["status"]["conditions"]
        assert [c["status"] for c in ending if c["type"] == "Terminating"] == ["True"]
        api.fails(405, "POST", path, custom("Gizmo", "late"))
        api.ok("PATCH", f"{path}/held", {"metadata": {"finalizers": None}}, MERGE)
        assert w.next()["type"] == "DELETED"
    api.fails(404, "GET", path)


# ---- durability ----
def test_restart_keeps_everything():
    server = Server()
    try:
        made = server.ok("POST", MAPS, config_map("kept", a="b"))
        server.ok("POST", CRDS, crd("keepers", "Keeper", {"type": "object"}))
        server.stop(signal.SIGKILL)
        server.start()
        assert server.ok("GET", f"{MAPS}/kept") == made
        path = "/apis/test.example.com/v1/namespaces/default/keepers"
        server.ok("POST", path, custom("Keeper", "k"))
        ksvc = server.ok("GET", f"{CRDS}/services.serving.knative.dev")
        assert ksvc["metadata"]["generation"] == 1, "an unchanged built-in CRD is not written again"
    finally:
        server.close()
