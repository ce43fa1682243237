/*
 * Entries are kept as they come, one path each at most (several for the one-of texts); rendering
 * first unites entries of equal level, message and details, then sorts. So validators may report in
 * whatever order is natural.
 */
#include "contract/field_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/limits.h"

static void item_done(struct field_error *it)
{
    free(it->message);
    free(it->details);
    for (size_t i = 0; i < it->paths.n; i++)
        free(it->paths.p[i]);
    vec_done(&it->paths);
}

void fe_done(struct field_errors *fe)
{
    for (size_t i = 0; i < fe->items.n; i++)
        item_done(&fe->items.p[i]);
    vec_done(&fe->items);
}

static void path_render(const struct fpath *at, struct buf *b)
{
    if (!at)
        return;
    path_render(at->up, b);
    if (!at->name) {
        buf_addf(b, "[%zu]", at->index);
    } else if (at->name[0]) {
        if (b->n)
            buf_addc(b, '.');
        buf_addz(b, at->name);
    }
}

static char *path_text(const struct fpath *at, const char *field)
{
    struct buf b = BUF_INIT(LIMIT_OBJECT);

    path_render(at, &b);
    if (field[0]) {
        if (b.n)
            buf_addc(&b, '.');
        buf_addz(&b, field);
    }
    return buf_steal(&b, NULL);
}

static struct field_error *add(struct field_errors *fe, enum fe_level level, const char *details,
                               char *message)
{
    struct field_error it = {
        .level = level, .message = message, .details = details ? xstrdup(details) : NULL};

    vec_push(&fe->items, it);
    return &fe->items.p[fe->items.n - 1];
}

void fe_add(struct field_errors *fe, enum fe_level level, const struct fpath *at, const char *field,
            const char *details, const char *fmt, ...)
{
    struct buf b = BUF_INIT(LIMIT_OBJECT);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    struct field_error *it = add(fe, level, details, buf_steal(&b, NULL));
    if (field)
        vec_push(&it->paths, path_text(at, field));
}

void fe_missing(struct field_errors *fe, const struct fpath *at, const char *field)
{
    fe_add(fe, FE_ERROR, at, field, NULL, "missing field(s)");
}

void fe_disallowed(struct field_errors *fe, const struct fpath *at, const char *field)
{
    fe_add(fe, FE_ERROR, at, field, NULL, "must not set the field(s)");
}

void fe_invalid(struct field_errors *fe, const struct fpath *at, const char *field,
                const char *value, const char *details)
{
    fe_add(fe, FE_ERROR, at, field, details, "invalid value: %s", value);
}

void fe_bounds(struct field_errors *fe, const struct fpath *at, const char *field, int64_t lo,
               int64_t value, int64_t hi)
{
    fe_add(fe, FE_ERROR, at, field, NULL, "expected %lld <= %lld <= %lld", (long long)lo,
           (long long)value, (long long)hi);
}

static void one_of(struct field_errors *fe, const struct fpath *at, const char *const *fields,
                   const char *text)
{
    struct field_error *it = add(fe, FE_ERROR, NULL, xstrdup(text));

    for (; *fields; fields++)
        vec_push(&it->paths, path_text(at, *fields));
}

void fe_neither(struct field_errors *fe, const struct fpath *at, const char *const *fields)
{
    one_of(fe, at, fields, "expected exactly one, got neither");
}

void fe_both(struct field_errors *fe, const struct fpath *at, const char *const *fields)
{
    one_of(fe, at, fields, "expected exactly one, got both");
}

void fe_bad_key(struct field_errors *fe, const struct fpath *at, const char *field, const char *key,
                const char *details)
{
    fe_add(fe, FE_ERROR, at, field, details, "invalid key name \"%s\"", key);
}

size_t fe_count(const struct field_errors *fe, enum fe_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < fe->items.n; i++)
        n += fe->items.p[i].level == level;
    return n;
}

/* ---- rendering ---- */
static int compare(const void *a, const void *b)
{
    const struct field_error *x = a, *y = b;
    int c = strcmp(x->message, y->message);

    if (c == 0)
        c = strcmp(x->details ? x->details : "", y->details ? y->details : "");
    return c ? c : (int)x->level - (int)y->level;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void settle_paths(struct field_error *it)
{
    size_t kept = 0;

    if (it->paths.n == 0)
        return;
    qsort(it->paths.p, it->paths.n, sizeof(char *), compare_paths);
    for (size_t i = 0; i < it->paths.n; i++) {
        if (kept && strcmp(it->paths.p[kept - 1], it->paths.p[i]) == 0)
            free(it->paths.p[i]);
        else
            it->paths.p[kept++] = it->paths.p[i];
    }
    it->paths.n = kept;
}

static void unite(struct field_errors *fe)
{
    size_t kept = 0;

    if (fe->items.n == 0)
        return;
    qsort(fe->items.p, fe->items.n, sizeof(fe->items.p[0]), compare);
    for (size_t i = 0; i < fe->items.n; i++) {
        struct field_error *it = &fe->items.p[i], *last = kept ? &fe->items.p[kept - 1] : NULL;
        if (!last || compare(last, it) != 0) {
            fe->items.p[kept++] = *it;
            continue;
        }
        for (size_t j = 0; j < it->paths.n; j++)
            vec_push(&last->paths, it->paths.p[j]);
        it->paths.n = 0;
        item_done(it);
    }
    fe->items.n = kept;
    for (size_t i = 0; i < kept; i++)
        settle_paths(&fe->items.p[i]);
}

static void render_one(const struct field_error *it, struct buf *b)
{
    buf_addf(b, "%s: ", it->message);
    for (size_t i = 0; i < it->paths.n; i++)
        buf_addf(b, "%s%s", i ? ", " : "", it->paths.p[i]);
    if (it->details)
        buf_addf(b, "\n%s", it->details);
}

char *fe_render(struct field_errors *fe, enum fe_level level)
{
    struct buf b = BUF_INIT(LIMIT_API_BODY);

    unite(fe);
    for (size_t i = 0; i < fe->items.n; i++) {
        if (fe->items.p[i].level != level)
            continue;
        if (b.n)
            buf_addc(&b, '\n');
        render_one(&fe->items.p[i], &b);
    }
    return buf_steal(&b, NULL);
}

void fe_each(struct field_errors *fe, enum fe_level level, void (*fn)(void *to, const char *text),
             void *to)
{
    unite(fe);
    for (size_t i = 0; i < fe->items.n; i++) {
        struct buf b = BUF_INIT(LIMIT_API_BODY);
        if (fe->items.p[i].level != level)
            continue;
        render_one(&fe->items.p[i], &b);
        fn(to, buf_z(&b));
        buf_done(&b);
    }
}
