/*
 * An account per user who has something under way; LIMIT_API_USERS at most, those beyond share the
 * account of the others. The rule for a request: the total stays below its maximum, and the user's
 * own part does not exceed what is still free. So one user alone gets half; two get a third each; a
 * third user always finds room.
 */
#include "cluster/apiserver/auth/shares.h"

#include <assert.h>

#include "base/map.h"
#include "base/mem.h"
#include "cluster/apiserver/request/limits.h"

#define RETRY_S 1

struct account {
    char *user;
    size_t n[SHARE_MAX];
    int64_t bytes;
};

struct shares {
    struct shares_limits limits;
    struct map *accounts;
    struct account others;
    size_t n[SHARE_MAX];
    int64_t bytes;
    bool closed;
};

struct shares *shares_new(const struct shares_limits *limits)
{
    struct shares *s = xnew(struct shares);

    s->limits = *limits;
    s->accounts = map_new(NULL);
    return s;
}

static void release(struct shares *s)
{
    for (size_t i = 0; i < SHARE_MAX; i++)
        if (!s->closed || s->n[i])
            return;
    map_free(s->accounts);
    free(s);
}

void shares_free(struct shares *s)
{
    if (!s)
        return;
    s->closed = true;
    release(s);
}

static struct account *account_of(struct shares *s, const char *user)
{
    struct account *a = map_get(s->accounts, user);

    if (a)
        return a;
    if (map_len(s->accounts) >= LIMIT_API_USERS)
        return &s->others;
    a = xnew(struct account);
    a->user = xstrdup(user);
    map_set(s->accounts, user, a);
    return a;
}

static void drop_if_empty(struct shares *s, struct account *a)
{
    for (size_t i = 0; i < SHARE_MAX; i++)
        if (a->n[i])
            return;
    if (a == &s->others)
        return;
    map_del(s->accounts, a->user);
    free(a->user);
    free(a);
}

static bool fits(const struct shares *s, const struct account *a, enum share_kind kind,
                 int64_t bytes)
{
    size_t free_n = s->limits.most[kind] - s->n[kind];
    int64_t free_bytes = s->limits.bytes - s->bytes;

    return free_n > 0 && a->n[kind] < free_n && bytes <= free_bytes &&
           (!bytes || a->bytes + bytes <= free_bytes);
}

int share_take(struct shares *s, const char *user, enum share_kind kind, int64_t bytes,
               struct share *ret, struct api_status *st)
{
    static const char *const words[SHARE_MAX] = {"requests", "watches"};
    struct account *a = account_of(s, user);

    if (!fits(s, a, kind, bytes)) {
        size_t mine = a->n[kind];

        drop_if_empty(s, a);
        return api_fail_too_many(st, RETRY_S,
                                 "too many %s are under way (%zu, of them %zu of User \"%s\"), "
                                 "please try again later",
                                 words[kind], s->n[kind], mine, user);
    }
    a->n[kind]++;
    s->n[kind]++;
    a->bytes += bytes;
    s->bytes += bytes;
    *ret = (struct share){s, a, kind, bytes};
    return 0;
}

void share_give_back(struct share *h)
{
    struct shares *s = h->of;

    if (!s)
        return;
    assert(h->account->n[h->kind] > 0 && s->n[h->kind] > 0 && s->bytes >= h->bytes);
    h->account->n[h->kind]--;
    s->n[h->kind]--;
    h->account->bytes -= h->bytes;
    s->bytes -= h->bytes;
    drop_if_empty(s, h->account);
    *h = (struct share){0};
    release(s);
}
