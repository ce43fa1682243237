/*
 * A request while it is being served: what it asks, who asks, how it is answered. The verbs get
 * what they need of the server in `env`; nothing calls back up. Loop-thread only.
 */
#ifndef NONAGON_CLUSTER_APISERVER_VERBS_REQUEST_H
#define NONAGON_CLUSTER_APISERVER_VERBS_REQUEST_H

#include "cluster/apiserver/auth/shares.h"
#include "cluster/apiserver/request/path.h"
#include "cluster/apiserver/request/query.h"
#include "cluster/apiserver/write/write.h"
#include "cluster/kubelet/kubelet.h"
#include "http/exchange.h"

enum patch_language { LANG_MERGE, LANG_JSON, LANG_STRATEGIC };

struct watchers;
struct snapshots;
/* Counted: a request that waits for the store outlives the server. */
struct verb_env {
    struct api_core *core;
    struct watchers *watchers; /* NULL once the server closed, as snapshots */
    struct snapshots *snapshots;
    struct shares *shares;
    struct kubelet kubelet;
    size_t refs;
};
void verb_env_unref(struct verb_env *env);

struct api_request {
    struct verb_env *env;
    struct http_exchange *x; /* NULL once the peer left */
    struct api_path path;
    struct api_query q;
    struct api_accept accept;
    const struct api_kind *kind; /* NULL until it is known; owned */
    struct str method;           /* valid while x is */
    struct user_info *user;      /* NULL until authenticated; owned */
    struct share share;
    struct api_status st;
    struct buf warnings; /* the Warning field so far */
    struct write w;
    struct kmut *body; /* what a change needs again when it is made anew; owned */
    yyjson_doc *patch; /* a patch, and its language; owned */
    enum patch_language patch_language;
    int ok_code;
};
struct api_request *request_new(struct verb_env *env, struct http_exchange *x);
void request_free(struct api_request *r);

/* Each answers and frees the request. */
void request_fail(struct api_request *r); /* with r->st */
void request_reply(struct api_request *r, int code, const char *type, struct str body);
/* An object of the request's kind in the form that was asked for. */
void request_reply_object(struct api_request *r, int code, struct str object);
void request_not_found(struct api_request *r);
void request_not_allowed(struct api_request *r); /* 405 */

/* Prepares r->w; its end answers with the object and r->ok_code, and the exchange may leave
 * meanwhile. */
void request_begin_write(struct api_request *r);
/* write_done_fn's usual: ctx is the request. */
void request_written(void *ctx, struct api_status *fail, struct str object, bool deleted);

/* ---- the seam where a content type becomes a document ---- */
/* NULL with r->st filled (400, 413, 415). An empty body gives an empty object if `optional`. */
struct kmut *request_decode(struct api_request *r, bool optional);

#endif
