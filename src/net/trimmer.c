/*
 * Resident anonymous memory comes from /proc/self/statm, memory in use from the allocator; what
 * lies between is mostly freed and kept. The rest (stacks, data of libraries) is learned: it is
 * what a trim leaves.
 */
#include "net/trimmer.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define LOOK_MS 10000
#define WORTH   (16LL * 1024 * 1024)

struct trimmer {
    struct loop *loop;
    struct timer *timer;
    struct trim_state state;
    int64_t resident, in_use;
    bool working, unwanted;
};

bool trim_wanted(struct trim_state *s, int64_t resident, int64_t in_use)
{
    int64_t idle = resident - in_use;

    if (idle < s->idle)
        s->idle = idle;
    return idle - s->idle > WORTH;
}

void trim_done(struct trim_state *s, int64_t resident, int64_t in_use)
{
    s->idle = resident - in_use;
}

static int64_t resident_now(void)
{
    long long size = 0, resident = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%lld %lld %lld", &size, &resident, &shared) != 3)
        resident = shared = 0;
    fclose(f);
    return (resident - shared) * sysconf(_SC_PAGESIZE);
}

static int64_t in_use_now(void)
{
    struct mallinfo2 m = mallinfo2();

    return (int64_t)(m.uordblks + m.hblkhd);
}

static void measure(struct trimmer *t)
{
    t->resident = resident_now();
    t->in_use = in_use_now();
}

/* On the thread pool: heaps are locked one after the other while they are walked. */
static void work(void *arg)
{
    struct trimmer *t = arg;

    measure(t);
    if (!trim_wanted(&t->state, t->resident, t->in_use))
        return;
    malloc_trim(0);
    measure(t);
    trim_done(&t->state, t->resident, t->in_use);
}

static void work_done(void *arg)
{
    struct trimmer *t = arg;

    t->working = false;
    if (t->unwanted)
        free(t);
}

static void look(void *ctx)
{
    struct trimmer *t = ctx;

    if (t->working)
        return;
    t->working = true;
    loop_work(t->loop, work, work_done, t);
}

struct trimmer *trimmer_new(struct loop *l)
{
    struct trimmer *t = xnew(struct trimmer);

    t->loop = l;
    t->timer = timer_new(l, look, t);
    timer_repeat(t->timer, LOOK_MS);
    return t;
}

void trimmer_free(struct trimmer *t)
{
    if (!t)
        return;
    timer_free(t->timer);
    t->unwanted = true;
    if (!t->working)
        free(t);
}
