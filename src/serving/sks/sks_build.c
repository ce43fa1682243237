/* Addresses are copied whole (target references and not-ready ones included); only ports and, for
 * activators, the number differ. */
#include "serving/sks/sks_build.h"

#include "base/vec.h"
#include "contract/names.h"
#include "serving/sks/subset.h"

#define PORT_HTTP1       80
#define PORT_HTTP2       81
#define TARGET_HTTP1     8012
#define TARGET_HTTP2     8013
#define APP_PROTOCOL_H2C "kubernetes.io/h2c"

static bool is_h2c(const struct kobj *sks)
{
    return streq(jget_str(kobj_root(sks), "spec", "protocolType"), "h2c");
}

const char *sks_port_name(const struct kobj *sks)
{
    return is_h2c(sks) ? "http2" : "http";
}

void sks_private_name(const struct kobj *sks, char ret[static NAME_MAX_LABEL + 1])
{
    child_name(kobj_name(sks), "-private", ret);
}

static struct kmut *child(const struct kobj *sks, const struct kube_resource *res, const char *name,
                          const char *type)
{
    struct kmut *m = kmut_new(res, kobj_namespace(sks), name);
    yyjson_val *labels = jget(kobj_root(sks), "metadata", "labels");
    yyjson_val *annotations = jget(kobj_root(sks), "metadata", "annotations");

    if (labels)
        jm_set_copy(KM(m), labels, "metadata", "labels");
    if (annotations)
        jm_set_copy(KM(m), annotations, "metadata", "annotations");
    kmut_label(m, L_SKS, kobj_name(sks));
    kmut_label(m, L_SERVICE_TYPE, type);
    kmut_set_controller(m, sks);
    return m;
}

static yyjson_mut_val *add_port(struct kmut *m, const struct kobj *sks, int number)
{
    yyjson_mut_val *port = jm_add_obj(m->d, jm_arr(KM(m), "spec", "ports"));

    jm_set_str(m->d, port, sks_port_name(sks), "name");
    jm_set_str(m->d, port, "TCP", "protocol");
    jm_set_int(m->d, port, number, "port");
    if (is_h2c(sks))
        jm_set_str(m->d, port, APP_PROTOCOL_H2C, "appProtocol");
    return port;
}

struct kmut *sks_private_service(const struct kobj *sks, const yyjson_val *match_labels)
{
    char name[NAME_MAX_LABEL + 1];

    sks_private_name(sks, name);
    struct kmut *m = child(sks, &KR_SERVICE, name, "Private");
    jm_set_str(m->d, add_port(m, sks, PORT_HTTP1), SKS_USER_PORT, "targetPort");
    jm_set_copy(KM(m), match_labels, "spec", "selector");
    return m;
}

struct kmut *sks_public_service(const struct kobj *sks)
{
    struct kmut *m = child(sks, &KR_SERVICE, kobj_name(sks), "Public");
    bool h2c = is_h2c(sks);
    yyjson_mut_val *port = add_port(m, sks, h2c ? PORT_HTTP2 : PORT_HTTP1);

    jm_set_int(m->d, port, h2c ? TARGET_HTTP2 : TARGET_HTTP1, "targetPort");
    return m;
}

/* ---- endpoints ---- */
static bool has_port(const yyjson_val *subset, const char *name)
{
    yyjson_val *port;
    size_t i, max;

    yyjson_arr_foreach(jget(subset, "ports"), i, max, port)
    {
        if (streq(jget_str(port, "name"), name))
            return true;
    }
    return false;
}

static size_t count_ready(const struct kobj *endpoints, const char *port_name)
{
    yyjson_val *subset;
    size_t i, max, n = 0;

    yyjson_arr_foreach(jget(kobj_root(endpoints), "subsets"), i, max, subset)
    {
        if (!port_name || has_port(subset, port_name))
            n += yyjson_arr_size(jget(subset, "addresses"));
    }
    return n;
}

size_t endpoints_ready(const struct kobj *endpoints)
{
    return count_ready(endpoints, NULL);
}

size_t endpoints_ready_on(const struct kobj *endpoints, const char *port_name)
{
    return count_ready(endpoints, port_name);
}

/* The addresses that a subset may use; n = SIZE_MAX: all. */
struct allowed {
    VEC(const char *) ips;
    bool *chosen;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool knows(const struct allowed *a, const char *ip)
{
    for (size_t i = 0; i < a->ips.n; i++) {
        if (streq(a->ips.p[i], ip))
            return true;
    }
    return false;
}

static void gather(struct allowed *a, const yyjson_val *addresses)
{
    yyjson_val *v;
    size_t i, max;

    yyjson_arr_foreach((yyjson_val *)(uintptr_t)addresses, i, max, v)
    {
        const char *ip = jget_str(v, "ip");
        if (ip && !knows(a, ip))
            vec_push(&a->ips, ip);
    }
}

static void choose(struct allowed *a, const struct kobj *from, int64_t max_ips, const char *target)
{
    yyjson_val *subset;
    size_t i, max;

    yyjson_arr_foreach(jget(kobj_root(from), "subsets"), i, max, subset)
    {
        gather(a, jget(subset, "addresses"));
        gather(a, jget(subset, "notReadyAddresses"));
    }
    if (!a->ips.n)
        return;
    qsort(a->ips.p, a->ips.n, sizeof(a->ips.p[0]), by_text);
    a->chosen = xcalloc(a->ips.n, sizeof(bool));
    choose_subset(a->ips.p, a->ips.n, max_ips > 0 ? (size_t)max_ips : a->ips.n, target, a->chosen);
}

static bool is_chosen(const struct allowed *a, const char *ip)
{
    for (size_t i = 0; i < a->ips.n; i++) {
        if (streq(a->ips.p[i], ip))
            return a->chosen[i];
    }
    return false;
}

static size_t copy_addresses(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key,
                             const yyjson_val *subset, const struct allowed *a)
{
    yyjson_val *v;
    size_t i, max, n = 0;

    yyjson_arr_foreach(jget(subset, key), i, max, v)
    {
        if (is_chosen(a, jget_str(v, "ip"))) {
            yyjson_mut_arr_append(jm_arr(d, to, key), yyjson_val_mut_copy(d, v));
            n++;
        }
    }
    return n;
}

static void copy_subset(struct kmut *m, const yyjson_val *subset, const struct allowed *a,
                        const char *port_name)
{
    yyjson_mut_val *to = yyjson_mut_obj(m->d);
    size_t n = copy_addresses(m->d, to, "addresses", subset, a) +
               copy_addresses(m->d, to, "notReadyAddresses", subset, a);
    yyjson_mut_val *ports = yyjson_mut_arr(m->d);
    yyjson_val *port;
    size_t i, max;

    yyjson_arr_foreach(jget(subset, "ports"), i, max, port)
    {
        if (streq(jget_str(port, "name"), port_name))
            yyjson_mut_arr_append(ports, yyjson_val_mut_copy(m->d, port));
    }
    if (n == 0 || yyjson_mut_arr_size(ports) == 0)
        return;
    jm_set(m->d, to, ports, "ports");
    yyjson_mut_arr_append(jm_arr(KM(m), "subsets"), to);
}

struct kmut *sks_public_endpoints(const struct kobj *sks, const struct kobj *from, int64_t max_ips)
{
    struct kmut *m = child(sks, &KR_ENDPOINTS, kobj_name(sks), "Public");
    struct allowed a = {0};
    yyjson_val *subset;
    size_t i, max;

    choose(&a, from, max_ips, kobj_name(sks));
    yyjson_arr_foreach(jget(kobj_root(from), "subsets"), i, max, subset)
    {
        copy_subset(m, subset, &a, sks_port_name(sks));
    }
    free(a.chosen);
    vec_done(&a.ips);
    return m;
}
