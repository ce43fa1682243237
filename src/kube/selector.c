/*
 * A selector is a list of requirements that must all hold. The string form is read by a small
 * scanner; the object and map forms build the same requirements. As in Kubernetes, "!=" and "notin"
 * hold for a missing key.
 */
#include "kube/selector.h"

#include <errno.h>

#include "base/limits.h"
#include "base/vec.h"
#include "kube/names.h"

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS, OP_GREATER, OP_LESS };

struct requirement {
    char *key;
    enum op op;
    VEC(char *) values;
};

struct selector {
    VEC(struct requirement) all;
};

void selector_free(struct selector *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->all.n; i++) {
        struct requirement *r = &s->all.p[i];
        for (size_t k = 0; k < r->values.n; k++)
            free(r->values.p[k]);
        vec_done(&r->values);
        free(r->key);
    }
    vec_done(&s->all);
    free(s);
}

static struct requirement *add(struct selector *s, struct str key, enum op op)
{
    struct requirement r = {.key = xstrndup(key.p, key.n), .op = op};

    vec_push(&s->all, r);
    return &s->all.p[s->all.n - 1];
}

static int check_key(const char *key, struct err *e)
{
    const char *why = why_not_qualified_name(key);

    return why ? err_set(e, -EINVAL, "invalid label key \"%s\": %s", key, why) : 0;
}

static int check(const struct requirement *r, struct err *e)
{
    int64_t number;

    if (check_key(r->key, e) < 0)
        return -EINVAL;
    for (size_t i = 0; i < r->values.n; i++) {
        const char *why = why_not_label_value(r->values.p[i]);
        if (why)
            return err_set(e, -EINVAL, "invalid label value \"%s\" of key \"%s\": %s",
                           r->values.p[i], r->key, why);
        if (r->op >= OP_GREATER && str_i64(str_of(r->values.p[i]), &number) < 0)
            return err_set(e, -EINVAL,
                           "the value of key \"%s\" must be a whole number after > or <", r->key);
    }
    return 0;
}

/* ---- the string form ---- */
static void skip_space(const char **s)
{
    *s += strspn(*s, " \t\r\n");
}

static struct str word(const char **s)
{
    skip_space(s);
    struct str w = {*s, strcspn(*s, " \t\r\n=!,()<>")};
    *s += w.n;
    skip_space(s);
    return w;
}

static int set_values(const char **s, struct requirement *r, struct err *e)
{
    if (**s != '(')
        return err_set(e, -EINVAL, "expected ( after in or notin of label key \"%s\"", r->key);
    do {
        (*s)++;
        struct str v = word(s);
        vec_push(&r->values, xstrndup(v.p, v.n));
    } while (**s == ',' && r->values.n < LIMIT_SELECTOR_TERMS);
    if (**s != ')')
        return err_set(e, -EINVAL, "expected ) after the values of label key \"%s\"", r->key);
    (*s)++;
    skip_space(s);
    return 0;
}

static int comparison(const char **s, struct requirement *r, struct err *e)
{
    const char *at = *s;

    if (*at == '\0' || *at == ',')
        return 0;
    if (*at == '<' || *at == '>') {
        r->op = *at == '<' ? OP_LESS : OP_GREATER;
        at++;
    } else if (*at == '=') {
        r->op = OP_IN;
        at += at[1] == '=' ? 2 : 1;
    } else if (at[0] == '!' && at[1] == '=') {
        r->op = OP_NOT_IN;
        at += 2;
    } else {
        struct str w = word(&at);
        if (!str_eq(w, STR("in")) && !str_eq(w, STR("notin")))
            return err_set(e, -EINVAL, "unexpected \"%.20s\" after label key \"%s\"", *s, r->key);
        r->op = w.n == 2 ? OP_IN : OP_NOT_IN;
        *s = at;
        return set_values(s, r, e);
    }
    struct str v = word(&at);
    vec_push(&r->values, xstrndup(v.p, v.n));
    *s = at;
    return 0;
}

static int term(const char **s, struct selector *out, struct err *e)
{
    skip_space(s);
    bool absent = **s == '!';
    *s += absent;
    struct requirement *r = add(out, word(s), absent ? OP_NOT_EXISTS : OP_EXISTS);
    if (!absent && comparison(s, r, e) < 0)
        return -EINVAL;
    if (**s != '\0' && **s != ',')
        return err_set(e, -EINVAL, "unexpected \"%.20s\" after label key \"%s\"", *s, r->key);
    return check(r, e);
}

struct selector *selector_parse(const char *text, struct err *e)
{
    _cleanup_(selector_freep) struct selector *s = xnew(struct selector);
    const char *at = text ? text : "";

    skip_space(&at);
    while (*at) {
        if (s->all.n >= LIMIT_SELECTOR_TERMS) {
            err_set(e, -E2BIG, "the label selector has more than %d terms", LIMIT_SELECTOR_TERMS);
            return NULL;
        }
        if (term(&at, s, e) < 0) {
            err_prefix(e, "unable to parse label selector \"%.200s\"", text);
            return NULL;
        }
        if (*at == ',' && !*++at) {
            err_set(e, -EINVAL, "unable to parse label selector \"%.200s\": it ends in a comma",
                    text);
            return NULL;
        }
    }
    return steal(&s);
}

/* ---- the object forms ---- */
static void add_map(struct selector *s, const yyjson_val *map)
{
    yyjson_val *k, *v;
    size_t i, max;

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, max, k, v)
    {
        struct requirement *r = add(s, str_of(yyjson_get_str(k)), OP_IN);
        vec_push(&r->values, xstrdup(yyjson_get_str(v)));
    }
}

static int add_expression(struct selector *s, const yyjson_val *x, struct err *e)
{
    static const struct {
        const char *name;
        enum op op;
    } ops[] = {{"In", OP_IN},
               {"NotIn", OP_NOT_IN},
               {"Exists", OP_EXISTS},
               {"DoesNotExist", OP_NOT_EXISTS}};
    const char *key = jget_str(x, "key"), *name = jget_str(x, "operator");
    yyjson_val *v;
    size_t i, max;

    for (size_t k = 0; k < ARRAY_LEN(ops); k++) {
        if (!key || !streq(name, ops[k].name))
            continue;
        struct requirement *r = add(s, str_of(key), ops[k].op);
        yyjson_arr_foreach(jget(x, "values"), i, max, v)
        {
            vec_push(&r->values, xstrdup(yyjson_get_str(v)));
        }
        if (r->op <= OP_NOT_IN && r->values.n == 0)
            return err_set(e, -EINVAL, "label selector: key \"%s\" with %s needs values", key,
                           name);
        return check(r, e);
    }
    return err_set(e, -EINVAL, "\"%s\" is not a valid label selector operator", name ? name : "");
}

struct selector *selector_from_object(const yyjson_val *label_selector, struct err *e)
{
    _cleanup_(selector_freep) struct selector *s = xnew(struct selector);
    yyjson_val *x;
    size_t i, max;

    add_map(s, jget(label_selector, "matchLabels"));
    yyjson_arr_foreach(jget(label_selector, "matchExpressions"), i, max, x)
    {
        if (add_expression(s, x, e) < 0)
            return NULL;
    }
    return steal(&s);
}

struct selector *selector_from_map(const yyjson_val *map)
{
    struct selector *s = xnew(struct selector);

    add_map(s, map);
    return s;
}

/* ---- matching ---- */
static bool among(const struct requirement *r, const char *have)
{
    for (size_t i = 0; i < r->values.n; i++) {
        if (streq(r->values.p[i], have))
            return true;
    }
    return false;
}

static bool compare(const struct requirement *r, const char *have)
{
    int64_t a, b;

    if (!have || str_i64(str_of(have), &a) < 0 || str_i64(str_of(r->values.p[0]), &b) < 0)
        return false;
    return r->op == OP_GREATER ? a > b : a < b;
}

static bool holds(const struct requirement *r, const char *have)
{
    switch (r->op) {
    case OP_IN:
        return have && among(r, have);
    case OP_NOT_IN:
        return !have || !among(r, have);
    case OP_EXISTS:
        return have != NULL;
    case OP_NOT_EXISTS:
        return have == NULL;
    default:
        return compare(r, have);
    }
}

bool selector_matches(const struct selector *s, const yyjson_val *labels)
{
    for (size_t i = 0; i < s->all.n; i++) {
        const struct requirement *r = &s->all.p[i];
        if (!holds(r, jget_str(labels, r->key)))
            return false;
    }
    return true;
}
