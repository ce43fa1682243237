/*
 * Name is the first column, unless the kind has a place of its own for it. A custom resource's cell
 * is the first value that its path leads to: as text for string columns, as an age for dates, null
 * when there is none.
 */
#include "cluster/apiserver/kinds/table.h"

#include <stdio.h>

#include "base/clock.h"

void human_age(const char *stamp, int64_t now, char ret[static 32])
{
    int64_t then, s;

    if (!stamp || clock_rfc3339_parse(stamp, &then) < 0) {
        strcpy(ret, "<unknown>");
        return;
    }
    s = (now - then) / NS_PER_SEC;
    long long m = s / 60, h = m / 60, d = h / 24;

    if (s < -1)
        strcpy(ret, "<invalid>");
    else if (s < 0)
        strcpy(ret, "0s");
    else if (s < 120)
        snprintf(ret, 32, "%llds", (long long)s);
    else if (m < 10 && s % 60)
        snprintf(ret, 32, "%lldm%llds", m, (long long)s % 60);
    else if (m < 180)
        snprintf(ret, 32, "%lldm", m);
    else if (h < 8 && m % 60)
        snprintf(ret, 32, "%lldh%lldm", h, m % 60);
    else if (h < 48)
        snprintf(ret, 32, "%lldh", h);
    else if (d < 8 && h % 24)
        snprintf(ret, 32, "%lldd%lldh", d, h % 24);
    else if (d < 730)
        snprintf(ret, 32, "%lldd", d);
    else if (d < 365 * 8 && d % 365)
        snprintf(ret, 32, "%lldy%lldd", d / 365, d % 365);
    else
        snprintf(ret, 32, "%lldy", d / 365);
}

void cell_str(struct buf *out, const char *s)
{
    if (s)
        json_quote(out, s);
    else
        buf_addz(out, "null");
}

void cell_or(struct buf *out, const char *s, const char *none)
{
    cell_str(out, s && *s ? s : none);
}

void cell_age(struct buf *out, const yyjson_val *obj, int64_t now)
{
    char age[32];

    human_age(jget_str(obj, "metadata", "creationTimestamp"), now, age);
    cell_str(out, age);
}

void cell_map(struct buf *out, const yyjson_val *map)
{
    _cleanup_buf_ struct buf b = BUF_INIT(64 * 1024);
    yyjson_val *k, *v;
    size_t i, n;

    yyjson_obj_foreach((yyjson_val *)(uintptr_t)map, i, n, k, v)
        buf_addf(&b, "%s%s=%s", i ? "," : "", yyjson_get_str(k), yyjson_get_str(v));
    cell_or(out, buf_z(&b), "<none>");
}

static const struct api_column *columns_of(const struct api_kind *k)
{
    return k->builtin ? k->builtin->columns : k->columns;
}

static bool has_own_name(const struct api_kind *k)
{
    for (const struct api_column *c = k->builtin ? k->builtin->columns : NULL; c && c->name; c++)
        if (streq(c->name, "Name"))
            return true;
    return false;
}

static void define(struct buf *out, const char *name, const char *type, const char *format,
                   const char *about, int priority)
{
    buf_addz(out, "{\"name\":");
    json_quote(out, name);
    buf_addz(out, ",\"type\":");
    json_quote(out, type);
    buf_addz(out, ",\"format\":");
    json_quote(out, format ? format : "");
    buf_addz(out, ",\"description\":");
    json_quote(out, about ? about : "");
    buf_addf(out, ",\"priority\":%d}", priority);
}

static const char *version_of(bool v1beta1)
{
    return v1beta1 ? "v1beta1" : "v1";
}

void table_begin(struct buf *out, const struct api_kind *k, bool v1beta1, const char *metadata)
{
    buf_addf(out,
             "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":%s,"
             "\"columnDefinitions\":[",
             version_of(v1beta1), metadata);
    const char *sep = "";

    if (!has_own_name(k)) {
        define(out, "Name", "string", "name", "Name must be unique within a namespace.", 0);
        sep = ",";
    }
    for (const struct api_column *c = columns_of(k); c && c->name; c++, sep = ",") {
        buf_addz(out, sep);
        define(out, c->name, c->type, c->format, c->description, c->priority);
    }
    buf_addz(out, "],\"rows\":[");
}

static void custom_cell(struct buf *out, const struct api_column *c, const yyjson_val *obj,
                        int64_t now)
{
    yyjson_val *v = jsonpath_first(c->path, obj);
    char age[32];

    if (!v || yyjson_is_null(v)) {
        buf_addz(out, "null");
    } else if (streq(c->type, "date")) {
        human_age(yyjson_get_str(v), now, age);
        cell_str(out, age);
    } else if (yyjson_is_str(v)) {
        cell_str(out, yyjson_get_str(v));
    } else {
        _cleanup_free_ char *text = json_text(v, NULL);

        if (streq(c->type, "string"))
            cell_str(out, text);
        else
            buf_addz(out, text);
    }
}

void partial_object(struct buf *out, const yyjson_val *obj, bool v1beta1)
{
    _cleanup_free_ char *meta = json_text(jget(obj, "metadata"), NULL);

    buf_addf(out,
             "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":",
             version_of(v1beta1));
    buf_addz(out, meta);
    buf_addc(out, '}');
}

void table_row(struct buf *out, const struct api_kind *k, bool v1beta1, const yyjson_val *obj,
               enum include_object include, int64_t now)
{
    const char *sep = "";

    buf_addz(out, "{\"cells\":[");
    if (!has_own_name(k)) {
        cell_str(out, jget_str(obj, "metadata", "name"));
        sep = ",";
    }
    for (const struct api_column *c = columns_of(k); c && c->name; c++, sep = ",") {
        buf_addz(out, sep);
        if (c->cell)
            c->cell(out, obj, now);
        else
            custom_cell(out, c, obj, now);
    }
    buf_addc(out, ']');
    if (include == INCLUDE_METADATA) {
        buf_addz(out, ",\"object\":");
        partial_object(out, obj, v1beta1);
    } else if (include == INCLUDE_OBJECT) {
        _cleanup_free_ char *text = json_text(obj, NULL);

        buf_addz(out, ",\"object\":");
        buf_addz(out, text);
    }
    buf_addc(out, '}');
}

void table_end(struct buf *out)
{
    buf_addz(out, "]}\n");
}
