/*
 * A copy lies in one block: the structure, its tables of pointers, then the strings. The same walk
 * runs twice, first to count and then to copy, so size and contents cannot disagree.
 */
#include "http/user.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

const struct user_info user_nobody = {.name = "", .uid = ""};

/* Where the next piece goes; base NULL only counts. Tables come before strings, so all is aligned.
 */
struct block {
    char *base;
    size_t at;
};

static void *take(struct block *b, size_t n)
{
    void *p = b->base ? b->base + b->at : NULL;

    b->at += n;
    return p;
}

static const char *put_string(struct block *b, const char *s)
{
    size_t n = s ? strlen(s) : 0;
    char *p = take(b, n + 1);

    if (p) {
        memcpy(p, s ? s : "", n);
        p[n] = '\0';
    }
    return p;
}

static void put_strings(struct block *b, const char **to, const char *const *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *s = put_string(b, from[i]);
        if (to)
            to[i] = s;
    }
}

static struct user_info *lay_out(struct block *b, const struct user_info *u)
{
    struct user_info *c = take(b, sizeof(*c));
    const char **groups = take(b, u->n_groups * sizeof(*groups));
    struct user_extra *extra = take(b, u->n_extra * sizeof(*extra));
    size_t n_values = 0, at = 0;

    for (size_t i = 0; i < u->n_extra; i++)
        n_values += u->extra[i].n;
    const char **values = take(b, n_values * sizeof(*values));
    const char *name = put_string(b, u->name), *uid = put_string(b, u->uid);
    put_strings(b, groups, u->groups, u->n_groups);
    for (size_t i = 0; i < u->n_extra; i++) {
        const struct user_extra *from = &u->extra[i];
        const char *key = put_string(b, from->key);
        put_strings(b, values ? values + at : NULL, from->values, from->n);
        if (extra)
            extra[i] = (struct user_extra){key, values + at, from->n};
        at += from->n;
    }
    if (c)
        *c = (struct user_info){name, uid, groups, u->n_groups, extra, u->n_extra};
    return c;
}

struct user_info *user_copy(const struct user_info *u)
{
    struct block b = {NULL, 0};

    u = u ? u : &user_nobody;
    lay_out(&b, u);
    b = (struct block){xmalloc(b.at), 0};
    return lay_out(&b, u);
}

void user_free(struct user_info *u)
{
    free(u);
}

bool user_in_group(const struct user_info *u, const char *group)
{
    for (size_t i = 0; i < u->n_groups; i++) {
        if (streq(u->groups[i], group))
            return true;
    }
    return false;
}

static bool same(const char *a, const char *b)
{
    return streq(a ? a : "", b ? b : "");
}

static bool same_list(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++) {
        if (!same(a[i], b[i]))
            return false;
    }
    return true;
}

bool user_equal(const struct user_info *a, const struct user_info *b)
{
    if (!same(a->name, b->name) || !same(a->uid, b->uid) || a->n_extra != b->n_extra ||
        !same_list(a->groups, a->n_groups, b->groups, b->n_groups))
        return false;
    for (size_t i = 0; i < a->n_extra; i++) {
        const struct user_extra *x = &a->extra[i], *y = &b->extra[i];
        if (!same(x->key, y->key) || !same_list(x->values, x->n, y->values, y->n))
            return false;
    }
    return true;
}
