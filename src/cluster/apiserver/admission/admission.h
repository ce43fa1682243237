/*
 * Admission: hooks that may change an object (defaulting) before it is validated, and refuse it
 * after that. Today they are calls in this process; each may answer later, so that a hook on the
 * wire is one more row. Loop-thread only.
 *
 * mutate and validate are called for create and update (also of the status subresource:
 * `subresource` = "status") of the resource they are registered for. They return 0, negative with
 * the reason (answered 400 BadRequest: `admission webhook "NAME" denied the request: MESSAGE`), or
 * ADMISSION_LATER: then the hook calls admission_answer exactly once, later. Until then the request
 * stays as it is; a write that is overtaken meanwhile is made anew from the newest object and asked
 * again.
 */
#ifndef NONAGON_CLUSTER_APISERVER_ADMISSION_H
#define NONAGON_CLUSTER_APISERVER_ADMISSION_H

#include "cluster/apiserver/request/status.h"
#include "cluster/store/store.h"
#include "http/user.h"
#include "kube/object.h"

#define ADMISSION_LATER 1

struct admission_request {
    const struct kube_resource *res;
    const char *subresource;      /* "" or "status" */
    const struct user_info *user; /* who asks; never NULL */
    struct kmut *obj;             /* mutate may change it, during its call or before its answer */
    const struct kobj *old;       /* NULL on create */
    bool dry_run;
    const struct store *store; /* for admission_lookup */
    struct {                   /* the chain's own */
        void (*resume)(void *ctx);
        void *ctx;
        size_t at;
        bool calling, waits, answered;
        int result;
        struct err why;
    } run;
};

typedef void admission_warn_fn(void *to, const char *text);
struct admission {
    const char *name;        /* "validation.webhook.serving.knative.dev" */
    const char *mutate_name; /* "webhook.serving.knative.dev" */
    const struct kube_resource *res;
    int (*mutate)(void *ctx, struct admission_request *rq, struct err *e);
    /* each call of warn, before it returns, adds a warning to the answer */
    int (*validate)(void *ctx, struct admission_request *rq, admission_warn_fn *warn, void *to,
                    struct err *e);
    void *ctx;
    bool may_wait; /* it may return ADMISSION_LATER */
};

/* ---- for hooks ---- */
/* The answer that was announced; e is copied. */
void admission_answer(struct admission_request *rq, int result, const struct err *e);
/* A committed object, or NULL; the caller unrefs. */
const struct kobj *admission_lookup(const struct admission_request *rq,
                                    const struct kube_resource *r, const char *ns,
                                    const char *name);
/* Its resourceVersion without reading it; 0 = there is none. */
uint64_t admission_revision(const struct admission_request *rq, const struct kube_resource *r,
                            const char *ns, const char *name);

/* ---- for the write ---- */
struct admission_chain {
    const struct admission *hooks; /* borrowed */
    size_t n;
};
/* Whether a hook of this request may answer later. */
bool admission_may_wait(const struct admission_chain *c, const struct admission_request *rq);
/* Whether any hook may change the object. */
bool admission_mutates(const struct admission_chain *c, const struct admission_request *rq);
void admission_begin(struct admission_request *rq, void (*resume)(void *ctx), void *ctx);
/*
 * Runs the hooks from where the request stands: 0 when all agreed (it stands at the first again),
 * ADMISSION_LATER when one answers later (resume is called then: call this again), -1 with the
 * status.
 */
int admission_mutate(const struct admission_chain *c, struct admission_request *rq,
                     struct api_status *st);
int admission_validate(const struct admission_chain *c, struct admission_request *rq,
                       admission_warn_fn *warn, void *to, struct api_status *st);

#endif
