/*
 * Image references as registries take them: [host[:port]/]repository[:tag][@algorithm:hex]. Only
 * the shape is judged; whether the image exists is the digest resolution's finding.
 */
#include "contract/image_ref.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"

#define REPOSITORY_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_-./"
#define TAG_CHARS        "abcdefghijklmnopqrstuvwxyz0123456789_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define HOST_CHARS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"

static bool only(struct str s, const char *chars, size_t min, size_t max)
{
    if (s.n < min || s.n > max)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr(chars, s.p[i]))
            return false;
    }
    return true;
}

static bool digest_ok(struct str d)
{
    static const struct str sha256 = {"sha256:", 7};

    return str_starts(d, sha256) &&
           only((struct str){d.p + 7, d.n - 7}, "0123456789abcdef", 64, 64);
}

/* The part before the first slash is a host only if it looks like one. */
static struct str cut_host(struct str *ref)
{
    struct str host = STR_NULL, first;
    size_t at;

    if (!str_find(*ref, '/', &at))
        return host;
    first = (struct str){ref->p, at};
    if (!memchr(first.p, '.', at) && !memchr(first.p, ':', at) && !str_eq(first, STR("localhost")))
        return host;
    ref->p += at + 1;
    ref->n -= at + 1;
    return first;
}

bool image_reference_ok(const char *image, struct err *why)
{
    struct str rest = str_of(image), tag = STR_NULL, digest = STR_NULL;
    size_t at;
    bool ok = true;

    if (str_find(rest, '@', &at)) {
        digest = (struct str){rest.p + at + 1, rest.n - at - 1};
        rest.n = at;
        ok = digest_ok(digest);
    }
    struct str host = cut_host(&rest);
    if (str_find(rest, ':', &at)) {
        tag = (struct str){rest.p + at + 1, rest.n - at - 1};
        rest.n = at;
        ok = ok && only(tag, TAG_CHARS, 1, 128);
    }
    ok = ok && (!host.p || only(host, HOST_CHARS, 1, 255)) && only(rest, REPOSITORY_CHARS, 2, 255);
    if (!ok)
        err_set(why, -EINVAL, "could not parse reference: %s", image);
    return ok;
}

/* ---- parts ---- */
#define DEFAULT_REGISTRY "index.docker.io"

bool image_has_digest(const char *image)
{
    return strchr(image, '@') != NULL;
}

static struct str registry_of(struct str *rest)
{
    struct str host = cut_host(rest);

    if (!host.p || str_eq(host, STR("docker.io")))
        return STR(DEFAULT_REGISTRY);
    return host;
}

char *image_registry(const char *image)
{
    struct str rest = str_of(image), host = registry_of(&rest);

    return xstrndup(host.p, host.n);
}

char *image_repository(const char *image)
{
    struct str rest = str_of(image), host;
    size_t at;

    if (str_find(rest, '@', &at))
        rest.n = at;
    host = registry_of(&rest);
    if (str_find(rest, ':', &at))
        rest.n = at;
    bool library = str_eq(host, STR(DEFAULT_REGISTRY)) && !str_find(rest, '/', &at);
    return xasprintf(STR_FMT "/%s" STR_FMT, STR_ARG(host), library ? "library/" : "",
                     STR_ARG(rest));
}
