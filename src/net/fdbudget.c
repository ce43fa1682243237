/* One counter and one bound for each class; a counter may pass its bound for a moment only inside
 * fdbudget_take. */
#include "net/fdbudget.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FEW         256
#define CONTROL_MAX 2048 /* an API server has no use for more */

static atomic_size_t used[FD_CLASSES];
static atomic_size_t share[FD_CLASSES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* An eighth (of few: more) for the machinery, an eighth at most for the API, and the rest in two
 * halves, since every request through the data plane may take one descriptor at each side. */
void fdbudget_split(size_t n, size_t ret[static FD_CLASSES])
{
    size_t own = larger(n / 8, smaller(n / 2, FEW));
    size_t control = larger(smaller(n / 8, CONTROL_MAX), smaller(n, 8));
    size_t rest = n > own + control ? n - own - control : 0;

    ret[FD_CONTROL] = control;
    ret[FD_CLIENT] = ret[FD_UPSTREAM] = rest / 2;
    ret[FD_UNCOUNTED] = n - control - rest / 2 * 2;
}

static void store(size_t descriptors)
{
    size_t s[FD_CLASSES];

    fdbudget_split(descriptors, s);
    for (int k = 0; k < FD_CLASSES; k++)
        atomic_store(&share[k], s[k]);
}

static void store_present_limit(void)
{
    struct rlimit r;

    store(getrlimit(RLIMIT_NOFILE, &r) == 0 ? (size_t)r.rlim_cur : FEW);
}

void fdbudget_set(size_t descriptors)
{
    pthread_once(&once, store_present_limit); /* so that it does not come later */
    store(descriptors);
}

int fdbudget_from_limit(struct err *e)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return err_sys(e, errno, "cannot read the limit of open files");
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0 || getrlimit(RLIMIT_NOFILE, &r) < 0)
        return err_sys(e, errno, "cannot raise the limit of open files");
    fdbudget_set((size_t)r.rlim_cur);
    if (r.rlim_cur < FEW)
        return err_set(
            e, -EMFILE,
            "only %zu files may be open at a time (`ulimit -n`): this is enough for a few "
            "pods and %zu clients; allow at least 4096",
            (size_t)r.rlim_cur, fdbudget_share(FD_CLIENT));
    return 0;
}

bool fdbudget_take(enum fd_class k)
{
    if (k == FD_UNCOUNTED)
        return true;
    pthread_once(&once, store_present_limit);
    if (atomic_fetch_add(&used[k], 1) < atomic_load(&share[k]))
        return true;
    atomic_fetch_sub(&used[k], 1);
    return false;
}

void fdbudget_give(enum fd_class k)
{
    if (k == FD_UNCOUNTED)
        return;
    size_t had = atomic_fetch_sub(&used[k], 1);
    assert(had > 0);
}

size_t fdbudget_used(enum fd_class k)
{
    return atomic_load(&used[k]);
}

size_t fdbudget_share(enum fd_class k)
{
    pthread_once(&once, store_present_limit);
    return atomic_load(&share[k]);
}
