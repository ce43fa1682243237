/*
 * What the data plane's tests share: a running data plane on loopback, and blocking sockets with
 * which the test plays both the client and the pod. Every wait ends after five seconds with a
 * failure.
 */
#ifndef NONAGON_TEST_RIG_H
#define NONAGON_TEST_RIG_H

#include "base/trace.h"
#include "base/buf.h"
#include "dataplane/dataplane.h"

extern struct dataplane *dp;
extern struct trace_table *traces; /* where its starts from zero are told */
extern struct loop *loop;

/* cmocka set-up: external, local and activator listeners, two workers. */
int rig_start(void **state);
int rig_start_single(void **state); /* the same with one worker */
int rig_start_small(void **state);  /* and room for four clients */
int rig_stop(void **state);
void rig_step(int64_t ns); /* the data plane's clock goes forward; a test may begin with any time */
void rig_stop_in_background(void); /* begins the stop; rig_join waits for it */
void rig_join(void);
void rig_wait_arrivals(int at_least);

/* ---- configuration, applied when it returns ---- */
void rig_route(const char *host, const char *revision);
void rig_ingress(const struct dp_ingress *in);
void rig_remove(const char *key); /* an ingress */
struct rig_backend {
    const char *revision; /* NULL: a plain Service */
    const char *service;  /* NULL: of the revision's name */
    int concurrency;
    uint64_t timeout_ms, response_start_ms, idle_ms;
    int ports[8]; /* of pods on 127.0.0.1, up to the first 0 */
};
void rig_backend(struct rig_backend b);
struct dp_stat rig_stat(const char *revision); /* of one collection; zeros when not in it */

/* ---- sockets ---- */
enum { EXTERNAL, LOCAL, ACTIVATOR };
int rig_dial(int listener);
int rig_dial_from(int listener, const char *address);
void rig_close(int fd); /* one that was opened here */
void rig_forget(void);  /* closes the last descriptor that was opened here */
int pod_listen(int *ret_port);
int pod_accept(int listen_fd);
bool pod_nothing_to_accept(int listen_fd);
/* Where a request came: a new connection to one of the pods, or data on one of theirs (-1 = none
 * yet). */
struct pod_hit {
    int which, fd;
};
struct pod_hit pod_any(const int *listen_fds, const int *conn_fds, int n);
/* The same for one pod. */
int rig_reached(int listen_fd, int conn_fd);
/* Which of two can be read first: 0 or 1. */
int rig_readable_first(int a, int b);
void send_z(int fd, const char *z);
/* Reads on until the text has come; the whole of what was read since the last call is in `seen`. */
extern struct buf seen;
void expect(int fd, const char *text);
void expect_eof(int fd);
bool has(const char *text); /* in seen */

/* GET of a host; the answer of a pod; both sides of a plain round trip. */
void get(int fd, const char *host, const char *path);
void pod_answer(int fd, const char *body);

#endif
