"""What a container gets: environment, configuration, volumes, user, limits, network, DNS; and its logs."""
import base64
import os
import subprocess


from support import BUILD, ROOT, eventually, service



def pod(name, image, command, **spec):
    container = {"name": "main", "image": image, "command": ["/bin/sh", "-c", command], **spec.pop("container", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"restartPolicy": "Never", "containers": [container], **spec}}


def run_pod(nonagon, name, image, command, **spec):
    """Runs to the end; returns the log."""
    nonagon.kubectl("delete", "pod", name, "--ignore-not-found")
    nonagon.apply(pod(name, image, command, **spec))
    phase = eventually(lambda: next((p for p in [nonagon.get("pod", name)["status"].get("phase")]
                                     if p in ("Succeeded", "Failed")), None), f"{name} ends")
    return phase, nonagon.kubectl("logs", name).stdout


def test_environment_from_everywhere(nonagon, busybox):
    nonagon.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
                   "data": {"color": "green", "ALL_ONE": "1"}})
    nonagon.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
                   "stringData": {"token": "s3cret"}})
    env = [{"name": "PLAIN", "value": "x"}, {"name": "TWICE", "value": "$(PLAIN)$(PLAIN)"},
           {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
           {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
           {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    phase, log = run_pod(nonagon, "env", busybox, "env", container={
        "env": env, "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "P_"}]})
    assert phase == "Succeeded", log
    for line in ("PLAIN=x", "TWICE=xx", "COLOR=green", "TOKEN=s3cret", "POD=env", "P_ALL_ONE=1"):
        assert line in log.splitlines(), log


def test_volumes(nonagon, busybox):
    nonagon.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files"},
                   "data": {"a.txt": "from config"}})
    nonagon.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sealed"},
                   "data": {"b.txt": base64.b64encode(b"from secret").decode()}})
    phase, log = run_pod(
        nonagon, "vols", busybox, "cat /cfg/a.txt; echo; cat /sec/b.txt; echo; echo kept >/scratch/c && cat /scratch/c; "
        "echo no >/cfg/a.txt || echo read-only",
        volumes=[{"name": "cfg", "configMap": {"name": "files"}}, {"name": "sec", "secret": {"secretName": "sealed"}},
                 {"name": "scratch", "emptyDir": {}}],
        container={"volumeMounts": [{"name": "cfg", "mountPath": "/cfg", "readOnly": True},
                                    {"name": "sec", "mountPath": "/sec", "readOnly": True},
                                    {"name": "scratch", "mountPath": "/scratch"}]})
    assert phase == "Succeeded", log
    for line in ("from config", "from secret", "kept", "read-only"):
        assert line in log, log


def test_user_working_directory_and_args(nonagon, busybox):
    nonagon.kubectl("delete", "pod", "who", "--ignore-not-found")
    p = pod("who", busybox, "unused", container={})
    p["spec"]["containers"][0].update(command=["/bin/sh"], args=["-c", "id -u; id -g; pwd"], workingDir="/tmp",
                                      securityContext={"runAsUser": 1234, "runAsGroup": 1234})
    nonagon.apply(p)
    eventually(lambda: nonagon.get("pod", "who")["status"].get("phase") == "Succeeded", "it ends")
    assert nonagon.kubectl("logs", "who").stdout.split() == ["1234", "1234", "/tmp"]


def test_resource_limits_reach_the_cgroup(nonagon, busybox):
    phase, log = run_pod(
        nonagon, "limited", busybox,
        "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
        container={"resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}})
    assert phase == "Succeeded" and log.strip() == str(64 << 20), log


def test_failed_pod_says_its_exit_code(nonagon, busybox):
    phase, _ = run_pod(nonagon, "bad", busybox, "echo oops >&2; exit 7")
    assert phase == "Failed"
    state = nonagon.get("pod", "bad")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert state["exitCode"] == 7 and state["reason"] == "Error"


def test_restart_back_off_is_shown(nonagon, busybox):
    p = pod("again", busybox, "exit 1", restartPolicy="Always")
    nonagon.apply(p)

    def backing_off():
        s = nonagon.get("pod", "again")["status"]["containerStatuses"][0]
        return s["restartCount"] >= 1 and s["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    eventually(backing_off, "it restarts with back-off")
    nonagon.kubectl("delete", "pod", "again", "--grace-period=1")


def test_liveness_probe_restarts(nonagon, busybox):
    p = pod("alive", busybox, "touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000", restartPolicy="Always", container={
        "livenessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}})
    p["spec"]["terminationGracePeriodSeconds"] = 1
    nonagon.apply(p)
    eventually(lambda: nonagon.get("pod", "alive")["status"]["containerStatuses"][0]["restartCount"] >= 1,
               "the failing probe restarts it")
    nonagon.kubectl("delete", "pod", "alive")


def test_logs_follow(nonagon, busybox):
    nonagon.apply(pod("talk", busybox, "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); sleep 0.2; done"))
    eventually(lambda: nonagon.get("pod", "talk")["status"].get("phase") in ("Running", "Succeeded"), "it runs")
    out = nonagon.kubectl("logs", "-f", "talk").stdout.splitlines()
    assert out == [f"line {i}" for i in range(5)]
    assert nonagon.kubectl("logs", "--tail=2", "talk").stdout.splitlines() == ["line 3", "line 4"]


def test_pod_reaches_services_by_cluster_dns(nonagon, busybox, hello):
    nonagon.apply(service("target", hello, env={"TARGET": "Cluster"},
                          labels={"networking.knative.dev/visibility": "cluster-local"}))
    nonagon.wait_ready("ksvc", "target")
    phase, log = run_pod(nonagon, "client", busybox,
                         "wget -qO- http://target.default.svc.cluster.local/ && wget -qO- http://target.default/")
    assert phase == "Succeeded" and log.count("Hello Cluster!") == 2, log


def test_graceful_stop_lets_the_container_finish(nonagon, busybox):
    nonagon.apply(pod("polite", busybox, "trap 'echo saw TERM; exit 0' TERM; echo up; while true; do sleep 0.1; done"))
    eventually(lambda: "up" in nonagon.kubectl("logs", "polite", check=False).stdout, "it runs")
    follow = subprocess.Popen(["kubectl", "logs", "-f", "polite"], text=True, stdout=subprocess.PIPE,
                              env=dict(os.environ, KUBECONFIG=str(nonagon.kubeconfig), HOME=str(nonagon.dir)))
    assert follow.stdout.readline().strip() == "up"
    nonagon.kubectl("delete", "pod", "polite")
    assert "saw TERM" in follow.communicate(timeout=60)[0]


def test_import_without_a_registry(nonagon, tmp_path):
    tar = tmp_path / "hello.tar"
    subprocess.run([str(ROOT / "tools/make-image"), "--name", "dev.local/imported", "--tar", str(tar),
                    str(ROOT / BUILD / "examples/hello/hello")], check=True, stdout=subprocess.DEVNULL)
    from support import NONAGON
    p = subprocess.run([NONAGON, "import", "--data-dir", str(nonagon.dir), str(tar)], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    nonagon.apply(service("imported", "dev.local/imported", env={"TARGET": "Import"}))
    nonagon.wait_ready("ksvc", "imported")
    assert nonagon.call("imported").text.strip() == "Hello Import!"


def test_describe_and_wait_work(nonagon, busybox, hello):
    nonagon.apply(service("first", hello, env={"TARGET": "World"}))
    nonagon.kubectl("wait", "ksvc/first", "--for=condition=Ready", "--timeout=60s")
    assert "first-00001" in nonagon.kubectl("describe", "ksvc", "first").stdout
    assert "ksvc" in nonagon.kubectl("api-resources").stdout
