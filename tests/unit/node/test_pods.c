/* Real containers through the real runtime: needs root, and is skipped with the reason otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cluster/node/runtime/files.h"
#include "rig.h"

#define POD(rest) "{\"containers\":[{\"name\":\"c\",\"image\":\"app\"," rest "}]"
#define PROBE     "\"readinessProbe\":{\"periodSeconds\":0,\"httpGet\":{\"port\":8080}}"

static struct rig rig;

static int set_up(void **state)
{
    if (rig_impossible())
        return 0;
    rig_prepare(&rig);
    rig_start(&rig);
    return 0;
}

static int tear_down(void **state)
{
    if (rig_impossible())
        return 0;
    rig_stop(&rig, true);
    rig_clean(&rig);
    return 0;
}

static void need_root(void)
{
    const char *why = rig_impossible();
    if (!why)
        return;
    print_message("skipped: %s\n", why);
    skip();
}

static bool has_waiting(const char *name, const char *reason)
{
    return streq(jget_str(rig_container(&rig, name), "state", "waiting", "reason"), reason);
}

static const char *terminated(const char *name, const char *field)
{
    return jget_str(rig_container(&rig, name), "state", "terminated", field);
}

/* ---- start and ready ---- */
static void test_ready(void **state)
{
    need_root();
    rig_pod(&rig, "ready", POD("\"args\":[\"serve\",\"8080\"]," PROBE) "}");
    rig_wait(&rig, rig_is_ready, "ready");
    const yyjson_val *s = rig_status(&rig, "ready"), *c = rig_container(&rig, "ready");
    assert_string_equal(jget_str(s, "phase"), "Running");
    assert_int_equal(strncmp(jget_str(s, "podIP"), "10.213.", 7), 0);
    assert_true(jget_bool(c, false, "ready"));
    assert_true(jget_bool(c, false, "started"));
    assert_int_equal(jget_int(c, -1, "restartCount"), 0);
    assert_non_null(jget_str(c, "state", "running", "startedAt"));
    assert_non_null(strstr(jget_str(c, "imageID"), "@sha256:aaaa"));
    assert_int_equal(strncmp(jget_str(c, "containerID"), "crun://", 7), 0);
    /* The first and only write is the one that says Ready. */
    assert_int_equal(fake_api_requests(rig.api, "PATCH /api/v1/namespaces/default/pods/ready"), 1);
    const int64_t *t = rig_stage_ns;
    assert_true(t[NODE_POD_SEEN] && t[NODE_POD_STARTED] >= t[NODE_POD_SEEN] &&
                t[NODE_POD_READY] >= t[NODE_POD_STARTED]);
    print_message("from the object to the process %.1f ms, to ready %.1f ms\n",
                  (double)(t[NODE_POD_STARTED] - t[NODE_POD_SEEN]) / 1e6,
                  (double)(t[NODE_POD_READY] - t[NODE_POD_SEEN]) / 1e6);
}

static bool ten_ready(struct rig *r, const char *name)
{
    char one[16];
    for (int i = 0; i < 10; i++) {
        snprintf(one, sizeof one, "many-%d", i);
        if (!rig_is_ready(r, one))
            return false;
    }
    return true;
}

/* More at once than namespaces are kept ready. */
static void test_many(void **state)
{
    need_root();
    char name[16];
    int64_t from = clock_mono_ns();
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        rig_pod(&rig, name, POD("\"args\":[\"serve\",\"8080\"]," PROBE) "}");
    }
    rig_wait(&rig, ten_ready, "many-0");
    print_message("ten pods at once ready after %.1f ms\n", (double)(clock_mono_ns() - from) / 1e6);
}

/* ---- what a container finds ---- */
static bool is_succeeded(struct rig *r, const char *name)
{
    return streq(jget_str(rig_status(r, name), "phase"), "Succeeded");
}

static void test_environment(void **state)
{
    need_root();
    fake_api_put(rig.api, &KR_CONFIGMAP,
                 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cm\","
                 "\"namespace\":\"default\",\"uid\":\"cm\"},\"data\":{\"key\":\"from-map\"}}");
    fake_api_put(rig.api, &KR_SECRET,
                 "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
                 "\"namespace\":\"default\",\"uid\":\"s\"},\"data\":{\"key\":\"c2VjcmV0\"}}");
    rig_pod(
        &rig, "env",
        "{\"restartPolicy\":\"Never\",\"securityContext\":{\"fsGroup\":777},"
        "\"volumes\":[{\"name\":\"cm\",\"configMap\":{\"name\":\"cm\"}},"
        "{\"name\":\"e\",\"emptyDir\":{}},{\"name\":\"m\",\"emptyDir\":{\"medium\":\"Memory\"}},"
        "{\"name\":\"p\",\"projected\":{\"sources\":[{\"secret\":{\"name\":\"s\"}},"
        "{\"downwardAPI\":{\"items\":[{\"path\":\"name\",\"fieldRef\":{\"fieldPath\":"
        "\"metadata.name\"}}]}}]}}],\"initContainers\":[{\"name\":\"i\",\"image\":\"app\","
        "\"args\":[\"write\",\"/e/from-init\",\"init-was-here\"],\"volumeMounts\":[{\"name\":"
        "\"e\",\"mountPath\":\"/e\"}]}],\"containers\":[{\"name\":\"c\",\"image\":\"app\","
        "\"args\":[\"id\",\"env\",\"A\",\"env\",\"B\",\"env\",\"K\",\"env\",\"IP\",\"env\","
        "\"FROM_IMAGE\",\"file\",\"/cm/key\",\"file\",\"/p/key\",\"file\",\"/p/name\","
        "\"file\",\"/e/from-init\",\"file\",\"/sub/inner\",\"file\",\"/etc/resolv.conf\","
        "\"file\",\"/etc/hostname\",\"write\",\"/m/x\",\"memory\",\"file\",\"/m/x\","
        "\"write\",\"/cm/x\",\"no\",\"file\",\"/sys/fs/cgroup/memory/memory.limit_in_bytes\","
        "\"write\",\"/dev/termination-log\",\"bye\"],"
        "\"resources\":{\"limits\":{\"memory\":\"128Mi\",\"cpu\":\"1\"}},"
        "\"env\":[{\"name\":\"A\",\"value\":\"a\"},{\"name\":\"B\",\"value\":\"$(A)-$(C)\"},"
        "{\"name\":\"K\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"key\"}}},"
        "{\"name\":\"IP\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}}],"
        "\"volumeMounts\":[{\"name\":\"cm\",\"mountPath\":\"/cm\"},{\"name\":\"e\","
        "\"mountPath\":\"/e\"},{\"name\":\"m\",\"mountPath\":\"/m\"},{\"name\":\"p\","
        "\"mountPath\":\"/p\"},{\"name\":\"cm\",\"mountPath\":\"/sub/inner\",\"subPath\":"
        "\"key\"}]}]}");
    rig_wait(&rig, is_succeeded, "env");
    _cleanup_free_ char *log = rig_log(&rig, "env", "c", 0);
    static const char *const wanted[] = {"uid=1234 gid=2345\n",
                                         "A=a\nB=a-$(C)\nK=secret\nIP=10.213.",
                                         "FROM_IMAGE=yes\n",
                                         "from-map"
                                         "secret"
                                         "env"
                                         "init-was-here"
                                         "from-map"
                                         "nameserver 10.213.",
                                         "search default.svc.cluster.local",
                                         "\nenv\n",
                                         "memory",
                                         "/cm/x: Read-only file system"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!strstr(log, wanted[i]))
            fail_msg("no \"%s\" in: %s", wanted[i], log);
    if (access("/sys/fs/cgroup/memory", F_OK) == 0)
        assert_non_null(strstr(log, "134217728"));
    assert_string_equal(terminated("env", "reason"), "Completed");
    assert_string_equal(terminated("env", "message"), "bye");
}

/* ---- ends ---- */
static bool is_failed(struct rig *r, const char *name)
{
    return streq(jget_str(rig_status(r, name), "phase"), "Failed");
}

static void test_exit_code(void **state)
{
    need_root();
    rig_pod(&rig, "exit",
            POD("\"args\":[\"say\",\"last words\",\"exit\",\"3\"],\"terminationMessagePolicy\":"
                "\"FallbackToLogsOnError\"") ",\"restartPolicy\":\"Never\"}");
    rig_wait(&rig, is_failed, "exit");
    const yyjson_val *c = rig_container(&rig, "exit");
    assert_int_equal(jget_int(c, 0, "state", "terminated", "exitCode"), 3);
    assert_string_equal(terminated("exit", "reason"), "Error");
    assert_string_equal(terminated("exit", "message"), "last words\n");
}

static void test_oom(void **state)
{
    need_root();
    rig_pod(
        &rig, "oom",
        POD("\"args\":[\"burn\",\"64\"],\"resources\":{\"limits\":{\"memory\":\"16Mi\"}}") ",\"rest"
                                                                                           "artPoli"
                                                                                           "cy\":"
                                                                                           "\"Never"
                                                                                           "\"}");
    rig_wait(&rig, is_failed, "oom");
    assert_string_equal(terminated("oom", "reason"), "OOMKilled");
    assert_int_equal(jget_int(rig_container(&rig, "oom"), 0, "state", "terminated", "exitCode"),
                     137);
}

static bool loops(struct rig *r, const char *name)
{
    return has_waiting(name, "CrashLoopBackOff");
}

static void test_crash_loop(void **state)
{
    need_root();
    rig_pod(&rig, "crash", POD("\"args\":[\"exit\",\"1\"]") "}");
    rig_wait(&rig, loops, "crash");
    const yyjson_val *c = rig_container(&rig, "crash");
    assert_int_equal(jget_int(c, 0, "restartCount"), 2);
    assert_int_equal(jget_int(c, 0, "lastState", "terminated", "exitCode"), 1);
    assert_string_equal(jget_str(rig_status(&rig, "crash"), "phase"), "Running");
}

static bool start_error(struct rig *r, const char *name)
{
    return streq(terminated(name, "reason"), "StartError");
}

static void test_no_such_program(void **state)
{
    need_root();
    rig_pod(&rig, "missing", POD("\"command\":[\"/no/such\"]") ",\"restartPolicy\":\"Never\"}");
    rig_wait(&rig, start_error, "missing");
    assert_non_null(strstr(terminated("missing", "message"), "/no/such"));
}

static bool pull_backs_off(struct rig *r, const char *name)
{
    return has_waiting(name, "ErrImagePull") || has_waiting(name, "ImagePullBackOff");
}

static void test_no_image(void **state)
{
    need_root();
    rig_pod(&rig, "noimage", "{\"containers\":[{\"name\":\"c\",\"image\":\"nosuch\"}]}");
    rig_wait(&rig, pull_backs_off, "noimage");
    assert_non_null(strstr(jget_str(rig_container(&rig, "noimage"), "state", "waiting", "message"),
                           "manifest unknown"));
}

static bool config_error(struct rig *r, const char *name)
{
    return has_waiting(name, "CreateContainerConfigError");
}

static void test_refusals(void **state)
{
    need_root();
    rig_pod(&rig, "refused", POD("\"securityContext\":{\"privileged\":true}") "}");
    rig_wait(&rig, config_error, "refused");
    rig_pod(&rig, "nomap",
            POD("\"args\":[\"say\",\"x\"],\"envFrom\":[{\"configMapRef\":{\"name\":"
                "\"later\"}}]") "}");
    rig_wait(&rig, config_error, "nomap");
    assert_string_equal(jget_str(rig_container(&rig, "nomap"), "state", "waiting", "message"),
                        "configmap \"later\" not found");
}

/* ---- probes ---- */
static bool restarted(struct rig *r, const char *name)
{
    return jget_int(rig_container(r, name), 0, "restartCount") > 0 && rig_is_ready(r, name);
}

static void test_liveness(void **state)
{
    need_root();
    rig_pod(
        &rig, "live",
        POD("\"args\":[\"write\",\"/tmp/fail\",\"\",\"serve\",\"8080\"],\"livenessProbe\":{"
            "\"periodSeconds\":1,\"failureThreshold\":1,\"httpGet\":{\"port\":8080}}") ",\"terminat"
                                                                                       "ionGracePer"
                                                                                       "iodSeconds"
                                                                                       "\":1}");
    rig_wait(&rig, restarted, "live");
    _cleanup_free_ char *log = rig_log(&rig, "live", "c", 0);
    assert_non_null(strstr(log, "terminated"));
}

static void test_exec_probe(void **state)
{
    need_root();
    rig_pod(&rig, "exec",
            POD("\"args\":[\"serve\",\"8080\"],\"readinessProbe\":{\"exec\":{"
                "\"command\":[\"/pod_app\",\"exit\",\"0\"]}}") "}");
    rig_wait(&rig, rig_is_ready, "exec");
}

/* ---- removal ---- */
static bool has_entry(const char *folder, const char *part)
{
    DIR *d = opendir(folder);
    bool found = false;
    for (struct dirent *de; d && (de = readdir(d));)
        found |= strstr(de->d_name, part) != NULL;
    if (d)
        closedir(d);
    return found;
}

static void test_delete(void **state)
{
    need_root();
    char pods[128], logs[128];
    snprintf(pods, sizeof pods, "%s/pods", rig.dir);
    snprintf(logs, sizeof logs, "%s/logs", rig.dir);
    rig_pod(&rig, "del", POD("\"args\":[\"serve\",\"8080\"]," PROBE) "}");
    rig_wait(&rig, rig_is_ready, "del");
    assert_true(has_entry(pods, "uid-del"));
    rig_in_flight = 1;
    rig_delete(&rig, "del", 2); /* half of it is kept for the process */
    rig_wait(&rig, rig_is_gone, "del");
    assert_false(has_entry(pods, "uid-del"));
    assert_false(has_entry(logs, "uid-del"));
}

/* ---- the program's own end ---- */
/* A node that is killed: a child process that ends at once when its pod is ready. */
static void run_and_die(void)
{
    rig_prepare(&rig);
    rig_start(&rig);
    rig_pod(&rig, "old", POD("\"args\":[\"say\",\"hello\",\"serve\",\"8080\"]," PROBE) "}");
    rig_pod(&rig, "orphan", POD("\"args\":[\"serve\",\"8080\"]," PROBE) "}");
    rig_wait(&rig, rig_is_ready, "old");
    rig_wait(&rig, rig_is_ready, "orphan");
    _exit(0);
}

static pid_t recorded_pid(const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/pods/uid-%s/c/c/pid", rig.dir, name);
    _cleanup_free_ char *text = file_read(path, 32, NULL);
    return text ? (pid_t)atoi(text) : 0;
}

static bool orphan_gone(struct rig *r, const char *name)
{
    char pods[128];
    snprintf(pods, sizeof pods, "%s/pods", r->dir);
    return !has_entry(pods, "uid-orphan");
}

static pid_t orphan;

static bool orphan_dead(struct rig *r, const char *name)
{
    return kill(orphan, 0) < 0;
}

static bool says_unknown(struct rig *r, const char *name)
{
    return streq(jget_str(rig_container(r, name), "lastState", "terminated", "reason"),
                 "ContainerStatusUnknown") &&
           rig_is_ready(r, name);
}

static int no_set_up(void **state)
{
    return 0;
}

static void test_adoption(void **state)
{
    need_root();
    /* The first node's containers must not become children of the second one. */
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    pid_t child = fork();
    if (child == 0)
        run_and_die();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_prepare(&rig);
    snprintf(rig.dir, sizeof rig.dir, "/tmp/nonagon-node-%d", child);
    snprintf(rig.bridge, sizeof rig.bridge, "ngt%d", child);
    pid_t pid = recorded_pid("old");
    orphan = recorded_pid("orphan");
    assert_true(pid > 0 && kill(pid, 0) == 0 && orphan > 0 && kill(orphan, 0) == 0);
    rig_pod(&rig, "old", POD("\"args\":[\"say\",\"hello\",\"serve\",\"8080\"]," PROBE) "}");
    rig_start(&rig);
    rig_wait(&rig, rig_is_ready, "old");
    assert_int_equal(recorded_pid("old"), pid);
    assert_int_equal(kill(pid, 0), 0);
    assert_int_equal(jget_int(rig_container(&rig, "old"), -1, "restartCount"), 0);
    rig_wait(&rig, orphan_gone, "old");
    rig_wait(&rig, orphan_dead, "old");
    kill(pid, SIGKILL);
    rig_wait(&rig, says_unknown, "old");
    _cleanup_free_ char *layer = xasprintf("/tmp/nonagon-node-layer-%d", child);
    file_remove_tree(AT_FDCWD, layer, NULL);
}

int main(void)
{
    if (rig_impossible())
        print_message("these tests are skipped: %s\n", rig_impossible());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exit_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_oom, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_such_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_liveness, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exec_probe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_adoption, no_set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
