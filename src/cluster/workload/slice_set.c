/*
 * Endpoints are grouped by what a slice states once for all of its own: address family and ports.
 * Live slices are gone through first and keep what is still wanted; what is left over fills the
 * slices that have room, then new ones.
 */
#include "cluster/workload/slice_set.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/rand.h"
#include "cluster/workload/limits.h"
#include "kube/names.h"
#include "kube/slices.h"

#define L_HEADLESS "service.kubernetes.io/headless"
#define SUFFIX     5

struct group {
    const char *family;
    yyjson_mut_val *ports;
    struct map *members; /* "IP|UID" -> its endpoint */
    VEC(char *) order;   /* the keys, as they were added */
    struct map *placed;  /* the keys that have a slice */
};

struct slice {               /* to be */
    const struct kobj *live; /* NULL: a new one */
    struct group *group;     /* NULL: not wanted any more */
    bool ours;               /* may be rewritten: not one of a namesake that is gone */
    VEC(yyjson_mut_val *) endpoints;
};

struct slice_set {
    yyjson_mut_doc *d;
    VEC(struct group *) groups;
    VEC(struct slice) slices;
};

static void group_free(struct group *g)
{
    for (size_t i = 0; i < g->order.n; i++)
        free(g->order.p[i]);
    vec_done(&g->order);
    map_free(g->members);
    map_free(g->placed);
    free(g);
}

static void drop_slices(struct slice_set *s)
{
    for (size_t i = 0; i < s->slices.n; i++)
        vec_done(&s->slices.p[i].endpoints);
    vec_done(&s->slices);
}

struct slice_set *slice_set_new(void)
{
    struct slice_set *s = xnew(struct slice_set);

    s->d = yyjson_mut_doc_new(NULL);
    return s;
}

void slice_set_free(struct slice_set *s)
{
    if (!s)
        return;
    drop_slices(s);
    for (size_t i = 0; i < s->groups.n; i++)
        group_free(s->groups.p[i]);
    vec_done(&s->groups);
    yyjson_mut_doc_free(s->d);
    free(s);
}

yyjson_mut_doc *slice_set_doc(struct slice_set *s)
{
    return s->d;
}

/* ---- what is wanted ---- */

void slice_set_port(struct slice_set *s, yyjson_mut_val *ports, yyjson_val *port, int64_t number)
{
    yyjson_mut_val *o = jm_add_obj(s->d, ports);
    const char *name = jget_str(port, "name"), *protocol = jget_str(port, "protocol");

    /* The server's defaults too, so that a live slice can be compared as it is. */
    jm_set_str(s->d, o, name ? name : "", "name");
    jm_set_int(s->d, o, number, "port");
    jm_set_str(s->d, o, protocol ? protocol : "TCP", "protocol");
    if (jget_str(port, "appProtocol"))
        jm_set_str(s->d, o, jget_str(port, "appProtocol"), "appProtocol");
}

static struct group *group_of(struct slice_set *s, const char *family, yyjson_mut_val *ports)
{
    for (size_t i = 0; i < s->groups.n; i++) {
        struct group *g = s->groups.p[i];
        if (streq(g->family, family) && yyjson_mut_equals(g->ports, ports))
            return g;
    }
    struct group *g = xnew(struct group);
    *g = (struct group){
        .family = family, .ports = ports, .members = map_new(NULL), .placed = map_new(NULL)};
    vec_push(&s->groups, g);
    return g;
}

static yyjson_mut_val *endpoint_new(yyjson_mut_doc *d, const struct slice_endpoint_facts *f)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);

    jm_add_str(d, jm_arr(d, o, "addresses"), f->ip);
    jm_set_bool(d, o, f->ready, "conditions", "ready");
    jm_set_bool(d, o, f->serving, "conditions", "serving");
    jm_set_bool(d, o, f->terminating, "conditions", "terminating");
    if (f->hostname && *f->hostname)
        jm_set_str(d, o, f->hostname, "hostname");
    if (f->node && *f->node)
        jm_set_str(d, o, f->node, "nodeName");
    return o;
}

yyjson_mut_val *slice_set_add(struct slice_set *s, yyjson_mut_val *ports,
                              const struct slice_endpoint_facts *f)
{
    struct group *g = group_of(s, strchr(f->ip, ':') ? "IPv6" : "IPv4", ports);
    _cleanup_free_ char *key = xasprintf("%s|%s", f->ip, f->uid ? f->uid : "");

    if (map_has(g->members, key))
        return NULL;
    yyjson_mut_val *o = endpoint_new(s->d, f);
    map_set(g->members, key, o);
    vec_push(&g->order, steal(&key));
    return o;
}

/* ---- what is there ---- */

static bool same_ports(const struct group *g, yyjson_val *live)
{
    yyjson_val *port;
    size_t i, max;

    if (yyjson_arr_size(live) != yyjson_mut_arr_size(g->ports))
        return false;
    yyjson_arr_foreach(live, i, max, port)
    {
        yyjson_doc *d = yyjson_mut_val_imut_copy(yyjson_mut_arr_get(g->ports, i), NULL);
        bool same = json_equal(port, yyjson_doc_get_root(d));
        yyjson_doc_free(d);
        if (!same)
            return false;
    }
    return true;
}

static struct group *group_like(struct slice_set *s, const struct kobj *slice)
{
    yyjson_val *root = kobj_root(slice);

    for (size_t i = 0; i < s->groups.n; i++) {
        struct group *g = s->groups.p[i];
        if (streq(jget_str(root, "addressType"), g->family) && same_ports(g, jget(root, "ports")))
            return g;
    }
    return NULL;
}

static void place(struct slice *sl, const char *key)
{
    assert(!map_has(sl->group->placed, key) && sl->endpoints.n < LIMIT_SLICE_ENDPOINTS);
    map_set(sl->group->placed, key, sl->group);
    vec_push(&sl->endpoints, map_get(sl->group->members, key));
}

/* What the slice has and is still wanted stays, in its order. */
static void keep(struct slice *sl)
{
    yyjson_val *endpoint;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(sl->live), "endpoints"), i, max, endpoint)
    {
        const char *ip = yyjson_get_str(yyjson_arr_get_first(jget(endpoint, "addresses")));
        const char *uid = jget_str(endpoint, "targetRef", "uid");
        _cleanup_free_ char *key = xasprintf("%s|%s", ip ? ip : "", uid ? uid : "");
        if (sl->endpoints.n < LIMIT_SLICE_ENDPOINTS && map_has(sl->group->members, key) &&
            !map_has(sl->group->placed, key))
            place(sl, key);
    }
}

static void take_live(struct slice_set *s, const struct slice_owner *o, const kobj_vec *live)
{
    for (size_t i = 0; i < live->n; i++) {
        const struct kobj *l = live->p[i];
        if (!streq(kobj_label(l, L_SLICE_MANAGED_BY), o->manager) || kobj_deleting(l))
            continue;
        struct slice sl = {.live = l, .ours = kobj_controlled_by(l, o->owner)};
        if (sl.ours)
            sl.group = group_like(s, l);
        if (sl.group)
            keep(&sl);
        vec_push(&s->slices, sl);
    }
}

/* ---- filling ---- */

/* One that is not wanted for what it says can be rewritten, but for its family. */
static size_t make_slice(struct slice_set *s, struct group *g)
{
    for (size_t i = 0; i < s->slices.n; i++) {
        struct slice *sl = &s->slices.p[i];
        if (sl->group || !sl->ours ||
            !streq(jget_str(kobj_root(sl->live), "addressType"), g->family))
            continue;
        sl->group = g;
        return i;
    }
    vec_push(&s->slices, ((struct slice){.group = g, .ours = true}));
    return s->slices.n - 1;
}

static size_t with_room(struct slice_set *s, struct group *g)
{
    for (size_t i = 0; i < s->slices.n; i++) {
        if (s->slices.p[i].group == g && s->slices.p[i].endpoints.n < LIMIT_SLICE_ENDPOINTS)
            return i;
    }
    return make_slice(s, g);
}

static void fill(struct slice_set *s, struct group *g)
{
    size_t at = SIZE_MAX;

    for (size_t i = 0; i < g->order.n; i++) {
        if (map_has(g->placed, g->order.p[i]))
            continue;
        if (at == SIZE_MAX || s->slices.p[at].endpoints.n == LIMIT_SLICE_ENDPOINTS)
            at = with_room(s, g);
        place(&s->slices.p[at], g->order.p[i]);
    }
}

static void drop_empty(struct slice_set *s)
{
    for (size_t i = 0; i < s->slices.n; i++) {
        if (s->slices.p[i].endpoints.n == 0)
            s->slices.p[i].group = NULL;
    }
}

/* ---- writing ---- */

static bool is_reserved(const char *label)
{
    return streq(label, L_SLICE_SERVICE) || streq(label, L_SLICE_MANAGED_BY) ||
           streq(label, L_HEADLESS);
}

static void set_labels(struct kmut *m, const struct slice_owner *o)
{
    yyjson_val *k, *v;
    size_t i, max;

    jm_del(m->root, "metadata", "labels");
    yyjson_obj_foreach(o->labels, i, max, k, v)
    {
        if (!is_reserved(yyjson_get_str(k)) && yyjson_is_str(v))
            kmut_label(m, yyjson_get_str(k), yyjson_get_str(v));
    }
    kmut_label(m, L_SLICE_SERVICE, o->service);
    kmut_label(m, L_SLICE_MANAGED_BY, o->manager);
    kmut_label(m, L_HEADLESS, o->headless ? "" : NULL);
}

static struct kmut *new_object(const struct slice_owner *o)
{
    char suffix[SUFFIX + 1];

    rand_suffix(suffix, SUFFIX);
    _cleanup_free_ char *base = xasprintf("%.*s-", NAME_MAX_LABEL - SUFFIX - 1, o->service);
    _cleanup_free_ char *name = xasprintf("%s%s", base, suffix);
    struct kmut *m = kmut_new(&KR_ENDPOINTSLICE, kobj_namespace(o->owner), name);
    jm_set_str(KM(m), base, "metadata", "generateName");
    kmut_set_controller(m, o->owner);
    return m;
}

static void set_content(struct kmut *m, const struct slice *sl)
{
    jm_set_str(KM(m), sl->group->family, "addressType");
    jm_set(KM(m), yyjson_mut_val_mut_copy(m->d, sl->group->ports), "ports");
    jm_del(m->root, "endpoints");
    yyjson_mut_val *list = jm_arr(KM(m), "endpoints");
    for (size_t i = 0; i < sl->endpoints.n; i++)
        yyjson_mut_arr_append(list, yyjson_mut_val_mut_copy(m->d, sl->endpoints.p[i]));
}

static void plan_slice(struct plan *p, const struct slice_owner *o, const struct slice *sl)
{
    if (!sl->group) {
        plan_delete(p, &KR_ENDPOINTSLICE, kobj_namespace(sl->live), kobj_name(sl->live),
                    kobj_uid(sl->live));
        return;
    }
    struct kmut *m = sl->live ? kmut_from(sl->live) : new_object(o);
    set_labels(m, o);
    set_content(m, sl);
    if (!sl->live) {
        plan_create(p, &KR_ENDPOINTSLICE, m);
        return;
    }
    _cleanup_kobj_ const struct kobj *want = kmut_freeze(m);
    if (json_equal(kobj_root(want), kobj_root(sl->live)))
        kmut_free(m);
    else
        plan_update(p, &KR_ENDPOINTSLICE, m);
}

void slice_set_plan(struct slice_set *s, const struct slice_owner *o, const kobj_vec *live,
                    struct plan *p)
{
    take_live(s, o, live);
    for (size_t i = 0; i < s->groups.n; i++)
        fill(s, s->groups.p[i]);
    drop_empty(s);
    if (o->placeholder && s->groups.n == 0)
        make_slice(s, group_of(s, "IPv4", yyjson_mut_arr(s->d)));
    for (size_t i = 0; i < s->slices.n; i++)
        plan_slice(p, o, &s->slices.p[i]);
    drop_slices(s);
}
