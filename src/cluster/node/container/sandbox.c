/* Counting holds, and short ways to say something. */
#include "cluster/node/container/sandbox.h"

#include <assert.h>
#include <stdio.h>

#define MAX_GRACE_S (10LL * 365 * 24 * 3600)

void sandbox_hold(struct sandbox *s)
{
    s->holds++;
}

void sandbox_release(struct sandbox *s)
{
    assert(s->holds > 0);
    if (--s->holds == 0)
        s->ops->released(s);
}

void sandbox_warn(struct sandbox *s, const char *reason, const char *fmt, ...)
{
    char *text;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = xstrdup(reason);
    va_end(ap);
    s->ops->warn(s, reason, text);
    free(text);
}

int64_t sandbox_grace_ms(int64_t seconds)
{
    if (seconds < 0)
        return 0;
    return (seconds < MAX_GRACE_S ? seconds : MAX_GRACE_S) * 1000;
}

const char *sandbox_restart_policy(const struct sandbox *s)
{
    const char *policy = jget_str(kobj_root(s->spec), "spec", "restartPolicy");
    return policy ? policy : "Always";
}
