/* What the TLS filter needs of the configurations. Not for others. */
#ifndef NONAGON_NET_TLS_IMPL_H
#define NONAGON_NET_TLS_IMPL_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls_server {
    SSL_CTX *ctx;
    unsigned char alpn[64]; /* wire form: length, name, ... */
    unsigned alpn_n;
};

struct tls_client {
    SSL_CTX *ctx;
    int insecure;
};

/* Fills the error with what OpenSSL's queue says; empties the queue. */
int tls_error(struct err *e, const char *what);

#endif
