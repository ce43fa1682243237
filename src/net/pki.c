/* Certificates of an own authority: P-256 keys, SHA-256 signatures, random serial numbers. */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/rand.h"
#include "net/tls_impl.h"

#define CLOCK_SKEW_S 300 /* a peer whose clock is a little behind accepts a fresh certificate */

struct pki_key {
    EVP_PKEY *pkey;
};

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)

static struct pki_key *wrap(EVP_PKEY *pkey, struct err *e, const char *what)
{
    if (!pkey) {
        tls_error(e, what);
        return NULL;
    }
    struct pki_key *k = xnew(struct pki_key);
    k->pkey = pkey;
    return k;
}

struct pki_key *pki_key_new(struct err *e)
{
    return wrap(EVP_EC_gen("P-256"), e, "cannot generate a private key");
}

struct pki_key *pki_key_parse(const char *pem, struct err *e)
{
    _cleanup_(BIO_free_allp) BIO *b = BIO_new_mem_buf(pem, -1);

    return wrap(PEM_read_bio_PrivateKey(b, NULL, NULL, NULL), e, "cannot read the private key");
}

void pki_key_free(struct pki_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

static int take_text(BIO *b, struct buf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return buf_add(out, p, (size_t)n);
}

int pki_key_pem(const struct pki_key *k, struct buf *out, struct err *e)
{
    _cleanup_(BIO_free_allp) BIO *b = BIO_new(BIO_s_mem());

    if (PEM_write_bio_PrivateKey(b, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return tls_error(e, "cannot write the private key");
    return take_text(b, out);
}

static X509 *parse_cert(const char *pem, struct err *e)
{
    _cleanup_(BIO_free_allp) BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

    if (!x)
        tls_error(e, "cannot read the certificate");
    return x;
}

static int set_serial(X509 *x)
{
    unsigned char bytes[16];

    rand_bytes(bytes, sizeof(bytes));
    bytes[0] &= 0x7f; /* positive */
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    int ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

static int add_name(X509_NAME *name, const char *field, const char *text)
{
    return !text || X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                               (const unsigned char *)text, -1, -1, 0) == 1;
}

static int add_organizations(X509_NAME *name, const char *const *orgs)
{
    for (size_t i = 0; orgs && orgs[i]; i++) {
        if (!add_name(name, "O", orgs[i]))
            return 0;
    }
    return 1;
}

static int add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = ext && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static int push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *g = GENERAL_NAME_new();

    if (!g || !value)
        return 0;
    GENERAL_NAME_set0_value(g, type, value);
    return sk_GENERAL_NAME_push(names, g) > 0;
}

/* Built as objects, not as configuration text, in which a comma of a name would start another
 * entry. */
static int add_alt_names(X509 *x, const struct pki_request *rq)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    int ok = names != NULL;

    for (size_t i = 0; ok && rq->dns_names && rq->dns_names[i]; i++) {
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();
        ok = s && ASN1_STRING_set(s, rq->dns_names[i], -1) == 1 && push_name(names, GEN_DNS, s);
    }
    for (size_t i = 0; ok && rq->ip_addrs && rq->ip_addrs[i]; i++)
        ok = push_name(names, GEN_IPADD, a2i_IPADDRESS(rq->ip_addrs[i]));
    if (ok && sk_GENERAL_NAME_num(names) > 0)
        ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static int add_extensions(X509 *x, X509 *issuer, const struct pki_request *rq)
{
    const char *usage = rq->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";

    if (!add_ext(x, issuer, NID_basic_constraints,
                 rq->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") ||
        !add_ext(x, issuer, NID_key_usage, usage) ||
        !add_ext(x, issuer, NID_subject_key_identifier, "hash") ||
        !add_ext(x, issuer, NID_authority_key_identifier, "keyid"))
        return 0;
    if (!rq->is_ca &&
        !add_ext(x, issuer, NID_ext_key_usage, rq->is_client ? "clientAuth" : "serverAuth"))
        return 0;
    return add_alt_names(x, rq);
}

static int set_times(X509 *x, const struct pki_request *rq)
{
    time_t now = rq->now_s ? (time_t)rq->now_s : time(NULL);
    int days = (int)(rq->valid_seconds / 86400);
    long rest = (long)(rq->valid_seconds % 86400);

    return X509_time_adj_ex(X509_getm_notBefore(x), 0, -CLOCK_SKEW_S, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(x), days, rest, &now);
}

static int fill(X509 *x, X509 *issuer, const struct pki_request *rq, const struct pki_key *key)
{
    X509_NAME *name = X509_get_subject_name(x);

    return X509_set_version(x, 2) == 1 && set_serial(x) && set_times(x, rq) &&
           X509_set_pubkey(x, key->pkey) == 1 && add_organizations(name, rq->organizations) &&
           add_name(name, "CN", rq->common_name) &&
           X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) == 1 &&
           add_extensions(x, issuer ? issuer : x, rq);
}

int pki_sign(const struct pki_request *rq, const struct pki_key *key, const char *issuer_cert_pem,
             const struct pki_key *issuer_key, struct buf *out, struct err *e)
{
    _cleanup_(X509_freep) X509 *x = X509_new(), *issuer = NULL;
    _cleanup_(BIO_free_allp) BIO *b = BIO_new(BIO_s_mem());

    if (issuer_cert_pem) {
        issuer = parse_cert(issuer_cert_pem, e);
        if (!issuer)
            return err_prefix(e, "cannot use the authority for %s", rq->common_name);
    }
    const struct pki_key *signer = issuer ? issuer_key : key;
    if (!fill(x, issuer, rq, key) || X509_sign(x, signer->pkey, EVP_sha256()) == 0 ||
        PEM_write_bio_X509(b, x) != 1) {
        tls_error(e, "cannot sign");
        return err_prefix(e, "certificate for %s", rq->common_name);
    }
    return take_text(b, out);
}

int pki_seconds_left(const char *cert_pem, int64_t now_s, int64_t *ret, struct err *e)
{
    _cleanup_(X509_freep) X509 *x = parse_cert(cert_pem, e);
    ASN1_TIME *now = now_s ? ASN1_TIME_set(NULL, (time_t)now_s) : NULL;
    int days, seconds;

    if (!x) {
        ASN1_TIME_free(now);
        return -EINVAL;
    }
    int ok = ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(x));
    ASN1_TIME_free(now);
    if (ok != 1)
        return tls_error(e, "cannot read the end of the certificate");
    *ret = (int64_t)days * 86400 + seconds;
    return 0;
}

bool pki_belongs(const char *cert_pem, const struct pki_key *key)
{
    _cleanup_(X509_freep) X509 *x = parse_cert(cert_pem, NULL);
    bool is = x && X509_check_private_key(x, key->pkey) == 1;

    ERR_clear_error();
    return is;
}

bool pki_signed_by(const char *cert_pem, const char *issuer_cert_pem)
{
    _cleanup_(X509_freep) X509 *x = parse_cert(cert_pem, NULL);
    _cleanup_(X509_freep) X509 *issuer = parse_cert(issuer_cert_pem, NULL);
    bool is = x && issuer && X509_verify(x, X509_get0_pubkey(issuer)) == 1;

    ERR_clear_error();
    return is;
}
