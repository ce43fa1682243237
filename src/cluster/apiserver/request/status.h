/*
 * The outcome of a request that failed: code, reason, message and details of a metav1.Status. One
 * per request, filled by the function that found the problem; every api_fail_* returns -1 so that
 * callers can `return api_fail(...)`.
 */
#ifndef NONAGON_CLUSTER_APISERVER_REQUEST_STATUS_H
#define NONAGON_CLUSTER_APISERVER_REQUEST_STATUS_H

#include "base/buf.h"
#include "cluster/apiserver/schema/fields.h"
#include "http/exchange.h"
#include "kube/object.h"

struct api_status {
    int code; /* HTTP status, 0 = nothing failed */
    const char *reason;
    char *message;
    char *group, *kind, *name; /* details; kind is the plural, or the Kind for Invalid */
    struct field_errors causes;
    const char *cause; /* one cause without a field ("NamespaceTerminating") */
    int retry_after;
    char *go_on; /* metadata.continue: where a list that expired may go on all the same */
};
void api_status_done(struct api_status *st);
/* Takes the content of `from`, which is empty afterwards. */
void api_status_move(struct api_status *to, struct api_status *from);
static inline void api_status_donep(struct api_status *st)
{
    api_status_done(st);
}
#define _cleanup_status_ _cleanup_(api_status_donep)

int api_fail(struct api_status *st, int code, const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int api_fail_bad(struct api_status *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int api_fail_not_found(struct api_status *st, const struct kube_resource *r, const char *name);
int api_fail_exists(struct api_status *st, const struct kube_resource *r, const char *name);
/* "Operation cannot be fulfilled on …"; why NULL = the object has been modified. */
int api_fail_conflict(struct api_status *st, const struct kube_resource *r, const char *name,
                      const char *why);
int api_fail_forbidden(struct api_status *st, const struct kube_resource *r, const char *name,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Takes the errors out of `errs`; it must hold at least one. */
int api_fail_invalid(struct api_status *st, const struct kube_resource *r, const char *name,
                     struct field_errors *errs);
/* What the store said: 429 when it has too much to do, 500 otherwise. */
int api_fail_store(struct api_status *st, const struct err *e);
int api_fail_too_many(struct api_status *st, int retry_after_s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int api_fail_expired(struct api_status *st, uint64_t rv, uint64_t oldest);
int api_fail_too_large_rv(struct api_status *st, uint64_t rv, uint64_t current);

/* The Status object as JSON. */
void api_status_json(const struct api_status *st, struct buf *out);
void api_status_reply(const struct api_status *st, struct http_exchange *x);
/* {"kind":"Status","status":"Success",…} of a deletion. */
void api_success_json(const struct kube_resource *r, const char *name, const char *uid,
                      struct buf *out);

/* Appends s as a JSON string with its quotes. */
void json_quote(struct buf *out, const char *s);

#endif
