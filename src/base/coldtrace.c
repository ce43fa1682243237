/*
 * A fixed ring of traces under one mutex. Marks happen a handful of times per cold start, never per
 * request, so a lock and a linear search of a few hundred entries cost less than anything cleverer.
 */
#include "base/coldtrace.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TRACES 256

static struct trace {
    char key[320];
    int64_t at[COLD_STAGE_MAX];
} traces[TRACES];
static unsigned next_slot;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct trace *find(const char *key)
{
    for (int i = 0; i < TRACES; i++) {
        if (strcmp(traces[i].key, key) == 0)
            return &traces[i];
    }
    return NULL;
}

static struct trace *start(const char *key)
{
    struct trace *t = find(key);

    if (!t)
        t = &traces[next_slot++ % TRACES];
    memset(t, 0, sizeof(*t));
    snprintf(t->key, sizeof(t->key), "%s", key);
    return t;
}

static bool running(const struct trace *t)
{
    return t && t->at[COLD_SERVED] == 0;
}

void coldtrace_mark(const char *ns, const char *revision, enum cold_stage stage)
{
    char key[320];
    struct trace *t;

    snprintf(key, sizeof(key), "%s/%s", ns, revision);
    pthread_mutex_lock(&lock);
    t = find(key);
    if (stage == COLD_QUEUED && !running(t))
        t = start(key);
    if (t && t->at[stage] == 0)
        t->at[stage] = clock_mono_ns();
    pthread_mutex_unlock(&lock);
}

bool coldtrace_get(const char *ns, const char *revision, int64_t ret_ns[static COLD_STAGE_MAX])
{
    char key[320];

    snprintf(key, sizeof(key), "%s/%s", ns, revision);
    pthread_mutex_lock(&lock);
    struct trace *t = find(key);
    if (t)
        memcpy(ret_ns, t->at, sizeof(t->at));
    pthread_mutex_unlock(&lock);
    return t != NULL;
}
