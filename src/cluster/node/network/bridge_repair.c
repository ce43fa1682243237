/*
 * One look after the other, each with its remedy; a step that fails ends the round, since those
 * behind it stand on it. The route that refuses comes first, so that no packet for a pod leaves by
 * the default route while the rest is put right.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cluster/node/network/bridge.h"
#include "cluster/node/network/bridge_link.h"
#include "cluster/node/network/rules.h"

#define MAX_NAMES 4096

struct round {
    const struct net_spec *s;
    struct bridge_memory *m;
    struct nl *n;
    bool look_at_rules;
    char *found; /* BRIDGE_FOUND_LEN */
};

static void note(struct round *k, const char *what)
{
    size_t at = strlen(k->found);
    snprintf(k->found + at, BRIDGE_FOUND_LEN - at, "%s%s", at ? ", " : "", what);
}

static int see_refusal(struct round *k, struct err *e)
{
    if (nl_refuse_route_stands(k->n, k->s->net, k->s->prefix))
        return 0;
    note(k, "the route that keeps packets for pods here is gone");
    return nl_refuse_route(k->n, true, k->s->net, k->s->prefix, e);
}

static int see_bridge(struct round *k, struct err *e)
{
    const char *name = k->s->bridge;
    if (if_nametoindex(name) == 0) {
        note(k, "the bridge is gone");
        return bridge_link_make(k->n, k->s, e);
    }
    if (!bridge_link_is_ours(name) || bridge_link_has_mac(k->s))
        return 0;
    note(k, "the bridge has another hardware address");
    return nl_link_mac(k->n, name, k->s->mac, e);
}

static int see_up(struct round *k, struct err *e)
{
    if (bridge_link_is_up(k->s->bridge))
        return 0;
    note(k, "the bridge is down");
    return nl_link_up(k->n, k->s->bridge, e);
}

static int see_address(struct round *k, struct err *e)
{
    if (bridge_link_has_address(k->s))
        return 0;
    note(k, "the bridge has lost its address");
    return nl_addr_add(k->n, k->s->bridge, k->s->gateway, k->s->prefix, e);
}

static int see_route(struct round *k, struct err *e)
{
    const struct net_spec *s = k->s;
    unsigned bridge = if_nametoindex(s->bridge);
    if (nl_route_of(k->n, s->gateway + 1) == bridge)
        return 0;
    note(k, "the route to the pods is gone");
    int r = nl_link_route(k->n, s->bridge, s->net, s->prefix, s->gateway, e);
    if (r < 0 || nl_route_of(k->n, s->gateway + 1) == bridge)
        return r;
    return err_set(e, -ENETUNREACH,
                   "another route leads packets for pods away from the bridge %s; remove it (see: "
                   "ip route get to a pod's address)",
                   s->bridge);
}

static int see_ports(struct round *k, struct err *e)
{
    size_t moved, astray;
    int r = bridge_link_ports(k->n, k->s, &moved, &astray, e);
    if (moved)
        note(k, "interfaces of pods are out of the bridge");
    if (r == 0 && astray) {
        note(k, "a route leads packets for pods elsewhere");
        return err_set(e, -ENETUNREACH,
                       "another route leads packets for %zu pods away from the bridge %s; remove "
                       "it (see: ip route)",
                       astray, k->s->bridge);
    }
    return r;
}

/* ---- what passes ---- */
static char *joined(const forwarding_names *names)
{
    struct buf b = BUF_INIT(MAX_NAMES);
    for (size_t i = 0; i < names->n; i++)
        buf_addf(&b, "%s ", names->p[i]);
    return buf_steal(&b, NULL);
}

static int install(struct round *k, const forwarding_names *names, char *forwarding, struct err *e)
{
    char *seen = NULL;
    int r = rules_install(k->s, names, &seen, e);
    if (r < 0) {
        free(forwarding);
        return r;
    }
    bridge_memory_done(k->m);
    *k->m = (struct bridge_memory){.rules = seen, .forwarding = forwarding};
    return 0;
}

/* Rules before forwarding: what is not filtered yet is not passed on either. */
static int filter(struct round *k, const forwarding_names *names, struct err *e)
{
    _cleanup_free_ char *text = joined(names);
    bool same = k->m->forwarding && streq(text, k->m->forwarding);
    if (same && (!k->look_at_rules || rules_stand(k->s, k->m->rules)))
        return 0;
    if (same)
        note(k, "the packet rules were changed");
    return install(k, names, steal(&text), e);
}

static int see_passage(struct round *k, struct err *e)
{
    forwarding_names names = {0};
    int r = forwarding_plan(k->s->bridge, &names, e);
    if (r == 0)
        r = filter(k, &names, e);
    if (r == 0)
        r = forwarding_start(k->s->bridge, &names, e);
    forwarding_names_done(&names);
    return r;
}

int bridge_repair(const struct net_spec *s, struct bridge_memory *m, bool look_at_rules,
                  char ret_found[static BRIDGE_FOUND_LEN], struct err *e)
{
    static int (*const steps[])(struct round * k, struct err * e) = {
        see_refusal, see_bridge, see_up, see_address, see_route, see_ports, see_passage};
    _cleanup_(nl_closep) struct nl *n = nl_open(e);
    struct round k = {s, m, n, look_at_rules, ret_found};
    *ret_found = 0;
    int r = n ? 0 : -EIO;
    for (size_t i = 0; r == 0 && i < sizeof steps / sizeof *steps; i++)
        r = steps[i](&k, e);
    return r;
}

void bridge_memory_done(struct bridge_memory *m)
{
    free(m->rules);
    free(m->forwarding);
    *m = (struct bridge_memory){0};
}
