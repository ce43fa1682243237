/* A short list: few are ever in it, and their number is bounded where they are found. */
#include "cluster/store/damaged.h"

#include "base/mem.h"
#include "base/vec.h"

struct entry {
    char *key;
    uint64_t rev;
};

struct damaged {
    VEC(struct entry) entries;
};

struct damaged *damaged_new(void)
{
    return xnew(struct damaged);
}

void damaged_free(struct damaged *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->entries.n; i++)
        free(d->entries.p[i].key);
    vec_done(&d->entries);
    free(d);
}

static struct entry *find(const struct damaged *d, const char *key)
{
    for (size_t i = 0; i < d->entries.n; i++)
        if (streq(d->entries.p[i].key, key))
            return &d->entries.p[i];
    return NULL;
}

void damaged_add(struct damaged *d, const char *key, uint64_t rev)
{
    struct entry *en = find(d, key);

    if (en) {
        en->rev = rev > en->rev ? rev : en->rev;
        return;
    }
    struct entry fresh = {xstrdup(key), rev};
    vec_push(&d->entries, fresh);
}

uint64_t damaged_rev(const struct damaged *d, const char *key)
{
    const struct entry *en = d->entries.n ? find(d, key) : NULL;

    return en ? en->rev : 0;
}

void damaged_settle(struct damaged *d, uint64_t rev)
{
    for (size_t i = d->entries.n; i-- > 0;) {
        if (d->entries.p[i].rev != rev)
            continue;
        free(d->entries.p[i].key);
        vec_remove(&d->entries, i);
    }
}

size_t damaged_each(const struct damaged *d, void (*fn)(void *ctx, const char *key, uint64_t rev),
                    void *ctx)
{
    for (size_t i = 0; fn && i < d->entries.n; i++)
        fn(ctx, d->entries.p[i].key, d->entries.p[i].rev);
    return d->entries.n;
}
