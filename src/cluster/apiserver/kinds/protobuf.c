/*
 * The envelope is "k8s\0" and a message Unknown {1: {1: apiVersion, 2: kind}, 2: object}. Go writes
 * every scalar that is no pointer, also when it is empty, so zero values count as absent unless the
 * table says that the field is a pointer. Depth is bounded; every length is checked against what is
 * left.
 */
#include "cluster/apiserver/kinds/protobuf.h"

#include <errno.h>

#include "base/base64.h"
#include "base/clock.h"
#include "cluster/apiserver/schema/fields.h"

#define MAX_DEPTH 32

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

static int map_entry(struct decode *c, struct reader r, enum pb_type type, yyjson_mut_val *map)
{
    yyjson_mut_val *key = NULL, *value = NULL;
    struct item it;
    int n;

    while ((n = next(&r, &it)) > 0) {
        if (it.wire != 2)
            return -EINVAL;
        if (it.number == 1)
            key = string(c, &it.data);
        else if (it.number == 2 && type == PB_QUANTITY_MAP)
            n = quantity(c, it.data, &value);
        else if (it.number == 2)
            value = type == PB_BYTES_MAP ? bytes(c, &it.data) : string(c, &it.data);
        if (n < 0)
            return n;
    }
    if (n < 0 || !key)
        return -EINVAL;
    if (!value)
        value = yyjson_mut_str(c->d, type == PB_QUANTITY_MAP ? "0" : "");
    yyjson_mut_obj_put(map, key, value);
    return 0;
}

/* ---- messages by their tables ---- */
static int message(struct decode *c, struct reader r, const struct pb_message *m,
                   yyjson_mut_val *out);

static const struct pb_field *field_of(const struct pb_message *m, uint32_t number)
{
    for (const struct pb_field *f = m->fields; f->number; f++)
        if (f->number == number)
            return f;
    return NULL;
}

static bool is_zero(const struct item *it)
{
    return it->wire == 0 ? it->value == 0 : it->data.p == it->data.end;
}

static bool wire_fits(const struct pb_field *f, const struct item *it)
{
    return it->wire == (f->type == PB_INT || f->type == PB_BOOL ? 0u : 2u);
}

static int value_of(struct decode *c, const struct pb_field *f, const struct item *it,
                    yyjson_mut_val **ret)
{
    switch (f->type) {
    case PB_STR:
        *ret = string(c, &it->data);
        return *ret ? 0 : -EINVAL;
    case PB_BYTES:
        *ret = bytes(c, &it->data);
        return 0;
    case PB_INT:
        *ret = yyjson_mut_sint(c->d, (int64_t)it->value);
        return 0;
    case PB_BOOL:
        *ret = yyjson_mut_bool(c->d, it->value != 0);
        return 0;
    case PB_TIME:
    case PB_MICRO_TIME:
        return time_of(c, it->data, f->type == PB_MICRO_TIME, ret);
    case PB_QUANTITY:
        return quantity(c, it->data, ret);
    case PB_INT_OR_STR:
        return int_or_string(c, it->data, ret);
    default:
        *ret = yyjson_mut_obj(c->d);
        return message(c, it->data, f->msg, *ret);
    }
}

static bool is_map(const struct pb_field *f)
{
    return f->type == PB_STR_MAP || f->type == PB_BYTES_MAP || f->type == PB_QUANTITY_MAP;
}

static int put(struct decode *c, const struct pb_field *f, const struct item *it,
               yyjson_mut_val *out)
{
    yyjson_mut_val *v = NULL;

    if (is_map(f))
        return map_entry(c, it->data, f->type, jm_obj(c->d, out, f->name));
    if (f->type == PB_INLINE)
        return message(c, it->data, f->msg, out);
    if (!(f->flags & (PB_LIST | PB_KEEP)) && is_zero(it))
        return 0;
    int r = value_of(c, f, it, &v);

    if (r < 0 || !v)
        return r;
    if (f->flags & PB_LIST)
        yyjson_mut_arr_append(jm_arr(c->d, out, f->name), v);
    else if ((f->flags & PB_KEEP) || !yyjson_mut_is_obj(v) || yyjson_mut_obj_size(v))
        jm_set(c->d, out, v, f->name);
    return 0;
}

static int message(struct decode *c, struct reader r, const struct pb_message *m,
                   yyjson_mut_val *out)
{
    struct item it;
    int n;

    if (c->depth++ >= MAX_DEPTH)
        return err_set(c->e, -EINVAL, "protobuf: messages are nested more than %d deep", MAX_DEPTH);
    while ((n = next(&r, &it)) > 0) {
        const struct pb_field *f = field_of(m, it.number);

        if ((!f && is_zero(&it)) || (f && f->type == PB_SKIP))
            continue;
        if (!f)
            return err_set(
                c->e, -ENOTSUP,
                "protobuf: field %u of %s is not understood here: send the object as JSON",
                it.number, m->name);
        if (!wire_fits(f, &it) || put(c, f, &it, out) < 0) {
            n = -EINVAL;
            break;
        }
    }
    c->depth--;
    if (n < 0 && c->e && !c->e->code)
        err_set(c->e, -EINVAL, "protobuf: malformed %s", m->name);
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
    static const struct pb_field fields[] = {
        {1, PB_STR, 0, "apiVersion", NULL}, {2, PB_STR, 0, "kind", NULL}, {0}};
    static const struct pb_message type = {"TypeMeta", fields};

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
    const struct pb_message *m = pb_kind(kind ? kind : "");

    if (!m) {
        err_set(e, -ENOTSUP, "protobuf: the kind %s is not understood in this encoding: send JSON",
                kind ? kind : "(none)");
        return NULL;
    }
    if (message(&c, raw, m, root) < 0)
        return NULL;
    return yyjson_mut_val_imut_copy(root, NULL);
}
