/*
 * kubeconfig: three lists (clusters, users, contexts) joined by name. A credential is either inline
 * base64 (…-data) or a path, relative to the file's own folder.
 */
#include "kube/kubeconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/limits.h"
#include "json/yaml.h"

char *kube_read_file(const char *path, struct err *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_buf_ struct buf b = BUF_INIT(LIMIT_API_BODY);
    ssize_t n = 0;

    if (fd < 0) {
        err_sys(e, errno, "cannot open %s", path);
        return NULL;
    }
    do {
        if (buf_reserve(&b, 16384) < 0) {
            err_set(e, -E2BIG, "%s is larger than %d bytes", path, LIMIT_API_BODY);
            return NULL;
        }
        n = read(fd, b.p + b.n, 16384);
        if (n > 0)
            b.n += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0) {
        err_sys(e, errno, "cannot read %s", path);
        return NULL;
    }
    buf_addc(&b, '\0');
    return buf_steal(&b, NULL);
}

struct source {
    const char *path; /* the kubeconfig */
};

static char *beside(const struct source *s, const char *file)
{
    const char *slash = strrchr(s->path, '/');

    if (*file == '/' || !slash)
        return xstrdup(file);
    return xasprintf("%.*s/%s", (int)(slash - s->path), s->path, file);
}

/* PEM from "<field>-data" or the file that "<field>" names; leaves NULL when there is neither. */
static int credential(const struct source *s, const yyjson_val *v, const char *field, char **ret,
                      struct err *e)
{
    _cleanup_free_ char *data_field = xasprintf("%s-data", field);
    const char *data = jget_str(v, data_field), *file = jget_str(v, field);

    if (!data && !file)
        return 0;
    if (data) {
        *ret = base64_decode(data, strlen(data), NULL);
        if (!*ret)
            err_set(e, -EINVAL, "not valid base64");
    } else {
        _cleanup_free_ char *path = beside(s, file);
        *ret = kube_read_file(path, e);
    }
    return *ret ? 0 : err_prefix(e, "%s of kubeconfig %s", data ? data_field : field, s->path);
}

static yyjson_val *named(const yyjson_val *root, const char *list, const char *name,
                         const char *field, const struct source *s, struct err *e)
{
    yyjson_val *v;
    size_t i, max;

    yyjson_arr_foreach(jget(root, list), i, max, v)
    {
        if (name && streq(jget_str(v, "name"), name) && jget(v, field))
            return jget(v, field);
    }
    err_set(e, -EINVAL, "kubeconfig %s has no entry \"%s\" in its %s", s->path, name ? name : "",
            list);
    return NULL;
}

static struct kube_transport *make(struct loop *l, const struct source *s,
                                   const yyjson_val *cluster, const yyjson_val *user, struct err *e)
{
    _cleanup_free_ char *ca = NULL, *cert = NULL, *key = NULL;
    const char *token_file = jget_str(user, "tokenFile");
    struct kube_http_opts o = {.server = jget_str(cluster, "server"),
                               .token = jget_str(user, "token"),
                               .insecure = jget_bool(cluster, false, "insecure-skip-tls-verify")};

    if (!o.server) {
        err_set(e, -EINVAL, "the cluster of kubeconfig %s names no server", s->path);
        return NULL;
    }
    if (credential(s, cluster, "certificate-authority", &ca, e) < 0 ||
        credential(s, user, "client-certificate", &cert, e) < 0 ||
        credential(s, user, "client-key", &key, e) < 0)
        return NULL;
    o.ca_pem = ca;
    o.cert_pem = cert;
    o.key_pem = key;
    struct kube_transport *t = kube_transport_http(l, &o, e);
    if (t && token_file) {
        _cleanup_free_ char *path = beside(s, token_file);
        kube_transport_token_file(t, path);
    }
    return t;
}

struct kube_transport *kube_transport_kubeconfig(struct loop *l, const char *path, struct err *e)
{
    const struct source s = {path};
    _cleanup_free_ char *text = kube_read_file(path, e);
    _cleanup_jdoc_ yyjson_doc *d = text ? yaml_parse(text, strlen(text), e) : NULL;
    yyjson_val *root = yyjson_doc_get_root(d);

    if (!d) {
        if (text)
            err_prefix(e, "cannot read kubeconfig %s", path);
        return NULL;
    }
    const char *current = jget_str(root, "current-context");
    if (!current || !*current) {
        err_set(e, -EINVAL,
                "kubeconfig %s has no current-context; set one with: kubectl config use-context",
                path);
        return NULL;
    }
    yyjson_val *context = named(root, "contexts", current, "context", &s, e);
    yyjson_val *cluster =
        context ? named(root, "clusters", jget_str(context, "cluster"), "cluster", &s, e) : NULL;
    yyjson_val *user =
        cluster ? named(root, "users", jget_str(context, "user"), "user", &s, e) : NULL;
    return user ? make(l, &s, cluster, user, e) : NULL;
}

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

struct kube_transport *kube_transport_incluster(struct loop *l, struct err *e)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");

    if (!host || !port) {
        err_set(e, -ENOENT,
                "not in a Kubernetes pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are "
                "not set");
        return NULL;
    }
    _cleanup_free_ char *ca = kube_read_file(ACCOUNT "ca.crt", e);
    if (!ca)
        return NULL;
    _cleanup_free_ char *server =
        xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    struct kube_transport *t =
        kube_transport_http(l, &(struct kube_http_opts){.server = server, .ca_pem = ca}, e);
    if (t)
        kube_transport_token_file(t, ACCOUNT "token");
    return t;
}
