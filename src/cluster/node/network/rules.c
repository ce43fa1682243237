/* Text for nft, which applies it as one transaction: there is no moment without rules. */
#include "cluster/node/network/rules.h"

#include <errno.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/proc.h"

#define NFT_TIMEOUT_MS 10000
#define MAX_TEXT       (64 * 1024)

static int nft(const char *input, char **ret_out, struct err *e)
{
    const char *const argv[] = {"nft", "-f", "-", NULL};
    struct proc_opts o = {.argv = argv, .input = input, .timeout_ms = NFT_TIMEOUT_MS};
    return proc_run(&o, ret_out, e);
}

static char *list_table(const char *bridge)
{
    const char *const argv[] = {"nft", "-s", "list", "table", "ip", bridge, NULL};
    struct proc_opts o = {.argv = argv, .timeout_ms = NFT_TIMEOUT_MS};
    char *out = NULL;
    if (proc_run(&o, &out, NULL) == 0)
        return out;
    free(out);
    return NULL;
}

static void add_transit(struct buf *b, const char *bridge, const forwarding_names *forwarding)
{
    for (size_t i = 0; i < forwarding->n; i++)
        buf_addf(b, "iifname \"%s\" oifname != \"%s\" drop\n", forwarding->p[i], bridge);
}

static void add_table(struct buf *b, const struct net_spec *s, const forwarding_names *forwarding)
{
    const char *br = s->bridge;
    buf_addf(b, "table ip %s\ndelete table ip %s\ntable ip %s {\n", br, br, br);
    buf_addf(b,
             "chain arriving {\ntype filter hook input priority 0; policy accept;\n"
             "ip daddr %s iifname != { \"%s\", \"lo\" } drop\n}\n",
             s->subnet, br);
    buf_addf(b,
             "chain passing {\ntype filter hook forward priority 0; policy accept;\n"
             "iifname \"%s\" ip saddr != %s drop\n"
             "iifname \"%s\" accept\n"
             "oifname \"%s\" ct state established,related accept\n"
             "oifname \"%s\" drop\n",
             br, s->subnet, br, br, br);
    add_transit(b, br, forwarding);
    buf_addz(b, "}\n");
    buf_addf(b,
             "chain leaving {\ntype nat hook postrouting priority 100; policy accept;\n"
             "ip saddr %s ip daddr != %s oifname != \"%s\" masquerade\n}\n}\n",
             s->subnet, s->subnet, br);
}

int rules_install(const struct net_spec *s, const forwarding_names *forwarding, char **ret_seen,
                  struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_TEXT);
    _cleanup_free_ char *out = NULL;
    struct err why = {0};
    add_table(&b, s, forwarding);
    int r = nft(buf_z(&b), &out, &why);
    if (r != 0)
        return err_set(e, r < 0 ? r : -ENOTSUP,
                       "installing the packet rules that keep strangers out of the pods' network: "
                       "nft: %s (apt install nftables; the kernel must have nf_tables)",
                       r < 0 ? why.msg
                       : out ? out
                             : "failed");
    *ret_seen = list_table(s->bridge);
    return 0;
}

bool rules_stand(const struct net_spec *s, const char *seen)
{
    _cleanup_free_ char *now = list_table(s->bridge);
    return now && seen && streq(now, seen);
}

void rules_remove(const char *bridge)
{
    _cleanup_free_ char *text = xasprintf("table ip %s\ndelete table ip %s\n", bridge, bridge);
    (void)nft(text, NULL, NULL); /* without nft there are none */
}
