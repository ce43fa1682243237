/* The query of a pod's log, exec, attach and portforward, and the subprotocols that are offered
 * (the second line). What is accepted keeps the promises of the kubelet's interface. */
#include <stdlib.h>

#include "base/mem.h"
#include "cluster/apiserver/verbs/pod_options.h"

#define NOW 1767225600000000000LL

static const char pod_text[] =
    "{\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"u\"},\"spec\":{"
    "\"initContainers\":[{\"name\":\"first\"}],\"containers\":[{\"name\":\"a\"}]}}";

static void check(bool fine)
{
    if (!fine)
        abort();
}

static void check_streams(const struct kubelet_streams *s)
{
    check(s->in || s->out || s->err);
    check(!s->err || !s->tty);
}

static void check_kind(int kind, const struct pod_options *o)
{
    check(o->target.container && *o->target.container);
    if (kind == 0)
        check(o->logs.tail_lines >= -1 && o->logs.limit_bytes >= -1 && o->logs.limit_bytes != 0);
    if (kind == 1) {
        check(o->exec.n_command > 0 && *o->exec.command[0]);
        check_streams(&o->exec.streams);
    }
    if (kind == 2)
        check_streams(&o->attach.streams);
    for (size_t i = 0; kind == 3 && i < o->forward.n_ports; i++)
        check(o->forward.ports[i] != 0);
    if (kind == 3)
        check(o->forward.n_ports > 0 && o->forward.n_ports <= KUBELET_FORWARD_PORTS);
}

static void try(int kind, struct str query, const struct kobj *pod)
{
    _cleanup_status_ struct api_status st = {0};
    struct pod_options o;
    int r;

    if (kind == 0)
        r = pod_options_logs(query, pod, NOW, &o, &st);
    else if (kind == 1)
        r = pod_options_exec(query, pod, &o, &st);
    else if (kind == 2)
        r = pod_options_attach(query, pod, &o, &st);
    else
        r = pod_options_forward(query, pod, &o, &st);
    check((r < 0) == (st.code != 0));
    if (r == 0)
        check_kind(kind, &o);
    pod_options_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const served[] = {KUBELET_CHANNEL_V5, KUBELET_CHANNEL_V4, NULL};
    struct str rest = {(const char *)data, size}, query = {"", 0};
    struct kobj *pod = kobj_parse(pod_text, sizeof(pod_text) - 1, NULL);

    str_split(&rest, '\n', &query);
    for (int kind = 0; kind < 4; kind++)
        try(kind, query, pod);
    const char *chosen = pod_protocol(rest, served);

    check(!chosen || chosen == served[0] || chosen == served[1]);
    kobj_unref(pod);
    return 0;
}
