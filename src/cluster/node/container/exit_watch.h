/* Tells when a process ends, by its descriptor. Loop thread only. */
#ifndef NONAGON_NODE_EXIT_WATCH_H
#define NONAGON_NODE_EXIT_WATCH_H

#include <signal.h>

#include "net/loop.h"

struct exit_watch;
/*
 * Calls `ended` once; `si` is NULL when the process was not our child, so that how it ended is not
 * known. The descriptor is borrowed until exit_watch_stop, which may be called inside.
 */
struct exit_watch *exit_watch_start(struct loop *l, int pidfd,
                                    void (*ended)(void *ctx, const siginfo_t *si), void *ctx,
                                    struct err *e);
void exit_watch_stop(struct exit_watch *w);

#endif
