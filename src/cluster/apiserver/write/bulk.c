/* A write that is refused gives its key back, so the keys from `at` on are those still to do. */
#include "cluster/apiserver/write/bulk.h"

#include "cluster/apiserver/request/limits.h"

#define RETRY_MS    20
#define MAX_REFUSED 500 /* in a row, with nothing of our own under way: ten seconds */

struct bulk {
    struct bulk_opts o;
    bulk_keys keys;
    size_t at, in_flight, refused;
    bool full;    /* the store has too much to do */
    bool pumping; /* further up the stack */
    struct api_status fail;
    struct timer *retry;
    struct core_closer closer;
};
struct item {
    struct bulk *b;
    char *key, *group, *plural, *ns;
    struct write w;
};

static void item_free(struct item *it)
{
    write_clear(&it->w);
    api_kind_unref(it->w.kind);
    free(it->key);
    free(it->group);
    free(it->plural);
    free(it->ns);
    free(it);
}

static char *part_of(struct str *rest)
{
    struct str part = STR_NULL;

    str_split(rest, '/', &part);
    return xstrndup(part.p, part.n);
}

static void item_done(void *ctx, struct api_status *fail, struct str object, bool deleted);

/* "GROUP/PLURAL/NAMESPACE/NAME" */
static struct item *item_new(struct bulk *b, char *key)
{
    struct item *it = xnew(struct item);
    struct str rest = str_of(key);

    it->b = b;
    it->key = key;
    it->group = part_of(&rest);
    it->plural = part_of(&rest);
    it->ns = part_of(&rest);
    const struct api_kind *k = kinds_storage(b->o.core->kinds, it->group, it->plural);

    it->w = (struct write){.core = b->o.core,
                           .kind = k ? api_kind_ref(k) : NULL,
                           .ns = it->ns,
                           .name = rest.p,
                           .sub = "",
                           .user = b->o.user,
                           .dry_run = b->o.dry_run,
                           .validation = VALIDATE_IGNORE,
                           .done = item_done,
                           .ctx = it};
    if (k)
        return it;
    item_free(it);
    return NULL;
}

/* ---- the end ---- */
static void finish(struct bulk *b)
{
    struct api_core *core = b->o.core;

    core_closer_remove(&b->closer);
    timer_free(b->retry);
    for (size_t i = b->at; i < b->keys.n; i++)
        free(b->keys.p[i]);
    vec_done(&b->keys);
    b->o.done(b->o.ctx, b->fail.code ? &b->fail : NULL);
    api_status_done(&b->fail);
    free(b);
    api_core_unref(core);
}

/* ---- on the way ---- */
static bool may_start(const struct bulk *b)
{
    return b->at < b->keys.n && b->in_flight < LIMIT_BULK_IN_FLIGHT && !b->full && !b->fail.code;
}

static void pump(struct bulk *b)
{
    if (b->pumping)
        return;
    b->pumping = true;
    b->full = false;
    while (may_start(b)) {
        struct item *it = item_new(b, steal(&b->keys.p[b->at++]));

        if (!it)
            continue;
        b->in_flight++;
        b->o.run(b->o.ctx, &it->w);
    }
    b->pumping = false;
    if (b->in_flight)
        return;
    if (b->full && !b->fail.code)
        timer_start(b->retry, RETRY_MS);
    else
        finish(b);
}

static void on_retry(void *ctx)
{
    pump(ctx);
}

static void refuse(struct bulk *b, struct item *it, struct api_status *fail)
{
    b->full = true;
    b->refused = b->in_flight ? 0 : b->refused + 1;
    if (b->refused > MAX_REFUSED)
        api_status_move(&b->fail, fail);
    else
        b->keys.p[--b->at] = steal(&it->key);
}

static void item_done(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct item *it = ctx;
    struct bulk *b = it->b;

    b->in_flight--;
    if (fail && fail->code == 429) {
        refuse(b, it, fail);
    } else if (fail) {
        if (fail->code != 404 && !b->fail.code)
            api_status_move(&b->fail, fail);
    } else {
        b->refused = 0;
        if (b->o.each)
            b->o.each(b->o.ctx, it->w.kind, object);
    }
    item_free(it);
    pump(b);
}

static void on_closing(struct core_closer *c)
{
    struct bulk *b = container_of(c, struct bulk, closer);

    if (!b->fail.code && b->at < b->keys.n)
        api_fail(&b->fail, 503, "ServiceUnavailable", "the API server is shutting down");
    if (!b->in_flight && !b->pumping)
        finish(b);
}

void bulk_start(const struct bulk_opts *o, bulk_keys *keys)
{
    struct bulk *b = xnew(struct bulk);

    b->o = *o;
    b->keys.p = keys->p;
    b->keys.n = keys->n;
    b->keys.cap = keys->cap;
    *keys = (bulk_keys){0};
    api_core_ref(o->core);
    b->retry = timer_new(o->core->loop, on_retry, b);
    core_closer_add(o->core, &b->closer, on_closing);
    pump(b);
}

int bulk_collect(void *ctx, const struct store_obj *o)
{
    bulk_keys *keys = ctx;

    vec_push(keys, xstrdup(store_obj_key(o)));
    return 0;
}
