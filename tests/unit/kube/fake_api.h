/*
 * A small API server in memory for tests: create, get, list (paged), update with conflicts, status,
 * scale, merge patch, JSON patch, delete, watch with resume and 410. One thread.
 */
#ifndef NONAGON_TESTS_FAKE_API_H
#define NONAGON_TESTS_FAKE_API_H

#include "http/exchange.h"
#include "kube/object.h"

struct fake_api;
struct fake_api *fake_api_new(void);
void fake_api_free(struct fake_api *f);                   /* cuts the watches */
void fake_api_handle(void *ctx, struct http_exchange *x); /* an http_handler_fn; ctx is the fake */

/* Called first for each request: an HTTP status other than 0 is answered instead, with this reason.
 */
void fake_api_refuse(struct fake_api *f,
                     int (*fn)(void *ctx, struct str method, struct str path, const char **reason),
                     void *ctx);
/* As a client would; the text is of one object. */
void fake_api_put(struct fake_api *f, const struct kube_resource *r, const char *text);
void fake_api_delete(struct fake_api *f, const struct kube_resource *r, const char *ns,
                     const char *name);
const struct kobj *fake_api_get(struct fake_api *f, const struct kube_resource *r, const char *ns,
                                const char *name); /* borrowed, NULL when absent */
size_t fake_api_count(struct fake_api *f, const struct kube_resource *r);
/* The pages of a list are of one version; otherwise each shows what is there when it is asked. */
void fake_api_keep_snapshots(struct fake_api *f);
/* Versions go on from rv, those of the objects there are too: a server restored from a copy,
 * without its history. */
void fake_api_set_version(struct fake_api *f, uint64_t rv);
/* Forgets the history (and snapshots) and ends all watches: who resumes gets 410. */
void fake_api_compact(struct fake_api *f);
void fake_api_cut_watches(struct fake_api *f);
size_t fake_api_watches(const struct fake_api *f);
/* How many requests had this beginning, such as "PUT
 * /apis/apps/v1/namespaces/ns/deployments/d/status". */
size_t fake_api_requests(const struct fake_api *f, const char *prefix);

#endif
