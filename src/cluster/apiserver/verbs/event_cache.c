/* Holding the objects makes their addresses theirs alone, so that comparing them is enough. */
#include "cluster/apiserver/verbs/event_cache.h"

#include "base/mem.h"

static void unref(const struct store_obj *o)
{
    store_obj_unref((struct store_obj *)(uintptr_t)o);
}

void event_cache_done(struct event_cache *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->parsed); i++) {
        unref(c->parsed[i].obj);
        yyjson_doc_free(c->parsed[i].doc);
    }
    unref(c->frame.obj);
    buf_done(&c->frame.text);
    *c = (struct event_cache){0};
}

const yyjson_val *event_parsed(struct event_cache *c, const struct store_obj *o)
{
    struct str b = store_obj_bytes(o);

    for (size_t i = 0; i < ARRAY_LEN(c->parsed); i++)
        if (c->parsed[i].obj == o)
            return yyjson_doc_get_root(c->parsed[i].doc);
    unsigned at = c->next;

    c->next = (at + 1) % ARRAY_LEN(c->parsed);
    unref(c->parsed[at].obj);
    yyjson_doc_free(c->parsed[at].doc);
    c->parsed[at].obj = store_obj_ref(o);
    c->parsed[at].doc = json_parse(b.p, b.n, NULL);
    return yyjson_doc_get_root(c->parsed[at].doc);
}

struct str event_text(const struct event_cache *c, const struct store_obj *o, const char *type)
{
    return c->frame.obj == o && c->frame.type == type ? buf_str(&c->frame.text) : STR_NULL;
}

void event_keep(struct event_cache *c, const struct store_obj *o, const char *type,
                struct buf *text)
{
    const struct store_obj *held = store_obj_ref(o);

    unref(c->frame.obj);
    buf_done(&c->frame.text);
    c->frame.obj = held;
    c->frame.type = type;
    c->frame.text = *text;
    *text = (struct buf){0};
}
