/* Stands in for the data plane below the plugin's unit tests: routing itself is judged elsewhere.
 */
#include "recorder.h"

#include "base/buf.h"
#include "base/vec.h"

struct ack {
    void (*fn)(void *);
    void *ctx;
};

static struct buf lines = {.max = 1 << 20};
static struct buf taken = {.max = 1 << 20};
static VEC(struct ack) acks;

void recorder_reset(void)
{
    buf_done(&lines);
    buf_done(&taken);
    vec_done(&acks);
}

const char *recorder_take(void)
{
    buf_clear(&taken);
    buf_add(&taken, lines.p, lines.n);
    buf_clear(&lines);
    return buf_z(&taken);
}

bool recorder_apply(void)
{
    if (!acks.n)
        return false;
    struct ack a = acks.p[0];
    vec_remove(&acks, 0);
    a.fn(a.ctx);
    return true;
}

static void expect(void (*fn)(void *), void *ctx)
{
    if (fn)
        vec_push(&acks, ((struct ack){fn, ctx}));
}

static void put_pairs(const char *what, const struct dp_kv *kv, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(&lines, " %s(%s=%s)", what, kv[i].name, kv[i].value);
}

/* A revision's backend goes by its name alone. */
static void put_port(int port)
{
    if (port < 0)
        buf_addz(&lines, ":nothing");
    else if (port > 0)
        buf_addf(&lines, ":%d", port);
}

static void put_path(const struct dp_path *p)
{
    buf_addf(&lines, " [%s", p->prefix);
    put_pairs("match", p->match_headers, p->n_match_headers);
    if (p->rewrite_host)
        buf_addf(&lines, " host(%s)", p->rewrite_host);
    put_pairs("set", p->set_headers, p->n_set_headers);
    for (size_t i = 0; i < p->n_splits; i++) {
        const struct dp_split *s = &p->splits[i];
        buf_addf(&lines, " %s/%s", s->ns, s->service);
        put_port(s->port);
        buf_addf(&lines, "=%d", s->percent);
        put_pairs("set", s->set_headers, s->n_set_headers);
    }
    buf_addz(&lines, "]");
}

void dp_set_ingress(struct dataplane *dp, const struct dp_ingress *in, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    buf_addf(&lines, "ingress %s %.8s:", in->key, in->hash);
    for (size_t i = 0; i < in->n_rules; i++) {
        const struct dp_rule *r = &in->rules[i];
        buf_addf(&lines, " %s%s", r->visibility == DP_LOCAL ? "local" : "external",
                 r->redirect_https ? " redirect" : "");
        for (size_t j = 0; j < r->n_hosts; j++)
            buf_addf(&lines, " %s", r->hosts[j]);
        for (size_t j = 0; j < r->n_paths; j++)
            put_path(&r->paths[j]);
    }
    buf_addc(&lines, '\n');
    expect(applied, ctx);
}

void dp_remove_ingress(struct dataplane *dp, const char *key, struct loop *l,
                       void (*applied)(void *), void *ctx)
{
    buf_addf(&lines, "remove ingress %s\n", key);
    expect(applied, ctx);
}

void dp_set_backend(struct dataplane *dp, const struct dp_backend *b, struct loop *l,
                    void (*applied)(void *), void *ctx)
{
    buf_addf(&lines, "backend %s/%s", b->ns, b->service);
    put_port(b->port);
    if (b->revision)
        buf_addf(&lines, " limit=%d timeouts=%lu,%lu,%lu", b->container_concurrency,
                 (unsigned long)b->timeout_ms, (unsigned long)b->response_start_timeout_ms,
                 (unsigned long)b->idle_timeout_ms);
    buf_addc(&lines, ':');
    for (size_t i = 0; i < b->n_endpoints; i++)
        buf_addf(&lines, " %s@%s:%d", b->endpoints[i].pod, b->endpoints[i].ip,
                 b->endpoints[i].port);
    buf_addc(&lines, '\n');
    expect(applied, ctx);
}

void dp_remove_backend(struct dataplane *dp, const char *ns, const char *service, int port)
{
    buf_addf(&lines, "remove backend %s/%s", ns, service);
    put_port(port);
    buf_addc(&lines, '\n');
}
