/* The head is matched byte by byte, so nothing in it may need escaping: names of API versions and
 * kinds are checked where they are declared, and what slips through has no stored form. */
#include "cluster/apiserver/kinds/canon.h"

#include <stdio.h>

#include "base/buf.h"
#include "cluster/apiserver/schema/tree.h"

static bool expect(struct str t, size_t *at, const char *lit)
{
    size_t n = strlen(lit);

    if (t.n - *at < n || memcmp(t.p + *at, lit, n))
        return false;
    *at += n;
    return true;
}

static bool to_quote(struct str t, size_t *at)
{
    while (*at < t.n && t.p[*at] != '"')
        if (t.p[(*at)++] == '\\')
            return false;
    return *at < t.n;
}

/* Where the API version's text and the resourceVersion's text begin and end. */
static bool spans(struct str t, size_t ret_api[2], size_t ret_rv[2])
{
    size_t at = 0;

    if (!expect(t, &at, "{\"apiVersion\":\""))
        return false;
    ret_api[0] = at;
    if (!to_quote(t, &at))
        return false;
    ret_api[1] = at;
    if (!expect(t, &at, "\",\"kind\":\"") || !to_quote(t, &at) ||
        !expect(t, &at, "\",\"metadata\":{\"resourceVersion\":\""))
        return false;
    ret_rv[0] = at;
    if (!to_quote(t, &at))
        return false;
    ret_rv[1] = at;
    return true;
}

char *canon_text(struct kmut *o, size_t *ret_n)
{
    yyjson_mut_val *meta = jm_obj(KM(o), "metadata");

    yyjson_mut_obj_remove_key(meta, "resourceVersion");
    yyjson_mut_obj_insert(meta, yyjson_mut_str(o->d, "resourceVersion"), yyjson_mut_str(o->d, ""),
                          0);
    meta = yyjson_mut_obj_remove_key(o->root, "metadata");
    yyjson_mut_obj_insert(o->root, yyjson_mut_str(o->d, "metadata"), meta, 0);
    tree_type_first(o->d, o->root);
    _cleanup_free_ char *text = json_mut_text(o->root, ret_n);
    size_t api[2], rv[2];

    return spans((struct str){text, *ret_n}, api, rv) ? steal(&text) : NULL;
}

char *canon_with_rev(struct str text, uint64_t rev, size_t *ret_n)
{
    size_t api[2], rv[2];
    char num[24] = "";

    if (!spans(text, api, rv))
        return NULL;
    if (rev)
        snprintf(num, sizeof(num), "%llu", (unsigned long long)rev);
    size_t digits = strlen(num), rest = text.n - rv[1];
    char *out = xmalloc(rv[0] + digits + rest + 1);

    memcpy(out, text.p, rv[0]);
    memcpy(out + rv[0], num, digits);
    memcpy(out + rv[0] + digits, text.p + rv[1], rest);
    *ret_n = rv[0] + digits + rest;
    out[*ret_n] = '\0';
    return out;
}

int canon_add_as(struct buf *out, struct str text, const char *api_version)
{
    size_t api[2], rv[2];

    if (!spans(text, api, rv) ||
        str_eq((struct str){text.p + api[0], api[1] - api[0]}, str_of(api_version)))
        return buf_add(out, text.p, text.n);
    int r = buf_add(out, text.p, api[0]);

    if (r >= 0)
        r = buf_addz(out, api_version);
    return r < 0 ? r : buf_add(out, text.p + api[1], text.n - api[1]);
}
