/*
 * GET and LIST from committed state. Plain JSON is answered from stored bytes without parsing;
 * selectors and the other forms parse. Long lists are streamed in pieces. A continued list goes on
 * at the key where it stopped, over the state of now: it shows no object twice, but is no snapshot.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "cluster/apiserver/kinds/canon.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/kinds/table.h"

#define PIECE (256 * 1024)

static int check_rv(struct api_request *r)
{
    uint64_t now = store_rev(r->a->store);

    if (!r->q.has_rv || !r->q.rv)
        return 0;
    if (r->q.rv > now)
        return api_fail_too_large_rv(&r->st, r->q.rv, now);
    if (r->q.rv_match == RV_MATCH_EXACT && r->q.rv != now)
        return api_fail_expired(&r->st, r->q.rv, now);
    return 0;
}

void verb_get(struct api_request *r)
{
    _cleanup_free_ char *key = kind_key(&r->kind->res, r->path.ns, r->path.name);
    const struct store_obj *o = store_get(r->a->store, key);

    if (!o)
        api_fail_not_found(&r->st, &r->kind->res, r->path.name);
    if (!o || check_rv(r) < 0)
        request_fail(r);
    else
        request_reply_object(r, 200, store_obj_bytes(o));
}

struct listing {
    struct api_request *r;
    struct buf b;
    size_t count;
    bool parse, started, more, convert;
    char api[600];
    int64_t now;
    char *last_key;
    const char *only_name; /* of "metadata.name=X": no need to parse the others */
    size_t remaining;
};

static void flush(struct listing *l)
{
    if (l->b.n < PIECE || l->r->q.limit)
        return;
    if (!l->started)
        http_start(l->r->x, 200, "application/json");
    l->started = true;
    http_chunk(l->r->x, l->b.p, l->b.n);
    buf_clear(&l->b);
}

static bool other_name(const struct listing *l, const struct store_obj *o)
{
    const char *name = strrchr(store_obj_key(o), '/');

    return l->only_name && name && !streq(name + 1, l->only_name);
}

static void add_plain(struct listing *l, struct str bytes)
{
    if (l->convert)
        canon_add_as(&l->b, bytes, l->api);
    else
        buf_add(&l->b, bytes.p, bytes.n);
}

static bool add_parsed(struct listing *l, struct str bytes)
{
    _cleanup_jdoc_ yyjson_doc *d = json_parse(bytes.p, bytes.n, NULL);
    const yyjson_val *root = yyjson_doc_get_root(d);
    struct api_request *r = l->r;

    if (!root || !select_object(&r->q, root))
        return false;
    if (l->count)
        buf_addc(&l->b, ',');
    if (r->accept.form == FORM_TABLE)
        table_row(&l->b, r->kind, r->accept.v1beta1, root, r->q.include, l->now);
    else if (r->accept.form == FORM_PARTIAL)
        partial_object(&l->b, root, r->accept.v1beta1);
    else
        add_plain(l, bytes);
    return true;
}

static int add(void *ctx, const struct store_obj *o)
{
    struct listing *l = ctx;

    if (l->more) {
        l->remaining++;
        return l->parse; /* with selectors the rest is not counted */
    }
    if (other_name(l, o))
        return 0;
    if (l->parse) {
        if (!add_parsed(l, store_obj_bytes(o)))
            return 0;
    } else {
        if (l->count)
            buf_addc(&l->b, ',');
        add_plain(l, store_obj_bytes(o));
    }
    l->count++;
    flush(l);
    if (l->r->q.limit && (int64_t)l->count >= l->r->q.limit) {
        l->more = true;
        l->last_key = xstrdup(store_obj_key(o));
    }
    return 0;
}

/* The metadata comes before the items, so a limited list looks ahead: it is collected first, then
 * headed. */
static void metadata(struct listing *l, struct buf *out)
{
    buf_addf(out, "{\"resourceVersion\":\"%llu\"", (unsigned long long)store_rev(l->r->a->store));
    if (l->more && l->remaining) {
        _cleanup_free_ char *token = api_continue_token(l->last_key);

        buf_addf(out, ",\"continue\":\"%s\"", token);
        if (!l->r->q.labels && !l->r->q.fields)
            buf_addf(out, ",\"remainingItemCount\":%zu", l->remaining);
    }
    buf_addc(out, '}');
}

static void head(struct listing *l, struct buf *out)
{
    _cleanup_buf_ struct buf meta = BUF_INIT(8192);
    const struct api_request *r = l->r;

    metadata(l, &meta);
    if (r->accept.form == FORM_TABLE)
        table_begin(out, r->kind, r->accept.v1beta1, buf_z(&meta));
    else if (r->accept.form == FORM_PARTIAL)
        buf_addf(out,
                 "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\","
                 "\"metadata\":%s,\"items\":[",
                 r->accept.v1beta1 ? "v1beta1" : "v1", buf_z(&meta));
    else
        buf_addf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
                 r->kind->list_kind, l->api, buf_z(&meta));
}

static const char *single_name(const struct api_query *q)
{
    static const char prefix[] = "metadata.name=";

    if (!q->text_fields || !z_starts(q->text_fields, prefix) || strchr(q->text_fields, ','))
        return NULL;
    const char *name = q->text_fields + sizeof(prefix) - 1;

    return *name == '=' ? name + 1 : name;
}

static void walk(struct listing *l, const char *prefix)
{
    const char *after = l->r->q.after;

    if (after && !z_starts(after, prefix))
        after = NULL;
    store_each_after(l->r->a->store, prefix, after, add, l);
}

static void finish(struct listing *l)
{
    struct api_request *r = l->r;

    buf_addz(&l->b, "]}\n");
    if (!l->started) {
        request_reply(r, 200, "application/json", buf_str(&l->b));
    } else {
        http_chunk(r->x, l->b.p, l->b.n);
        http_end(steal(&r->x));
        request_free(r);
    }
}

void verb_list(struct api_request *r)
{
    _cleanup_free_ char *prefix = kind_prefix(&r->kind->res, r->path.ns);
    struct listing l = {.r = r, .b = BUF_INIT(LIMIT_API_RESPONSE), .now = clock_wall_ns()};

    if (check_rv(r) < 0 || select_check(&r->q, r->kind, &r->st) < 0) {
        request_fail(r);
        return;
    }
    kube_api_version(&r->kind->res, l.api, sizeof(l.api));
    l.convert = r->kind->definition && !r->kind->storage;
    l.only_name = single_name(&r->q);
    l.parse = r->q.labels || r->q.fields || r->accept.form == FORM_TABLE ||
              r->accept.form == FORM_PARTIAL;
    if (r->q.limit) {
        walk(&l, prefix);
        _cleanup_buf_ struct buf items = l.b;

        l.b = BUF_INIT(LIMIT_API_RESPONSE);
        head(&l, &l.b);
        buf_add(&l.b, buf_z(&items), items.n);
    } else {
        head(&l, &l.b);
        walk(&l, prefix);
    }
    finish(&l);
    free(l.last_key);
    buf_done(&l.b);
}
