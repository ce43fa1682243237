/*
 * Event loop: one thread owns a loop; everything made on it is used from that thread only, save
 * loop_post and loop_stop. Built on libuv.
 */
#ifndef NONAGON_NET_LOOP_H
#define NONAGON_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct uv_loop_s;

struct loop *loop_new(struct err *e);
/* Closes what is left (posted functions not yet run are run first). After loop_run has returned. */
void loop_free(struct loop *l);
void loop_run(struct loop *l);  /* until loop_stop; what was posted before that has run then */
void loop_stop(struct loop *l); /* any thread */
struct uv_loop_s *loop_uv(struct loop *l);
int64_t loop_now_ns(struct loop *l);  /* monotonic, cached from its first use in the current turn */
int64_t loop_wall_ns(struct loop *l); /* for stamps only */
/*
 * Another source of both times, for tests that step them; NULL = the system's, which a new loop
 * has. On the loop's thread or before it runs; the clock outlives the loop. Timers go by the
 * kernel's monotonic clock whatever is set here: what wants to be tested computes dues with
 * loop_now_ns.
 */
struct clock;
void loop_set_clock(struct loop *l, const struct clock *c);

/*
 * Runs fn(arg) on the loop's thread, in the order of posting. Any thread. One wake-up system call
 * for a burst. Posting to a loop that is being freed runs nothing and returns -ESHUTDOWN.
 */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Runs fn(arg) at the end of the current turn, on this thread. */
void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg);
bool loop_is_current(struct loop *l);

/* Runs work(arg) on the thread pool, then done(arg) on the loop. For file and DNS work that blocks.
 */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* A named thread that makes a loop, calls init on it, runs it, then calls fini. */
struct loop_thread;
struct loop_thread *loop_thread_start(const char *name,
                                      int (*init)(struct loop *l, void *ctx, struct err *e),
                                      void (*fini)(struct loop *l, void *ctx), void *ctx,
                                      struct err *e);
struct loop *loop_thread_loop(struct loop_thread *t);
void loop_thread_stop(struct loop_thread *t); /* stops the loop, joins, frees; NULL accepted */

/* One timer. The callback may free it. */
struct timer;
struct timer *timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx);
void timer_start(struct timer *t, uint64_t ms); /* once; restarts if running */
void timer_repeat(struct timer *t, uint64_t ms);
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);
void timer_free(struct timer *t);

/* Calls fn on the loop for each delivery of the signal. */
struct sigwatch;
struct sigwatch *sigwatch_new(struct loop *l, int signum, void (*fn)(void *ctx, int signum),
                              void *ctx);
void sigwatch_free(struct sigwatch *s);

#endif
