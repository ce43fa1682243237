/*
 * "Said already" is judged by the text: the server's message stands in an event or a condition of
 * the plan. The condition is written over what the reconciler planned as status, and a status that
 * equals the live one then is no write at all, so that a refusal that lasts is silent.
 */
#include "kube/refusal.h"

#include "base/clock.h"

#define DELAY_FIRST_NS (100 * NS_PER_MS)
#define DELAY_MAX_NS   (300 * NS_PER_SEC)

static int64_t delay_ns(int tries)
{
    int64_t d = DELAY_FIRST_NS << (tries < 16 ? tries : 16);

    return d < DELAY_MAX_NS ? d : DELAY_MAX_NS;
}

static char *copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static bool is_same(const struct refusal *a, const struct refusal *b)
{
    return a->entry.op == b->entry.op && kube_resource_eq(a->entry.res, b->entry.res) &&
           a->status.code == b->status.code && streq(a->status.reason, b->status.reason) &&
           a->generation == b->generation;
}

struct refusal *refusal_new(struct refusal *last, const struct kobj *obj,
                            const struct kube_status *st, const struct plan_entry *en,
                            int64_t mono_ns)
{
    struct refusal *f = xnew(struct refusal);

    f->status = *st;
    f->generation = kobj_generation(obj);
    f->entry = (struct plan_entry){.op = en->op,
                                   .res = en->res,
                                   .ns = copy(en->ns),
                                   .name = copy(en->name),
                                   .subresource = copy(en->subresource),
                                   .patch_type = en->patch_type,
                                   .aside = en->aside,
                                   .tag = en->tag};
    if (last && last->generation == f->generation)
        f->tries = last->tries + 1;
    f->told = last && last->told && is_same(last, f);
    f->until_ns = mono_ns + delay_ns(f->tries);
    refusal_free(last);
    return f;
}

void refusal_free(void *refusal)
{
    struct refusal *f = refusal;

    if (!f)
        return;
    free(f->entry.ns);
    free(f->entry.name);
    free(f->entry.subresource);
    free(f);
}

bool refusal_is_over(const struct refusal *f, const struct kobj *obj, bool exists, int64_t mono_ns)
{
    return mono_ns >= f->until_ns || !obj || kobj_generation(obj) != f->generation ||
           (f->entry.op == PLAN_CREATE && exists);
}

/* ---- the writes that have to wait ---- */
static bool same_text(const char *a, const char *b)
{
    return streq(a ? a : "", b ? b : "");
}

static bool repeats(const struct refusal *f, const struct plan_entry *en)
{
    return en->op == f->entry.op && kube_resource_eq(en->res, f->entry.res) &&
           same_text(en->ns, f->entry.ns) && same_text(en->name, f->entry.name) &&
           same_text(en->subresource, f->entry.subresource);
}

static bool is_own_status(const struct plan_entry *en, const struct kube_resource *r,
                          const struct kobj *obj)
{
    return en->op == PLAN_UPDATE_STATUS && kube_resource_eq(en->res, r) &&
           same_text(en->ns, kobj_namespace(obj)) && same_text(en->name, kobj_name(obj));
}

static void hold_back(const struct refusal *f, struct plan *p, const struct kube_resource *r,
                      const struct kobj *obj)
{
    bool waits = false;

    for (size_t i = 0; i < p->entries.n;) {
        const struct plan_entry *en = &p->entries.p[i];
        bool refused = repeats(f, en);
        waits = waits || refused;
        if (waits && en->op != PLAN_EVENT && (refused || !is_own_status(en, r, obj)))
            plan_drop(p, i);
        else
            i++;
    }
}

/* ---- one event ---- */
static const char *verb_of(const struct refusal *f)
{
    static const char *const verbs[] = {[PLAN_CREATE] = "Create",
                                        [PLAN_UPDATE] = "Update",
                                        [PLAN_UPDATE_STATUS] = "Update",
                                        [PLAN_PATCH] = "Patch",
                                        [PLAN_DELETE] = "Delete"};

    return f->entry.op < ARRAY_LEN(verbs) && verbs[f->entry.op] ? verbs[f->entry.op] : "Write";
}

static bool is_warning(const struct plan_entry *en)
{
    return en->op == PLAN_EVENT && streq(en->type, "Warning");
}

static void tell_once(struct refusal *f, struct plan *p, const struct kube_resource *r,
                      const struct kobj *obj)
{
    bool said = false;

    for (size_t i = 0; i < p->entries.n;) {
        if (is_warning(&p->entries.p[i]) && (f->told || said)) {
            plan_drop(p, i);
            continue;
        }
        said = said || is_warning(&p->entries.p[i]);
        i++;
    }
    if (!said && !f->told) {
        _cleanup_free_ char *reason = xasprintf("Failed%s", verb_of(f));
        plan_event(p, r, obj, "Warning", reason, "%s %s: %s", f->entry.res->kind, f->entry.name,
                   f->status.err.msg);
    }
    f->told = true;
}

/* ---- the condition ---- */
static bool says_it(const struct refusal *f, yyjson_mut_val *root)
{
    yyjson_mut_val *c;
    size_t i, max;

    yyjson_mut_arr_foreach(jm_get(root, "status", "conditions"), i, max, c)
    {
        const char *message = jm_get_str(c, "message");
        if (message && strstr(message, f->status.err.msg))
            return true;
    }
    return false;
}

static yyjson_mut_val *ready_of(yyjson_mut_val *root)
{
    yyjson_mut_val *c;
    size_t i, max;

    yyjson_mut_arr_foreach(jm_get(root, "status", "conditions"), i, max, c)
    {
        if (streq(jm_get_str(c, "type"), "Ready"))
            return c;
    }
    return NULL;
}

static void set_ready(struct kmut *m, const struct kobj *live, const char *status,
                      const char *reason, const char *message, int64_t wall_ns)
{
    yyjson_mut_val *c = ready_of(m->root);
    yyjson_val *before = kobj_condition(live, "Ready");
    bool already = streq(jget_str(before, "status"), status);
    const char *since = already ? jget_str(before, "lastTransitionTime") : NULL;
    char now[RFC3339_LEN];

    clock_rfc3339(wall_ns, now);
    jm_set_str(m->d, c, status, "status");
    jm_set_str(m->d, c, reason, "reason");
    jm_set_str(m->d, c, message, "message");
    jm_set_str(m->d, c, since ? since : now, "lastTransitionTime");
}

static size_t find_status(const struct plan *p, const struct kube_resource *r,
                          const struct kobj *obj)
{
    size_t i = 0;

    while (i < p->entries.n && !is_own_status(&p->entries.p[i], r, obj))
        i++;
    return i;
}

static bool is_as_live(const struct kmut *m, const struct kobj *live)
{
    _cleanup_kobj_ const struct kobj *o = kmut_freeze((struct kmut *)(uintptr_t)m);

    return json_equal(jget(kobj_root(o), "status"), jget(kobj_root(live), "status"));
}

static void say_in_condition(const struct refusal *f, struct plan *p, const struct kube_resource *r,
                             const struct kobj *obj, int64_t wall_ns)
{
    size_t at = find_status(p, r, obj);
    struct kmut *m = at < p->entries.n ? p->entries.p[at].obj : kmut_from(obj);

    _cleanup_free_ char *reason = xasprintf("Failed%s", verb_of(f));
    if (!says_it(f, m->root) && ready_of(m->root))
        set_ready(m, obj, "False", reason, f->status.err.msg, wall_ns);
    bool same = is_as_live(m, obj);
    if (at < p->entries.n) {
        if (same)
            plan_drop(p, at);
    } else if (same) {
        kmut_free(m);
    } else {
        plan_update_status(p, r, m);
    }
}

void refusal_fit(struct refusal *f, struct plan *p, const struct kube_resource *r,
                 const struct kobj *obj, int64_t wall_ns)
{
    hold_back(f, p, r, obj);
    tell_once(f, p, r, obj);
    /* A refused status can't say so in itself. */
    if (!f->entry.aside && !is_own_status(&f->entry, r, obj))
        say_in_condition(f, p, r, obj, wall_ns);
}

void refusal_lift(const struct refusal *f, struct plan *p, const struct kube_resource *r,
                  const struct kobj *obj, int64_t wall_ns)
{
    size_t at = find_status(p, r, obj);
    struct kmut *m = at < p->entries.n ? p->entries.p[at].obj : kmut_from(obj);

    if (streq(jm_get_str(ready_of(m->root), "message"), f->status.err.msg)) {
        set_ready(m, obj, "Unknown", NULL, NULL, wall_ns);
        if (at == p->entries.n)
            plan_update_status(p, r, m);
    } else if (at == p->entries.n) {
        kmut_free(m);
    }
}
