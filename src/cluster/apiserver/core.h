/* The API server's own state and the life of one request, shared by the folder's files. Loop-thread
 * only. */
#ifndef NONAGON_CLUSTER_APISERVER_CORE_H
#define NONAGON_CLUSTER_APISERVER_CORE_H

#include "base/heap.h"
#include "base/list.h"
#include "cluster/apiserver/apiserver.h"
#include "cluster/apiserver/kinds/kinds.h"
#include "cluster/apiserver/request/path.h"
#include "cluster/apiserver/request/query.h"

struct ip_pool;
struct crd_life;
struct boot;

/* The text of the newest watch event in plain JSON, which most watchers of an object want just so.
 */
struct shared_frame {
    const struct store_obj *obj;
    const char *type;
    struct buf text;
};

struct apiserver {
    struct loop *loop;
    struct store *store;
    struct kinds *kinds;
    struct admission *admissions;
    size_t n_admissions;
    char *version;
    pod_log_fn *pod_log;
    void *pod_log_ctx;
    struct boot *boot; /* until ready */
    bool ready;
    bool closing;
    size_t in_flight; /* writes in the store whose callback has not run */
    struct list watchers;
    struct heap deadlines; /* of watchers: the next bookmark or the end */
    struct timer *tick;
    struct shared_frame frame;
    struct ip_pool *ips;
    struct crd_life *crds;
};

/* One change of one object on its way through defaulting, admission, validation and the store. */
struct write;
/*
 * The end of a write: fail is NULL on success, object the bytes as stored (or as they would be: dry
 * run), deleted if the write removed it.
 */
typedef void write_done_fn(void *ctx, const struct api_status *fail, struct str object,
                           bool deleted);
struct write {
    struct apiserver *a;
    const struct api_kind *kind; /* borrowed */
    const char *sub;             /* "", "status", "finalize", "scale" */
    const char *user;
    enum validation_mode validation;
    bool dry_run;
    size_t size_hint;       /* bytes of what the object was made from */
    struct kmut *obj;       /* owned */
    const struct kobj *old; /* owned; NULL on create */
    uint64_t old_rev;
    bool must_match; /* the object's resourceVersion is a precondition if it is set */
    void (*warn)(void *to, const char *text);
    void *warn_to;
    write_done_fn *done;
    void *ctx;
    /* inside */
    char *key, *text;
    size_t text_n;
    bool allocated;
};
void write_clear(struct write *w); /* frees what it owns */

/*
 * Carry out the change of w->obj. -1 with the status filled: nothing happens and done is not
 * called. Otherwise done is called exactly once, perhaps before these return.
 */
int write_create(struct write *w, const char *ns, struct api_status *st);
int write_update(struct write *w, const char *ns, const char *name, struct api_status *st);
/* Removes the object that w->old is; its last state is w->obj if set, else as it was. */
int write_delete(struct write *w, struct api_status *st);
/* Counts a write in flight out; the last one of a closing server frees it. */
void apiserver_write_ended(struct apiserver *a);
/* Stores w->obj over w->old as it is: no admission, no validation. */
int write_raw(struct write *w, struct api_status *st);
/* Fills w->old, w->old_rev and w->key with the newest version; -1 NotFound. */
int write_load(struct write *w, const char *ns, const char *name, struct api_status *st);

/* ---- a request ---- */
struct api_request {
    struct apiserver *a;
    struct http_exchange *x; /* NULL once the peer left */
    struct api_path path;
    struct api_query q;
    struct api_accept accept;
    const struct api_kind *kind;
    struct str method;
    char *user;
    struct api_status st;
    struct buf warnings; /* the Warning field so far */
    struct write w;
    int ok_code;
};
/* Answers with r->st and frees. */
void request_fail(struct api_request *r);
/* Answers with an object of the request's kind in the form that was asked for, and frees. */
void request_reply_object(struct api_request *r, int code, struct str object);
void request_reply(struct api_request *r, int code, const char *type, struct str body);
void request_free(struct api_request *r);
/* Prepares r->w for a write whose end answers the request; the exchange may leave meanwhile. */
void request_begin_write(struct api_request *r);

/* ---- verbs: each answers or takes the request over ---- */
void verb_get(struct api_request *r);
void verb_list(struct api_request *r);
void verb_watch(struct api_request *r);
void verb_create(struct api_request *r);
void verb_update(struct api_request *r);
void verb_patch(struct api_request *r);
void verb_delete(struct api_request *r);
void verb_delete_collection(struct api_request *r);
void verb_scale(struct api_request *r);

/* ---- documents about the API ---- */
void discovery_reply(struct api_request *r);
void openapi_reply(struct api_request *r);

/* ---- questions about oneself: may I, who am I ---- */
/* True if the request was one of these; it is answered then. */
bool review_reply(struct api_request *r);

/* ---- request bodies: the seam where a content type becomes a document ---- */
/* NULL with the status filled (400, 413, 415). An empty body gives an empty object if `optional`.
 */
struct kmut *decode_body(const struct api_request *r, bool optional, struct api_status *st);

/* ---- rules ---- */
int meta_prepare_create(struct write *w, const char *ns, struct api_status *st);
int meta_prepare_update(struct write *w, const char *ns, const char *name, struct api_status *st);
void meta_generation(struct write *w);
void meta_validate(const struct write *w, struct field_errors *errs);
/* True if an object that is being deleted has nothing left that holds it. */
bool meta_may_go(const struct api_kind *k, const struct kmut *o);
void meta_now(char ret[static 32]);

int admit_mutate(struct write *w, bool *ret_ran, struct api_status *st);
int admit_validate(struct write *w, struct api_status *st);

/* ---- selection ---- */
/* True if the object passes the request's selectors. Field paths are checked by select_check first.
 */
bool select_object(const struct api_query *q, const yyjson_val *obj);
int select_check(const struct api_query *q, const struct api_kind *k, struct api_status *st);

/* ---- deletion, also used by CRDs and collections ---- */
struct delete_options {
    int64_t grace; /* -1 = not given */
    const char *uid;
    uint64_t rv; /* 0 = any */
    const char *propagation;
};
int delete_object(struct write *w, const struct delete_options *o, struct api_status *st);

/* ---- lives ---- */
struct ip_pool *ip_pool_new(struct apiserver *a, struct err *e);
void ip_pool_stop(struct ip_pool *p);
void ip_pool_free(struct ip_pool *p);
struct crd_life *crd_life_new(struct apiserver *a, struct err *e);
void crd_life_free(struct crd_life *c);
struct boot *boot_start(struct apiserver *a, const char *const *crds, struct err *e);
void boot_free(struct boot *b);
void boot_on_ready(struct boot *b, void (*fn)(void *ctx, const struct err *why), void *ctx);
void watchers_init(struct apiserver *a);
void watchers_stop(struct apiserver *a);

#endif
