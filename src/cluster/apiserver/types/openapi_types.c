/* One schema per type, the types that it leads to after it; each is written once. Nothing
 * in the tables needs escaping. */
#include "base/map.h"
#include "cluster/apiserver/types/ktype.h"

static void schema_ref(struct buf *out, const struct ktype *t)
{
    buf_addf(out, "{\"$ref\":\"#/components/schemas/%s.%s\"}", t->package, t->name);
}

static void write_base(struct buf *out, const struct kfield *f)
{
    static const char *const texts[] = {
        [K_STR] = "{\"type\":\"string\"}",
        [K_INT32] = "{\"type\":\"integer\",\"format\":\"int32\"}",
        [K_INT64] = "{\"type\":\"integer\",\"format\":\"int64\"}",
        [K_BOOL] = "{\"type\":\"boolean\"}",
        [K_DOUBLE] = "{\"type\":\"number\",\"format\":\"double\"}",
        [K_BYTES] = "{\"type\":\"string\",\"format\":\"byte\"}",
        [K_TIME] = "{\"type\":\"string\",\"format\":\"date-time\"}",
        [K_MICRO_TIME] = "{\"type\":\"string\",\"format\":\"date-time\"}",
        [K_QUANTITY] = "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}",
        [K_INT_OR_STR] =
            ("{\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":"
             "\"string\"}]}")};

    if (f->base == K_OBJ)
        schema_ref(out, f->of);
    else
        buf_addz(out, f->base < K_OBJ ? texts[f->base] : "{}"); /* {}: anything */
}

static void write_words(struct buf *out, const char *const *words)
{
    buf_addz(out, "{\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; words[i]; i++) {
        if (i)
            buf_addc(out, ',');
        buf_addf(out, "\"%s\"", words[i]);
    }
    buf_addz(out, "]}");
}

static void write_element(struct buf *out, const struct kfield *f)
{
    if (f->words)
        write_words(out, f->words);
    else
        write_base(out, f);
}

static void write_shape(struct buf *out, const struct kfield *f)
{
    if (f->shape == K_ONE) {
        write_element(out, f);
        return;
    }
    buf_addz(out, f->shape == K_LIST ? "{\"type\":\"array\",\"items\":"
                                     : "{\"type\":\"object\",\"additionalProperties\":");
    if (f->shape == K_MAP_OF_LISTS)
        buf_addz(out, "{\"type\":\"array\",\"items\":");
    write_element(out, f);
    if (f->shape == K_MAP_OF_LISTS)
        buf_addc(out, '}');
    if (f->key)
        buf_addz(out, ",\"x-kubernetes-patch-strategy\":\"merge\"");
    if (f->key && *f->key) {
        buf_addz(out, ",\"x-kubernetes-patch-merge-key\":");
        buf_addf(out, "\"%s\"", f->key);
    }
    buf_addc(out, '}');
}

static void write_fields(struct buf *out, const struct ktype *t, const char **sep)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE) {
            write_fields(out, f->of, sep);
            continue;
        }
        buf_addz(out, *sep);
        buf_addf(out, "\"%s\":", f->name);
        write_shape(out, f);
        *sep = ",";
    }
}

static void write_required(struct buf *out, const struct ktype *t)
{
    const char *sep = ",\"required\":[";

    for (const struct kfield *f = t->fields; f->name; f++) {
        if (!f->required)
            continue;
        buf_addz(out, sep);
        buf_addf(out, "\"%s\"", f->name);
        sep = ",";
    }
    if (sep[1] == '\0')
        buf_addc(out, ']');
}

static void write_below(struct buf *out, const struct ktype *t, struct map *seen)
{
    for (const struct kfield *f = t->fields; f->name; f++) {
        if (f->base == K_INLINE)
            write_below(out, f->of, seen);
        else if (f->base == K_OBJ)
            ktype_openapi(out, f->of, seen, NULL);
    }
}

void ktype_openapi(struct buf *out, const struct ktype *t, struct map *seen, const char *extra)
{
    _cleanup_free_ char *name = xasprintf("%s.%s", t->package, t->name);
    const char *sep = "";

    if (map_has(seen, name))
        return;
    if (map_len(seen))
        buf_addc(out, ',');
    map_set(seen, name, seen);
    buf_addf(out, "\"%s\"", name);
    buf_addz(out, ":{\"type\":\"object\",\"properties\":{");
    if (extra) {
        buf_addz(out, "\"apiVersion\":{\"type\":\"string\"},\"kind\":{\"type\":\"string\"}");
        sep = ",";
    }
    write_fields(out, t, &sep);
    buf_addc(out, '}');
    write_required(out, t);
    if (extra)
        buf_addz(out, extra);
    buf_addc(out, '}');
    write_below(out, t, seen);
}
