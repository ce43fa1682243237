/* Texts are Kubernetes' where clients read them; a value that is out of range is refused by its
 * name, none is ignored. */
#include "cluster/apiserver/verbs/pod_options.h"

#include "base/clock.h"
#include "base/vec.h"
#include "http/message.h"

#define DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"
#define MAX_COMMAND       4096 /* words */

void pod_options_done(struct pod_options *o)
{
    free(o->container);
    for (size_t i = 0; i < o->n_command; i++)
        free(o->command[i]);
    free(o->command);
    *o = (struct pod_options){0};
}

/* ---- the query ---- */
static bool flag(struct str query, const char *name)
{
    _cleanup_free_ char *v = http_query_get(query, name);

    return v && (streq(v, "true") || streq(v, "1") || streq(v, "True"));
}

/* Calls fn with each value of a repeated parameter; stops on nonzero. */
static int each_value(struct str query, const char *name, int (*fn)(void *ctx, char *value),
                      void *ctx)
{
    struct str part;

    while (query.n && str_split(&query, '&', &part)) {
        size_t eq = part.n;
        int r;

        if (!str_find(part, '=', &eq))
            eq = part.n;
        if (!str_eq((struct str){part.p, eq}, str_of(name)))
            continue;
        size_t n = eq < part.n ? part.n - eq - 1 : 0;
        char *value = xstrndup(part.p + part.n - n, n);

        if (!http_unescape(value, &n, true) || memchr(value, '\0', n)) {
            free(value);
            return -1;
        }
        value[n] = '\0';
        r = fn(ctx, value);
        if (r)
            return r;
    }
    return 0;
}

static int invalid(struct api_status *st, const char *kind, const char *field, const char *value,
                   const char *why)
{
    const struct kube_resource res = {"", "v1", "", kind, false};
    _cleanup_errors_ struct field_errors errs = {0};

    field_error_add(&errs, FE_INVALID, field, value, "%s", why);
    return api_fail_invalid(st, &res, "", &errs);
}

/* -1 in *ret when it is not given. */
static int number(struct str query, const char *name, int64_t least, int64_t *ret,
                  struct api_status *st)
{
    _cleanup_free_ char *v = http_query_get(query, name);

    *ret = -1;
    if (!v || !*v)
        return 0;
    if (str_i64(str_of(v), ret) < 0)
        return api_fail_bad(st, "query parameter %s: \"%s\" is not a whole number", name, v);
    if (*ret < least)
        return invalid(st, "PodLogOptions", name, v,
                       least ? "must be greater than 0" : "must be greater than or equal to 0");
    return 0;
}

/* ---- the container ---- */
static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};

static bool has_container(const struct kobj *pod, const char *name)
{
    yyjson_val *c;
    size_t i, n;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        yyjson_arr_foreach(jget(kobj_root(pod), "spec", lists[k]), i, n, c)
        {
            if (streq(jget_str(c, "name"), name))
                return true;
        }
    return false;
}

static int choose(const struct kobj *pod, struct pod_options *o, struct api_status *st)
{
    yyjson_val *all = jget(kobj_root(pod), "spec", "containers"), *c;
    const char *preferred = kobj_annotation(pod, DEFAULT_CONTAINER);
    _cleanup_buf_ struct buf names = BUF_INIT(16 * 1024);
    size_t i, n;

    if (yyjson_arr_size(all) == 1)
        preferred = jget_str(yyjson_arr_get_first(all), "name");
    if (preferred && has_container(pod, preferred)) {
        o->container = xstrdup(preferred);
        return 0;
    }
    yyjson_arr_foreach(all, i, n, c) buf_addf(&names, "%s%s", i ? " " : "", jget_str(c, "name"));
    return api_fail_bad(st, "a container name must be specified for pod %s, choose one of: [%s]",
                        kobj_name(pod), buf_z(&names));
}

static void name_target(const struct kobj *pod, struct pod_options *o)
{
    o->target =
        (struct kubelet_target){kobj_namespace(pod), kobj_name(pod), kobj_uid(pod), o->container};
}

static int target(struct str query, const struct kobj *pod, struct pod_options *o,
                  struct api_status *st)
{
    o->container = http_query_get(query, "container");
    if (o->container && !*o->container)
        free(steal(&o->container));
    if (!o->container && choose(pod, o, st) < 0)
        return -1;
    if (!has_container(pod, o->container))
        return api_fail_bad(st, "container %s is not valid for pod %s", o->container,
                            kobj_name(pod));
    o->target =
        (struct kubelet_target){kobj_namespace(pod), kobj_name(pod), kobj_uid(pod), o->container};
    return 0;
}

/* ---- logs ---- */
static int since(struct str query, int64_t now, int64_t *ret, struct api_status *st)
{
    _cleanup_free_ char *time = http_query_get(query, "sinceTime");
    int64_t seconds;

    *ret = INT64_MIN;
    if (number(query, "sinceSeconds", 1, &seconds, st) < 0)
        return -1;
    if (seconds > 0 && time && *time)
        return invalid(st, "PodLogOptions", "sinceSeconds", "0",
                       "at most one of `sinceTime` or `sinceSeconds` may be specified");
    if (seconds > now / NS_PER_SEC)
        return 0;
    if (seconds > 0)
        *ret = now - seconds * NS_PER_SEC;
    else if (time && *time && clock_rfc3339_parse(time, ret) < 0)
        return api_fail_bad(st, "query parameter sinceTime: \"%s\" is no time (RFC 3339)", time);
    return 0;
}

int pod_options_logs(struct str query, const struct kobj *pod, int64_t now, struct pod_options *ret,
                     struct api_status *st)
{
    _cleanup_free_ char *stream = http_query_get(query, "stream");
    struct kubelet_logs *o = &ret->logs;

    *ret = (struct pod_options){0};
    if (number(query, "tailLines", 0, &o->tail_lines, st) < 0 ||
        number(query, "limitBytes", 1, &o->limit_bytes, st) < 0 ||
        since(query, now, &o->since_ns, st) < 0)
        return -1;
    if (stream && *stream && !streq(stream, "All"))
        return invalid(st, "PodLogOptions", "stream", stream,
                       "only All is supported: a container's streams are kept together");
    o->follow = flag(query, "follow");
    o->previous = flag(query, "previous");
    o->timestamps = flag(query, "timestamps");
    return target(query, pod, ret, st);
}

/* ---- exec, attach ---- */
static int streams(struct str query, struct kubelet_streams *o, struct api_status *st)
{
    o->in = flag(query, "stdin");
    o->out = flag(query, "stdout");
    o->tty = flag(query, "tty");
    o->err = flag(query, "stderr") && !o->tty; /* a terminal has one output */
    if (!o->in && !o->out && !o->err)
        return api_fail_bad(st, "you must specify at least 1 of stdin, stdout, stderr");
    return 0;
}

static int add_word(void *ctx, char *value)
{
    struct pod_options *o = ctx;

    if (o->n_command == MAX_COMMAND) {
        free(value);
        return -1;
    }
    o->command = xrealloc(o->command, (o->n_command + 1) * sizeof(*o->command));
    o->command[o->n_command++] = value;
    return 0;
}

int pod_options_exec(struct str query, const struct kobj *pod, struct pod_options *ret,
                     struct api_status *st)
{
    *ret = (struct pod_options){0};
    if (each_value(query, "command", add_word, ret) < 0)
        return api_fail_bad(
            st, "query parameter command: more than %d words, or one that is no text", MAX_COMMAND);
    if (!ret->n_command || !*ret->command[0])
        return api_fail_bad(st,
                            "you must specify a command: the query parameter command is missing");
    if (streams(query, &ret->exec.streams, st) < 0)
        return -1;
    ret->exec.command = (const char *const *)ret->command;
    ret->exec.n_command = ret->n_command;
    return target(query, pod, ret, st);
}

int pod_options_attach(struct str query, const struct kobj *pod, struct pod_options *ret,
                       struct api_status *st)
{
    *ret = (struct pod_options){0};
    if (streams(query, &ret->attach.streams, st) < 0)
        return -1;
    return target(query, pod, ret, st);
}

/* ---- port-forward ---- */
static int add_ports(void *ctx, char *value)
{
    struct pod_options *o = ctx;
    struct str rest = str_of(value), part;
    int r = 0;

    while (r == 0 && rest.n && str_split(&rest, ',', &part)) {
        int64_t port = 0;

        if (str_i64(str_trim(part), &port) < 0 || port < 1 || port > 65535 ||
            o->forward.n_ports == KUBELET_FORWARD_PORTS)
            r = -1;
        else
            o->ports[o->forward.n_ports++] = (uint16_t)port;
    }
    free(value);
    return r;
}

int pod_options_forward(struct str query, const struct kobj *pod, struct pod_options *ret,
                        struct api_status *st)
{
    *ret = (struct pod_options){0};
    if (each_value(query, "ports", add_ports, ret) < 0)
        return api_fail_bad(
            st, "query parameter ports: up to %d numbers from 1 to 65535 are understood",
            KUBELET_FORWARD_PORTS);
    if (!ret->forward.n_ports)
        return api_fail_bad(st, "you must specify at least 1 port: the query parameter ports is "
                                "missing");
    ret->forward.ports = ret->ports;
    /* the containers share the network: any will do */
    const char *first =
        jget_str(yyjson_arr_get_first(jget(kobj_root(pod), "spec", "containers")), "name");

    ret->container = xstrdup(first ? first : "");
    name_target(pod, ret);
    return 0;
}

const char *pod_protocol(struct str offered, const char *const *served)
{
    for (; *served; served++) {
        struct str rest = offered, part;

        while (rest.n && str_split(&rest, ',', &part))
            if (str_eq(str_trim(part), str_of(*served)))
                return *served;
    }
    return NULL;
}
