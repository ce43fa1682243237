/* TLS configurations: an SSL_CTX each, built once from PEM texts and never changed afterwards. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/mem.h"
#include "net/tls_impl.h"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)
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

static int set_alpn(struct tls_server *t, const char *list, struct err *e)
{
    struct str rest = str_of(list), name;

    while (str_split(&rest, ',', &name)) {
        if (name.n == 0 || t->alpn_n + name.n + 1 > sizeof(t->alpn))
            return err_set(e, -EINVAL, "cannot offer the protocols \"%s\"", list);
        t->alpn[t->alpn_n++] = (unsigned char)name.n;
        memcpy(t->alpn + t->alpn_n, name.p, name.n);
        t->alpn_n += (unsigned)name.n;
    }
    return 0;
}

static int pick_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                     unsigned in_n, void *arg)
{
    struct tls_server *t = arg;

    return SSL_select_next_proto((unsigned char **)out, n, t->alpn, t->alpn_n, in, in_n) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static int server_init(struct tls_server *t, const char *cert_pem, const char *key_pem,
                       const char *client_ca_pem, const char *alpn, struct err *e)
{
    t->ctx = new_ctx(TLS_server_method(), e);
    if (!t->ctx)
        return -ENOMEM;
    int r = use_pair(t->ctx, cert_pem, key_pem, e);
    if (r == 0 && client_ca_pem) {
        SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
        r = trust(t->ctx, client_ca_pem, true, e);
    }
    if (r == 0 && alpn) {
        r = set_alpn(t, alpn, e);
        SSL_CTX_set_alpn_select_cb(t->ctx, pick_alpn, t);
    }
    return r;
}

struct tls_server *tls_server_new(const char *cert_pem, const char *key_pem,
                                  const char *client_ca_pem, const char *alpn, struct err *e)
{
    struct tls_server *t = xnew(struct tls_server);

    if (server_init(t, cert_pem, key_pem, client_ca_pem, alpn, e) == 0)
        return t;
    err_prefix(e, "cannot set up a TLS server");
    tls_server_free(t);
    return NULL;
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
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

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}
