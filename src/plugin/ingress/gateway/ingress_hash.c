/*
 * A writer that knows the fields of the spec, since their order and which of them vanish when empty
 * are part of the agreement. A failed append leaves the buffer short, which the last one reports.
 */
#include "plugin/ingress/gateway/ingress_hash.h"

#include <openssl/evp.h>

#include "base/limits.h"
#include "base/vec.h"

/* ---- strings, as Go's encoder writes them with HTML escaping on ---- */
static const char *short_escape(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    }
    return NULL;
}

/* U+2028 and U+2029, which JavaScript takes for line ends: E2 80 A8 and A9. */
static bool is_line_separator(const char *s)
{
    return (unsigned char)s[0] == 0xe2 && (unsigned char)s[1] == 0x80 &&
           ((unsigned char)s[2] == 0xa8 || (unsigned char)s[2] == 0xa9);
}

static int put_string(struct buf *b, const char *s)
{
    buf_addc(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        const char *escape = short_escape(c);
        if (escape) {
            buf_addz(b, escape);
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
            buf_addf(b, "\\u%04x", c);
        } else if (is_line_separator(s)) {
            buf_addz(b, (unsigned char)s[2] == 0xa8 ? "\\u2028" : "\\u2029");
            s += 2;
        } else {
            buf_addc(b, (char)c);
        }
    }
    return buf_addc(b, '"');
}

/* ---- members: `first` says whether a comma is due ---- */
static void put_key(struct buf *b, bool *first, const char *key)
{
    if (!*first)
        buf_addc(b, ',');
    *first = false;
    put_string(b, key);
    buf_addc(b, ':');
}

static void put_text(struct buf *b, bool *first, const char *key, const char *value, bool always)
{
    if (!always && (!value || !*value))
        return;
    put_key(b, first, key);
    put_string(b, value ? value : "");
}

typedef void put_item(struct buf *b, const yyjson_val *v);

static void put_list(struct buf *b, bool *first, const char *key, const yyjson_val *list,
                     put_item *item, bool always)
{
    yyjson_val *v;
    size_t i, max;

    if (!always && yyjson_arr_size((yyjson_val *)(uintptr_t)list) == 0)
        return;
    put_key(b, first, key);
    if (!yyjson_is_arr((yyjson_val *)(uintptr_t)list)) {
        buf_addz(b, "null");
        return;
    }
    buf_addc(b, '[');
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, v)
    {
        if (i)
            buf_addc(b, ',');
        item(b, v);
    }
    buf_addc(b, ']');
}

static int by_key(const void *a, const void *b)
{
    return strcmp(yyjson_get_str(*(yyjson_val *const *)a), yyjson_get_str(*(yyjson_val *const *)b));
}

/* Maps have their keys sorted bytewise. */
static void put_map(struct buf *b, bool *first, const char *key, const yyjson_val *map,
                    put_item *item)
{
    VEC(yyjson_val *) keys = {0};
    yyjson_val *k, *v;
    size_t i, max;

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, max, k, v)
    {
        vec_push(&keys, k);
    }
    if (keys.n) {
        qsort(keys.p, keys.n, sizeof(keys.p[0]), by_key);
        put_key(b, first, key);
        buf_addc(b, '{');
        bool first_in = true;
        for (i = 0; i < keys.n; i++) {
            put_key(b, &first_in, yyjson_get_str(keys.p[i]));
            item(b, yyjson_obj_iter_get_val(keys.p[i]));
        }
        buf_addc(b, '}');
    }
    vec_done(&keys);
}

/* ---- the spec ---- */
static void put_plain(struct buf *b, const yyjson_val *v)
{
    const char *s = yyjson_get_str((yyjson_val *)(uintptr_t)v);

    put_string(b, s ? s : "");
}

static void put_match(struct buf *b, const yyjson_val *v)
{
    bool first = true;

    buf_addc(b, '{');
    put_text(b, &first, "exact", jget_str(v, "exact"), true);
    buf_addc(b, '}');
}

static void put_split_of(struct buf *b, const yyjson_val *v, int64_t percent)
{
    yyjson_val *port = jget(v, "servicePort");
    bool first = true;

    buf_addc(b, '{');
    put_text(b, &first, "serviceNamespace", jget_str(v, "serviceNamespace"), true);
    put_text(b, &first, "serviceName", jget_str(v, "serviceName"), true);
    if (yyjson_is_str(port)) {
        put_text(b, &first, "servicePort", yyjson_get_str(port), true);
    } else {
        put_key(b, &first, "servicePort");
        buf_addf(b, "%lld", (long long)jget_int(v, 0, "servicePort"));
    }
    if (percent) {
        put_key(b, &first, "percent");
        buf_addf(b, "%lld", (long long)percent);
    }
    put_map(b, &first, "appendHeaders", jget(v, "appendHeaders"), put_plain);
    buf_addc(b, '}');
}

static void put_split(struct buf *b, const yyjson_val *v)
{
    put_split_of(b, v, jget_int(v, 0, "percent"));
}

/* Of a path with a single split, which has all the traffic when it does not say how much. */
static void put_only_split(struct buf *b, const yyjson_val *v)
{
    int64_t percent = jget_int(v, 0, "percent");

    put_split_of(b, v, percent ? percent : 100);
}

static void put_path(struct buf *b, const yyjson_val *v)
{
    yyjson_val *splits = jget(v, "splits");
    bool first = true;

    buf_addc(b, '{');
    put_text(b, &first, "path", jget_str(v, "path"), false);
    put_text(b, &first, "rewriteHost", jget_str(v, "rewriteHost"), false);
    put_map(b, &first, "headers", jget(v, "headers"), put_match);
    put_list(b, &first, "splits", splits, yyjson_arr_size(splits) == 1 ? put_only_split : put_split,
             true);
    put_map(b, &first, "appendHeaders", jget(v, "appendHeaders"), put_plain);
    buf_addc(b, '}');
}

static void put_rule(struct buf *b, const yyjson_val *v)
{
    const char *visibility = jget_str(v, "visibility");
    yyjson_val *http = jget(v, "http");
    bool first = true, first_in = true;

    buf_addc(b, '{');
    put_list(b, &first, "hosts", jget(v, "hosts"), put_plain, false);
    put_text(b, &first, "visibility", visibility && *visibility ? visibility : "ExternalIP", true);
    if (http) {
        put_key(b, &first, "http");
        buf_addc(b, '{');
        put_list(b, &first_in, "paths", jget(http, "paths"), put_path, true);
        buf_addc(b, '}');
    }
    buf_addc(b, '}');
}

static void put_tls(struct buf *b, const yyjson_val *v)
{
    bool first = true;

    buf_addc(b, '{');
    put_list(b, &first, "hosts", jget(v, "hosts"), put_plain, false);
    put_text(b, &first, "secretName", jget_str(v, "secretName"), false);
    put_text(b, &first, "secretNamespace", jget_str(v, "secretNamespace"), false);
    buf_addc(b, '}');
}

int ingress_canonical(const struct kobj *ingress, struct buf *to)
{
    yyjson_val *spec = jget(kobj_root(ingress), "spec");
    bool first = true;

    buf_addc(to, '{');
    put_list(to, &first, "tls", jget(spec, "tls"), put_tls, false);
    put_list(to, &first, "rules", jget(spec, "rules"), put_rule, false);
    put_text(to, &first, "httpOption", jget_str(spec, "httpOption"), false);
    return buf_addc(to, '}');
}

int ingress_hash(const struct kobj *ingress, char ret[static INGRESS_HASH_LEN + 1], struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(2 * LIMIT_OBJECT);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    ingress_canonical(ingress, &b);
    buf_addz(&b, kobj_namespace(ingress));
    int r = buf_addz(&b, kobj_name(ingress));
    if (r < 0)
        return err_set(e, r, "Ingress %s/%s is too large", kobj_namespace(ingress),
                       kobj_name(ingress));
    EVP_Digest(b.p, b.n, digest, &n, EVP_sha256(), NULL);
    hex_encode(digest, n, ret);
    return 0;
}
