/*
 * The walk goes down only where a row says that members have rows, so most of a spec is looked at
 * once. Two paths are kept: one with indices for people, one without for the rows.
 */
#include "kube/podspec.h"

#include <stdio.h>

#include "base/buf.h"

struct podspec_walk {
    struct buf shown, plain;
    kube_podspec_refused_fn *refused;
    void *ctx;
};

static const struct kube_podspec_row *find(const char *path)
{
    size_t lo = 0, hi = kube_podspec_rows_len;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(path, kube_podspec_rows[mid].path);

        if (c == 0)
            return &kube_podspec_rows[mid];
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const struct kube_podspec_row *kube_podspec_row(const char *path)
{
    static const char init[] = "initContainers.";
    const struct kube_podspec_row *row = find(path);

    if (row || !z_starts(path, init))
        return row;
    _cleanup_free_ char *other = xasprintf("containers.%s", path + sizeof(init) - 1);

    return find(other);
}

/* Nothing is asked for: null, an empty list, an empty word. */
static bool is_unset(const yyjson_val *cv)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)cv;

    return yyjson_is_null(v) || (yyjson_is_arr(v) && !yyjson_arr_size(v)) ||
           (yyjson_is_str(v) && !yyjson_get_len(v));
}

static bool is_listed(const yyjson_val *cv, const char *const *values)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)cv;
    char num[24];
    const char *text = yyjson_get_str(v);

    if (yyjson_is_bool(v))
        text = yyjson_get_bool(v) ? "true" : "false";
    else if (yyjson_is_obj(v))
        text = yyjson_obj_size(v) ? NULL : "{}";
    else if (yyjson_is_int(v)) {
        snprintf(num, sizeof(num), "%lld", (long long)yyjson_get_sint(v));
        text = num;
    }
    for (size_t i = 0; text && values[i]; i++)
        if (streq(text, values[i]))
            return true;
    return false;
}

static void walk(struct podspec_walk *w, const yyjson_val *v, const yyjson_val *parent,
                 const char *why);

static void step_down(struct buf *path, const char *key)
{
    if (path->n)
        buf_addc(path, '.');
    buf_addz(path, key ? key : "");
}

static void walk_members(struct podspec_walk *w, const yyjson_val *o, const char *why)
{
    size_t i, n, shown = w->shown.n, plain = w->plain.n;
    yyjson_val *k, *v;

    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)o))
        return;
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)o, i, n, k, v)
    {
        step_down(&w->shown, yyjson_get_str(k));
        step_down(&w->plain, yyjson_get_str(k));
        walk(w, v, o, why);
        w->shown.n = shown;
        w->plain.n = plain;
    }
}

static void walk_below(struct podspec_walk *w, const yyjson_val *v, const char *why)
{
    size_t i, n, shown = w->shown.n;
    yyjson_val *item;

    walk_members(w, v, why);
    if (!yyjson_is_arr((yyjson_val *)(uintptr_t)v))
        return;
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)v, i, n, item)
    {
        buf_addf(&w->shown, "[%zu]", i);
        walk_members(w, item, why);
        w->shown.n = shown;
    }
}

/* `why` is what the place around says of members without a row. */
static void walk(struct podspec_walk *w, const yyjson_val *v, const yyjson_val *parent,
                 const char *why)
{
    const struct kube_podspec_row *row = kube_podspec_row(buf_z(&w->plain));

    if (is_unset(v))
        return;
    if (!row) {
        w->refused(w->ctx, buf_z(&w->shown), why ? why : "this node does not know the field");
        return;
    }
    if (row->state == KUBE_PODSPEC_BELOW)
        walk_below(w, v, row->text);
    else if (row->state == KUBE_PODSPEC_REFUSED ||
             (row->state == KUBE_PODSPEC_VALUES && !is_listed(v, row->values)) ||
             (row->state == KUBE_PODSPEC_CHECKED && !row->fits(v, parent)))
        w->refused(w->ctx, buf_z(&w->shown), row->text);
}

void kube_podspec_check(const yyjson_val *spec, kube_podspec_refused_fn *refused, void *ctx)
{
    struct podspec_walk w = {BUF_INIT(4096), BUF_INIT(4096), refused, ctx};

    walk_members(&w, spec, NULL);
    buf_done(&w.shown);
    buf_done(&w.plain);
}
