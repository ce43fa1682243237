/* Digests on OpenSSL's EVP interface. Failure of the library to start a known algorithm is fatal,
 * as out of memory is. */
#include "cluster/image/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

bool digest_valid(struct str s)
{
    size_t digits = str_starts(s, STR("sha256:")) ? 64 : str_starts(s, STR("sha512:")) ? 128 : 0;

    if (digits == 0 || s.n != 7 + digits)
        return false;
    for (size_t i = 7; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return true;
}

const char *digest_hex(const char *digest)
{
    return digest + 7;
}

void digest_start(struct digest_sum *s, const char *like)
{
    bool big = like && strncmp(like, "sha512:", 7) == 0;

    s->algorithm = big ? "sha512" : "sha256";
    s->md = EVP_MD_CTX_new();
    if (!s->md || !EVP_DigestInit_ex(s->md, big ? EVP_sha512() : EVP_sha256(), NULL)) {
        fprintf(stderr, "nonagon: OpenSSL cannot start %s\n", s->algorithm);
        abort();
    }
}

void digest_add(struct digest_sum *s, const void *p, size_t n)
{
    EVP_DigestUpdate(s->md, p, n);
}

void digest_end(struct digest_sum *s, char ret[static DIGEST_MAX])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    size_t at = (size_t)snprintf(ret, DIGEST_MAX, "%s:", s->algorithm);

    EVP_DigestFinal_ex(s->md, raw, &n);
    hex_encode(raw, n, ret + at);
}

void digest_done(struct digest_sum *s)
{
    EVP_MD_CTX_free(s->md);
    s->md = NULL;
}

void digest_of(const void *p, size_t n, const char *like, char ret[static DIGEST_MAX])
{
    struct digest_sum s;

    digest_start(&s, like);
    digest_add(&s, p, n);
    digest_end(&s, ret);
    digest_done(&s);
}
