/*
 * TLS configuration and the certificate tasks of an own authority. TLS 1.2 at least; EC P-256 keys.
 * The objects may be shared by loops; only a server's certificates change, see tls_server_swap.
 */
#ifndef NONAGON_NET_TLS_H
#define NONAGON_NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct tls_server;
struct tls_client;

/* PEM texts. With client_ca, client certificates are asked for and verified (but not demanded).
 * alpn is a comma list such as "http/1.1"; NULL = none. */
struct tls_server *tls_server_new(const char *cert_pem, const char *key_pem,
                                  const char *client_ca_pem, const char *alpn, struct err *e);
/* From any thread: handshakes that begin later use these, those under way and connections that
 * exist keep what they have. On failure everything stays. */
int tls_server_swap(struct tls_server *t, const char *cert_pem, const char *key_pem,
                    const char *client_ca_pem, struct err *e);
/* Listeners and connections hold references of their own. */
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t);

/* ca_pem NULL = system roots; cert/key NULL = no client certificate. insecure skips verification.
 */
struct tls_client *tls_client_new(const char *ca_pem, const char *cert_pem, const char *key_pem,
                                  int insecure, struct err *e);
/* Protocols to offer, as a comma list in the order of preference; before the first connection. */
int tls_client_offer(struct tls_client *t, const char *alpn, struct err *e);
void tls_client_free(struct tls_client *t);

/* ---- making certificates ---- */
struct pki_key; /* a private key */
struct pki_key *pki_key_new(struct err *e);
struct pki_key *pki_key_parse(const char *pem, struct err *e);
void pki_key_free(struct pki_key *k);
int pki_key_pem(const struct pki_key *k, struct buf *out, struct err *e);

struct pki_request {
    const char *common_name;
    const char *const *organizations; /* NULL-terminated or NULL */
    const char *const *dns_names;     /* NULL-terminated or NULL */
    const char *const *ip_addrs;      /* NULL-terminated or NULL */
    int is_ca;
    int is_client; /* extended key usage clientAuth, else serverAuth */
    int64_t valid_seconds;
    int64_t now_s; /* since the epoch; 0 = by the system's clock */
};
/* Signs with issuer (NULL issuer cert = self-signed with `key`). Appends PEM to out. */
int pki_sign(const struct pki_request *rq, const struct pki_key *key, const char *issuer_cert_pem,
             const struct pki_key *issuer_key, struct buf *out, struct err *e);
/* Seconds from now_s (since the epoch; 0 = by the system's clock) until the certificate ends
 * (negative = over). */
int pki_seconds_left(const char *cert_pem, int64_t now_s, int64_t *ret, struct err *e);
/* Whether the certificate is for this key. */
bool pki_belongs(const char *cert_pem, const struct pki_key *key);
/* Whether the issuer's key signed it. */
bool pki_signed_by(const char *cert_pem, const char *issuer_cert_pem);

#endif
