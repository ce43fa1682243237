/* What the files of this folder share about a loop. Not for others. */
#ifndef NONAGON_NET_LOOP_IMPL_H
#define NONAGON_NET_LOOP_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/vec.h"
#include "net/loop.h"

#define LOOP_READ_BUFFER (64 * 1024)

/*
 * Every libuv handle made here has `data` pointing at one of these, so that freeing a loop can drop
 * what its owners left behind. drop closes all handles of the owner and frees it.
 */
struct loop_owned {
    void (*drop)(struct loop_owned *o);
};

struct loop_call {
    void (*fn)(void *arg);
    void *arg;
};
struct loop_calls {
    struct loop_call *p;
    size_t n, cap;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t turn; /* forgets the cached time before the loop sleeps */
    uv_check_t after_io;
    uv_idle_t no_sleep; /* active while deferred calls wait: the poll must not block */
    bool now_known, running;
    int64_t now_ns;
    const struct clock *clock;
    _Atomic(pthread_t) owner; /* asked for by any thread */
    char *read_buf;           /* one for all connections: data is handed on before the next read */
    char *plain_buf;          /* the same for decrypted data; made at first use */
    struct loop_calls deferred;
    pthread_mutex_t lock; /* guards posted, closed */
    struct loop_calls posted;
    bool closed;
    atomic_bool stop;
};

#endif
