/*
 * The data directory's authority: DIR/pki/{ca,server,admin}.{crt,key}. The CA lives ten years, the
 * others one; what ends within thirty days is made anew at the next start, and everything is when
 * the CA is. Files are written whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/vec.h"
#include "cluster/apiserver/apiserver.h"
#include "net/tls.h"

#define DAY        86400LL
#define RENEW_LEFT (30 * DAY)
#define MAX_PEM    (64 * 1024)

static void key_freep(struct pki_key **k)
{
    pki_key_free(*k);
}
#define _cleanup_key_ _cleanup_(key_freep)

static int write_file(const char *path, const char *text, struct err *e)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    _cleanup_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t n = strlen(text);

    if (fd < 0)
        return err_sys(e, errno, "creating %s", tmp);
    if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
        return err_sys(e, errno, "writing %s", tmp);
    if (rename(tmp, path) < 0)
        return err_sys(e, errno, "renaming %s to %s", tmp, path);
    return 0;
}

/* NULL when the file is not there. */
static char *read_file(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *p = xmalloc(MAX_PEM + 1);
    ssize_t n = fd < 0 ? -1 : read(fd, p, MAX_PEM);

    if (n <= 0)
        return NULL;
    p[n] = '\0';
    return steal(&p);
}

struct pair {
    char *cert, *key;
};

/* Whether the two belong together: a crash between the writes of them, or damage, may leave others.
 */
static bool pair_matches(const struct pair *p)
{
    struct tls_server *t = tls_server_new(p->cert, p->key, NULL, NULL, NULL);

    tls_server_unref(t);
    return t;
}

static bool pair_load(const char *dir, const char *name, struct pair *ret)
{
    _cleanup_free_ char *crt = xasprintf("%s/pki/%s.crt", dir, name);
    _cleanup_free_ char *key = xasprintf("%s/pki/%s.key", dir, name);
    int64_t left = 0;

    ret->cert = read_file(crt);
    ret->key = read_file(key);
    if (ret->cert && ret->key && pki_seconds_left(ret->cert, &left, NULL) == 0 &&
        left > RENEW_LEFT && pair_matches(ret))
        return true;
    free(steal(&ret->cert));
    free(steal(&ret->key));
    return false;
}

static int pair_make(const char *dir, const char *name, const struct pki_request *rq,
                     const struct pair *ca, struct pair *ret, struct err *e)
{
    _cleanup_free_ char *crt = xasprintf("%s/pki/%s.crt", dir, name);
    _cleanup_free_ char *keyfile = xasprintf("%s/pki/%s.key", dir, name);
    _cleanup_buf_ struct buf cert_pem = BUF_INIT(MAX_PEM), key_pem = BUF_INIT(MAX_PEM);
    _cleanup_key_ struct pki_key *key = pki_key_new(e);
    _cleanup_key_ struct pki_key *ca_key = key && ca ? pki_key_parse(ca->key, e) : NULL;

    if (!key || (ca && !ca_key) || pki_key_pem(key, &key_pem, e) < 0 ||
        pki_sign(rq, key, ca ? ca->cert : NULL, ca_key, &cert_pem, e) < 0)
        return err_prefix(e, "making the %s certificate", name);
    int r = write_file(keyfile, buf_z(&key_pem), e);

    if (r == 0)
        r = write_file(crt, buf_z(&cert_pem), e);
    if (r < 0)
        return r;
    ret->cert = buf_steal(&cert_pem, NULL);
    ret->key = buf_steal(&key_pem, NULL);
    return 0;
}

static void pair_done(struct pair *p)
{
    free(p->cert);
    free(p->key);
}

static int make_dir(const char *dir, struct err *e)
{
    _cleanup_free_ char *pki = xasprintf("%s/pki", dir);

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making the directory %s", dir);
    if (mkdir(pki, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making the directory %s", pki);
    return 0;
}

static int load_ca(const char *dir, struct pair *ca, bool *ret_new, struct err *e)
{
    static const struct pki_request rq = {
        .common_name = "nonagon-ca", .is_ca = 1, .valid_seconds = 3650 * DAY};

    *ret_new = !pair_load(dir, "ca", ca);
    return *ret_new ? pair_make(dir, "ca", &rq, NULL, ca, e) : 0;
}

/* The addresses in the certificate are part of its file's name's meaning: others make a new one. */
static bool same_names(const char *dir, const char *names)
{
    _cleanup_free_ char *path = xasprintf("%s/pki/server.names", dir);
    _cleanup_free_ char *was = read_file(path);

    return streq(was, names);
}

static int load_server(const char *dir, const char *const *extra, const struct pair *ca, bool fresh,
                       struct pair *ret, struct err *e)
{
    static const char *const dns[] = {"localhost",
                                      "kubernetes",
                                      "kubernetes.default",
                                      "kubernetes.default.svc",
                                      "kubernetes.default.svc.cluster.local",
                                      NULL};
    _cleanup_buf_ struct buf names = BUF_INIT(MAX_PEM);
    _cleanup_free_ char *path = xasprintf("%s/pki/server.names", dir);
    VEC(const char *) ips = {0};
    int r = 0;

    vec_push(&ips, "127.0.0.1");
    vec_push(&ips, "::1");
    for (size_t i = 0; extra && extra[i]; i++)
        vec_push(&ips, extra[i]);
    vec_push(&ips, NULL);
    for (size_t i = 0; ips.p[i]; i++)
        buf_addf(&names, "%s\n", ips.p[i]);
    if (fresh || !same_names(dir, buf_z(&names)) || !pair_load(dir, "server", ret)) {
        struct pki_request rq = {.common_name = "nonagon-apiserver",
                                 .dns_names = dns,
                                 .ip_addrs = ips.p,
                                 .valid_seconds = 365 * DAY};

        r = pair_make(dir, "server", &rq, ca, ret, e);
        if (r == 0)
            r = write_file(path, buf_z(&names), e);
    }
    vec_done(&ips);
    return r;
}

static int load_admin(const char *dir, const struct pair *ca, bool fresh, struct pair *ret,
                      struct err *e)
{
    static const char *const masters[] = {"system:masters", NULL};
    static const struct pki_request rq = {.common_name = "kubernetes-admin",
                                          .organizations = masters,
                                          .is_client = 1,
                                          .valid_seconds = 365 * DAY};

    if (!fresh && pair_load(dir, "admin", ret))
        return 0;
    return pair_make(dir, "admin", &rq, ca, ret, e);
}

int api_identity_load(const char *dir, const char *const *extra_ips, struct api_identity *ret,
                      struct err *e)
{
    _cleanup_(pair_done) struct pair ca = {0}, server = {0}, admin = {0};
    bool fresh;
    int r = make_dir(dir, e);

    if (r == 0)
        r = load_ca(dir, &ca, &fresh, e);
    if (r == 0)
        r = load_server(dir, extra_ips, &ca, fresh, &server, e);
    if (r == 0)
        r = load_admin(dir, &ca, fresh, &admin, e);
    if (r < 0)
        return r;
    struct tls_server *tls = tls_server_new(server.cert, server.key, ca.cert, "http/1.1", e);

    if (!tls)
        return e ? e->code : -EIO;
    *ret = (struct api_identity){
        .tls = tls,
        .ca_pem = steal(&ca.cert),
        .client_cert_pem = steal(&admin.cert),
        .client_key_pem = steal(&admin.key),
    };
    return 0;
}

void api_identity_done(struct api_identity *id)
{
    tls_server_unref(id->tls);
    free(id->ca_pem);
    free(id->client_cert_pem);
    free(id->client_key_pem);
    *id = (struct api_identity){0};
}

int api_identity_kubeconfig(const struct api_identity *id, const char *path, const char *server_url,
                            struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4 * MAX_PEM);

    buf_addz(&b, "apiVersion: v1\nkind: Config\ncurrent-context: nonagon\nclusters:\n- name: "
                 "nonagon\n  cluster:\n    certificate-authority-data: ");
    base64_add(&b, id->ca_pem, strlen(id->ca_pem));
    buf_addf(&b, "\n    server: %s\n", server_url);
    buf_addz(&b, "contexts:\n- name: nonagon\n  context:\n    cluster: nonagon\n    user: nonagon\n"
                 "users:\n- name: nonagon\n  user:\n    client-certificate-data: ");
    base64_add(&b, id->client_cert_pem, strlen(id->client_cert_pem));
    buf_addz(&b, "\n    client-key-data: ");
    base64_add(&b, id->client_key_pem, strlen(id->client_key_pem));
    buf_addz(&b, "\n");
    return write_file(path, buf_z(&b), e);
}
