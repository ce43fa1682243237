/* Field selectors: path=value terms, joined by commas; backslash escapes a comma, an equals sign or
 * itself. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/vec.h"
#include "kube/selector.h"

struct field_term {
    char *path, *value;
    bool not_equal;
};

struct field_selector {
    VEC(struct field_term) all;
};

void field_selector_free(struct field_selector *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->all.n; i++) {
        free(s->all.p[i].path);
        free(s->all.p[i].value);
    }
    vec_done(&s->all);
    free(s);
}

/* The value up to an unescaped comma; moves *at behind it. */
static char *value_of(const char **at)
{
    char *out = xmalloc(strlen(*at) + 1);
    size_t n = 0;
    const char *s = *at;

    for (; *s && *s != ','; s++) {
        if (*s == '\\' && s[1])
            s++;
        out[n++] = *s;
    }
    out[n] = '\0';
    *at = s;
    return out;
}

static int parse_term(const char **at, struct field_selector *s, struct err *e)
{
    size_t n = strcspn(*at, "=!,");
    const char *op = *at + n;
    bool no = op[0] == '!';

    if (n == 0 || op[no] != '=')
        return err_set(
            e, -EINVAL,
            "invalid field selector \"%.100s\": expected path=value, path==value or path!=value",
            *at);
    struct field_term t = {.path = xstrndup(*at, n), .not_equal = no};
    *at = op + no + 1;
    *at += !no && **at == '=';
    t.value = value_of(at);
    vec_push(&s->all, t);
    return 0;
}

struct field_selector *field_selector_parse(const char *text, struct err *e)
{
    _cleanup_(field_selector_freep) struct field_selector *s = xnew(struct field_selector);

    for (const char *at = text ? text : ""; *at; at += *at == ',') {
        if (s->all.n >= LIMIT_SELECTOR_TERMS) {
            err_set(e, -E2BIG, "the field selector has more than %d terms", LIMIT_SELECTOR_TERMS);
            return NULL;
        }
        if (parse_term(&at, s, e) < 0)
            return NULL;
    }
    return steal(&s);
}

static const yyjson_val *at_path(const yyjson_val *v, const char *path)
{
    while (v && *path) {
        size_t n = strcspn(path, ".");
        v = yyjson_obj_getn((yyjson_val *)(uintptr_t)v, path, n);
        path += n + (path[n] == '.');
    }
    return v;
}

static bool text_is(const yyjson_val *cv, const char *want)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)cv;
    char number[32];

    if (yyjson_is_str(v))
        return streq(yyjson_get_str(v), want);
    if (yyjson_is_bool(v))
        return streq(yyjson_get_bool(v) ? "true" : "false", want);
    if (yyjson_is_int(v)) {
        snprintf(number, sizeof(number), "%" PRId64, yyjson_get_sint(v));
        return streq(number, want);
    }
    return !*want;
}

bool field_selector_matches(const struct field_selector *s, const yyjson_val *object)
{
    for (size_t i = 0; i < s->all.n; i++) {
        const struct field_term *t = &s->all.p[i];
        if (text_is(at_path(object, t->path), t->value) == t->not_equal)
            return false;
    }
    return true;
}

int field_selector_each(const struct field_selector *s, int (*fn)(void *ctx, const char *path),
                        void *ctx)
{
    for (size_t i = 0; i < s->all.n; i++) {
        int r = fn(ctx, s->all.p[i].path);
        if (r < 0)
            return r;
    }
    return 0;
}
