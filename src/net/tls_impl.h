/* What the TLS filter needs of the configurations. Not for others. */
#ifndef NONAGON_NET_TLS_IMPL_H
#define NONAGON_NET_TLS_IMPL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/tls.h"

/* Names of protocols: length, name, ... */
struct alpn {
    unsigned char wire[64];
    unsigned n;
};

struct tls_server {
    atomic_uint refs;
    pthread_mutex_t lock; /* of ctx */
    SSL_CTX *ctx;
    struct alpn alpn;
};

struct tls_client {
    SSL_CTX *ctx;
    int insecure;
};

/* A new server side with the present certificates. */
SSL *tls_server_ssl(struct tls_server *t);

/* Fills the error with what OpenSSL's queue says; empties the queue. */
int tls_error(struct err *e, const char *what);

#endif
