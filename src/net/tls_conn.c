/*
 * The TLS filter: OpenSSL between two memory BIOs on top of any other connection. What the lower
 * connection reads goes into the one, what OpenSSL leaves in the other is written below.
 *
 * A stream that ends without close_notify is an error, since a body without a length could have
 * been cut.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "net/conn_impl.h"
#include "net/tls_impl.h"

#define PLAIN_BUFFER (17 * 1024)

struct tls_conn {
    struct conn base;
    struct conn *lower;
    struct tls_server *server; /* NULL for clients */
    SSL *ssl;
    BIO *in, *out;
    tls_done_fn *done;
    void *done_ctx;
    bool shaking, reading, closed, told_close, eof;
    unsigned pins; /* frames of pump on the stack and deferred calls */
    struct peer_name name;
    char alpn[256]; /* a name has 255 bytes at most */
};

static struct tls_conn *tls_of(struct conn *c)
{
    return container_of(c, struct tls_conn, base);
}

static void name_done(struct peer_name *n)
{
    for (size_t i = 0; i < n->orgs.n; i++)
        free(n->orgs.p[i]);
    vec_done(&n->orgs);
    free(n->cn);
    *n = (struct peer_name){0};
}

static void release(struct tls_conn *t)
{
    if (!t->closed || t->pins > 0)
        return;
    SSL_free(t->ssl); /* frees the BIOs */
    tls_server_unref(t->server);
    name_done(&t->name);
    free(t);
}

static ssize_t flush(struct tls_conn *t)
{
    char *p;
    long n = BIO_get_mem_data(t->out, &p);

    if (n <= 0)
        return (ssize_t)conn_unsent(t->lower);
    ssize_t r = conn_write1(t->lower, p, (size_t)n);
    (void)BIO_reset(t->out);
    return r;
}

static void tell_close(struct tls_conn *t, int code, const char *why)
{
    if (t->closed || t->told_close)
        return;
    t->told_close = true;
    if (!t->shaking) {
        conn_tell_close(&t->base, code, why);
        return;
    }
    struct err e;
    err_set(&e, code, "TLS handshake with %s: %s", conn_peer(t->lower), why);
    t->pins++;
    conn_close(&t->base);
    t->done(t->done_ctx, NULL, &e);
    t->pins--;
    release(t);
}

static void ssl_failed(struct tls_conn *t)
{
    long verify = SSL_get_verify_result(t->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    flush(t); /* the alert that tells the peer */
    if (t->shaking && verify != X509_V_OK)
        reason = X509_verify_cert_error_string(verify);
    ERR_clear_error();
    tell_close(t, -EPROTO, reason ? reason : "protocol error");
}

/* The text of one part of a name; NULL when it is none that a C string can hold. */
static char *name_text(X509_NAME_ENTRY *part)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(part));
    char *text =
        n >= 0 && !memchr(utf8, '\0', (size_t)n) ? xstrndup((char *)utf8, (size_t)n) : NULL;

    if (n >= 0)
        OPENSSL_free(utf8);
    return text;
}

/* Of several common names the last counts, as for Kubernetes. False if a part cannot be read: who
 * is named half is nobody. */
static bool read_name(struct peer_name *to, const X509_NAME *name)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        X509_NAME_ENTRY *part = X509_NAME_get_entry(name, i);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(part));
        if (nid != NID_commonName && nid != NID_organizationName)
            continue;
        char *text = name_text(part);
        if (!text)
            return false;
        if (nid == NID_organizationName) {
            vec_push(&to->orgs, text);
        } else {
            free(to->cn);
            to->cn = text;
        }
    }
    return true;
}

static void read_peer_name(struct tls_conn *t)
{
    X509 *cert = SSL_get1_peer_certificate(t->ssl);

    if (cert && SSL_get_verify_result(t->ssl) == X509_V_OK &&
        !read_name(&t->name, X509_get_subject_name(cert)))
        name_done(&t->name);
    X509_free(cert);
    t->base.name = &t->name;
}

static void read_alpn(struct tls_conn *t)
{
    const unsigned char *name;
    unsigned n;

    SSL_get0_alpn_selected(t->ssl, &name, &n);
    memcpy(t->alpn, name ? name : (const unsigned char *)"", n);
    t->base.alpn = t->alpn;
}

static void shake(struct tls_conn *t)
{
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    int why = r == 1 ? 0 : SSL_get_error(t->ssl, r);

    if (r != 1 && why != SSL_ERROR_WANT_READ) {
        ssl_failed(t);
        return;
    }
    flush(t);
    if (r != 1)
        return;
    t->shaking = false;
    read_peer_name(t);
    read_alpn(t);
    t->done(t->done_ctx, &t->base, NULL);
}

static void saw_eof(struct tls_conn *t)
{
    if (t->eof)
        return;
    t->eof = true;
    if (t->base.ev.on_eof)
        t->base.ev.on_eof(t->base.ctx);
    else
        tell_close(t, -ECONNRESET, "closed by the peer");
}

static void read_plain(struct tls_conn *t)
{
    struct loop *l = t->base.loop;

    if (!l->plain_buf)
        l->plain_buf = xmalloc(PLAIN_BUFFER);
    while (!t->closed && !t->shaking && t->reading && !t->eof && !t->told_close) {
        ERR_clear_error();
        int n = SSL_read(t->ssl, l->plain_buf, PLAIN_BUFFER);
        int why = n > 0 ? 0 : SSL_get_error(t->ssl, n);
        if (n > 0 && t->base.ev.on_data)
            t->base.ev.on_data(t->base.ctx, l->plain_buf, (size_t)n);
        else if (why == SSL_ERROR_ZERO_RETURN)
            saw_eof(t);
        else if (why == SSL_ERROR_WANT_READ)
            break;
        else if (n <= 0)
            ssl_failed(t);
    }
    if (!t->closed)
        flush(t); /* answers to key updates */
}

static void pump(struct tls_conn *t)
{
    t->pins++;
    if (t->shaking)
        shake(t);
    read_plain(t);
    t->pins--;
    release(t);
}

static void pump_later(void *arg)
{
    struct tls_conn *t = arg;

    if (!t->closed)
        pump(t);
    t->pins--;
    release(t);
}

/* ---- what comes from below ---- */

static void lower_data(void *ctx, const char *p, size_t n)
{
    struct tls_conn *t = ctx;

    BIO_write(t->in, p, (int)n);
    pump(t);
}

static void lower_drain(void *ctx)
{
    struct tls_conn *t = ctx;

    if (t->base.ev.on_drain)
        t->base.ev.on_drain(t->base.ctx);
}

static void lower_eof(void *ctx)
{
    struct tls_conn *t = ctx;

    if (!t->eof)
        tell_close(t, -ECONNRESET, "the peer cut the TLS stream");
}

static void lower_close(void *ctx, const struct err *why)
{
    tell_close(ctx, why->code, why->msg);
}

static const struct conn_events lower_events = {
    .on_data = lower_data,
    .on_drain = lower_drain,
    .on_eof = lower_eof,
    .on_close = lower_close,
};

/* ---- what comes from above ---- */

/* Small pieces, such as a head and a short body, share a record. */
static int encrypt(struct tls_conn *t, const struct iovec *iov, int n)
{
    char joined[4096];
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    if (n > 1 && total <= sizeof(joined)) {
        size_t at = 0;
        for (int i = 0; i < n; at += iov[i++].iov_len)
            memcpy(joined + at, iov[i].iov_base, iov[i].iov_len);
        return total == 0 || SSL_write(t->ssl, joined, (int)total) > 0 ? 0 : -EPIPE;
    }
    for (int i = 0; i < n; i++) {
        const char *p = iov[i].iov_base;
        for (size_t left = iov[i].iov_len; left > 0;) {
            int part = left > (1 << 30) ? 1 << 30 : (int)left;
            if (SSL_write(t->ssl, p, part) <= 0)
                return -EPIPE;
            p += part;
            left -= (size_t)part;
        }
    }
    return 0;
}

static ssize_t tls_write(struct conn *c, const struct iovec *iov, int n)
{
    struct tls_conn *t = tls_of(c);

    if (t->told_close)
        return -EPIPE;
    ERR_clear_error();
    if (encrypt(t, iov, n) < 0) {
        ERR_clear_error();
        return -EPIPE;
    }
    return flush(t);
}

static size_t tls_unsent(const struct conn *c)
{
    return conn_unsent(container_of(c, const struct tls_conn, base)->lower);
}

static void tls_read_stop(struct conn *c)
{
    tls_of(c)->reading = false;
    conn_read_stop(tls_of(c)->lower);
}

static void tls_read_start(struct conn *c)
{
    struct tls_conn *t = tls_of(c);

    if (t->reading)
        return;
    t->reading = true;
    conn_read_start(t->lower);
    /* What arrived before the stop may lie decrypted or not in OpenSSL. */
    t->pins++;
    loop_defer(c->loop, pump_later, t);
}

static void send_close_notify(struct tls_conn *t)
{
    if (!t->shaking && !t->told_close) {
        SSL_shutdown(t->ssl);
        ERR_clear_error();
        flush(t);
    }
}

static void tls_shutdown(struct conn *c)
{
    send_close_notify(tls_of(c));
    conn_shutdown(tls_of(c)->lower);
}

static void tls_close(struct conn *c)
{
    struct tls_conn *t = tls_of(c);

    if (t->closed)
        return;
    t->closed = true;
    conn_close(t->lower);
    release(t);
}

static void tls_close_flush(struct conn *c, uint64_t stall_ms)
{
    struct tls_conn *t = tls_of(c);

    if (t->closed)
        return;
    send_close_notify(t);
    t->closed = true;
    conn_close_flush_within(t->lower, stall_ms);
    release(t);
}

static bool tls_peer_reset(struct conn *c)
{
    return conn_peer_reset(tls_of(c)->lower);
}

static bool tls_peer_left(struct conn *c)
{
    return tls_of(c)->eof || conn_peer_left(tls_of(c)->lower);
}

static const char *tls_peer(struct conn *c)
{
    return conn_peer(tls_of(c)->lower);
}

static const char *tls_local(struct conn *c)
{
    return conn_local(tls_of(c)->lower);
}

static const struct conn_ops tls_ops = {
    .write = tls_write,
    .unsent = tls_unsent,
    .read_stop = tls_read_stop,
    .read_start = tls_read_start,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .close_flush = tls_close_flush,
    .peer_left = tls_peer_left,
    .peer_reset = tls_peer_reset,
    .peer = tls_peer,
    .local = tls_local,
};

static struct tls_conn *tls_new(struct conn *lower, SSL *ssl, tls_done_fn *done, void *done_ctx)
{
    struct tls_conn *t = xnew(struct tls_conn);

    conn_init(&t->base, &tls_ops, lower->loop);
    t->base.tls = true;
    t->lower = lower;
    t->ssl = ssl;
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        abort(); /* out of memory is fatal */
    BIO_set_mem_eof_return(t->in, -1);
    SSL_set_bio(t->ssl, t->in, t->out);
    t->done = done;
    t->done_ctx = done_ctx;
    t->shaking = t->reading = true;
    conn_set_events(lower, &lower_events, t);
    return t;
}

struct conn *tls_accept(struct conn *lower, struct tls_server *s, tls_done_fn *done, void *ctx)
{
    struct tls_conn *t = tls_new(lower, tls_server_ssl(s), done, ctx);

    t->server = tls_server_ref(s);
    SSL_set_accept_state(t->ssl);
    return &t->base;
}

/* The name must be in the certificate: as an address if it is one, else as a DNS name. */
static void demand_name(SSL *ssl, const char *name, bool insecure)
{
    bool is_ip = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;

    if (is_ip && insecure)
        X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), NULL, 0);
    if (is_ip)
        return;
    if (!insecure)
        SSL_set1_host(ssl, name);
    SSL_set_tlsext_host_name(ssl, name);
}

struct conn *tls_connect(struct conn *lower, struct tls_client *k, const char *name,
                         tls_done_fn *done, void *ctx)
{
    struct tls_conn *t = tls_new(lower, SSL_new(k->ctx), done, ctx);

    SSL_set_connect_state(t->ssl);
    demand_name(t->ssl, name, k->insecure);
    ERR_clear_error();
    SSL_do_handshake(t->ssl); /* only writes the first message */
    flush(t);
    return &t->base;
}
