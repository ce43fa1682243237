/*
 * One HTTP request at a time, blocking, on libcurl: for the thread pool. Redirects are followed
 * (credentials stay with the first host), proxies come from the environment, certificates from the
 * system or SSL_CERT_FILE.
 */
#ifndef NONAGON_CLUSTER_IMAGE_FETCH_H
#define NONAGON_CLUSTER_IMAGE_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cluster/image/auth.h"
#include "cluster/image/digest.h"

struct fetcher; /* keeps its connections; one thread at a time */
struct fetcher *fetcher_new(void);
void fetcher_free(struct fetcher *f);
DEFINE_CLEANUP(struct fetcher *, fetcher_free)

struct fetch_request {
    const char *url;
    const char *accept;        /* or NULL */
    const char *authorization; /* the field's value, or NULL */
    bool head;
    int64_t range_from;        /* > 0: only what follows; the server may ignore it */
    int64_t timeout_ms;        /* of the whole; 0 = as long as bytes flow */
    const atomic_bool *cancel; /* or NULL */
    int64_t deadline_ns;       /* monotonic, 0 = none */
    /* Takes a piece of content of a 200 or 206 answer, which belongs `at` there. Negative with the
     * error ends the request. */
    int (*sink)(void *ctx, int64_t at, const char *p, size_t n, struct err *e);
    void *ctx;
};
struct fetch_answer {
    int status;
    char digest[DIGEST_MAX]; /* Docker-Content-Digest, "" unless valid */
    struct auth_challenge challenge;
    char text[300]; /* beginning of the content of a refusal */
};
/*
 * 0 with any status. -EHOSTUNREACH: no (whole) answer, worth another try; -EKEYREJECTED: TLS was
 * refused; -ECANCELED; -ETIMEDOUT: the deadline; else the sink's error.
 */
int fetch(struct fetcher *f, const struct fetch_request *q, struct fetch_answer *ret,
          struct err *e);

/* localhost, 127.x.x.x or [::1], with or without a port. */
bool fetch_is_loopback(const char *host);

#endif
