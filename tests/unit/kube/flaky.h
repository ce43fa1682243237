/*
 * A transport over another one, for tests: streams can be cut, or go dead as a connection does
 * whose other end was switched off. One thread.
 */
#ifndef NONAGON_TESTS_FLAKY_H
#define NONAGON_TESTS_FLAKY_H

#include "kube/transport.h"

/* Takes `inner`. Freed with the client that it is given to. Requests that are no streams set out up
 * to slow_ms late. */
struct kube_transport *flaky_new(struct loop *l, struct kube_transport *inner, int slow_ms);
/* Streams end with an error, at the server as well. */
void flaky_cut(struct kube_transport *t);
/* From now on nothing comes through the streams that are open, and they do not end. */
void flaky_freeze(struct kube_transport *t);
/* Streams begun so far. */
int flaky_streams(const struct kube_transport *t);

#endif
