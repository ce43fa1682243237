/* Two maps: host to owner, and owner to the list of its hosts (to let go without a walk over all).
 */
#include "plugin/ingress/gateway/hosts.h"

#include <ctype.h>
#include <errno.h>

#include "base/map.h"
#include "base/vec.h"

struct owner {
    char *key;
    VEC(char *) hosts;
};

struct host_table {
    struct map *by_host; /* -> struct owner, borrowed */
    struct map *owners;  /* by Ingress key */
};

static void owner_free(void *p)
{
    struct owner *o = p;

    for (size_t i = 0; i < o->hosts.n; i++)
        free(o->hosts.p[i]);
    vec_done(&o->hosts);
    free(o->key);
    free(o);
}

struct host_table *host_table_new(void)
{
    struct host_table *t = xnew(struct host_table);

    t->by_host = map_new(NULL);
    t->owners = map_new(owner_free);
    return t;
}

void host_table_free(struct host_table *t)
{
    if (!t)
        return;
    map_free(t->by_host);
    map_free(t->owners);
    free(t);
}

static char *lower(const char *host)
{
    char *s = xstrdup(host);

    for (char *p = s; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return s;
}

static int check(const struct host_table *t, const struct dp_ingress *in, const char *host,
                 struct err *e)
{
    _cleanup_free_ char *name = lower(host);
    const struct owner *o = map_get(t->by_host, name);

    if (!o || streq(o->key, in->key))
        return 0;
    return err_set(e, -EEXIST, "host %s is already served for Ingress %s", name, o->key);
}

static int check_all(const struct host_table *t, const struct dp_ingress *in, struct err *e)
{
    for (size_t i = 0; i < in->n_rules; i++) {
        for (size_t j = 0; j < in->rules[i].n_hosts; j++) {
            int r = check(t, in, in->rules[i].hosts[j], e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

bool host_table_release(struct host_table *t, const char *key)
{
    struct owner *o = map_take(t->owners, key);

    if (!o)
        return false;
    for (size_t i = 0; i < o->hosts.n; i++)
        map_del(t->by_host, o->hosts.p[i]);
    owner_free(o);
    return true;
}

static void give(struct host_table *t, struct owner *o, const char *host)
{
    char *name = lower(host);

    if (map_has(t->by_host, name)) { /* named twice in one Ingress */
        free(name);
        return;
    }
    map_set(t->by_host, name, o);
    vec_push(&o->hosts, name);
}

int host_table_claim(struct host_table *t, const struct dp_ingress *in, struct err *e)
{
    int r = check_all(t, in, e);

    if (r < 0)
        return r;
    host_table_release(t, in->key);
    struct owner *o = xnew(struct owner);
    o->key = xstrdup(in->key);
    map_set(t->owners, in->key, o);
    for (size_t i = 0; i < in->n_rules; i++) {
        for (size_t j = 0; j < in->rules[i].n_hosts; j++)
            give(t, o, in->rules[i].hosts[j]);
    }
    return 0;
}
