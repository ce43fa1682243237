/*
 * Health is a table of checks. healthz and livez leave out what will come by itself (the start);
 * what does not (a store that cannot write) is a matter of all three.
 */
#include "cluster/apiserver/health.h"

#include <errno.h>

#include "cluster/apiserver/boot.h"

static bool check_ping(const struct apiserver *a, struct err *e)
{
    return true;
}

static bool check_start(const struct apiserver *a, struct err *e)
{
    if (!boot_is_ready(a->boot))
        err_set(e, -EAGAIN, "the built-in objects are being written");
    return boot_is_ready(a->boot);
}

static bool check_store(const struct apiserver *a, struct err *e)
{
    return store_health(a->env->core->store, NULL, e) == 0;
}

static void name_damaged(void *ctx, const char *key, uint64_t rev)
{
    buf_addf(ctx, " %s", key);
}

static bool check_objects(const struct apiserver *a, struct err *e)
{
    _cleanup_buf_ struct buf names = BUF_INIT(ERR_MSG_MAX);
    size_t n = store_each_damaged(a->env->core->store, name_damaged, &names);

    if (n)
        err_set(e, -EUCLEAN, "%zu objects cannot be read and are left out:%s", n, buf_z(&names));
    return n == 0;
}

static const struct check {
    const char *name;
    bool (*passes)(const struct apiserver *a, struct err *e);
    bool only_ready;
    bool only_tells; /* fails the whole only when it alone is asked for */
} checks[] = {
    {"ping", check_ping, false, false},
    {"store", check_store, false, false},
    {"store/objects", check_objects, false, true},
    {"poststarthook/builtin-objects", check_start, true, false},
};

struct report {
    struct buf text;
    bool failed, any;
};

/* Whether the check is in a list of exclude=… parameters. */
static bool excluded(struct str query, const char *name)
{
    struct str part;

    while (query.n && str_split(&query, '&', &part)) {
        _cleanup_free_ char *v = http_query_get(part, "exclude");

        if (streq(v, name))
            return true;
    }
    return false;
}

static void run(const struct apiserver *a, const struct check *c, bool skip, bool alone,
                struct report *rep)
{
    struct err e = {0};

    rep->any = true;
    if (skip)
        buf_addf(&rep->text, "[+]%s excluded: ok\n", c->name);
    else if (c->passes(a, &e))
        buf_addf(&rep->text, "[+]%s ok\n", c->name);
    else
        buf_addf(&rep->text, "[-]%s failed: %s\n", c->name, e.msg);
    rep->failed |= e.code != 0 && (alone || !c->only_tells);
}

void health_reply(struct apiserver *a, struct api_request *r)
{
    struct report rep = {.text = BUF_INIT(64 * 1024)};
    struct str path = http_path(r->x), query = http_query(r->x), what = path;
    _cleanup_free_ char *verbose = http_query_get(query, "verbose");
    bool ready = str_starts(path, STR("/readyz"));
    size_t slash = 0;
    struct str only = STR_NULL;

    what.p++, what.n--;
    if (str_find(what, '/', &slash))
        only = (struct str){what.p + slash + 1, what.n - slash - 1};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        const struct check *c = &checks[i];

        if ((only.n && !str_eq(only, str_of(c->name))) || (c->only_ready && !ready))
            continue;
        run(a, c, excluded(query, c->name), only.n > 0, &rep);
    }
    if (!rep.any) {
        request_not_found(r);
    } else if (rep.failed || verbose) {
        buf_addf(&rep.text, STR_FMT " check %s\n", STR_ARG(what), rep.failed ? "failed" : "passed");
        request_reply(r, rep.failed ? 503 : 200, "text/plain; charset=utf-8", buf_str(&rep.text));
    } else {
        request_reply(r, 200, "text/plain; charset=utf-8", STR("ok"));
    }
    buf_done(&rep.text);
}

void version_reply(struct apiserver *a, struct api_request *r)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    const char *dot = strchr(a->version, '.');
    int minor = dot ? atoi(dot + 1) : 0;

    buf_addf(&b, "{\"major\":\"1\",\"minor\":\"%d\",\"gitVersion\":", minor);
    json_quote(&b, a->version);
    buf_addz(&b, ",\"gitCommit\":\"\",\"gitTreeState\":\"clean\",\"buildDate\":"
                 "\"1970-01-01T00:00:00Z\",\"goVersion\":\"\",\"compiler\":\"gcc\",\"platform\":"
                 "\"linux/amd64\"}\n");
    request_reply(r, 200, "application/json", buf_str(&b));
}
