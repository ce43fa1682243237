/*
 * What many watchers want of one event, made once: the parsed object and its predecessor, and the
 * text of the event in plain JSON. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_EVENT_CACHE_H
#define NONAGON_CLUSTER_APISERVER_VERBS_EVENT_CACHE_H

#include "base/buf.h"
#include "cluster/store/store.h"
#include "json/json.h"

struct event_cache {
    struct {
        const struct store_obj *obj; /* held */
        yyjson_doc *doc;
    } parsed[2]; /* an object and the one before it */
    unsigned next;
    struct {
        const struct store_obj *obj; /* held */
        const char *type;
        struct buf text;
    } frame;
};
void event_cache_done(struct event_cache *c);
/* The object's document, valid until two others were asked for; NULL if it is none. */
const yyjson_val *event_parsed(struct event_cache *c, const struct store_obj *o);
/* The text kept for the event of this type, or STR_NULL; type is compared as a pointer. */
struct str event_text(const struct event_cache *c, const struct store_obj *o, const char *type);
/* Keeps a text, which is taken over. */
void event_keep(struct event_cache *c, const struct store_obj *o, const char *type,
                struct buf *text);

#endif
