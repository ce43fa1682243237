/*
 * DELETE of a collection: object by object, each by its own rules, as a bulk. The keys are gathered
 * first: what is created meanwhile stays. It goes on when its client leaves. The answer shows what
 * was deleted, unless that is too much.
 */
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/verbs/delete_options.h"
#include "cluster/apiserver/verbs/select.h"
#include "cluster/apiserver/verbs/verbs.h"
#include "cluster/apiserver/write/bulk.h"

struct collection {
    struct api_request *r;
    struct delete_options options;
    bulk_keys keys;
    struct buf items;
    bool cut; /* they are too many to be shown */
    uint64_t rev;
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
    bulk_collect(&c->keys, o);
    return q->limit && (int64_t)c->keys.n >= q->limit;
}

static void delete_one(void *ctx, struct write *w)
{
    const struct collection *c = ctx;

    write_delete(w, &c->options);
}

static void show(void *ctx, const struct api_kind *k, struct str object)
{
    struct collection *c = ctx;

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

static void deleted(void *ctx, struct api_status *fail)
{
    struct collection *c = ctx;
    struct api_request *r = c->r;
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_API_RESPONSE);

    if (c->cut)
        api_success_json(&r->kind->res, "", "", &b);
    else
        list_json(c, &b);
    buf_done(&c->items);
    free(c);
    if (fail) {
        api_status_move(&r->st, fail);
        request_fail(r);
    } else {
        request_reply(r, 200, "application/json", buf_str(&b));
    }
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
    bulk_start(&(struct bulk_opts){.core = r->env->core,
                                   .user = r->user,
                                   .dry_run = r->q.dry_run,
                                   .run = delete_one,
                                   .each = show,
                                   .done = deleted,
                                   .ctx = c},
               &c->keys);
}
