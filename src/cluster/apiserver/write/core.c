/* See core.h. */
#include "cluster/apiserver/write/core.h"

#include <assert.h>

#include "cluster/apiserver/crd/crd.h"
#include "cluster/apiserver/write/cluster_ips.h"

static const char *const masters[] = {"system:masters"};
const struct user_info api_server_user = {
    .name = "system:apiserver", .uid = "", .groups = masters, .n_groups = 1};

struct api_core *api_core_new(struct loop *l, struct store *s, const struct admission *hooks,
                              size_t n_hooks, struct err *e)
{
    struct api_core *c = xnew(struct api_core);
    struct admission *copy = xcalloc(n_hooks + 1, sizeof(*copy));

    if (n_hooks)
        memcpy(copy, hooks, n_hooks * sizeof(*copy));
    *c = (struct api_core){
        .loop = l, .store = s, .kinds = kinds_new(), .admission = {copy, n_hooks}, .refs = 1};
    list_init(&c->closers);
    kinds_add(c->kinds, &crd_kind);
    c->ips = cluster_ips_new(s, e);
    if (c->ips)
        return c;
    api_core_unref(c);
    return NULL;
}

struct api_core *api_core_ref(struct api_core *c)
{
    assert(c->refs > 0);
    c->refs++;
    return c;
}

void api_core_unref(struct api_core *c)
{
    if (!c)
        return;
    assert(c->refs > 0);
    if (--c->refs)
        return;
    cluster_ips_free(c->ips);
    kinds_free(c->kinds);
    free((void *)(uintptr_t)c->admission.hooks);
    free(c);
}

void core_closer_add(struct api_core *c, struct core_closer *e, void (*fn)(struct core_closer *c))
{
    e->fn = fn;
    list_push_back(&c->closers, &e->link);
}

void core_closer_remove(struct core_closer *e)
{
    list_del(&e->link);
}

void api_core_close(struct api_core *c)
{
    c->closing = true;
    list_for_each_safe(it, &c->closers)
    {
        struct core_closer *e = list_entry(it, struct core_closer, link);

        e->fn(e);
    }
    cluster_ips_stop(c->ips);
}
