"""What goes wrong in a revision reaches the Service in the words that upstream uses."""
from support import eventually, service


def failed(nonagon, name):
    """The Service's condition that speaks of its revisions, once it and Ready are False. (Ready itself copies whichever
    of its parts turned False last.)"""
    def check():
        c = nonagon.condition("ksvc", name, "ConfigurationsReady")
        return c if c.get("status") == nonagon.condition("ksvc", name).get("status") == "False" else None
    return eventually(check, f"{name} fails")


def test_image_missing(nonagon, registry):
    image = f"{registry.host}/not/there:v1"
    nonagon.apply(service("noimage", image))
    c = failed(nonagon, "noimage")
    assert c["reason"] == "RevisionFailed"
    assert f'Unable to fetch image "{image}": failed to resolve image to digest' in c["message"]
    rev = nonagon.condition("rev", "noimage-00001", "ContainerHealthy")
    assert (rev["status"], rev["reason"]) == ("False", "ContainerMissing")
    assert nonagon.condition("ksvc", "noimage", "RoutesReady")["status"] == "False"


def test_registry_unreachable(nonagon):
    nonagon.apply(service("noregistry", "127.0.0.1:1/hello:v1"))
    c = failed(nonagon, "noregistry")
    assert 'Unable to fetch image "127.0.0.1:1/hello:v1"' in c["message"]
    assert "127.0.0.1:1" in c["message"]


def test_container_crashes(nonagon, busybox):
    nonagon.apply(service("crash", busybox, command=["/bin/sh", "-c", "echo no configuration; exit 3"]))
    c = failed(nonagon, "crash")
    assert c["reason"] == "RevisionFailed"
    assert "Container failed with:" in c["message"]
    assert nonagon.condition("rev", "crash-00001", "ContainerHealthy")["reason"] == "ExitCode3"


def test_probe_fails(nonagon, hello):
    nonagon.apply(service("unready", hello, annotations={"serving.knative.dev/progress-deadline": "4s"},
                          readinessProbe={"httpGet": {"path": "/not/there"}, "periodSeconds": 1}))
    c = failed(nonagon, "unready")
    assert c["reason"] == "RevisionFailed"
    # Which of the two speaks first depends on whose deadline fires first; both are upstream's words.
    assert "Initial scale was never achieved" in c["message"] or "has timed out progressing" in c["message"]
    available = nonagon.condition("rev", "unready-00001", "ResourcesAvailable")
    assert (available["status"], available["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_fixed_revision_recovers(nonagon, hello, registry):
    nonagon.apply(service("mend", f"{registry.host}/not/there:v2"))
    failed(nonagon, "mend")
    nonagon.apply(service("mend", hello, env={"TARGET": "Mended"}))
    nonagon.wait_ready("ksvc", "mend")
    assert nonagon.call("mend").text.strip() == "Hello Mended!"


def test_class_without_plugin_says_so(nonagon, hello):
    nonagon.apply(service("foreign", hello, annotations={"autoscaling.knative.dev/class": "own.example.com"}))

    def said():
        c = nonagon.condition("kpa", "foreign-00001")
        return c if c.get("reason") == "NoPluginForClass" else None

    c = eventually(said, "the PodAutoscaler names the class that nobody runs", 30)
    assert "own.example.com" in c["message"]


def test_annotations_flow_through(nonagon, hello):
    nonagon.apply(service("flow", hello, annotations={"plugin.example.com/speed": "fast"}))
    nonagon.wait_ready("ksvc", "flow")
    for kind, name in (("rev", "flow-00001"), ("kpa", "flow-00001"), ("sks", "flow-00001")):
        assert nonagon.get(kind, name)["metadata"]["annotations"]["plugin.example.com/speed"] == "fast", kind
