/* What containers are told of their pod: facts for the environment, /etc/hosts, /etc/resolv.conf.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cluster/node/pod/pod_impl.h"
#include "cluster/node/runtime/files.h"

#define MAX_RESOLV (64 * 1024)

static yyjson_val *lookup(void *ctx, const struct kube_resource *r, const char *ns,
                          const char *name)
{
    struct pod_table *t = ctx;
    return kobj_root(cache_get(manager_cache(t->o.env.manager, r), ns, name));
}

void pod_facts_of(struct sandbox *box, struct pod_facts *f)
{
    struct pod_table *t = pod_of(box)->table;
    *f = (struct pod_facts){.pod = box->obj,
                            .node_name = t->o.node_name,
                            .host_ip = t->o.host_ip,
                            .pod_ip = box->ip,
                            .node_cpu_milli = t->o.cpu_milli,
                            .node_memory = t->o.env.memory,
                            .lookup = lookup,
                            .ctx = t};
}

/* ---- name resolution ---- */
static void add_list(struct buf *out, const char *word, const yyjson_val *list, bool one_line)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach((yyjson_val *)list, i, max, v)
    {
        if (one_line)
            buf_addf(out, " %s", yyjson_get_str(v));
        else
            buf_addf(out, "%s %s\n", word, yyjson_get_str(v));
    }
}

static void add_options(struct buf *out, const yyjson_val *list)
{
    size_t i, max;
    yyjson_val *o;
    yyjson_arr_foreach((yyjson_val *)list, i, max, o)
    {
        const char *name = jget_str(o, "name"), *value = jget_str(o, "value");
        buf_addf(out, "options %s%s%s\n", name ? name : "", value ? ":" : "", value ? value : "");
    }
}

char *pod_resolv_conf(struct sandbox *box)
{
    const struct pod_table_opts *o = &pod_of(box)->table->o;
    const yyjson_val *spec = jget(kobj_root(box->spec), "spec");
    const yyjson_val *extra = jget(spec, "dnsConfig");
    const char *policy = jget_str(spec, "dnsPolicy");
    struct buf out = BUF_INIT(MAX_RESOLV);
    if (streq(policy, "Default")) {
        _cleanup_free_ char *host = file_read("/etc/resolv.conf", MAX_RESOLV / 2, NULL);
        buf_addz(&out, host ? host : "");
    } else if (!streq(policy, "None")) {
        buf_addf(&out, "nameserver %s\nsearch %s.svc.%s svc.%s %s", o->dns_ip,
                 kobj_namespace(box->obj), o->domain, o->domain, o->domain);
        add_list(&out, NULL, jget(extra, "searches"), true);
        buf_addz(&out, "\noptions ndots:5\n");
    }
    add_list(&out, "nameserver", jget(extra, "nameservers"), false);
    if (streq(policy, "None") && jget(extra, "searches")) {
        buf_addz(&out, "search");
        add_list(&out, NULL, jget(extra, "searches"), true);
        buf_addz(&out, "\n");
    }
    add_options(&out, jget(extra, "options"));
    return buf_steal(&out, NULL);
}

char *pod_hosts(struct sandbox *box)
{
    const yyjson_val *spec = jget(kobj_root(box->spec), "spec");
    char hostname[POD_HOSTNAME_LEN];
    env_hostname(kobj_root(box->spec), hostname);
    struct buf out = BUF_INIT(MAX_RESOLV);
    buf_addz(&out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    buf_addf(&out, "%s\t%s\n", box->ip, hostname);
    size_t i, max;
    yyjson_val *alias;
    yyjson_arr_foreach(jget(spec, "hostAliases"), i, max, alias)
    {
        const char *ip = jget_str(alias, "ip");
        buf_addf(&out, "%s\t", ip ? ip : "");
        add_list(&out, NULL, jget(alias, "hostnames"), true);
        buf_addc(&out, '\n');
    }
    return buf_steal(&out, NULL);
}
