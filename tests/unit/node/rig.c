/* The image store's functions are defined here, so the linker takes none from the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cluster/node/network/netlink.h"
#include "cluster/node/runtime/files.h"
#include "net/proc.h"
#include "rig.h"

#define LIMIT_S 20

uint64_t rig_in_flight;
int64_t rig_stage_ns[3];
int rig_pulls;

/* ---- the image store's stand-in ---- */
static char layer[256];
static const char *layers[] = {layer};
static struct image app = {.name = (char *)"dev.local/app:latest",
                           .digest = (char *)"sha256:"
                                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                           .layers = layers,
                           .n_layers = 1};

const struct image *image_ref_get(const struct image *i)
{
    return i;
}

void image_unref(const struct image *i)
{
}

const struct image *image_store_find(struct image_store *s, const char *ref)
{
    return streq(ref, "app") ? &app : NULL;
}

struct image_pull {
    void (*done)(void *ctx, const struct image *img, const struct err *why);
    void *ctx;
    bool cancelled;
};

static void pull_fails(void *arg)
{
    struct image_pull *p = arg;
    struct err why;
    err_set(&why, -ENOENT, "manifest unknown");
    if (!p->cancelled)
        p->done(p->ctx, NULL, &why);
    free(p);
}

struct image_pull *
image_pull_start(struct image_store *s, const char *ref, enum image_policy policy,
                 const struct image_auth *auths, size_t n_auths,
                 void (*done)(void *ctx, const struct image *img, const struct err *why), void *ctx)
{
    struct image_pull *p = xnew(struct image_pull);
    p->done = done;
    p->ctx = ctx;
    rig_pulls++;
    loop_defer((struct loop *)s, pull_fails, p);
    return p;
}

void image_pull_cancel(struct image_pull *p)
{
    p->cancelled = true;
}

static void make_image(void)
{
    static const char config[] = "{\"config\":{\"Entrypoint\":[\"/pod_app\"],"
                                 "\"Env\":[\"FROM_IMAGE=yes\"],\"User\":\"tester\"}}";
    static const char passwd[] = "root:x:0:0::/:/\ntester:x:1234:2345::/:/\n";
    char path[300];
    snprintf(layer, sizeof layer, "/tmp/nonagon-node-layer-%d", getpid());
    snprintf(path, sizeof path, "%s/etc", layer);
    assert_int_equal(files_mkdirs(path, 0755, NULL), 0);
    snprintf(path, sizeof path, "%s/etc/passwd", layer);
    assert_int_equal(file_write(path, passwd, strlen(passwd), 0644, NULL), 0);
    size_t n;
    _cleanup_free_ char *program = file_read(getenv("POD_APP"), 16 << 20, &n);
    assert_non_null(program);
    snprintf(path, sizeof path, "%s/pod_app", layer);
    assert_int_equal(file_write(path, program, n, 0755, NULL), 0);
    if (!app.config)
        app.config = json_parse(config, strlen(config), NULL);
}

/* ---- life ---- */
const char *rig_impossible(void)
{
    static struct err why;
    if (geteuid() != 0)
        return "containers need root";
    if (!getenv("POD_APP"))
        return "POD_APP does not name the containers' test program";
    return node_preflight(&why) < 0 ? why.msg : NULL;
}

void rig_prepare(struct rig *r)
{
    *r = (struct rig){0};
    snprintf(r->dir, sizeof r->dir, "/tmp/nonagon-node-%d", getpid());
    snprintf(r->bridge, sizeof r->bridge, "ngt%d", getpid());
    rig_in_flight = 0;
    make_image();
    r->loop = loop_new(NULL);
    r->api = fake_api_new();
    r->client = kube_client_new(
        r->loop, kube_transport_inproc(r->loop, r->loop, fake_api_handle, r->api, "node"));
    r->manager = manager_new(r->loop, r->client, "node");
}

static uint64_t in_flight(void *ctx, const struct kobj *pod, const char *ip)
{
    return kobj_label(pod, "serving.knative.dev/revision") ? rig_in_flight : 0;
}

static void on_stage(void *ctx, const struct kobj *pod, enum node_stage what)
{
    rig_stage_ns[what] = clock_mono_ns();
}

void rig_start(struct rig *r)
{
    struct err why;
    char subnet[32];
    snprintf(subnet, sizeof subnet, "10.213.%d.0/24", getpid() % 256);
    struct node_opts o = {.data_dir = r->dir,
                          .name = "test-node",
                          .manager = r->manager,
                          .images = (struct image_store *)r->loop,
                          .bridge = r->bridge,
                          .subnet = subnet,
                          .stage = on_stage,
                          .in_flight = in_flight};
    r->node = node_new(r->loop, &o, &why);
    if (!r->node)
        fail_msg("%s", why.msg);
    manager_start(r->manager);
}

static void stopped(void *ctx)
{
    loop_stop(((struct rig *)ctx)->loop);
}

void rig_stop(struct rig *r, bool drain)
{
    node_stop(r->node, drain, 3000, stopped, r);
    loop_run(r->loop);
    manager_free(r->manager);
    node_free(r->node);
    r->node = NULL;
    kube_client_free(r->client);
    fake_api_free(r->api);
    loop_free(r->loop);
}

void rig_clean(struct rig *r)
{
    _cleanup_(nl_closep) struct nl *n = nl_open(NULL);
    nl_link_delete(n, r->bridge, NULL);
    const char *const argv[] = {"nft", "delete", "table", "ip", r->bridge, NULL};
    proc_run(&(struct proc_opts){.argv = argv}, NULL, NULL);
    file_remove_tree(AT_FDCWD, r->dir, NULL);
    file_remove_tree(AT_FDCWD, layer, NULL);
}

/* ---- pods ---- */
void rig_pod(struct rig *r, const char *name, const char *spec)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":"
        "\"default\",\"uid\":\"uid-%s\",\"labels\":{\"serving.knative.dev/revision\":\"rev\"}},"
        "\"spec\":%s,\"status\":{\"phase\":\"Pending\"}}",
        name, name, spec);
    fake_api_put(r->api, &KR_POD, text);
}

void rig_delete(struct rig *r, const char *name, int grace_s)
{
    struct kmut *m = kmut_from(fake_api_get(r->api, &KR_POD, "default", name));
    jm_set_str(KM(m), "2026-01-01T00:00:00Z", "metadata", "deletionTimestamp");
    jm_set_int(KM(m), grace_s, "metadata", "deletionGracePeriodSeconds");
    _cleanup_free_ char *text = kmut_text(m, NULL);
    fake_api_put(r->api, &KR_POD, text);
    kmut_free(m);
}

const yyjson_val *rig_status(struct rig *r, const char *name)
{
    return jget(kobj_root(fake_api_get(r->api, &KR_POD, "default", name)), "status");
}

const yyjson_val *rig_container(struct rig *r, const char *name)
{
    return yyjson_arr_get_first(jget(rig_status(r, name), "containerStatuses"));
}

char *rig_log(struct rig *r, const char *name, const char *container, int attempt)
{
    _cleanup_free_ char *path =
        xasprintf("%s/logs/default_%s_uid-%s/%s/%d.log", r->dir, name, name, container, attempt);
    char *text = file_read(path, 1 << 20, NULL);
    return text ? text : xstrdup("");
}

/* ---- waiting ---- */
struct waiting {
    struct rig *r;
    bool (*fn)(struct rig *r, const char *name);
    const char *name;
    int64_t until;
    bool happened;
};

static void look(void *ctx)
{
    struct waiting *w = ctx;
    w->happened = w->fn(w->r, w->name);
    if (w->happened || clock_mono_ns() > w->until)
        loop_stop(w->r->loop);
}

void rig_wait(struct rig *r, bool (*fn)(struct rig *r, const char *name), const char *name)
{
    struct waiting w = {r, fn, name, clock_mono_ns() + LIMIT_S * NS_PER_SEC, false};
    struct timer *t = timer_new(r->loop, look, &w);
    timer_repeat(t, 1);
    loop_run(r->loop);
    timer_free(t);
    if (w.happened)
        return;
    _cleanup_free_ char *text = json_text(rig_status(r, name), NULL);
    fail_msg("waited %d s for pod %s, whose status is %s", LIMIT_S, name, text ? text : "none");
}

bool rig_is_ready(struct rig *r, const char *name)
{
    return kobj_condition_is(fake_api_get(r->api, &KR_POD, "default", name), "Ready", "True");
}

bool rig_is_gone(struct rig *r, const char *name)
{
    return !fake_api_get(r->api, &KR_POD, "default", name);
}
