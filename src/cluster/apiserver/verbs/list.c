/*
 * LIST. A list shows one snapshot: so do all the pages of a continued one, whose token names it. A
 * snapshot that is kept no more answers 410 with a token that goes on over the state of now, for
 * clients who would rather have that than start again.
 *
 * Plain JSON is answered from stored bytes without parsing; selectors and the other forms parse. A
 * page (a list with a limit) is collected first, since its head says how much is left. A list
 * without a limit is streamed in pieces, as fast as its reader takes them.
 */
#include "base/clock.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/kinds/version.h"
#include "cluster/apiserver/request/limits.h"
#include "cluster/apiserver/verbs/select.h"
#include "cluster/apiserver/verbs/snapshot.h"
#include "cluster/apiserver/verbs/verbs.h"

#define PIECE (256 * 1024)

struct listing {
    struct api_request *r;
    struct snapshot *snap;
    size_t at;    /* the next object */
    size_t count; /* shown so far */
    bool parse;
    bool busy;           /* in use further up the stack */
    bool waits;          /* for a reader that is behind */
    ssize_t unread;      /* what he left of the stream */
    struct timer *stall; /* NULL unless streamed */
    int64_t now; /* for ages */
    struct buf b;
};

static void listing_free(struct listing *l)
{
    timer_free(l->stall);
    snapshot_unref(l->snap);
    buf_done(&l->b);
    free(l);
}

/* ---- one object ---- */
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
        version_write(&l->b, r->kind, bytes);
    return true;
}

static void add_next(struct listing *l)
{
    struct str bytes = store_obj_bytes(l->snap->objs.p[l->at++]);

    if (l->parse) {
        l->count += add_parsed(l, bytes);
        return;
    }
    if (l->count++)
        buf_addc(&l->b, ',');
    version_write(&l->b, l->r->kind, bytes);
}

/* ---- head and end ---- */
static void metadata(const struct listing *l, struct buf *out)
{
    struct api_request *r = l->r;
    size_t left = l->snap->objs.n - l->at;

    buf_addf(out, "{\"resourceVersion\":\"%llu\"", (unsigned long long)l->snap->rev);
    if (r->q.limit && left) {
        _cleanup_free_ char *token =
            api_continue_token(l->snap->id, store_obj_key(l->snap->objs.p[l->at - 1]));

        buf_addf(out, ",\"continue\":\"%s\"", token);
        if (!r->q.labels && !r->q.fields)
            buf_addf(out, ",\"remainingItemCount\":%zu", left);
    }
    buf_addc(out, '}');
}

static void head(const struct listing *l, struct buf *out)
{
    _cleanup_buf_ struct buf meta = BUF_INIT(8192);
    const struct api_request *r = l->r;
    char api[600];

    metadata(l, &meta);
    if (r->accept.form == FORM_TABLE) {
        table_begin(out, r->kind, r->accept.v1beta1, buf_z(&meta));
        return;
    }
    if (r->accept.form == FORM_PARTIAL) {
        buf_addf(out,
                 "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\","
                 "\"metadata\":%s,\"items\":[",
                 r->accept.v1beta1 ? "v1beta1" : "v1", buf_z(&meta));
        return;
    }
    kube_api_version(&r->kind->res, api, sizeof(api));
    buf_addz(out, "{\"kind\":");
    json_quote(out, r->kind->list_kind);
    buf_addz(out, ",\"apiVersion\":");
    json_quote(out, api);
    buf_addf(out, ",\"metadata\":%s,\"items\":[", buf_z(&meta));
}

/* ---- a page ---- */
static void page(struct listing *l)
{
    struct snapshots *kept = l->r->env->snapshots;
    struct api_request *r = l->r;

    while (l->at < l->snap->objs.n && (int64_t)l->count < r->q.limit)
        add_next(l);
    if (l->at < l->snap->objs.n)
        snapshots_pin(kept, l->snap);
    else
        snapshots_read(kept, l->snap);
    _cleanup_buf_ struct buf whole = BUF_INIT(LIMIT_API_RESPONSE);

    head(l, &whole);
    buf_add(&whole, buf_z(&l->b), l->b.n);
    buf_addz(&whole, "]}\n");
    listing_free(l);
    request_reply(r, 200, "application/json", buf_str(&whole));
}

/* ---- a stream ---- */
static void stream_over(struct listing *l)
{
    struct api_request *r = l->r;

    listing_free(l);
    request_free(r);
}

static void stream_left(void *ctx)
{
    struct listing *l = ctx;

    l->r->x = NULL;
    if (!l->busy)
        stream_over(l);
}

/* The next piece; false when the reader is gone. */
static bool send_piece(struct listing *l)
{
    while (l->at < l->snap->objs.n && l->b.n < PIECE)
        add_next(l);
    if (l->at == l->snap->objs.n)
        buf_addz(&l->b, "]}\n");
    l->unread = http_chunk(l->r->x, l->b.p, l->b.n);
    buf_clear(&l->b);
    if (l->r->x && l->unread < 0)
        http_abort(steal(&l->r->x));
    return l->r->x != NULL;
}

static bool is_behind(const struct listing *l)
{
    return l->waits && l->unread > LIMIT_LIST_UNREAD;
}

/* Until the reader has taken what was sent, or has not for too long. */
static void go_on(struct listing *l)
{
    bool there = true;

    l->busy = true;
    l->unread = 0;
    while (there && l->at < l->snap->objs.n && !is_behind(l))
        there = send_piece(l);
    l->busy = false;
    if (there && l->at < l->snap->objs.n) {
        timer_start(l->stall, LIMIT_LIST_STALL_MS);
        return;
    }
    if (there)
        http_end(steal(&l->r->x));
    stream_over(l);
}

static void on_drain(void *ctx)
{
    struct listing *l = ctx;

    if (!l->busy)
        go_on(l);
}

static void on_stall(void *ctx)
{
    struct listing *l = ctx;

    http_abort(steal(&l->r->x));
    stream_over(l);
}

/* What is small goes in one piece, with its length. */
static bool small(struct listing *l)
{
    struct api_request *r = l->r;

    while (l->at < l->snap->objs.n && l->b.n < PIECE)
        add_next(l);
    if (l->at < l->snap->objs.n)
        return false;
    buf_addz(&l->b, "]}\n");
    if (r->x)
        http_reply(steal(&r->x), 200, "application/json", l->b.p, l->b.n);
    stream_over(l);
    return true;
}

static void stream(struct listing *l)
{
    head(l, &l->b);
    if (small(l))
        return;
    l->stall = timer_new(l->r->env->core->loop, on_stall, l);
    l->waits = http_on_drain(l->r->x, on_drain, l);
    http_on_close(l->r->x, stream_left, l);
    http_start(l->r->x, 200, "application/json");
    go_on(l);
}

/* ---- the request ---- */
static int check(struct api_request *r)
{
    uint64_t now = store_rev(r->env->core->store);

    if (api_query_check(&r->q, &r->st) < 0 || select_check(&r->q, r->kind, &r->st) < 0)
        return -1;
    if (r->q.has_rv && r->q.rv > now)
        return api_fail_too_large_rv(&r->st, r->q.rv, now);
    if (r->q.rv_match == RV_MATCH_EXACT && r->q.rv != now)
        return api_fail_expired(&r->st, r->q.rv, now);
    return 0;
}

/* "metadata.name=X": no need to look at the others. */
static const char *single_name(const struct api_query *q)
{
    static const char prefix[] = "metadata.name=";

    if (!q->text_fields || !z_starts(q->text_fields, prefix) || strchr(q->text_fields, ','))
        return NULL;
    const char *name = q->text_fields + sizeof(prefix) - 1;

    return *name == '=' ? name + 1 : name;
}

static int expired(struct api_request *r)
{
    api_fail(&r->st, 410, "Expired",
             "The provided continue parameter is too old to display a consistent list result. You "
             "can start a new list without the continue parameter, or use the continue token in "
             "this response to retrieve the remainder of the results. Continuing with the provided "
             "token results in an inconsistent list - objects that were created, modified, or "
             "deleted between the time the first chunk was returned and now may show up in the "
             "list.");
    r->st.go_on = api_continue_token(0, r->q.after);
    return -1;
}

/* NULL with the status. */
static struct snapshot *snapshot_of(struct api_request *r)
{
    _cleanup_free_ char *prefix = kind_prefix(&r->kind->res, r->path.ns);
    struct snapshot *s;

    if (r->q.after && !z_starts(r->q.after, prefix)) {
        api_fail_bad(&r->st, "continue key is not valid: it belongs to another list");
        return NULL;
    }
    if (!r->q.snapshot)
        return snapshot_take(r->env->core->store, prefix, single_name(&r->q));
    s = snapshots_find(r->env->snapshots, r->q.snapshot);
    if (s)
        return snapshot_ref(s);
    expired(r);
    return NULL;
}

void verb_list(struct api_request *r)
{
    struct snapshot *snap = check(r) < 0 ? NULL : snapshot_of(r);

    if (!snap) {
        request_fail(r);
        return;
    }
    struct listing *l = xnew(struct listing);

    *l = (struct listing){.r = r,
                          .snap = snap,
                          .at = snapshot_behind(snap, r->q.after),
                          .now = loop_wall_ns(r->env->core->loop),
                          .b = BUF_INIT(LIMIT_API_RESPONSE)};
    l->parse = r->q.labels || r->q.fields || r->accept.form == FORM_TABLE ||
               r->accept.form == FORM_PARTIAL;
    if (r->q.limit)
        page(l);
    else
        stream(l);
}
