"""The workflows of kubectl users, with the real kubectl and its validation on."""
import json

import pytest

from apiserver_support import Server

MERGE = {"Content-Type": "application/merge-patch+json"}
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "nginx:1.2", ports: [{containerPort: 80}], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: one, b: two}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec: {template: {spec: {containers: [{image: hello-world}]}}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {run: test}}
spec: {containers: [{name: main, image: busybox}]}
"""


@pytest.fixture(scope="module")
def api():
    server = Server()
    yield server
    server.close()


def test_discovery(api):
    out = api.kubectl("api-resources", "--no-headers").stdout
    assert "kservice,ksvc" in out and "deployments" in out
    assert "serving.knative.dev/v1" in api.kubectl("api-versions").stdout
    assert "Server Version: v1." in api.kubectl("version").stdout
    out = api.kubectl("api-resources", "--categories=serving", "-o", "name").stdout
    assert "services.serving.knative.dev" in out


def test_apply_three_times(api):
    out = api.kubectl("apply", "-f", "-", stdin=MANIFEST).stdout
    assert out.splitlines() == ["deployment.apps/web created", "service/web created", "configmap/settings created",
                                "service.serving.knative.dev/hello created"]
    out = api.kubectl("apply", "-f", "-", stdin=MANIFEST).stdout
    assert [line.split()[-1] for line in out.splitlines()] == ["unchanged"] * 4, out
    changed = MANIFEST.replace("nginx:1.2", "nginx:1.3").replace(', {name: B, value: "2"}', "").replace("hello-world", "hello-moon")
    changed = changed.replace(", b: two", "")
    out = api.kubectl("apply", "-f", "-", stdin=changed).stdout
    assert [line.split()[-1] for line in out.splitlines()] == ["configured", "unchanged", "configured", "configured"], out
    doc = api.ok("GET", f"{DEPLOYMENTS}/web")
    container = doc["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx:1.3" and container["env"] == [{"name": "A", "value": "1"}]
    assert doc["metadata"]["generation"] == 2
    assert api.ok("GET", "/api/v1/namespaces/default/configmaps/settings")["data"] == {"a": "one"}


def test_apply_names_unknown_fields(api):
    bad = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: typo}\nspec: {tmplate: {}, template: {spec: {containers: [{image: x}]}}}\n"
    done = api.kubectl("apply", "-f", "-", stdin=bad, check=False)
    assert done.returncode == 1 and 'strict decoding error: unknown field "spec.tmplate"' in done.stderr
    done = api.kubectl("apply", "--validate=warn", "-f", "-", stdin=bad)
    assert 'Warning: unknown field "spec.tmplate"' in done.stderr
    api.kubectl("delete", "ksvc", "typo")


def test_create_and_conflict_messages(api):
    api.kubectl("create", "-f", "-", stdin=POD % "once")
    done = api.kubectl("create", "-f", "-", stdin=POD % "once", check=False)
    assert 'Error from server (AlreadyExists)' in done.stderr and 'pods "once" already exists' in done.stderr
    done = api.kubectl("get", "ksvc", "absent", check=False)
    assert done.stderr.strip() == 'Error from server (NotFound): services.serving.knative.dev "absent" not found'
    done = api.kubectl("get", "nothing", check=False)
    assert "the server doesn't have a resource type" in done.stderr


def test_generators(api):
    """These send protobuf."""
    api.kubectl("create", "namespace", "made")
    k = ["-n", "made"]
    api.kubectl("create", "configmap", "cm", "--from-literal=a=b", *k)
    api.kubectl("create", "secret", "generic", "s", "--from-literal=u=hello", *k)
    api.kubectl("create", "serviceaccount", "robot", *k)
    api.kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=3", "--port=80", *k)
    api.kubectl("create", "service", "clusterip", "svc", "--tcp=80:8080", *k)
    api.kubectl("expose", "deployment", "web", "--port=80", *k)
    api.kubectl("run", "one", "--image=busybox", "--env=A=B", "--labels=x=z", *k)
    assert api.ok("GET", "/api/v1/namespaces/made/configmaps/cm")["data"] == {"a": "b"}
    assert api.ok("GET", "/api/v1/namespaces/made/secrets/s")["data"] == {"u": "aGVsbG8="}
    spec = api.ok("GET", "/apis/apps/v1/namespaces/made/deployments/web")["spec"]
    assert spec["replicas"] == 3 and spec["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert api.ok("GET", "/api/v1/namespaces/made/services/svc")["spec"]["ports"][0]["targetPort"] == 8080
    spec = api.ok("GET", "/api/v1/namespaces/made/pods/one")["spec"]
    assert spec["containers"][0]["env"] == [{"name": "A", "value": "B"}] and spec["restartPolicy"] == "Always"
    api.kubectl("delete", "deployment/web", "svc/svc", "svc/web", "pod/one", "cm/cm", *k)


def test_get_forms(api):
    out = api.kubectl("get", "pods", "once").stdout.splitlines()
    assert out[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert out[1].split()[:4] == ["once", "0/1", "Pending", "0"]
    out = api.kubectl("get", "pods", "-o", "wide").stdout.splitlines()[0]
    assert out.split()[5:7] == ["IP", "NODE"]
    assert api.kubectl("get", "ksvc").stdout.split()[:6] == ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"]
    assert api.kubectl("get", "pods", "-o", "name").stdout == "pod/once\n"
    assert api.kubectl("get", "pod", "once", "-o", "jsonpath={.spec.containers[0].image}").stdout == "busybox"
    assert "kind: Pod" in api.kubectl("get", "pod", "once", "-o", "yaml").stdout
    assert json.loads(api.kubectl("get", "all", "-o", "json").stdout)["kind"] == "List"
    out = api.kubectl("get", "deploy,svc,cm,ns,crd,ksvc", "-A").stdout
    assert "deployment.apps/web" in out and "namespace/kube-system" in out
    assert api.kubectl("get", "pods", "-l", "run=none").stderr.strip() == "No resources found in default namespace."
    assert "once" in api.kubectl("get", "pods", "--field-selector", "status.phase=Pending").stdout
    assert "hello" in api.kubectl("get", "ksvc", "--sort-by=.metadata.name", "--chunk-size=1").stdout


def test_describe(api):
    assert "nginx:1.3" in api.kubectl("describe", "deployment", "web").stdout
    assert "10.96." in api.kubectl("describe", "service", "web").stdout
    assert "Image:" in api.kubectl("describe", "pod", "once").stdout
    assert "hello-moon" in api.kubectl("describe", "ksvc", "hello").stdout
    assert "Status:" in api.kubectl("describe", "ns", "default").stdout
    api.ok("POST", "/api/v1/namespaces/default/events", {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "once.1"}, "type": "Warning", "reason": "Broken",
        "message": "it broke", "involvedObject": {"kind": "Pod", "namespace": "default", "name": "once",
                                                  "uid": api.ok("GET", f"{PODS}/once")["metadata"]["uid"]}})
    assert "it broke" in api.kubectl("describe", "pod", "once").stdout
    assert "pod/once" in api.kubectl("get", "events").stdout
    assert "it broke" in api.kubectl("events", "--types=Warning").stdout


def test_label_annotate_patch_scale(api):
    api.kubectl("label", "pod", "once", "color=red")
    done = api.kubectl("label", "pod", "once", "color=blue", check=False)
    assert "already has a value" in done.stderr
    api.kubectl("label", "pod", "once", "color=blue", "--overwrite")
    api.kubectl("label", "ksvc", "hello", "team=one")
    api.kubectl("annotate", "ksvc", "hello", "note=x")
    assert api.ok("GET", f"{PODS}/once")["metadata"]["labels"]["color"] == "blue"
    api.kubectl("label", "pod", "once", "color-")
    api.kubectl("patch", "deploy", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}}')
    api.kubectl("patch", "ksvc", "hello", "--type=merge", "-p", '{"spec":{"template":{"spec":{"timeoutSeconds":7}}}}')
    api.kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"add","path":"/data/z","value":"9"}]')
    api.kubectl("scale", "deploy", "web", "--replicas=4")
    assert api.ok("GET", f"{DEPLOYMENTS}/web")["spec"]["replicas"] == 4
    done = api.kubectl("scale", "deploy", "web", "--replicas=1", "--current-replicas=3", check=False)
    assert "Expected replicas to be 3, was 4" in done.stderr
    api.kubectl("set", "image", "deploy/web", "c=nginx:3")
    api.kubectl("set", "env", "deploy/web", "NEW=1")
    assert api.ok("GET", f"{DEPLOYMENTS}/web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:3"


def test_edit(api, monkeypatch):
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/hello-moon/hello-mars/")
    assert "edited" in api.kubectl("edit", "ksvc", "hello").stdout
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/nginx:3/nginx:4/")
    assert "edited" in api.kubectl("edit", "deploy", "web").stdout
    assert api.ok("GET", f"{DEPLOYMENTS}/web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:4"


def test_replace_and_dry_run(api):
    text = api.kubectl("get", "cm", "settings", "-o", "yaml").stdout
    assert "replaced" in api.kubectl("replace", "-f", "-", stdin=text.replace("a: one", "a: uno")).stdout
    stale = api.kubectl("replace", "-f", "-", stdin=text.replace("a: one", "a: due"), check=False)
    assert "the object has been modified; please apply your changes to the latest version and try again" in stale.stderr
    out = api.kubectl("apply", "--dry-run=server", "-f", "-", stdin=POD % "dry").stdout
    assert out == "pod/dry created (server dry run)\n"
    done = api.kubectl("diff", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: tre}\n", check=False)
    assert done.returncode == 1 and "+  a: tre" in done.stdout, done.stdout + done.stderr


def test_watch_and_wait(api):
    api.kubectl("create", "-f", "-", stdin=POD % "waited")
    watch = api.kubectl_start("get", "pod", "waited", "-w", "--no-headers")
    assert watch.stdout.readline().split()[:3] == ["waited", "0/1", "Pending"]
    wait = api.kubectl_start("wait", "--for=condition=Ready", "pod/waited", "--timeout=30s")
    ready = {"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z",
                        "conditions": [{"type": "Ready", "status": "True"}],
                        "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0}]}}
    api.ok("PATCH", f"{PODS}/waited/status", ready, MERGE)
    assert wait.communicate(timeout=40)[0] == "pod/waited condition met\n"
    assert watch.stdout.readline().split()[:3] == ["waited", "1/1", "Running"]
    gone = api.kubectl_start("wait", "--for=delete", "pod/waited", "--timeout=30s")
    deletion = api.kubectl_start("delete", "pod", "waited")
    assert watch.stdout.readline().split()[:3] == ["waited", "1/1", "Terminating"]
    api.ok("DELETE", f"{PODS}/waited?gracePeriodSeconds=0")
    assert 'pod "waited" deleted' in deletion.communicate(timeout=40)[0]
    assert gone.communicate(timeout=40)[1] is None and gone.returncode == 0
    watch.terminate()
    watch.wait(timeout=10)
    watch.stdout.close()


def test_rollout_status(api):
    doc = api.ok("GET", f"{DEPLOYMENTS}/web")
    rollout = api.kubectl_start("rollout", "status", "deploy/web", "--timeout=30s")
    assert "Waiting for deployment" in rollout.stdout.readline()
    n = doc["spec"]["replicas"]
    api.ok("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {
        "observedGeneration": doc["metadata"]["generation"], "replicas": n, "updatedReplicas": n,
        "readyReplicas": n, "availableReplicas": n}}, MERGE)
    assert 'deployment "web" successfully rolled out' in rollout.communicate(timeout=40)[0]
    api.kubectl("rollout", "restart", "deploy/web")
    assert "kubectl.kubernetes.io/restartedAt" in api.ok("GET", f"{DEPLOYMENTS}/web")["spec"]["template"]["metadata"]["annotations"]


def test_logs(api):
    assert "default/once" in api.kubectl("logs", "once").stdout


def test_explain(api):
    out = api.kubectl("explain", "ksvc.spec.template").stdout
    assert "KIND:       Service" in out and "spec" in out


def test_explain_built_in(api):
    out = api.kubectl("explain", "pod.spec.containers").stdout
    assert "livenessProbe" in out and "imagePullPolicy" in out
    assert "<[]ServicePort>" in api.kubectl("explain", "service.spec").stdout
    assert "maxSurge" in api.kubectl("explain", "deployment.spec.strategy.rollingUpdate").stdout


def test_delete(api):
    out = api.kubectl("delete", "-f", "-", stdin=MANIFEST).stdout
    assert len(out.splitlines()) == 4
    assert api.kubectl("delete", "pods", "--all", "--now").stdout == 'pod "once" deleted\n'
    done = api.kubectl("delete", "pod", "once", check=False)
    assert done.returncode == 1 and "not found" in done.stderr
    api.kubectl("delete", "pod", "once", "--ignore-not-found")
    assert api.kubectl("get", "all").stderr.strip() == "No resources found in default namespace."


def test_custom_resource_definition(api):
    crd = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.test.example.com}
spec:
  group: test.example.com
  scope: Cluster
  names: {plural: things, kind: Thing, shortNames: [th]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}}}
"""
    api.kubectl("apply", "-f", "-", stdin=crd)
    assert "condition met" in api.kubectl("wait", "--for=condition=Established", "crd/things.test.example.com", "--timeout=20s").stdout
    thing = "apiVersion: test.example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: %s}\n"
    api.kubectl("apply", "-f", "-", stdin=thing % 1)
    assert api.kubectl("get", "th").stdout.split()[:2] == ["NAME", "AGE"]
    done = api.kubectl("apply", "-f", "-", stdin=thing % '"x"', check=False)
    assert 'spec.size in body must be of type integer: "string"' in done.stderr
    api.kubectl("delete", "crd", "things.test.example.com")
    assert "could not find the requested resource" in api.kubectl("get", "things", check=False).stderr
