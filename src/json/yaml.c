/*
 * libyaml's events, read by recursive descent into a mutable JSON document. An alias is a copy of
 * the anchored value, so what aliases add is counted before it is copied: nodes, bytes and depth.
 * An anchor becomes known when its value is complete, so a value that contains itself is an unknown
 * anchor.
 */
#include "json/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

#include "base/limits.h"
#include "base/map.h"
#include "json/yaml_scalar.h"

#define SMALL_MAPPING 24
#define CORE_TAG      "tag:yaml.org,2002:"

/* What a value costs when it is copied. */
struct size {
    size_t nodes, bytes, depth;
};

struct anchor {
    yyjson_mut_val *value;
    struct size size;
};

struct reader {
    yaml_parser_t parser;
    yyjson_mut_doc *d;
    struct map *anchors;
    size_t nodes, bytes, aliases;
    struct err *e;
};

struct node {
    yyjson_mut_val *value; /* NULL: failed, the error is set */
    struct size size;
};

/* The members of the mapping being read. */
struct members {
    yyjson_mut_val *obj;
    struct map *seen; /* NULL while there are few */
    yyjson_mut_val *merged[LIMIT_YAML_ALIASES];
    size_t n_merged;
};

static struct node read_node(struct reader *rd, const yaml_event_t *ev, size_t depth);

static int fail_at(struct reader *rd, yaml_mark_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail_at(struct reader *rd, yaml_mark_t at, const char *fmt, ...)
{
    char why[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return err_set(rd->e, -EINVAL, "invalid YAML at line %zu column %zu: %s", at.line + 1,
                   at.column + 1, why);
}

static int next_event(struct reader *rd, yaml_event_t *ev)
{
    if (yaml_parser_parse(&rd->parser, ev))
        return 0;
    const char *problem = rd->parser.problem ? rd->parser.problem : "it cannot be read";
    if (rd->parser.error == YAML_READER_ERROR)
        return err_set(rd->e, -EINVAL, "invalid YAML at byte %zu: %s", rd->parser.problem_offset,
                       problem);
    return fail_at(rd, rd->parser.problem_mark, "%s", problem);
}

static int count(struct reader *rd, const yaml_event_t *ev, size_t nodes, size_t bytes)
{
    rd->nodes += nodes;
    rd->bytes += bytes;
    if (rd->nodes > LIMIT_YAML_NODES)
        return fail_at(rd, ev->start_mark, "more than %d values, aliases expanded",
                       LIMIT_YAML_NODES);
    if (rd->bytes > LIMIT_API_BODY)
        return fail_at(rd, ev->start_mark, "more than %d bytes, aliases expanded", LIMIT_API_BODY);
    return 0;
}

/* ---- scalars ---- */

static bool core_tag(const char *tag, const char *name)
{
    return z_starts(tag, CORE_TAG) && streq(tag + strlen(CORE_TAG), name);
}

static yyjson_mut_val *string(struct reader *rd, struct str s)
{
    return yyjson_mut_strncpy(rd->d, s.p, s.n);
}

static yyjson_mut_val *make_value(struct reader *rd, struct yaml_value v, struct str text)
{
    switch (v.kind) {
    case YAML_IS_NULL:
        return yyjson_mut_null(rd->d);
    case YAML_IS_BOOL:
        return yyjson_mut_bool(rd->d, v.b);
    case YAML_IS_INT:
        return v.i < 0 ? yyjson_mut_sint(rd->d, v.i) : yyjson_mut_uint(rd->d, (uint64_t)v.i);
    case YAML_IS_UINT:
        return yyjson_mut_uint(rd->d, v.u);
    case YAML_IS_REAL:
        return yyjson_mut_real(rd->d, v.real);
    case YAML_IS_NOT_JSON:
    case YAML_IS_STRING:
        break;
    }
    return string(rd, text);
}

/* Whether a value of this kind may carry the tag "!!name". */
static bool fits(const char *tag, struct yaml_value *v)
{
    if (core_tag(tag, "null"))
        return v->kind == YAML_IS_NULL;
    if (core_tag(tag, "bool"))
        return v->kind == YAML_IS_BOOL;
    if (core_tag(tag, "int"))
        return v->kind == YAML_IS_INT || v->kind == YAML_IS_UINT;
    if (!core_tag(tag, "float"))
        return false;
    if (v->kind == YAML_IS_INT || v->kind == YAML_IS_UINT) {
        double real = v->kind == YAML_IS_INT ? (double)v->i : (double)v->u;
        *v = (struct yaml_value){.kind = YAML_IS_REAL, .real = real};
    }
    return v->kind == YAML_IS_REAL;
}

static yyjson_mut_val *scalar(struct reader *rd, const yaml_event_t *ev)
{
    struct str text = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    const char *tag = (const char *)ev->data.scalar.tag;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (core_tag(tag, "str") || streq(tag, "!") || (!tag && !plain))
        return string(rd, text);
    struct yaml_value v = yaml_resolve(text);
    if (v.kind == YAML_IS_NOT_JSON) {
        fail_at(rd, ev->start_mark, "%s has no place in JSON; put it in quotes to make it a string",
                text.p);
        return NULL;
    }
    if (tag && !fits(tag, &v)) {
        fail_at(rd, ev->start_mark, "the tag %s is not taken here", tag);
        return NULL;
    }
    return make_value(rd, v, text);
}

static struct node read_scalar(struct reader *rd, const yaml_event_t *ev)
{
    size_t bytes = ev->data.scalar.length;

    if (count(rd, ev, 1, bytes) < 0)
        return (struct node){0};
    return (struct node){scalar(rd, ev), {1, bytes, 1}};
}

/* ---- aliases ---- */

static struct node read_alias(struct reader *rd, const yaml_event_t *ev, size_t depth)
{
    const char *name = (const char *)ev->data.alias.anchor;
    struct anchor *a = map_get(rd->anchors, name);

    if (!a) {
        fail_at(rd, ev->start_mark, "the anchor *%s is not known here", name);
        return (struct node){0};
    }
    if (++rd->aliases > LIMIT_YAML_ALIASES) {
        fail_at(rd, ev->start_mark, "more than %d aliases", LIMIT_YAML_ALIASES);
        return (struct node){0};
    }
    if (depth + a->size.depth > LIMIT_JSON_DEPTH) {
        fail_at(rd, ev->start_mark, "nested deeper than %d levels", LIMIT_JSON_DEPTH);
        return (struct node){0};
    }
    if (count(rd, ev, a->size.nodes, a->size.bytes) < 0)
        return (struct node){0};
    return (struct node){yyjson_mut_val_mut_copy(rd->d, a->value), a->size};
}

static void remember(struct reader *rd, const yaml_char_t *name, const struct node *n)
{
    if (!name || !n->value)
        return;
    struct anchor *a = xnew(struct anchor);
    *a = (struct anchor){yyjson_mut_val_mut_copy(rd->d, n->value), n->size};
    map_set(rd->anchors, (const char *)name, a);
}

static void grow(struct size *s, const struct size *child)
{
    s->nodes += child->nodes;
    s->bytes += child->bytes;
    if (child->depth + 1 > s->depth)
        s->depth = child->depth + 1;
}

/* ---- collections ---- */

static bool tag_is(struct reader *rd, const yaml_event_t *ev, const yaml_char_t *tag,
                   const char *name)
{
    const char *z = (const char *)tag;

    if (!z || streq(z, "!") || core_tag(z, name))
        return true;
    fail_at(rd, ev->start_mark, "the tag %s is not taken here", z);
    return false;
}

static int read_items(struct reader *rd, struct node *n, size_t depth)
{
    for (;;) {
        yaml_event_t ev;
        if (next_event(rd, &ev) < 0)
            return -EINVAL;
        bool end = ev.type == YAML_SEQUENCE_END_EVENT;
        struct node item = {0};
        if (!end)
            item = read_node(rd, &ev, depth);
        yaml_event_delete(&ev);
        if (end)
            return 0;
        if (!item.value)
            return -EINVAL;
        grow(&n->size, &item.size);
        yyjson_mut_arr_append(n->value, item.value);
    }
}

/* Members have text for names: what resolves to something else is written as JSON writes it. */
static char *member_name(struct reader *rd, const yaml_event_t *ev, size_t *ret_n)
{
    if (ev->type != YAML_SCALAR_EVENT) {
        fail_at(rd, ev->start_mark, "the name of a member must be a scalar");
        return NULL;
    }
    struct node n = read_scalar(rd, ev);
    if (!n.value)
        return NULL;
    if (yyjson_mut_is_str(n.value)) {
        *ret_n = yyjson_mut_get_len(n.value);
        return xstrndup(yyjson_mut_get_str(n.value), *ret_n);
    }
    if (yyjson_mut_is_null(n.value)) {
        fail_at(rd, ev->start_mark, "the name of a member must not be null; put it in quotes");
        return NULL;
    }
    return json_mut_text(n.value, ret_n);
}

static bool has(const struct members *m, const char *name, size_t n)
{
    return m->seen ? map_getn(m->seen, name, n) != NULL
                   : yyjson_mut_obj_getn(m->obj, name, n) != NULL;
}

static void add(struct reader *rd, struct members *m, const char *name, size_t n, yyjson_mut_val *v)
{
    yyjson_mut_obj_add(m->obj, yyjson_mut_strncpy(rd->d, name, n), v);
    if (m->seen) {
        map_setn(m->seen, name, n, v);
    } else if (yyjson_mut_obj_size(m->obj) > SMALL_MAPPING) {
        size_t i, max;
        yyjson_mut_val *k, *member;
        m->seen = map_new(NULL);
        yyjson_mut_obj_foreach(m->obj, i, max, k, member)
            map_setn(m->seen, yyjson_mut_get_str(k), yyjson_mut_get_len(k), member);
    }
}

/* "<<": a mapping, or a list of mappings, whose members are taken where the mapping has none of
 * that name. */
static int note_merge(struct reader *rd, struct members *m, const yaml_event_t *ev,
                      yyjson_mut_val *v)
{
    size_t i, max;
    yyjson_mut_val *item;

    if (m->n_merged == ARRAY_LEN(m->merged))
        return fail_at(rd, ev->start_mark, "more than %d merge keys", LIMIT_YAML_ALIASES);
    if (yyjson_mut_is_obj(v)) {
        m->merged[m->n_merged++] = v;
        return 0;
    }
    if (!yyjson_mut_is_arr(v))
        return fail_at(rd, ev->start_mark, "a merge key needs a mapping or a list of mappings");
    yyjson_mut_arr_foreach(v, i, max, item)
    {
        if (!yyjson_mut_is_obj(item))
            return fail_at(rd, ev->start_mark, "a merge key needs a mapping or a list of mappings");
        int r = note_merge(rd, m, ev, item);
        if (r < 0)
            return r;
    }
    return 0;
}

static void apply_merges(struct reader *rd, struct members *m)
{
    for (size_t n = 0; n < m->n_merged; n++) {
        size_t i, max;
        yyjson_mut_val *k, *v;
        yyjson_mut_obj_foreach(m->merged[n], i, max, k, v)
        {
            const char *name = yyjson_mut_get_str(k);
            if (!has(m, name, yyjson_mut_get_len(k)))
                add(rd, m, name, yyjson_mut_get_len(k), yyjson_mut_val_mut_copy(rd->d, v));
        }
    }
}

static bool is_merge_key(const yaml_event_t *ev)
{
    return ev->type == YAML_SCALAR_EVENT && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           streq((const char *)ev->data.scalar.value, "<<");
}

static int read_member(struct reader *rd, struct members *m, const yaml_event_t *key, size_t depth,
                       struct size *size)
{
    _cleanup_free_ char *name = NULL;
    size_t n = 0;
    yaml_event_t ev;

    name = member_name(rd, key, &n);
    if (!name)
        return -EINVAL;
    bool merge = is_merge_key(key);
    if (!merge && has(m, name, n))
        return fail_at(rd, key->start_mark, "the member \"%s\" is there twice", name);
    if (next_event(rd, &ev) < 0)
        return -EINVAL;
    struct node value = read_node(rd, &ev, depth);
    yaml_event_delete(&ev);
    if (!value.value)
        return -EINVAL;
    size->bytes += n;
    grow(size, &value.size);
    if (merge)
        return note_merge(rd, m, key, value.value);
    add(rd, m, name, n, value.value);
    return 0;
}

static int read_members(struct reader *rd, struct members *m, size_t depth, struct size *size)
{
    for (;;) {
        yaml_event_t ev;
        if (next_event(rd, &ev) < 0)
            return -EINVAL;
        bool end = ev.type == YAML_MAPPING_END_EVENT;
        int r = end ? 0 : read_member(rd, m, &ev, depth, size);
        yaml_event_delete(&ev);
        if (end)
            apply_merges(rd, m);
        if (end || r < 0)
            return r;
    }
}

static struct node read_collection(struct reader *rd, const yaml_event_t *ev, size_t depth)
{
    struct node n = {NULL, {1, 2, 1}};
    int r;

    if (depth > LIMIT_JSON_DEPTH) {
        fail_at(rd, ev->start_mark, "nested deeper than %d levels", LIMIT_JSON_DEPTH);
        return (struct node){0};
    }
    if (count(rd, ev, 1, 2) < 0)
        return (struct node){0};
    if (ev->type == YAML_SEQUENCE_START_EVENT) {
        if (!tag_is(rd, ev, ev->data.sequence_start.tag, "seq"))
            return (struct node){0};
        n.value = yyjson_mut_arr(rd->d);
        r = read_items(rd, &n, depth + 1);
    } else {
        if (!tag_is(rd, ev, ev->data.mapping_start.tag, "map"))
            return (struct node){0};
        struct members *m = xnew(struct members);
        m->obj = n.value = yyjson_mut_obj(rd->d);
        r = read_members(rd, m, depth + 1, &n.size);
        map_free(m->seen);
        free(m);
    }
    return r < 0 ? (struct node){0} : n;
}

static struct node read_node(struct reader *rd, const yaml_event_t *ev, size_t depth)
{
    struct node n = {0};

    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        n = read_scalar(rd, ev);
        remember(rd, ev->data.scalar.anchor, &n);
        break;
    case YAML_ALIAS_EVENT:
        n = read_alias(rd, ev, depth);
        break;
    case YAML_SEQUENCE_START_EVENT:
        n = read_collection(rd, ev, depth);
        remember(rd, ev->data.sequence_start.anchor, &n);
        break;
    case YAML_MAPPING_START_EVENT:
        n = read_collection(rd, ev, depth);
        remember(rd, ev->data.mapping_start.anchor, &n);
        break;
    default:
        fail_at(rd, ev->start_mark, "a value is missing here");
        break;
    }
    return n;
}

/* ---- documents ---- */

/* Reads from behind the document's start; a document without content gives NULL in *ret. */
static int read_document(struct reader *rd, yyjson_doc **ret)
{
    yaml_event_t ev;

    rd->nodes = rd->bytes = rd->aliases = 0;
    rd->anchors = map_new(free);
    rd->d = yyjson_mut_doc_new(NULL);
    int r = next_event(rd, &ev);
    if (r == 0) {
        struct node n = read_node(rd, &ev, 1);
        yaml_event_delete(&ev);
        r = n.value ? 0 : -EINVAL;
        *ret = NULL;
        if (n.value && !yyjson_mut_is_null(n.value))
            *ret = yyjson_mut_val_imut_copy(n.value, NULL);
    }
    yyjson_mut_doc_free(rd->d);
    map_free(rd->anchors);
    return r;
}

static int read_stream(struct reader *rd, yaml_doc_fn *each, void *ctx)
{
    for (;;) {
        yaml_event_t ev;
        yyjson_doc *doc = NULL;
        if (next_event(rd, &ev) < 0)
            return -EINVAL;
        yaml_event_type_t type = ev.type;
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type != YAML_DOCUMENT_START_EVENT)
            continue;
        int r = read_document(rd, &doc);
        if (r == 0 && doc)
            r = each(ctx, doc, rd->e);
        if (r < 0)
            return r;
    }
}

/* JSON is nearly YAML, but not where strings have surrogate pairs; so what looks like JSON is tried
 * as such. */
static yyjson_doc *try_json(const char *p, size_t n)
{
    struct str s = {p, n};

    while (s.n && strchr(" \t\r\n", s.p[0]))
        s.p++, s.n--;
    return s.n && (s.p[0] == '{' || s.p[0] == '[') ? json_parse(p, n, NULL) : NULL;
}

int yaml_parse_stream(const char *p, size_t n, yaml_doc_fn *each, void *ctx, struct err *e)
{
    struct reader rd = {.e = e};
    yyjson_doc *json = try_json(p, n);

    if (json)
        return each(ctx, json, e);
    if (!yaml_parser_initialize(&rd.parser))
        return err_set(e, -ENOMEM, "cannot read YAML: out of memory");
    yaml_parser_set_encoding(&rd.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&rd.parser, (const unsigned char *)p, n);
    int r = read_stream(&rd, each, ctx);
    yaml_parser_delete(&rd.parser);
    return r;
}

static int keep_one(void *ctx, yyjson_doc *doc, struct err *e)
{
    yyjson_doc **one = ctx;

    if (*one) {
        yyjson_doc_free(doc);
        return err_set(e, -EINVAL, "there are several YAML documents where one is expected");
    }
    *one = doc;
    return 0;
}

yyjson_doc *yaml_parse(const char *p, size_t n, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = NULL;

    if (yaml_parse_stream(p, n, keep_one, &doc, e) < 0)
        return NULL;
    if (!doc)
        err_set(e, -EINVAL, "the YAML text has no document");
    return steal(&doc);
}
