/*
 * The Node object: made once, its status written at start and then rarely, since nothing here
 * decides on it: it is there for people and for tools that list nodes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/node/node_impl.h"
#include "cluster/node/runtime/files.h"

#define HEARTBEAT_NS (300 * NS_PER_SEC)
#define MAX_PODS     "1000"

static const char *architecture(const char *machine)
{
    if (streq(machine, "x86_64"))
        return "amd64";
    return streq(machine, "aarch64") ? "arm64" : machine;
}

static void set_capacity(const struct node *n, yyjson_mut_doc *d, yyjson_mut_val *status,
                         const char *key)
{
    char cpu[32], memory[32];
    snprintf(cpu, sizeof cpu, "%lldm", (long long)n->cpu_milli);
    snprintf(memory, sizeof memory, "%lldKi", (long long)(n->memory / 1024));
    jm_set_str(d, status, cpu, key, "cpu");
    jm_set_str(d, status, memory, key, "memory");
    jm_set_str(d, status, MAX_PODS, key, "pods");
}

static void add_address(yyjson_mut_doc *d, yyjson_mut_val *list, const char *type,
                        const char *address)
{
    yyjson_mut_val *a = jm_add_obj(d, list);
    jm_set_str(d, a, type, "type");
    jm_set_str(d, a, address, "address");
}

static void add_condition(yyjson_mut_doc *d, yyjson_mut_val *list, const char *type, bool on,
                          const char *reason, const char *message)
{
    char now[RFC3339_LEN];
    clock_rfc3339(clock_wall_ns(), now);
    yyjson_mut_val *c = jm_add_obj(d, list);
    jm_set_str(d, c, type, "type");
    jm_set_str(d, c, on ? "True" : "False", "status");
    jm_set_str(d, c, reason, "reason");
    jm_set_str(d, c, message, "message");
    jm_set_str(d, c, now, "lastHeartbeatTime");
    jm_set_str(d, c, now, "lastTransitionTime");
}

static void set_conditions(const struct node *n, yyjson_mut_doc *d, yyjson_mut_val *status)
{
    yyjson_mut_val *list = jm_arr(d, status, "conditions");
    const char *down = n->network_down;
    add_condition(d, list, "NetworkUnavailable", down, down ? "NetworkBroken" : "NetworkReady",
                  down ? down : "the pods' bridge, routes and packet rules are in place");
    add_condition(d, list, "Ready", !down, down ? "NetworkUnavailable" : "NodeReady",
                  down ? down : "the node agent is running");
}

/* PRETTY_NAME of os-release, without its quotes. */
static char *os_name(void)
{
    _cleanup_free_ char *text = file_read("/etc/os-release", 16384, NULL);
    struct str rest = str_of(text ? text : ""), line, key = STR("PRETTY_NAME=");

    while (str_split(&rest, '\n', &line)) {
        if (!str_starts(line, key))
            continue;
        line = (struct str){line.p + key.n, line.n - key.n};
        if (line.n > 1 && (*line.p == '"' || *line.p == '\'') && line.p[line.n - 1] == *line.p)
            line = (struct str){line.p + 1, line.n - 2};
        return xstrndup(line.p, line.n);
    }
    return xstrdup("Linux");
}

static void set_info(yyjson_mut_doc *d, yyjson_mut_val *status)
{
    struct utsname u;
    uname(&u);
    _cleanup_free_ char *machine_id = file_read("/etc/machine-id", 32, NULL);
    _cleanup_free_ char *boot = file_read("/proc/sys/kernel/random/boot_id", 36, NULL);
    _cleanup_free_ char *os = os_name();
    const char *const pairs[][2] = {{"machineID", machine_id ? machine_id : ""},
                                    {"systemUUID", machine_id ? machine_id : ""},
                                    {"bootID", boot ? boot : ""},
                                    {"kernelVersion", u.release},
                                    {"osImage", os},
                                    {"containerRuntimeVersion", "crun://"},
                                    {"kubeletVersion", "v" NONAGON_VERSION},
                                    {"kubeProxyVersion", "v" NONAGON_VERSION},
                                    {"operatingSystem", "linux"},
                                    {"architecture", architecture(u.machine)}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        jm_set_str(d, status, pairs[i][1], "nodeInfo", pairs[i][0]);
}

static void status_written(void *ctx, const struct kube_status *st, struct str body)
{
    struct node *n = ctx;
    n->requests--;
    if (st->err.code)
        log_warn("node", "writing the node's status: %s", st->err.msg);
}

static void write_status(struct node *n)
{
    _cleanup_(kmut_freep) struct kmut *m = kmut_new(&KR_NODE, NULL, n->name);
    yyjson_mut_val *status = jm_obj(KM(m), "status");
    set_capacity(n, m->d, status, "capacity");
    set_capacity(n, m->d, status, "allocatable");
    yyjson_mut_val *addresses = jm_arr(m->d, status, "addresses");
    add_address(m->d, addresses, "InternalIP", n->bridge_ip);
    add_address(m->d, addresses, "Hostname", n->name);
    set_conditions(n, m->d, status);
    set_info(m->d, status);
    size_t size;
    _cleanup_free_ char *text = kmut_text(m, &size);
    struct kube_request rq = {.verb = KUBE_PATCH_MERGE,
                              .res = &KR_NODE,
                              .name = n->name,
                              .subresource = "status",
                              .body = {text, size}};
    n->requests++;
    kube_do(n->client, &rq, status_written, n);
}

static void created(void *ctx, const struct kube_status *st, struct str body)
{
    struct node *n = ctx;
    n->requests--;
    if (!st->err.code || kube_is_exists(st)) {
        write_status(n);
        return;
    }
    log_warn("node", "registering the node %s: %s", n->name, st->err.msg);
    n->heartbeat_ns = 0;
}

void node_object_changed(struct node *n)
{
    if (pod_table_synced(n->pods))
        write_status(n);
}

void node_heartbeat(struct node *n)
{
    int64_t now = clock_mono_ns();
    if (n->heartbeat_ns && now - n->heartbeat_ns < HEARTBEAT_NS)
        return;
    n->heartbeat_ns = now;
    struct utsname u;
    uname(&u);
    _cleanup_(kmut_freep) struct kmut *m = kmut_new(&KR_NODE, NULL, n->name);
    kmut_label(m, "kubernetes.io/hostname", n->name);
    kmut_label(m, "kubernetes.io/os", "linux");
    kmut_label(m, "kubernetes.io/arch", architecture(u.machine));
    size_t size;
    _cleanup_free_ char *text = kmut_text(m, &size);
    struct kube_request rq = {.verb = KUBE_CREATE, .res = &KR_NODE, .body = {text, size}};
    n->requests++;
    kube_do(n->client, &rq, created, n);
}
