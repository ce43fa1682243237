/* Events. */
#include "cluster/apiserver/kinds/builtin.h"

#include "cluster/apiserver/kinds/kind_types.h"
#include "cluster/apiserver/kinds/table.h"
#include "cluster/apiserver/types/ktable.h"

#define PACKAGE "io.k8s.api.core.v1"

TYPE(event_source, "EventSource", STR(1, "component"), STR(2, "host"));
TYPE(event_series, "EventSeries", INT32(1, "count"), MICRO_TIME(2, "lastObservedTime"));
SHARED_TYPE(kt_event, "Event", OBJ(1, "metadata", kt_object_meta),
            OBJ(2, "involvedObject", kt_object_reference), STR(3, "reason"), STR(4, "message"),
            OBJ(5, "source", event_source), TIME(6, "firstTimestamp"), TIME(7, "lastTimestamp"),
            INT32(8, "count"), STR(9, "type"), MICRO_TIME(10, "eventTime"),
            OBJ_P(11, "series", event_series), STR(12, "action"),
            OBJ_P(13, "related", kt_object_reference), STR(14, "reportingComponent"),
            STR(15, "reportingInstance"));

static void event_validate(const struct kmut *o, const yyjson_val *old, struct field_errors *errs)
{
    const char *ns = jm_get_str(o->root, "metadata", "namespace");
    const char *about = jm_get_str(o->root, "involvedObject", "namespace");

    if (about && *about && !streq(ns, about))
        field_invalid_str(errs, "involvedObject.namespace", about,
                          "does not match event.namespace");
}

static const char *const event_fields[] = {"involvedObject.kind",
                                           "involvedObject.namespace",
                                           "involvedObject.name",
                                           "involvedObject.uid",
                                           "involvedObject.apiVersion",
                                           "involvedObject.resourceVersion",
                                           "involvedObject.fieldPath",
                                           "reason",
                                           "reportingComponent",
                                           "source",
                                           "type",
                                           NULL};

static void event_first(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *stamp = jget_str(o, "firstTimestamp");
    char age[32];

    human_age(stamp ? stamp : jget_str(o, "eventTime"), now, age);
    cell_str(out, age);
}

static void event_name(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "metadata", "name"));
}

static void event_subobject(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_or(out, jget_str(o, "involvedObject", "fieldPath"), "");
}

static void event_seen(struct buf *out, const yyjson_val *o, int64_t now)
{
    static const char *const keys[] = {"lastTimestamp", "eventTime", "firstTimestamp"};
    const char *stamp = NULL;
    char age[32];

    for (size_t i = 0; i < ARRAY_LEN(keys) && !stamp; i++)
        stamp = jget_str(o, keys[i]);
    human_age(stamp ? stamp : jget_str(o, "metadata", "creationTimestamp"), now, age);
    cell_str(out, age);
}

static void event_type(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "type"));
}

static void event_reason(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "reason"));
}

static void event_object(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *kind = jget_str(o, "involvedObject", "kind");
    const char *name = jget_str(o, "involvedObject", "name");
    _cleanup_free_ char *lower = xstrdup(kind);

    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    _cleanup_free_ char *text = xasprintf("%s/%s", lower, name ? name : "");

    cell_str(out, text);
}

static void event_from(struct buf *out, const yyjson_val *o, int64_t now)
{
    cell_str(out, jget_str(o, "source", "component"));
}

static void event_message(struct buf *out, const yyjson_val *o, int64_t now)
{
    const char *m = jget_str(o, "message");
    _cleanup_free_ char *text = xstrdup(m);
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    cell_str(out, text);
}

static void event_count(struct buf *out, const yyjson_val *o, int64_t now)
{
    buf_addf(out, "%lld", (long long)jget_int(o, 1, "count"));
}

static const struct api_column columns_event[] = {
    {"Last Seen", "string", "", "Time since it was last seen.", 0, event_seen, NULL},
    {"Type", "string", "", "Normal or Warning.", 0, event_type, NULL},
    {"Reason", "string", "", "Why, in one word.", 0, event_reason, NULL},
    {"Object", "string", "", "What it is about.", 0, event_object, NULL},
    {"Subobject", "string", "", "Which part of it.", 1, event_subobject, NULL},
    {"Source", "string", "", "Who reported it.", 1, event_from, NULL},
    {"Message", "string", "", "What happened.", 0, event_message, NULL},
    {"First Seen", "string", "", "Time since it was first seen.", 1, event_first, NULL},
    {"Count", "integer", "", "How often it happened.", 1, event_count, NULL},
    {"Name", "string", "name", "Name of the event.", 1, event_name, NULL},
    COLUMN_END,
};

const struct builtin builtin_event = {.type = &kt_event,
                                      .validate = event_validate,
                                      .columns = columns_event,
                                      .fields = event_fields};
