/* A path is an array of steps; evaluation is a depth-first search that stops at the first hit. */
#include "cluster/apiserver/schema/jsonpath.h"

#include <errno.h>

#include "base/vec.h"

#define MAX_STEPS 32

enum step_kind { STEP_KEY, STEP_INDEX, STEP_ALL, STEP_FILTER };
struct step {
    enum step_kind kind;
    char *key;           /* KEY; FILTER: the literal compared with */
    int64_t index;       /* INDEX */
    struct jsonpath *at; /* FILTER: path below @ */
    bool negated;        /* FILTER: != */
};
struct jsonpath {
    VEC(struct step) steps;
    const char **keys; /* made when all steps are keys */
};

void jsonpath_free(struct jsonpath *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->steps.n; i++) {
        free(p->steps.p[i].key);
        jsonpath_free(p->steps.p[i].at);
    }
    vec_done(&p->steps);
    free(p->keys);
    free(p);
}

static int parse(struct jsonpath *p, const char **at, char end, int depth, struct err *e);

/* A field name up to an unescaped delimiter; a backslash takes the next character as it is. */
static char *name(const char **at, const char *stop)
{
    const char *q = *at;
    char *out = xmalloc(strlen(q) + 1);
    size_t n = 0;

    while (*q && !strchr(stop, *q)) {
        if (*q == '\\' && q[1])
            q++;
        out[n++] = *q++;
    }
    out[n] = '\0';
    *at = q;
    return out;
}

static int quoted(const char **at, char **ret, struct err *e)
{
    char stop[2] = {**at, 0};

    ++*at;
    char *s = name(at, stop);

    if (**at != stop[0]) {
        free(s);
        return err_set(e, -EINVAL, "unterminated quote");
    }
    ++*at;
    *ret = s;
    return 0;
}

static void spaces(const char **at)
{
    while (**at == ' ')
        ++*at;
}

/* Behind "[?(": @PATH == 'literal')] */
static int filter(struct jsonpath *p, const char **at, int depth, struct err *e)
{
    struct step s = {.kind = STEP_FILTER, .at = xnew(struct jsonpath)};
    int r;

    spaces(at);
    if (**at != '@')
        r = err_set(e, -EINVAL, "a filter must begin with @");
    else {
        ++*at;
        r = parse(s.at, at, '=', depth + 1, e);
    }
    if (r >= 0) {
        spaces(at);
        s.negated = **at == '!';
        if ((*at)[0] && (*at)[1] == '=' && ((*at)[0] == '=' || s.negated))
            *at += 2;
        else
            r = err_set(e, -ENOTSUP, "only == and != are supported in filters");
    }
    if (r >= 0) {
        spaces(at);
        if (**at == '\'' || **at == '"')
            r = quoted(at, &s.key, e);
        else
            s.key = name(at, ") ");
    }
    if (r >= 0) {
        spaces(at);
        if (strncmp(*at, ")]", 2) == 0)
            *at += 2;
        else
            r = err_set(e, -EINVAL, "a filter must end with )]");
    }
    vec_push(&p->steps, s); /* also on failure: freed with the path */
    return r;
}

static int bracket(struct jsonpath *p, const char **at, int depth, struct err *e)
{
    struct step s = {0};

    ++*at;
    if ((*at)[0] == '?' && (*at)[1] == '(') {
        *at += 2;
        return filter(p, at, depth, e);
    }
    if (**at == '\'' || **at == '"') {
        s.kind = STEP_KEY;
        if (quoted(at, &s.key, e) < 0)
            return -EINVAL;
    } else if (**at == '*') {
        s.kind = STEP_ALL;
        ++*at;
    } else {
        const char *from = *at;

        while (**at && **at != ']')
            ++*at;
        s.kind = STEP_INDEX;
        if (str_i64((struct str){from, (size_t)(*at - from)}, &s.index) < 0)
            return err_set(e, -ENOTSUP, "unsupported subscript [%.*s]", (int)(*at - from), from);
    }
    vec_push(&p->steps, s);
    if (**at != ']')
        return err_set(e, -EINVAL, "missing ]");
    ++*at;
    return 0;
}

static int parse(struct jsonpath *p, const char **at, char end, int depth, struct err *e)
{
    int r = 0;

    if (depth > 4)
        return err_set(e, -ENOTSUP, "filters are nested too deep");
    while (r >= 0 && **at && **at != end && **at != ' ' && !(end == '=' && **at == '!')) {
        if (p->steps.n >= MAX_STEPS)
            return err_set(e, -E2BIG, "more than %d steps", MAX_STEPS);
        if (**at == '[') {
            r = bracket(p, at, depth, e);
            continue;
        }
        if (**at != '.')
            return err_set(e, -EINVAL, "unexpected character '%c'", **at);
        ++*at;
        if (**at == '.')
            return err_set(e, -ENOTSUP, "recursive descent (..) is not supported");
        if (!**at || **at == '[' || **at == end || **at == ' ')
            continue;
        struct step s = {.kind = STEP_KEY, .key = name(at, ".[] =!}")};

        if (streq(s.key, "*")) {
            s.kind = STEP_ALL;
            free(steal(&s.key));
        }
        vec_push(&p->steps, s);
    }
    return r;
}

static void make_keys(struct jsonpath *p)
{
    for (size_t i = 0; i < p->steps.n; i++)
        if (p->steps.p[i].kind != STEP_KEY)
            return;
    p->keys = xcalloc(p->steps.n + 1, sizeof(*p->keys));
    for (size_t i = 0; i < p->steps.n; i++)
        p->keys[i] = p->steps.p[i].key;
}

struct jsonpath *jsonpath_parse(const char *text, struct err *e)
{
    _cleanup_(jsonpath_freep) struct jsonpath *p = xnew(struct jsonpath);
    bool braces = *text == '{';
    const char *at = text + braces;

    if (*at == '$')
        at++;
    int r = parse(p, &at, braces ? '}' : '\0', 0, e);

    if (r >= 0 && braces)
        r = *at++ == '}' ? 0 : err_set(e, -EINVAL, "missing }");
    if (r >= 0 && *at)
        r = err_set(e, -EINVAL, "unexpected text \"%s\"", at);
    if (r < 0) {
        err_prefix(e, "JSONPath \"%s\"", text);
        return NULL;
    }
    make_keys(p);
    return steal(&p);
}

static yyjson_val *walk(const struct step *s, size_t n, yyjson_val *v);

static bool passes(const struct step *s, yyjson_val *item)
{
    yyjson_val *v = walk(s->at->steps.p, s->at->steps.n, item);
    bool same;

    if (!v)
        return false;
    if (yyjson_is_str(v))
        same = streq(yyjson_get_str(v), s->key);
    else {
        _cleanup_free_ char *text = json_text(v, NULL);

        same = streq(text, s->key);
    }
    return same != s->negated;
}

static yyjson_val *each(const struct step *s, size_t n, yyjson_val *v)
{
    yyjson_val *item, *key, *hit = NULL;
    size_t i, max;

    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, max, item)
        {
            if (s->kind == STEP_FILTER && !passes(s, item))
                continue;
            if ((hit = walk(s + 1, n - 1, item)))
                return hit;
        }
    } else if (yyjson_is_obj(v) && s->kind == STEP_ALL) {
        yyjson_obj_foreach(v, i, max, key, item) if ((hit = walk(s + 1, n - 1, item))) return hit;
    }
    return NULL;
}

static yyjson_val *walk(const struct step *s, size_t n, yyjson_val *v)
{
    if (!n || !v)
        return v;
    switch (s->kind) {
    case STEP_KEY:
        return walk(s + 1, n - 1, yyjson_is_obj(v) ? yyjson_obj_get(v, s->key) : NULL);
    case STEP_INDEX: {
        size_t len = yyjson_arr_size(v);
        int64_t i = s->index < 0 ? s->index + (int64_t)len : s->index;

        return i < 0 || i >= (int64_t)len ? NULL : walk(s + 1, n - 1, yyjson_arr_get(v, (size_t)i));
    }
    default:
        return each(s, n, v);
    }
}

yyjson_val *jsonpath_first(const struct jsonpath *p, const yyjson_val *root)
{
    return walk(p->steps.p, p->steps.n, (yyjson_val *)(uintptr_t)root);
}

const char *const *jsonpath_keys(const struct jsonpath *p)
{
    return p->keys;
}
