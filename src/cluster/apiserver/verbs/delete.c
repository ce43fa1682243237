/*
 * Deletion. Objects with finalizers get a deletionTimestamp and stay until the last finalizer is
 * taken off; pods that may run stay until the node agent deletes them with grace 0; Namespaces stay
 * until they are finalized; everything else goes at once. Dependents are left to the garbage
 * collector, save for Orphan, which takes the owner off them first. A collection is deleted object
 * by object.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cluster/apiserver/core.h"
#include "cluster/apiserver/schema/tree.h"

#define DEFAULT_POD_GRACE 30

/* ---- orphans ---- */
static void orphan_done(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct write *w = ctx;

    write_clear(w);
    api_kind_unref(w->kind);
    free(w);
}

static bool drop_owner(struct kmut *o, const char *uid)
{
    yyjson_mut_val *refs = jm_get(o->root, "metadata", "ownerReferences");
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(refs);
    bool hit = false;

    for (yyjson_mut_val *r; refs && (r = yyjson_mut_arr_iter_next(&it));)
        if (streq(jm_get_str(r, "uid"), uid)) {
            yyjson_mut_arr_iter_remove(&it);
            hit = true;
        }
    if (hit && !yyjson_mut_arr_size(refs))
        jm_del(o->root, "metadata", "ownerReferences");
    return hit;
}

struct orphaner {
    struct apiserver *a;
    const char *uid;
};

static int orphan_one(void *ctx, const struct store_obj *so)
{
    struct orphaner * or = ctx;
    struct str b = store_obj_bytes(so), rest = str_of(store_obj_key(so)), group, plural;

    if (!memmem(b.p, b.n, or->uid, strlen(or->uid)))
        return 0;
    const struct kobj *o _cleanup_kobj_ = kobj_parse(b.p, b.n, NULL);

    if (!o || !str_split(&rest, '/', &group) || !str_split(&rest, '/', &plural))
        return 0;
    _cleanup_free_ char *g = xstrndup(group.p, group.n), *p = xstrndup(plural.p, plural.n);
    const struct api_kind *kind = kinds_storage(or->a->kinds, g, p);
    _cleanup_status_ struct api_status st = {0};

    if (!kind)
        return 0;
    struct write *w = xnew(struct write);

    *w = (struct write){.a = or->a, .kind = api_kind_ref(kind), .sub = "", .done = orphan_done};
    w->ctx = w;
    if (write_load(w, kobj_namespace(o), kobj_name(o), &st) == 0) {
        w->obj = kmut_from(w->old);
        if (drop_owner(w->obj, or->uid) && write_raw(w, &st) == 0)
            return 0;
    }
    orphan_done(w, NULL, STR_NULL, false);
    return 0;
}

static void orphan_dependents(struct apiserver *a, const char *uid)
{
    struct orphaner or = {a, uid};

    if (*uid)
        store_each(a->store, "", orphan_one, & or);
}

/* ---- one object ---- */
static void stamp(struct write *w, int64_t grace)
{
    char when[RFC3339_LEN];

    clock_rfc3339(clock_wall_ns() + grace * NS_PER_SEC, when);
    jm_set_str(KM(w->obj), when, "metadata", "deletionTimestamp");
    jm_set_int(KM(w->obj), grace, "metadata", "deletionGracePeriodSeconds");
    if (w->kind->has_generation && !kobj_deleting(w->old))
        jm_set_int(KM(w->obj), kobj_generation(w->old) + 1, "metadata", "generation");
}

static int keep(struct write *w)
{
    struct str text;
    _cleanup_free_ char *p = json_text(kobj_root(w->old), &text.n);

    text.p = p;
    w->done(w->ctx, NULL, text, false);
    return 0;
}

static bool may_run(const struct kobj *pod)
{
    const char *phase = jget_str(kobj_root(pod), "status", "phase");

    if (streq(phase, "Succeeded") || streq(phase, "Failed"))
        return false;
    return jget_str(kobj_root(pod), "status", "startTime") ||
           jget_str(kobj_root(pod), "status", "podIP");
}

static int delete_pod(struct write *w, int64_t grace, struct api_status *st)
{
    yyjson_val *root = kobj_root(w->old);
    int64_t now = jget_int(root, 0, "metadata", "deletionGracePeriodSeconds");

    if (grace < 0)
        grace = jget_int(root, DEFAULT_POD_GRACE, "spec", "terminationGracePeriodSeconds");
    if (!may_run(w->old))
        grace = 0;
    if (kobj_deleting(w->old) && grace >= now && grace > 0)
        return keep(w);
    if (grace == 0 && !yyjson_arr_size(jget(root, "metadata", "finalizers")))
        return write_delete(w, st);
    if (grace == 0 && kobj_deleting(w->old) && now == 0)
        return keep(w);
    w->obj = kmut_from(w->old);
    stamp(w, grace);
    return write_raw(w, st);
}

/* Those that the server makes at each start: what they hold makes it work. */
static bool is_immortal(const char *ns)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "knative-serving"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(ns, names[i]))
            return true;
    return false;
}

static int delete_namespace(struct write *w, struct api_status *st)
{
    if (is_immortal(kobj_name(w->old)))
        return api_fail_forbidden(st, &w->kind->res, kobj_name(w->old),
                                  "this namespace may not be deleted");
    yyjson_val *root = kobj_root(w->old);
    bool held = yyjson_arr_size(jget(root, "spec", "finalizers")) ||
                yyjson_arr_size(jget(root, "metadata", "finalizers"));

    if (!held)
        return write_delete(w, st);
    if (kobj_deleting(w->old))
        return api_fail_conflict(st, &w->kind->res, kobj_name(w->old),
                                 "The system is ensuring all content is removed from this "
                                 "namespace.  Upon completion, this namespace will automatically "
                                 "be purged by the system.");
    w->obj = kmut_from(w->old);
    stamp(w, 0);
    jm_set_str(KM(w->obj), "Terminating", "status", "phase");
    return write_raw(w, st);
}

static int check_preconditions(struct write *w, const struct delete_options *o,
                               struct api_status *st)
{
    _cleanup_free_ char *why = NULL;

    if (o->uid && *o->uid && !streq(o->uid, kobj_uid(w->old)))
        why = xasprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s",
                        o->uid, kobj_uid(w->old));
    else if (o->rv && o->rv != w->old_rev)
        why = xasprintf("Precondition failed: ResourceVersion in precondition: %llu, "
                        "ResourceVersion in object meta: %llu",
                        (unsigned long long)o->rv, (unsigned long long)w->old_rev);
    return why ? api_fail_conflict(st, &w->kind->res, kobj_name(w->old), why) : 0;
}

int delete_object(struct write *w, const struct delete_options *o, struct api_status *st)
{
    if (check_preconditions(w, o, st) < 0)
        return -1;
    if (streq(o->propagation, "Orphan") && !w->dry_run)
        orphan_dependents(w->a, kobj_uid(w->old));
    if (kube_resource_eq(&w->kind->res, &KR_POD))
        return delete_pod(w, o->grace, st);
    if (kube_resource_eq(&w->kind->res, &KR_NAMESPACE))
        return delete_namespace(w, st);
    if (!yyjson_arr_size(jget(kobj_root(w->old), "metadata", "finalizers")))
        return write_delete(w, st);
    if (kobj_deleting(w->old))
        return keep(w);
    w->obj = kmut_from(w->old);
    stamp(w, 0);
    return write_raw(w, st);
}

/* ---- the requests ---- */

/* Query parameters first, then the DeleteOptions in the body, which win. `body` keeps the strings
 * alive. */
static int read_options(struct api_request *r, struct kmut **body, struct delete_options *o,
                        struct api_status *st)
{
    static const char *const policies[] = {"Orphan", "Background", "Foreground"};
    bool known = false;
    const char *rv;

    *o = (struct delete_options){.grace = r->q.grace, .propagation = r->q.propagation};
    *body = decode_body(r, true, st);
    if (!*body)
        return -1;
    yyjson_mut_val *b = (*body)->root;

    o->grace = jm_get_int(b, o->grace, "gracePeriodSeconds");
    o->uid = jm_get_str(b, "preconditions", "uid");
    if ((rv = jm_get_str(b, "preconditions", "resourceVersion")) && str_u64(str_of(rv), &o->rv) < 0)
        return api_fail_bad(st, "preconditions.resourceVersion: \"%s\" is not a version", rv);
    if (jm_get_str(b, "propagationPolicy"))
        o->propagation = jm_get_str(b, "propagationPolicy");
    else if (jm_get_bool(b, false, "orphanDependents"))
        o->propagation = "Orphan";
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        known |= streq(o->propagation, policies[i]);
    if (o->propagation && *o->propagation && !known)
        return api_fail_bad(st,
                            "propagationPolicy: \"%s\" is not one of Orphan, Background, "
                            "Foreground",
                            o->propagation);
    if (yyjson_mut_arr_size(jm_get(b, "dryRun")))
        r->q.dry_run = true;
    return 0;
}

static void answered(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct api_request *r = ctx;
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);

    if (fail) {
        api_fail(&r->st, fail->code, fail->reason, "%s", fail->message);
        request_fail(r);
        return;
    }
    if (!deleted) {
        request_reply_object(r, 200, object);
        return;
    }
    api_success_json(&r->kind->res, kobj_name(r->w.old), kobj_uid(r->w.old), &b);
    request_reply(r, 200, "application/json", buf_str(&b));
}

void verb_delete(struct api_request *r)
{
    _cleanup_(kmut_freep) struct kmut *body = NULL;
    struct delete_options o;

    request_begin_write(r);
    r->w.done = answered;
    if (read_options(r, &body, &o, &r->st) < 0) {
        request_fail(r);
        return;
    }
    r->w.dry_run = r->q.dry_run;
    if (write_load(&r->w, r->path.ns, r->path.name, &r->st) < 0 ||
        delete_object(&r->w, &o, &r->st) < 0)
        request_fail(r);
}

/* ---- collections ---- */
struct collection {
    struct api_request *r;
    struct buf items;
    size_t pending;
    VEC(const struct kobj *) victims;
};
struct member {
    struct collection *c;
    struct write w;
};

static int gather(void *ctx, const struct store_obj *so)
{
    struct collection *c = ctx;
    struct str b = store_obj_bytes(so);
    const struct kobj *o = kobj_parse(b.p, b.n, NULL);

    if (o && select_object(&c->r->q, kobj_root(o)))
        vec_push(&c->victims, o);
    else
        kobj_unref(o);
    return 0;
}

static void collection_settle(struct collection *c)
{
    struct api_request *r = c->r;
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_API_RESPONSE);
    char api[600];

    if (--c->pending)
        return;
    kube_api_version(&r->kind->res, api, sizeof(api));
    buf_addf(&b,
             "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%llu\"}"
             ",\"items\":[",
             r->kind->list_kind, api, (unsigned long long)store_rev(r->a->store));
    buf_add(&b, buf_z(&c->items), c->items.n);
    buf_addz(&b, "]}");
    buf_done(&c->items);
    vec_done(&c->victims);
    free(c);
    if (r->st.code)
        request_fail(r);
    else
        request_reply(r, 200, "application/json", buf_str(&b));
}

static void member_done(void *ctx, const struct api_status *fail, struct str object, bool deleted)
{
    struct member *m = ctx;
    struct collection *c = m->c;

    if (fail && fail->code != 404 && !c->r->st.code)
        api_fail(&c->r->st, fail->code, fail->reason, "%s", fail->message);
    if (!fail) {
        if (c->items.n)
            buf_addc(&c->items, ',');
        buf_add(&c->items, object.p, object.n);
    }
    write_clear(&m->w);
    free(m);
    collection_settle(c);
}

static void delete_member(struct collection *c, const struct kobj *o,
                          const struct delete_options *opts)
{
    struct member *m = xnew(struct member);
    _cleanup_status_ struct api_status st = {0};

    m->c = c;
    m->w = (struct write){.a = c->r->a,
                          .kind = c->r->kind,
                          .sub = "",
                          .user = c->r->user,
                          .dry_run = c->r->q.dry_run,
                          .done = member_done,
                          .ctx = m};
    if (write_load(&m->w, kobj_namespace(o), kobj_name(o), &st) < 0 ||
        delete_object(&m->w, opts, &st) < 0)
        member_done(m, &st, STR_NULL, false);
}

void verb_delete_collection(struct api_request *r)
{
    _cleanup_(kmut_freep) struct kmut *body = NULL;
    _cleanup_free_ char *prefix = kind_prefix(&r->kind->res, r->path.ns);
    struct delete_options o;

    request_begin_write(r);
    if (select_check(&r->q, r->kind, &r->st) < 0 || read_options(r, &body, &o, &r->st) < 0) {
        request_fail(r);
        return;
    }
    struct collection *c = xnew(struct collection);

    c->r = r;
    c->items = BUF_INIT(LIMIT_API_RESPONSE);
    store_each(r->a->store, prefix, gather, c);
    c->pending = c->victims.n + 1;
    for (size_t i = 0; i < c->victims.n; i++) {
        delete_member(c, c->victims.p[i], &o);
        kobj_unref(c->victims.p[i]);
    }
    collection_settle(c);
}
