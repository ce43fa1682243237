/*
 * DELETE of a collection: object by object, each by its own rules, so many at a time that the store
 * has room for other writers. What the store refuses for having too much to do waits for one of the
 * collection's own deletions to end; if none is under way the store is full of others, and the
 * client is told to come again (429). Objects that went meanwhile are no failure.
 *
 * The keys are gathered first: what is created meanwhile stays. It goes on when its client leaves.
 */
#include "base/vec.h"
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/verbs/delete_options.h"
#include "cluster/apiserver/verbs/select.h"
#include "cluster/apiserver/verbs/verbs.h"

struct collection {
    struct api_request *r;
    struct delete_options options;
    VEC(char *) keys;
    size_t at, in_flight;
    bool starting; /* further up the stack */
    bool refused;  /* the store has too much to do */
    struct buf items;
    bool cut; /* they were too many to be told */
    uint64_t rev;
};
struct member {
    struct collection *c;
    char *key, *ns;
    struct write w;
};

static int gather(void *ctx, const struct store_obj *o)
{
    struct collection *c = ctx;
    const struct api_query *q = &c->r->q;
    struct str b = store_obj_bytes(o);

    if (q->labels || q->fields) {
        _cleanup_jdoc_ yyjson_doc *d = json_parse(b.p, b.n, NULL);

        if (!d || !select_object(q, yyjson_doc_get_root(d)))
            return 0;
    }
    vec_push(&c->keys, xstrdup(store_obj_key(o)));
    return q->limit && (int64_t)c->keys.n >= q->limit;
}

static void collection_free(struct collection *c)
{
    for (size_t i = c->at; i < c->keys.n; i++)
        free(c->keys.p[i]);
    vec_done(&c->keys);
    buf_done(&c->items);
    free(c);
}

static void list_json(const struct collection *c, struct buf *out)
{
    const struct api_kind *k = c->r->kind;
    char api[600];

    kube_api_version(&k->res, api, sizeof(api));
    buf_addz(out, "{\"kind\":");
    json_quote(out, k->list_kind);
    buf_addz(out, ",\"apiVersion\":");
    json_quote(out, api);
    buf_addf(out, ",\"metadata\":{\"resourceVersion\":\"%llu\"},\"items\":[",
             (unsigned long long)c->rev);
    buf_add(out, buf_z(&c->items), c->items.n);
    buf_addz(out, "]}\n");
}

static void settle(struct collection *c)
{
    struct api_request *r = c->r;
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_API_RESPONSE);

    if (r->st.code) {
        request_fail(r);
    } else {
        if (c->cut)
            api_success_json(&r->kind->res, "", "", &b);
        else
            list_json(c, &b);
        request_reply(r, 200, "application/json", buf_str(&b));
    }
    collection_free(c);
}

/* ---- one object ---- */
static void member_free(struct member *m)
{
    write_clear(&m->w);
    free(m->key);
    free(m->ns);
    free(m);
}

static void show(struct collection *c, struct str object)
{
    if (c->cut || !c->r->x)
        return;
    c->cut = c->items.n + object.n + 1 > LIMIT_COLLECTION_ANSWER;
    if (c->cut) {
        buf_done(&c->items);
        return;
    }
    if (c->items.n)
        buf_addc(&c->items, ',');
    version_write(&c->items, c->r->kind, object);
}

static void go_on(struct collection *c);

static void member_done(void *ctx, struct api_status *fail, struct str object, bool deleted)
{
    struct member *m = ctx;
    struct collection *c = m->c;

    c->in_flight--;
    if (!fail) {
        show(c, object);
    } else if (fail->code == 429 && c->in_flight) {
        c->refused = true;
        c->keys.p[--c->at] = steal(&m->key);
    } else if (fail->code != 404 && !c->r->st.code) {
        api_status_move(&c->r->st, fail);
    }
    member_free(m);
    go_on(c);
}

/* "GROUP/PLURAL/NAMESPACE/NAME" */
static struct member *member_of(struct collection *c, char *key)
{
    struct member *m = xnew(struct member);
    const char *name = strrchr(key, '/'), *ns = name;

    while (ns[-1] != '/')
        ns--;
    m->c = c;
    m->key = key;
    m->ns = xstrndup(ns, (size_t)(name - ns));
    m->w = (struct write){.core = c->r->env->core,
                          .kind = c->r->kind,
                          .ns = m->ns,
                          .name = name + 1,
                          .sub = "",
                          .user = c->r->user,
                          .dry_run = c->r->q.dry_run,
                          .done = member_done,
                          .ctx = m};
    return m;
}

static bool may_start(const struct collection *c)
{
    return c->at < c->keys.n && c->in_flight < LIMIT_COLLECTION_IN_FLIGHT && !c->refused &&
           !c->r->st.code && !c->r->env->core->closing;
}

/* Deletions may end inside their start. */
static void go_on(struct collection *c)
{
    if (c->starting)
        return;
    c->starting = true;
    c->refused = false;
    while (may_start(c)) {
        struct member *m = member_of(c, steal(&c->keys.p[c->at]));

        c->at++;
        c->in_flight++;
        write_delete(&m->w, &c->options);
    }
    c->starting = false;
    if (!c->in_flight)
        settle(c);
}

static int check(struct api_request *r, struct delete_options *o)
{
    if (select_check(&r->q, r->kind, &r->st) < 0)
        return -1;
    if (r->q.after)
        return api_fail_bad(&r->st, "continue is not supported for the deletion of a collection: "
                                    "what was deleted is gone, so start again without it");
    return delete_options_read(r, o);
}

void verb_delete_collection(struct api_request *r)
{
    _cleanup_free_ char *prefix = kind_prefix(&r->kind->res, r->path.ns);
    const struct store *s = r->env->core->store;
    struct delete_options o;

    request_begin_write(r);
    if (check(r, &o) < 0) {
        request_fail(r);
        return;
    }
    struct collection *c = xnew(struct collection);

    *c = (struct collection){
        .r = r, .options = o, .items = BUF_INIT(LIMIT_API_RESPONSE), .rev = store_rev(s)};
    store_each(s, prefix, gather, c);
    go_on(c);
}
