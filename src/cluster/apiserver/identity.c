/*
 * The data directory's authority: DIR/pki/{ca,server,admin}.{crt,key}. The CA lives ten years, the
 * others one; each is made anew thirty days before its end, at a start and while it runs. The CA
 * keeps its key then, so that what it has signed stays valid.
 *
 * A CA's key is made only where there is none: whoever holds a kubeconfig depends on it, so one
 * that cannot be read is an error. The other pairs are the program's own affair, and what is broken
 * of them is made anew. Keys are written before their certificates: a key alone is a start that
 * ended half way, and gets its certificate.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "cluster/apiserver/apiserver.h"
#include "net/tls.h"

#define DAY        86400LL
#define RENEW_LEFT (30 * DAY)
#define LOOK_MS    (3600 * 1000)
#define MAX_PEM    (64 * 1024)
#define MAX_IPS    16

static void key_freep(struct pki_key **k)
{
    pki_key_free(*k);
}
#define _cleanup_key_ _cleanup_(key_freep)

/* ---- files ---- */

static int write_file(const char *path, const char *text, struct err *e)
{
    return file_put(AT_FDCWD, path, str_of(text), 0600, FILE_SYNCED, e);
}

/* *ret is NULL when the file is not there. */
static int read_file(const char *path, char **ret, struct err *e)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_PEM);
    int r = file_get(AT_FDCWD, path, &b, e);

    *ret = r == 0 ? buf_steal(&b, NULL) : NULL;
    return r == -ENOENT ? 0 : r;
}

struct pair {
    char *cert, *key;
};

static void pair_done(struct pair *p)
{
    free(steal(&p->cert));
    free(steal(&p->key));
}

static char *file_of(const char *dir, const char *name, const char *what)
{
    return xasprintf("%s/pki/%s.%s", dir, name, what);
}

/* What is there of the two. */
static int pair_read(const char *dir, const char *name, struct pair *ret, struct err *e)
{
    _cleanup_free_ char *crt = file_of(dir, name, "crt"), *key = file_of(dir, name, "key");
    int r = read_file(crt, &ret->cert, e);

    return r == 0 ? read_file(key, &ret->key, e) : r;
}

static int pair_write(const char *dir, const char *name, const struct pair *p, struct err *e)
{
    _cleanup_free_ char *crt = file_of(dir, name, "crt"), *key = file_of(dir, name, "key");
    int r = write_file(key, p->key, e);

    return r == 0 ? write_file(crt, p->cert, e) : r;
}

/* ---- signing ---- */

/* Whether the two belong together, are of this authority, and live long enough. */
static bool pair_good(const struct pair *p, const struct pair *ca, int64_t now_s)
{
    _cleanup_key_ struct pki_key *key = p->cert && p->key ? pki_key_parse(p->key, NULL) : NULL;
    int64_t left = 0;

    return key && pki_belongs(p->cert, key) && pki_signed_by(p->cert, ca->cert) &&
           pki_seconds_left(p->cert, now_s, &left, NULL) == 0 && left > RENEW_LEFT;
}

/* A certificate for the pair's key, which is made if there is none. */
static int pair_sign(const struct pki_request *rq, const struct pair *ca, struct pair *p,
                     struct err *e)
{
    _cleanup_buf_ struct buf cert_pem = BUF_INIT(MAX_PEM), key_pem = BUF_INIT(MAX_PEM);
    _cleanup_key_ struct pki_key *key = p->key ? pki_key_parse(p->key, e) : pki_key_new(e);
    _cleanup_key_ struct pki_key *ca_key = key && ca ? pki_key_parse(ca->key, e) : NULL;

    if (!key || (ca && !ca_key) || pki_key_pem(key, &key_pem, e) < 0 ||
        pki_sign(rq, key, ca ? ca->cert : NULL, ca_key, &cert_pem, e) < 0)
        return err_prefix(e, "making the certificate of %s", rq->common_name);
    pair_done(p);
    p->cert = buf_steal(&cert_pem, NULL);
    p->key = buf_steal(&key_pem, NULL);
    return 0;
}

/* A new key and its certificate, written. */
static int pair_make(const char *dir, const char *name, const struct pki_request *rq,
                     const struct pair *ca, struct pair *ret, struct err *e)
{
    pair_done(ret);
    int r = pair_sign(rq, ca, ret, e);

    return r == 0 ? pair_write(dir, name, ret, e) : r;
}

/* ---- the authority ---- */

static int make_dir(const char *dir, struct err *e)
{
    _cleanup_free_ char *pki = xasprintf("%s/pki", dir);

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making the directory %s", dir);
    if (mkdir(pki, 0700) < 0 && errno != EEXIST)
        return err_sys(e, errno, "making the directory %s", pki);
    return 0;
}

static int ca_broken(const char *dir, const char *what, struct err *e)
{
    return err_set(e, -EINVAL,
                   "the authority in %s/pki cannot be used: %s; restore ca.key and ca.crt from a "
                   "backup, or remove both to have a new authority made, which no kubeconfig that "
                   "was handed out accepts",
                   dir, what);
}

/* What is there must be whole. A missing certificate is made from the key. */
static int check_ca(const char *dir, const struct pair *ca, struct err *e)
{
    _cleanup_key_ struct pki_key *key = NULL;
    int64_t left;

    if (!ca->key)
        return ca->cert ? ca_broken(dir, "ca.key is missing", e) : 0;
    key = pki_key_parse(ca->key, NULL);
    if (!key)
        return ca_broken(dir, "ca.key is damaged", e);
    if (ca->cert && pki_seconds_left(ca->cert, 0, &left, NULL) < 0)
        return ca_broken(dir, "ca.crt is damaged", e);
    if (ca->cert && !pki_belongs(ca->cert, key))
        return ca_broken(dir, "ca.crt is not the certificate of ca.key", e);
    return 0;
}

static int load_ca(const char *dir, int64_t now_s, struct pair *ca, struct err *e)
{
    const struct pki_request rq = {
        .common_name = "nonagon-ca", .is_ca = 1, .valid_seconds = 3650 * DAY, .now_s = now_s};
    int r = pair_read(dir, "ca", ca, e);

    if (r == 0)
        r = check_ca(dir, ca, e);
    if (r < 0)
        return r;
    if (pair_good(ca, ca, now_s))
        return 0;
    r = pair_sign(&rq, NULL, ca, e);
    return r == 0 ? pair_write(dir, "ca", ca, e) : r;
}

/* ---- what it signs ---- */

static void put_names(const char *const *ips, struct buf *out)
{
    for (size_t i = 0; ips[i]; i++)
        buf_addf(out, "%s\n", ips[i]);
}

/* The addresses in the certificate are part of its file's name's meaning: others make a new one. */
static bool same_names(const char *dir, const char *names)
{
    _cleanup_free_ char *path = xasprintf("%s/pki/server.names", dir), *was = NULL;

    return read_file(path, &was, NULL) == 0 && streq(was, names);
}

static int make_server(const struct api_identity *id, int64_t now_s, const struct pair *ca,
                       const char *names, struct pair *ret, struct err *e)
{
    static const char *const dns[] = {"localhost",
                                      "kubernetes",
                                      "kubernetes.default",
                                      "kubernetes.default.svc",
                                      "kubernetes.default.svc.cluster.local",
                                      NULL};
    _cleanup_free_ char *path = xasprintf("%s/pki/server.names", id->dir);
    const struct pki_request rq = {.common_name = "nonagon-apiserver",
                                   .dns_names = dns,
                                   .ip_addrs = (const char *const *)id->ips,
                                   .valid_seconds = 365 * DAY,
                                   .now_s = now_s};
    int r = pair_make(id->dir, "server", &rq, ca, ret, e);

    return r == 0 ? write_file(path, names, e) : r;
}

static int load_server(const struct api_identity *id, int64_t now_s, const struct pair *ca,
                       struct pair *ret, bool *ret_changed, struct err *e)
{
    _cleanup_buf_ struct buf names = BUF_INIT(MAX_PEM);

    put_names((const char *const *)id->ips, &names);
    if (same_names(id->dir, buf_z(&names)) && pair_read(id->dir, "server", ret, NULL) == 0 &&
        pair_good(ret, ca, now_s))
        return 0;
    *ret_changed = true;
    return make_server(id, now_s, ca, buf_z(&names), ret, e);
}

static int load_admin(const struct api_identity *id, int64_t now_s, const struct pair *ca,
                      struct pair *ret, bool *ret_changed, struct err *e)
{
    const struct pki_request rq = {.common_name = "kubernetes-admin",
                                   .organizations = (const char *const[]){"system:masters", NULL},
                                   .is_client = 1,
                                   .valid_seconds = 365 * DAY,
                                   .now_s = now_s};

    if (pair_read(id->dir, "admin", ret, NULL) == 0 && pair_good(ret, ca, now_s))
        return 0;
    *ret_changed = true;
    return pair_make(id->dir, "admin", &rq, ca, ret, e);
}

/* ---- the whole ---- */

static int present(struct api_identity *id, const struct pair *server, const struct pair *ca,
                   struct err *e)
{
    if (id->tls)
        return tls_server_swap(id->tls, server->cert, server->key, ca->cert, e);
    id->tls = tls_server_new(server->cert, server->key, ca->cert, "http/1.1", e);
    return id->tls ? 0 : -EIO;
}

static void take(char **to, char **from)
{
    free(*to);
    *to = steal(from);
}

int api_identity_renew(struct api_identity *id, int64_t wall_ns, bool *ret_changed, struct err *e)
{
    _cleanup_(pair_done) struct pair ca = {0}, server = {0}, admin = {0};
    int64_t now_s = wall_ns / NS_PER_SEC;
    bool changed = false;
    int r = load_ca(id->dir, now_s, &ca, e);

    if (r == 0)
        r = load_server(id, now_s, &ca, &server, &changed, e);
    if (r == 0)
        r = load_admin(id, now_s, &ca, &admin, &changed, e);
    changed = changed || !streq(ca.cert, id->ca_pem);
    if (r == 0 && changed)
        r = present(id, &server, &ca, e);
    if (r < 0)
        return r;
    take(&id->ca_pem, &ca.cert);
    take(&id->client_cert_pem, &admin.cert);
    take(&id->client_key_pem, &admin.key);
    *ret_changed = changed;
    return 0;
}

static void copy_ips(struct api_identity *id, const char *const *extra)
{
    static const char *const always[] = {"127.0.0.1", "::1"};
    size_t n = 0;

    id->ips = xcalloc(MAX_IPS + 1, sizeof(*id->ips));
    for (; n < ARRAY_LEN(always); n++)
        id->ips[n] = xstrdup(always[n]);
    for (size_t i = 0; extra && extra[i] && n < MAX_IPS; i++)
        id->ips[n++] = xstrdup(extra[i]);
}

int api_identity_load(const char *dir, const char *const *extra_ips, struct api_identity *ret,
                      struct err *e)
{
    struct api_identity id = {.dir = xstrdup(dir)};
    bool changed;
    int r = make_dir(dir, e);

    copy_ips(&id, extra_ips);
    if (r == 0)
        r = api_identity_renew(&id, clock_wall_ns(), &changed, e);
    if (r == 0 && !id.tls)
        r = -EIO;
    if (r < 0)
        api_identity_done(&id);
    else
        *ret = id;
    return r;
}

void api_identity_done(struct api_identity *id)
{
    tls_server_unref(id->tls);
    for (size_t i = 0; id->ips && id->ips[i]; i++)
        free(id->ips[i]);
    free(id->ips);
    free(id->dir);
    free(id->ca_pem);
    free(id->client_cert_pem);
    free(id->client_key_pem);
    *id = (struct api_identity){0};
}

/* ---- while it runs ---- */

struct api_identity_keeper {
    struct loop *loop;
    struct api_identity *id;
    struct timer *timer;
    api_identity_renewed_fn *renewed;
    void *ctx;
};

static void look(void *ctx)
{
    struct api_identity_keeper *k = ctx;
    struct err e = {0};
    bool changed = false;
    int r = api_identity_renew(k->id, loop_wall_ns(k->loop), &changed, &e);

    if (r < 0 || changed)
        k->renewed(k->ctx, r < 0 ? &e : NULL);
}

struct api_identity_keeper *api_identity_keep(struct loop *l, struct api_identity *id,
                                              api_identity_renewed_fn *renewed, void *ctx)
{
    struct api_identity_keeper *k = xnew(struct api_identity_keeper);

    *k = (struct api_identity_keeper){l, id, timer_new(l, look, k), renewed, ctx};
    timer_repeat(k->timer, LOOK_MS);
    return k;
}

void api_identity_keeper_look(struct api_identity_keeper *k)
{
    look(k);
}

void api_identity_keeper_free(struct api_identity_keeper *k)
{
    if (!k)
        return;
    timer_free(k->timer);
    free(k);
}

/* ---- for clients ---- */

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
