/*
 * Conditions are edited in place in the object being built. While a reconcile runs, a changed
 * condition carries a running number under a private key instead of a new time: that gives "the
 * latest transition" an order finer than the seconds of a stamp. cs_end takes the numbers out and
 * settles the times against the object before.
 */
#include "kube/conditions.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#define SEQ "~"

static yyjson_mut_val *find(const struct cond *c, const char *type)
{
    yyjson_mut_val *x;
    size_t i, max;

    yyjson_mut_arr_foreach(jm_get(c->obj->root, "status", "conditions"), i, max, x)
    {
        if (streq(jm_get_str(x, "type"), type))
            return x;
    }
    return NULL;
}

static bool is_dependent(const struct cond *c, const char *type)
{
    for (const char *const *d = c->set->dependents; d && *d; d++) {
        if (streq(*d, type))
            return true;
    }
    return false;
}

static bool is_terminal(const struct cond *c, const char *type)
{
    return streq(type, c->set->top) || is_dependent(c, type);
}

static bool same_text(const char *a, const char *b)
{
    return streq(a ? a : "", b ? b : "");
}

/* A new condition object at its place in the list sorted by type. */
static yyjson_mut_val *insert(struct cond *c, const char *type)
{
    yyjson_mut_val *arr = jm_arr(KM(c->obj), "status", "conditions"), *x;
    yyjson_mut_val *fresh = yyjson_mut_obj(c->obj->d);
    size_t i, max, at = 0;

    yyjson_mut_arr_foreach(arr, i, max, x)
    {
        const char *other = jm_get_str(x, "type");
        if (other && strcmp(other, type) < 0)
            at = i + 1;
    }
    yyjson_mut_arr_insert(arr, fresh, at);
    jm_set_str(c->obj->d, fresh, type, "type");
    return fresh;
}

static int64_t next_number(const struct cond *c)
{
    yyjson_mut_val *x;
    size_t i, max;
    int64_t top = 0;

    yyjson_mut_arr_foreach(jm_get(c->obj->root, "status", "conditions"), i, max, x)
    {
        int64_t n = jm_get_int(x, 0, SEQ);
        top = n > top ? n : top;
    }
    return top + 1;
}

static const char *non_empty(const char *s)
{
    return s && *s ? s : NULL;
}

static void set(struct cond *c, const char *type, const char *status, const char *reason,
                const char *message)
{
    yyjson_mut_val *x = find(c, type);
    yyjson_mut_doc *d = c->obj->d;
    const char *severity = is_terminal(c, type) ? NULL : "Info";

    if (x && streq(jm_get_str(x, "status"), status) && same_text(jm_get_str(x, "reason"), reason) &&
        same_text(jm_get_str(x, "message"), message) &&
        same_text(jm_get_str(x, "severity"), severity))
        return;
    if (!x)
        x = insert(c, type);
    jm_set_str(d, x, status, "status");
    jm_set_str(d, x, severity, "severity");
    jm_set_str(d, x, non_empty(reason), "reason");
    jm_set_str(d, x, non_empty(message), "message");
    jm_set_int(d, x, next_number(c), SEQ);
}

/* ---- arithmetic ---- */
static bool newer(yyjson_mut_val *a, yyjson_mut_val *b)
{
    int64_t na = jm_get_int(a, 0, SEQ), nb = jm_get_int(b, 0, SEQ);
    const char *ta = jm_get_str(a, "lastTransitionTime"), *tb = jm_get_str(b, "lastTransitionTime");

    if (na != nb)
        return na > nb;
    return na == 0 && strcmp(ta ? ta : "", tb ? tb : "") > 0;
}

/* The condition that keeps the top from being True: a False one before an Unknown one, then the
 * latest. */
static yyjson_mut_val *unhappy(const struct cond *c, size_t *ret_counted)
{
    yyjson_mut_val *x, *worst = NULL;
    size_t i, max;

    *ret_counted = 0;
    yyjson_mut_arr_foreach(jm_get(c->obj->root, "status", "conditions"), i, max, x)
    {
        const char *severity = jm_get_str(x, "severity");
        if (streq(jm_get_str(x, "type"), c->set->top) || (severity && *severity))
            continue;
        (*ret_counted)++;
        const char *status = jm_get_str(x, "status");
        bool is_false = streq(status, "False");
        if (!is_false && streq(status, "True"))
            continue;
        bool worst_false = worst && streq(jm_get_str(worst, "status"), "False");
        if (!worst || is_false > worst_false || (is_false == worst_false && newer(x, worst)))
            worst = x;
    }
    return worst;
}

static void recompute(struct cond *c, const char *marked)
{
    size_t counted, dependents = 0;
    yyjson_mut_val *bad;

    for (const char *const *d = c->set->dependents; d && *d; d++)
        dependents++;
    bad = dependents ? unhappy(c, &counted) : NULL;
    if (bad)
        set(c, c->set->top, jm_get_str(bad, "status"), jm_get_str(bad, "reason"),
            jm_get_str(bad, "message"));
    else if (dependents && counted < dependents)
        set(c, c->set->top, "Unknown", NULL, NULL);
    else if (!streq(marked, c->set->top))
        set(c, c->set->top, "True", NULL, NULL);
}

static void mark_unknown(struct cond *c, const char *type, const char *reason, const char *message)
{
    set(c, type, "Unknown", reason, message);
    for (const char *const *d = c->set->dependents; d && *d; d++) {
        if (!streq(cs_status(c, *d), "False"))
            continue;
        if (!streq(cs_status(c, c->set->top), "False"))
            set(c, c->set->top, "False", reason, message);
        return;
    }
    if (is_dependent(c, type))
        set(c, c->set->top, "Unknown", reason, message);
}

static void mark_false(struct cond *c, const char *type, const char *reason, const char *message)
{
    set(c, type, "False", reason, message);
    if (is_dependent(c, type))
        set(c, c->set->top, "False", reason, message);
}

/* ---- the interface ---- */
void cs_begin(struct cond *c, const struct condition_set *s, const struct kobj *live,
              int64_t now_ns)
{
    *c = (struct cond){.set = s, .obj = kmut_from(live), .before = live, .now_ns = now_ns};
    if (!find(c, s->top))
        set(c, s->top, "Unknown", NULL, NULL);
    const char *fill = streq(cs_status(c, s->top), "True") ? "True" : "Unknown";
    for (const char *const *d = s->dependents; d && *d; d++) {
        if (!find(c, *d))
            set(c, *d, fill, NULL, NULL);
    }
    if (jget_int(kobj_root(live), 0, "status", "observedGeneration") != kobj_generation(live))
        mark_unknown(c, s->top, "NewObservedGenFailure",
                     "unsuccessfully observed a new generation");
}

void cs_true(struct cond *c, const char *type)
{
    set(c, type, "True", NULL, NULL);
    recompute(c, type);
}

#define FORMATTED(call)                                                                            \
    do {                                                                                           \
        char *message_;                                                                            \
        va_list ap_;                                                                               \
        va_start(ap_, fmt);                                                                        \
        int r_ = fmt ? vasprintf(&message_, fmt, ap_) : -1;                                        \
        va_end(ap_);                                                                               \
        const char *message = r_ < 0 ? "" : message_;                                              \
        call;                                                                                      \
        if (r_ >= 0)                                                                               \
            free(message_);                                                                        \
    } while (0)

static void mark_true_reason(struct cond *c, const char *type, const char *reason,
                             const char *message)
{
    set(c, type, "True", reason, message);
    recompute(c, type);
}

void cs_true_reason(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
{
    FORMATTED(mark_true_reason(c, type, reason, message));
}

void cs_false(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
{
    FORMATTED(mark_false(c, type, reason, message));
}

void cs_unknown(struct cond *c, const char *type, const char *reason, const char *fmt, ...)
{
    FORMATTED(mark_unknown(c, type, reason, message));
}

void cs_mirror(struct cond *c, const char *type, const yyjson_val *other)
{
    const char *status = jget_str(other, "status");
    const char *reason = jget_str(other, "reason"), *message = jget_str(other, "message");

    if (!other)
        return;
    if (streq(status, "True"))
        mark_true_reason(c, type, reason, message);
    else if (streq(status, "False"))
        mark_false(c, type, reason, message);
    else
        mark_unknown(c, type, reason, message);
}

void cs_clear(struct cond *c, const char *type)
{
    yyjson_mut_val *arr = jm_get(c->obj->root, "status", "conditions"), *x;
    size_t i, max;

    if (is_terminal(c, type))
        return;
    yyjson_mut_arr_foreach(arr, i, max, x)
    {
        if (streq(jm_get_str(x, "type"), type)) {
            yyjson_mut_arr_remove(arr, i);
            return;
        }
    }
}

const char *cs_status(const struct cond *c, const char *type)
{
    return jm_get_str(find(c, type), "status");
}

const char *cs_reason(const struct cond *c, const char *type)
{
    return jm_get_str(find(c, type), "reason");
}

static bool unchanged(const yyjson_val *was, yyjson_mut_val *is)
{
    return was && streq(jget_str(was, "status"), jm_get_str(is, "status")) &&
           same_text(jget_str(was, "reason"), jm_get_str(is, "reason")) &&
           same_text(jget_str(was, "message"), jm_get_str(is, "message")) &&
           same_text(jget_str(was, "severity"), jm_get_str(is, "severity"));
}

static void settle_times(struct cond *c)
{
    yyjson_mut_val *x;
    size_t i, max;
    char now[RFC3339_LEN];

    clock_rfc3339(c->now_ns, now);
    yyjson_mut_arr_foreach(jm_get(c->obj->root, "status", "conditions"), i, max, x)
    {
        yyjson_val *was = kobj_condition(c->before, jm_get_str(x, "type"));
        const char *time = unchanged(was, x) ? jget_str(was, "lastTransitionTime") : NULL;
        jm_del(x, SEQ);
        jm_set_str(c->obj->d, x, time ? time : now, "lastTransitionTime");
    }
}

bool cs_end(struct cond *c, struct plan *p, const struct kube_resource *r)
{
    _cleanup_(kmut_freep) struct kmut *obj = steal(&c->obj);

    c->obj = obj;
    jm_set_int(KM(obj), kobj_generation(c->before), "status", "observedGeneration");
    settle_times(c);
    c->obj = NULL;
    yyjson_doc *now = yyjson_mut_val_imut_copy(jm_get(obj->root, "status"), NULL);
    bool same = json_equal(yyjson_doc_get_root(now), jget(kobj_root(c->before), "status"));
    yyjson_doc_free(now);
    if (same)
        return false;
    plan_update_status(p, r, steal(&obj));
    return true;
}

int64_t cond_age_ns(struct cond_age *a, const yyjson_val *condition, int64_t wall_ns,
                    int64_t mono_ns)
{
    const char *since = jget_str(condition, "lastTransitionTime");
    int64_t then;

    if (!since || clock_rfc3339_parse(since, &then) < 0)
        return 0;
    if (!a->seen || a->stamp_ns != then)
        *a = (struct cond_age){.seen = true,
                               .stamp_ns = then,
                               .base_ns = wall_ns > then ? wall_ns - then : 0,
                               .since_ns = mono_ns};
    return a->base_ns + mono_ns - a->since_ns;
}
