/*
 * The envelope is "k8s\0" and a message Unknown {1: {1: apiVersion, 2: kind}, 2: object}. Go writes
 * every scalar that is no pointer, also when it is empty, so zero values count as absent unless the
 * table says that the field is a pointer. Depth is bounded; every length is checked against what is
 * left.
 */
#include "cluster/apiserver/kinds/protobuf.h"

#include <errno.h>
#include <math.h>

#include "base/base64.h"
#include "base/clock.h"
#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/schema/fields.h"
#include "cluster/apiserver/types/ktable.h"

#define MAX_DEPTH 100 /* schemas in definitions are messages in messages */

struct reader {
    const uint8_t *p, *end;
};
struct item {
    uint32_t number;
    unsigned wire;      /* 0 varint, 2 bytes, 1 and 5 fixed */
    uint64_t value;     /* varint */
    struct reader data; /* bytes */
};

struct decode {
    yyjson_mut_doc *d;
    struct err *e;
    int depth;
};

static int varint(struct reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;

        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret = v;
            return 0;
        }
    }
    return -EINVAL;
}

/* 1 with an item, 0 at the end, negative when the bytes are no message. */
static int next(struct reader *r, struct item *ret)
{
    uint64_t tag, n;

    if (r->p == r->end)
        return 0;
    if (varint(r, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
        return -EINVAL;
    *ret = (struct item){.number = (uint32_t)(tag >> 3), .wire = tag & 7};
    if (ret->wire == 0)
        return varint(r, &ret->value) < 0 ? -EINVAL : 1;
    if (ret->wire == 2) {
        if (varint(r, &n) < 0 || n > (uint64_t)(r->end - r->p))
            return -EINVAL;
    } else if (ret->wire == 1 || ret->wire == 5) {
        n = ret->wire == 1 ? 8 : 4;
        if (n > (uint64_t)(r->end - r->p))
            return -EINVAL;
    } else {
        return -EINVAL;
    }
    ret->data = (struct reader){r->p, r->p + n};
    r->p += n;
    return 1;
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->p);
}

static yyjson_mut_val *string(struct decode *c, const struct reader *r)
{
    if (memchr(r->p, 0, left(r)) || !utf8_valid(r->p, left(r)))
        return NULL;
    return yyjson_mut_strncpy(c->d, (const char *)r->p, left(r));
}

/* ---- the small messages that become scalars ---- */
static int quantity(struct decode *c, struct reader r, yyjson_mut_val **ret)
{
    struct item it;
    int n;

    *ret = NULL;
    while ((n = next(&r, &it)) > 0)
        if (it.number == 1 && it.wire == 2)
            *ret = string(c, &it.data);
    return n;
}

static int time_of(struct decode *c, struct reader r, bool micro, yyjson_mut_val **ret)
{
    int64_t s = 0, ns = 0;
    char text[RFC3339_LEN];
    struct item it;
    int n;

    *ret = NULL;
    if (r.p == r.end)
        return 0;
    while ((n = next(&r, &it)) > 0) {
        if (it.wire == 0 && it.number == 1)
            s = (int64_t)it.value;
        if (it.wire == 0 && it.number == 2)
            ns = (int64_t)it.value;
    }
    if (n < 0 || s < -62135596800LL || s > 253402300799LL || ns < 0 || ns >= NS_PER_SEC)
        return -EINVAL;
    if (s > INT64_MAX / NS_PER_SEC - 1 || s < INT64_MIN / NS_PER_SEC + 1)
        return -EINVAL;
    (micro ? clock_rfc3339_micro : clock_rfc3339)(s * NS_PER_SEC + ns, text);
    *ret = yyjson_mut_strcpy(c->d, text);
    return 0;
}

static int int_or_string(struct decode *c, struct reader r, yyjson_mut_val **ret)
{
    struct reader text = {(const uint8_t *)"", (const uint8_t *)""};
    uint64_t type = 0, num = 0;
    struct item it;
    int n;

    while ((n = next(&r, &it)) > 0) {
        if (it.number == 1 && it.wire == 0)
            type = it.value;
        if (it.number == 2 && it.wire == 0)
            num = it.value;
        if (it.number == 3 && it.wire == 2)
            text = it.data;
    }
    *ret = type == 1 ? string(c, &text) : yyjson_mut_sint(c->d, (int32_t)num);
    return n;
}

static yyjson_mut_val *bytes(struct decode *c, const struct reader *r)
{
    _cleanup_buf_ struct buf b = BUF_INIT(2 * (left(r) + 4));

    base64_add(&b, r->p, left(r));
    return yyjson_mut_strncpy(c->d, buf_z(&b), b.n);
}

/* Anything, as the JSON text in the one field of its message. */
static int raw_json(struct decode *c, struct reader r, yyjson_mut_val **ret)
{
    _cleanup_jdoc_ yyjson_doc *d = NULL;
    struct item it;
    int n;

    *ret = NULL;
    while ((n = next(&r, &it)) > 0) {
        if (it.number != 1 || it.wire != 2)
            continue;
        yyjson_doc_free(d);
        d = json_parse((const char *)it.data.p, left(&it.data), NULL);
        if (!d)
            return -EINVAL;
    }
    if (d)
        *ret = yyjson_val_mut_copy(c->d, yyjson_doc_get_root(d));
    return n;
}

/* ---- messages by their tables ---- */
static int message(struct decode *c, struct reader r, const struct ktype *t, yyjson_mut_val *out);

/* JSONSchemaPropsOrBool, …OrArray, …OrStringArray: whichever of the two is set. */
static int schema_or(struct decode *c, const struct kfield *f, struct reader r,
                     yyjson_mut_val **ret)
{
    uint32_t schema = f->base == K_SCHEMA_OR_BOOL ? 2 : 1;
    struct item it;
    int n;

    *ret = f->base == K_SCHEMA_OR_BOOL ? yyjson_mut_bool(c->d, false) : yyjson_mut_arr(c->d);
    while ((n = next(&r, &it)) > 0) {
        yyjson_mut_val *one = NULL;
        int e = 0;

        if (f->base == K_SCHEMA_OR_BOOL && it.number == 1 && it.wire == 0)
            *ret = yyjson_mut_is_obj(*ret) ? *ret : yyjson_mut_bool(c->d, it.value != 0);
        else if (it.wire == 2 && it.number == schema)
            e = message(c, it.data, f->of, *ret = yyjson_mut_obj(c->d));
        else if (it.wire == 2 && it.number == 2 && f->base == K_SCHEMA_OR_LIST)
            e = message(c, it.data, f->of, one = yyjson_mut_obj(c->d));
        else if (it.wire == 2 && it.number == 2)
            e = (one = string(c, &it.data)) ? 0 : -EINVAL;
        if (e < 0)
            return e;
        if (one && yyjson_mut_is_arr(*ret))
            yyjson_mut_arr_append(*ret, one);
    }
    return n;
}

static const struct kfield *field_of(const struct ktype *t, uint32_t number)
{
    for (const struct kfield *f = t->fields; f->name; f++)
        if (f->number == number)
            return f;
    return NULL;
}

static bool is_zero(const struct item *it)
{
    return it->wire == 0 ? it->value == 0 : it->data.p == it->data.end;
}

static bool wire_fits(const struct kfield *f, const struct item *it)
{
    if (f->shape == K_MAP || f->shape == K_MAP_OF_LISTS)
        return it->wire == 2;
    if (f->base == K_DOUBLE)
        return it->wire == 1;
    return it->wire == (f->base == K_INT32 || f->base == K_INT64 || f->base == K_BOOL ? 0u : 2u);
}

static yyjson_mut_val *number(struct decode *c, const struct kfield *f, const struct item *it)
{
    double d;

    if (f->base == K_BOOL)
        return yyjson_mut_bool(c->d, it->value != 0);
    if (f->base == K_INT32)
        return yyjson_mut_sint(c->d, (int32_t)it->value);
    if (f->base == K_INT64)
        return yyjson_mut_sint(c->d, (int64_t)it->value);
    memcpy(&d, it->data.p, sizeof(d)); /* little-endian, as the machine */
    return isfinite(d) ? yyjson_mut_real(c->d, d) : NULL;
}

static int value_of(struct decode *c, const struct kfield *f, const struct item *it,
                    yyjson_mut_val **ret)
{
    switch (f->base) {
    case K_STR:
        *ret = string(c, &it->data);
        return *ret ? 0 : -EINVAL;
    case K_BYTES:
        *ret = bytes(c, &it->data);
        return 0;
    case K_INT32:
    case K_INT64:
    case K_BOOL:
    case K_DOUBLE:
        *ret = number(c, f, it);
        return *ret ? 0 : -EINVAL;
    case K_TIME:
    case K_MICRO_TIME:
        return time_of(c, it->data, f->base == K_MICRO_TIME, ret);
    case K_QUANTITY:
        return quantity(c, it->data, ret);
    case K_INT_OR_STR:
        return int_or_string(c, it->data, ret);
    case K_JSON:
        return raw_json(c, it->data, ret);
    case K_SCHEMA_OR_BOOL:
    case K_SCHEMA_OR_LIST:
    case K_SCHEMA_OR_STRS:
        return schema_or(c, f, it->data, ret);
    default:
        *ret = yyjson_mut_obj(c->d);
        return message(c, it->data, f->of, *ret);
    }
}

/* The message {1: repeated string} that a list is as the value of a map. */
static int string_list(struct decode *c, struct reader r, yyjson_mut_val **ret)
{
    struct item it;
    int n;

    *ret = yyjson_mut_arr(c->d);
    while ((n = next(&r, &it)) > 0) {
        yyjson_mut_val *s = it.number == 1 && it.wire == 2 ? string(c, &it.data) : NULL;

        if (!s)
            return -EINVAL;
        yyjson_mut_arr_append(*ret, s);
    }
    return n;
}

static int map_entry(struct decode *c, struct reader r, const struct kfield *f, yyjson_mut_val *map)
{
    yyjson_mut_val *key = NULL, *value = NULL;
    struct item it;
    int n, e = 0;

    while ((n = next(&r, &it)) > 0) {
        if (it.wire != 2)
            return -EINVAL;
        if (it.number == 1)
            key = string(c, &it.data);
        else if (it.number == 2 && f->shape == K_MAP_OF_LISTS)
            e = string_list(c, it.data, &value);
        else if (it.number == 2)
            e = value_of(c, f, &it, &value);
        if (e < 0)
            return e;
    }
    if (n < 0 || !key)
        return -EINVAL;
    if (!value && f->base == K_OBJ)
        value = yyjson_mut_obj(c->d);
    if (!value)
        value = yyjson_mut_str(c->d, f->base == K_QUANTITY ? "0" : "");
    yyjson_mut_obj_put(map, key, value);
    return 0;
}

static int put(struct decode *c, const struct kfield *f, const struct item *it, yyjson_mut_val *out)
{
    yyjson_mut_val *v = NULL;

    if (f->shape == K_MAP || f->shape == K_MAP_OF_LISTS)
        return map_entry(c, it->data, f, jm_obj(c->d, out, f->name));
    if (f->base == K_INLINE)
        return message(c, it->data, f->of, out);
    if (f->shape == K_ONE && !f->ptr && is_zero(it))
        return 0;
    int r = value_of(c, f, it, &v);

    if (r < 0 || !v)
        return r;
    if (f->shape == K_LIST)
        yyjson_mut_arr_append(jm_arr(c->d, out, f->name), v);
    else if (f->ptr || !yyjson_mut_is_obj(v) || yyjson_mut_obj_size(v))
        jm_set(c->d, out, v, f->name);
    return 0;
}

static int message(struct decode *c, struct reader r, const struct ktype *t, yyjson_mut_val *out)
{
    struct item it;
    int n;

    if (c->depth++ >= MAX_DEPTH)
        return err_set(c->e, -EINVAL, "protobuf: messages are nested more than %d deep", MAX_DEPTH);
    while ((n = next(&r, &it)) > 0) {
        const struct kfield *f = field_of(t, it.number);

        if ((!f && is_zero(&it)) || (f && f->base == K_SKIPPED))
            continue;
        if (!f)
            return err_set(
                c->e, -ENOTSUP,
                "protobuf: field %u of %s is not understood here: send the object as JSON",
                it.number, t->name);
        if (!wire_fits(f, &it) || put(c, f, &it, out) < 0) {
            n = -EINVAL;
            break;
        }
    }
    c->depth--;
    if (n < 0 && c->e && !c->e->code)
        err_set(c->e, -EINVAL, "protobuf: malformed %s", t->name);
    return n < 0 ? -EINVAL : 0;
}

static int envelope(struct reader r, struct reader *ret_type, struct reader *ret_raw)
{
    struct item it;
    int n;

    while ((n = next(&r, &it)) > 0) {
        if (it.number == 1 && it.wire == 2)
            *ret_type = it.data;
        if (it.number == 2 && it.wire == 2)
            *ret_raw = it.data;
    }
    return n;
}

static int type_meta(struct decode *c, struct reader r, yyjson_mut_val *out)
{
    static const struct kfield fields[] = {STR(1, "apiVersion"), STR(2, "kind"), {.name = NULL}};
    static const struct ktype type = {"TypeMeta", "", fields};

    return message(c, r, &type, out);
}

yyjson_doc *protobuf_decode(const char *p, size_t n, struct err *e)
{
    static const char magic[] = {'k', '8', 's', 0};
    struct reader r = {(const uint8_t *)p + sizeof(magic), (const uint8_t *)p + n};
    struct reader type = {r.p, r.p}, raw = {r.p, r.p};
    _cleanup_jmut_ yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    struct err mine = {0};
    struct decode c = {d, e ? e : &mine, 0};

    *c.e = (struct err){0};
    if (n < sizeof(magic) || memcmp(p, magic, sizeof(magic)) || envelope(r, &type, &raw) < 0) {
        err_set(e, -EINVAL, "protobuf: the body is not in Kubernetes' envelope");
        return NULL;
    }
    if (type_meta(&c, type, root) < 0)
        return NULL;
    const char *kind = jm_get_str(root, "kind");
    const struct ktype *m = kind_type(jm_get_str(root, "apiVersion"), kind);

    if (!m) {
        err_set(e, -ENOTSUP, "protobuf: the kind %s is not understood in this encoding: send JSON",
                kind ? kind : "(none)");
        return NULL;
    }
    if (message(&c, raw, m, root) < 0)
        return NULL;
    return yyjson_mut_val_imut_copy(root, NULL);
}
