/* See rig.h. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"

/* ---- a transport in memory ---- */
static void on_start(void *t, int status, const struct http_headers *hs, bool streamed)
{
    struct answer *a = t;
    struct str w = http_get(hs, "Warning");

    a->status = status;
    if (w.n)
        a->warning = xstrndup(w.p, w.n);
    w = http_get(hs, "Retry-After");
    if (w.n)
        a->retry_after = xstrndup(w.p, w.n);
}

static ssize_t on_chunk(void *t, const void *p, size_t n)
{
    struct answer *a = t;

    buf_add(&a->body, p, n);
    if (a->stuck)
        a->waiting += n;
    return (ssize_t)a->waiting;
}

static void on_end(void *t)
{
    struct answer *a = t;

    a->ended = true;
    if (a->stop)
        loop_stop(a->stop);
}

static void on_abort(void *t)
{
    struct answer *a = t;

    a->aborted = true;
    if (a->stop)
        loop_stop(a->stop);
}

static const struct http_exchange_ops ops = {
    .start = on_start, .chunk = on_chunk, .end = on_end, .abort = on_abort, .drains = true};

static struct http_exchange *hand_over(struct world *w, struct answer *a, const struct user_info *u,
                                       const char *method, const char *path,
                                       const char *const *headers, const char *body)
{
    struct http_headers hs = {.n = 0};
    const char *q = strchr(path, '?');
    struct str p = q ? (struct str){path, (size_t)(q - path)} : str_of(path);

    for (; headers && *headers; headers += 2)
        http_add(&hs, str_of(headers[0]), str_of(headers[1]));
    struct http_exchange *x = http_exchange_new(&(struct http_exchange_init){
        .loop = w->loop,
        .method = str_of(method),
        .path = p,
        .query = q ? str_of(q + 1) : STR(""),
        .body = str_of(body),
        .headers = &hs,
        .user = u,
        .peer = "test",
        .ops = &ops,
        .transport = a,
    });

    apiserver_handle(w->api, x);
    return x;
}

struct http_exchange *ask_with(struct world *w, struct answer *a, const struct user_info *u,
                               const char *method, const char *path, const char *const *headers,
                               const char *body)
{
    *a = (struct answer){.body = BUF_INIT(64 << 20)};
    return hand_over(w, a, u, method, path, headers, body);
}

struct http_exchange *ask_slow(struct world *w, struct answer *a, const char *path)
{
    static const char *const masters[] = {"system:masters"};
    static const struct user_info u = {.name = "admin", .groups = masters, .n_groups = 1};

    *a = (struct answer){.body = BUF_INIT(64 << 20), .stuck = true};
    return hand_over(w, a, &u, "GET", path, NULL, "");
}

struct http_exchange *ask_as(struct world *w, struct answer *a, const char *user, const char *group,
                             const char *method, const char *path, const char *type,
                             const char *body)
{
    const char *const headers[] = {"Content-Type", type, NULL};
    const struct user_info u = {.name = user, .groups = &group, .n_groups = 1};

    return ask_with(w, a, &u, method, path, headers, body);
}

void answer_done(struct answer *a)
{
    buf_done(&a->body);
    free(a->warning);
    free(a->retry_after);
}

void wait_for(struct world *w, struct answer *a)
{
    a->stop = w->loop;
    if (!a->ended)
        loop_run(w->loop);
    assert_true(a->ended);
    a->stop = NULL;
}

void ask(struct world *w, struct answer *a, const char *method, const char *path, const char *type,
         const char *body)
{
    ask_as(w, a, "admin", "system:masters", method, path, type, body);
    wait_for(w, a);
}

yyjson_doc *ask_json(struct world *w, int status, const char *method, const char *path,
                     const char *body)
{
    struct answer a;
    const char *type = streq(method, "PATCH") ? "application/merge-patch+json" : "application/json";

    ask(w, &a, method, path, type, body);
    if (a.status != status)
        fail_msg("%s %s: %d, not %d: %s", method, path, a.status, status, buf_z(&a.body));
    yyjson_doc *d = json_parse(buf_z(&a.body), a.body.n, NULL);

    answer_done(&a);
    return d;
}

/* ---- the world ---- */
static void on_ready(void *ctx, const struct err *why)
{
    if (why)
        fail_msg("%s", why->msg);
    loop_stop(((struct world *)ctx)->loop);
}

void world_open(struct world *w, const struct apiserver_opts *opts)
{
    struct apiserver_opts o = *opts;
    struct err e = {0};

    w->store = store_open(w->loop, &(struct store_opts){.path = w->db}, &e);
    assert_non_null(w->store);
    o.store = w->store;
    w->api = apiserver_new(w->loop, &o, &e);
    assert_non_null(w->api);
    apiserver_on_ready(w->api, on_ready, w);
    loop_run(w->loop);
}

void world_close(struct world *w)
{
    apiserver_free(w->api);
    store_close(w->store);
}

struct world *world_new(const struct apiserver_opts *o)
{
    struct world *w = xnew(struct world);
    struct err e = {0};

    strcpy(w->dir, "/tmp/nonagon-apiserver-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->db, sizeof(w->db), "%s/store.db", w->dir);
    w->loop = loop_new(&e);
    world_open(w, o);
    return w;
}

void world_free(struct world *w)
{
    struct err e = {0};

    world_close(w);
    loop_free(w->loop);
    assert_int_equal(file_remove_tree(AT_FDCWD, w->dir, &e), 0);
    free(w);
}

char *config_map(const char *name, const char *key)
{
    return xasprintf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\"},"
                     "\"data\":{\"%s\":\"1\"}}",
                     name, key);
}
