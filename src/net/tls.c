/*
 * TLS configurations: an SSL_CTX each, built from PEM texts. New certificates are a new SSL_CTX;
 * the old one lives for as long as a connection uses it.
 */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls_impl.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

int tls_error(struct err *e, const char *what)
{
    char text[256] = "unknown reason";
    unsigned long code = ERR_get_error();

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(e, -EINVAL, "%s: %s", what, text);
}

static BIO *bio_of(const char *pem)
{
    return BIO_new_mem_buf(pem, -1);
}

/* The first certificate is the own one, what follows is the chain. */
static int use_cert(SSL_CTX *ctx, const char *pem, struct err *e)
{
    _cleanup_(BIO_free_allp) BIO *b = bio_of(pem);
    _cleanup_(X509_freep) X509 *own = PEM_read_bio_X509(b, NULL, NULL, NULL);
    X509 *link;

    if (!own || SSL_CTX_use_certificate(ctx, own) != 1)
        return tls_error(e, "cannot use the certificate");
    while ((link = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        if (SSL_CTX_add0_chain_cert(ctx, link) != 1) {
            X509_free(link);
            return tls_error(e, "cannot use the certificate chain");
        }
    }
    ERR_clear_error();
    return 0;
}

static int use_pair(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct err *e)
{
    int r = use_cert(ctx, cert_pem, e);

    if (r < 0)
        return r;
    _cleanup_(BIO_free_allp) BIO *b = bio_of(key_pem);
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        return tls_error(e, "cannot use the private key");
    if (SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(e, "certificate and private key do not belong together");
    return 0;
}

static int trust(SSL_CTX *ctx, const char *pem, bool name_to_clients, struct err *e)
{
    _cleanup_(BIO_free_allp) BIO *b = bio_of(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int n = 0;

    for (;; n++) {
        _cleanup_(X509_freep) X509 *ca = PEM_read_bio_X509(b, NULL, NULL, NULL);
        if (!ca)
            break;
        X509_STORE_add_cert(store, ca);
        if (name_to_clients)
            SSL_CTX_add_client_CA(ctx, ca);
    }
    if (n == 0)
        return tls_error(e, "no certificate in the authority's PEM text");
    ERR_clear_error();
    return 0;
}

static SSL_CTX *new_ctx(const SSL_METHOD *method, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (!ctx) {
        tls_error(e, "cannot make a TLS context");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    return ctx;
}

/* A comma list into the wire form: length, name, ... */
static int read_alpn(struct alpn *t, const char *list, struct err *e)
{
    struct str rest = str_of(list), name;

    while (str_split(&rest, ',', &name)) {
        if (name.n == 0 || t->n + name.n + 1 > sizeof(t->wire))
            return err_set(e, -EINVAL, "cannot offer the protocols \"%s\"", list);
        t->wire[t->n++] = (unsigned char)name.n;
        memcpy(t->wire + t->n, name.p, name.n);
        t->n += (unsigned)name.n;
    }
    return 0;
}

static int pick_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                     unsigned in_n, void *arg)
{
    struct tls_server *t = arg;

    return SSL_select_next_proto((unsigned char **)out, n, t->alpn.wire, t->alpn.n, in, in_n) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *server_ctx(struct tls_server *t, const char *cert_pem, const char *key_pem,
                           const char *client_ca_pem, struct err *e)
{
    _cleanup_(SSL_CTX_freep) SSL_CTX *ctx = new_ctx(TLS_server_method(), e);

    if (!ctx || use_pair(ctx, cert_pem, key_pem, e) < 0)
        return NULL;
    if (client_ca_pem) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (trust(ctx, client_ca_pem, true, e) < 0)
            return NULL;
    }
    if (t->alpn.n > 0)
        SSL_CTX_set_alpn_select_cb(ctx, pick_alpn, t);
    return steal(&ctx);
}

struct tls_server *tls_server_new(const char *cert_pem, const char *key_pem,
                                  const char *client_ca_pem, const char *alpn, struct err *e)
{
    struct tls_server *t = xnew(struct tls_server);

    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    if (!alpn || read_alpn(&t->alpn, alpn, e) == 0)
        t->ctx = server_ctx(t, cert_pem, key_pem, client_ca_pem, e);
    if (t->ctx)
        return t;
    err_prefix(e, "cannot set up a TLS server");
    tls_server_unref(t);
    return NULL;
}

int tls_server_swap(struct tls_server *t, const char *cert_pem, const char *key_pem,
                    const char *client_ca_pem, struct err *e)
{
    struct err why = {0};
    SSL_CTX *fresh = server_ctx(t, cert_pem, key_pem, client_ca_pem, &why), *old;

    if (!fresh) {
        if (e)
            *e = why;
        err_prefix(e, "cannot take new certificates into use");
        return why.code;
    }
    pthread_mutex_lock(&t->lock);
    old = t->ctx;
    t->ctx = fresh;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old); /* connections that use it hold it */
    return 0;
}

SSL *tls_server_ssl(struct tls_server *t)
{
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->lock);
    return ssl;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
    if (t)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

void tls_server_unref(struct tls_server *t)
{
    if (!t)
        return;
    unsigned had = atomic_fetch_sub(&t->refs, 1);
    assert(had > 0);
    if (had > 1)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static int client_init(struct tls_client *t, const char *ca_pem, const char *cert_pem,
                       const char *key_pem, struct err *e)
{
    int r = 0;

    t->ctx = new_ctx(TLS_client_method(), e);
    if (!t->ctx)
        return -ENOMEM;
    SSL_CTX_set_verify(t->ctx, t->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (ca_pem)
        r = trust(t->ctx, ca_pem, false, e);
    else if (!t->insecure)
        SSL_CTX_set_default_verify_paths(t->ctx);
    if (r == 0 && cert_pem && key_pem)
        r = use_pair(t->ctx, cert_pem, key_pem, e);
    return r;
}

struct tls_client *tls_client_new(const char *ca_pem, const char *cert_pem, const char *key_pem,
                                  int insecure, struct err *e)
{
    struct tls_client *t = xnew(struct tls_client);

    t->insecure = insecure;
    if (client_init(t, ca_pem, cert_pem, key_pem, e) == 0)
        return t;
    err_prefix(e, "cannot set up a TLS client");
    tls_client_free(t);
    return NULL;
}

int tls_client_offer(struct tls_client *t, const char *alpn, struct err *e)
{
    struct alpn a = {.n = 0};
    int r = read_alpn(&a, alpn, e);

    if (r == 0 && SSL_CTX_set_alpn_protos(t->ctx, a.wire, a.n) != 0)
        r = tls_error(e, "cannot offer protocols");
    return r;
}

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}
