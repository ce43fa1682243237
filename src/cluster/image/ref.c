/*
 * Image references by Docker's rules. The text is taken apart from the right: digest, tag, then the
 * first part of the path, which is a registry only if it looks like a host (has a dot or a colon,
 * or is "localhost").
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cluster/image/digest.h"
#include "cluster/image/image.h"

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} */
static bool tag_ok(struct str s)
{
    if (s.n == 0 || s.n > 128 || s.p[0] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && !strchr("_.-", s.p[i]))
            return false;
    return true;
}

/* One path part: runs of letters and digits joined by ".", "_", "__" or dashes. */
static bool part_ok(struct str s)
{
    size_t i = 0;

    if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
        return false;
    while (i < s.n) {
        size_t start = i;
        char c = s.p[i];
        while (i < s.n && s.p[i] == c && !is_lower_alnum(c))
            i++;
        size_t run = i - start;
        if (run == 0 && is_lower_alnum(c))
            i++;
        else if (run == 0 || (c != '-' && c != '.' && c != '_') || (c == '.' && run > 1) ||
                 (c == '_' && run > 2) || !is_lower_alnum(s.p[i]))
            return false;
    }
    return true;
}

static bool repository_ok(struct str s)
{
    struct str part;

    if (s.n == 0 || s.n > 255 || s.p[s.n - 1] == '/')
        return false;
    while (str_split(&s, '/', &part))
        if (!part_ok(part))
            return false;
    return true;
}

/* Labels of letters, digits and dashes, joined by dots. */
static bool host_char_ok(struct str s, size_t i)
{
    if (is_alnum(s.p[i]))
        return true;
    return (s.p[i] == '.' || s.p[i] == '-') && i > 0 && i + 1 < s.n && s.p[i + 1] != ':' &&
           (is_alnum(s.p[i - 1]) || s.p[i - 1] == '-') &&
           (is_alnum(s.p[i + 1]) || s.p[i + 1] == '-');
}

/* host, host:port or [v6]:port */
static bool registry_ok(struct str s)
{
    size_t host = 0;

    if (s.n == 0 || s.n > 255)
        return false;
    if (s.p[0] == '[') {
        while (host < s.n && s.p[host] != ']')
            if (!strchr("[0123456789abcdefABCDEF:.", s.p[host++]))
                return false;
        if (host++ >= s.n || host < 4)
            return false;
    } else {
        for (; host < s.n && s.p[host] != ':'; host++)
            if (!host_char_ok(s, host))
                return false;
    }
    if (host == s.n)
        return host > 0;
    uint64_t port;
    struct str digits = {s.p + host + 1, s.n - host - 1};
    return host > 0 && s.p[host] == ':' && digits.n <= 5 && str_u64(digits, &port) == 0 &&
           port > 0 && port < 65536;
}

static bool looks_like_registry(struct str s)
{
    return memchr(s.p, '.', s.n) || memchr(s.p, ':', s.n) || str_eq(s, STR("localhost"));
}

static void copy(char *to, struct str s)
{
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
}

static struct str cut_tag(struct str *name)
{
    for (size_t i = name->n; i-- > 0 && name->p[i] != '/';) {
        if (name->p[i] != ':')
            continue;
        struct str tag = {name->p + i + 1, name->n - i - 1};
        name->n = i;
        return tag;
    }
    return STR_NULL;
}

static int bad(struct err *e, const char *text, const char *why)
{
    return err_set(e, -EINVAL,
                   "image reference \"%.300s\" is not valid: %s; write [REGISTRY/]NAME[:TAG] or "
                   "[REGISTRY/]NAME@sha256:HEX",
                   text, why);
}

static int set_name(struct image_ref *r, struct str name, const char *text, struct err *e)
{
    struct str registry = STR("index.docker.io"), path = name;
    size_t slash;

    if (str_find(name, '/', &slash) && looks_like_registry((struct str){name.p, slash})) {
        registry = (struct str){name.p, slash};
        path = (struct str){name.p + slash + 1, name.n - slash - 1};
        if (str_eq(registry, STR("docker.io")))
            registry = STR("index.docker.io");
    }
    if (!registry_ok(registry))
        return bad(e, text, "the registry is not a host with an optional port");
    if (!repository_ok(path))
        return bad(
            e, text,
            "the name must be lower-case letters, digits and single separators, at most 255");
    bool official = str_eq(registry, STR("index.docker.io")) && !memchr(path.p, '/', path.n);
    if (path.n + (official ? 8 : 0) > 255)
        return bad(e, text, "the name is too long");
    copy(r->registry, registry);
    if (official)
        copy(r->repository, STR("library/"));
    copy(r->repository + (official ? 8 : 0), path);
    return 0;
}

int image_ref_parse(const char *text, struct image_ref *ret, struct err *e)
{
    struct image_ref r = {0};
    struct str name = str_of(text), digest = STR_NULL, tag;
    size_t at;

    if (!text || !*text)
        return err_set(e, -EINVAL, "the image reference is empty; name an image");
    if (str_find(name, '@', &at)) {
        digest = (struct str){name.p + at + 1, name.n - at - 1};
        name.n = at;
        if (!digest_valid(digest))
            return bad(e, text, "the digest is not sha256: and 64 hexadecimal digits");
        copy(r.digest, digest);
    }
    tag = cut_tag(&name);
    if (tag.p && !tag_ok(tag))
        return bad(e, text, "the tag must be letters, digits, \"_\", \".\" and \"-\", at most 128");
    if (tag.p)
        copy(r.tag, tag);
    else if (!digest.p)
        copy(r.tag, STR("latest"));
    if (set_name(&r, name, text, e) < 0)
        return -EINVAL;
    *ret = r;
    return 0;
}

void image_ref_format(const struct image_ref *r, char *ret, size_t size)
{
    snprintf(ret, size, "%s/%s%s%s", r->registry, r->repository, r->digest[0] ? "@" : ":",
             r->digest[0] ? r->digest : r->tag);
}

bool image_ref_is_local(const struct image_ref *r)
{
    return streq(r->registry, "kind.local") || streq(r->registry, "ko.local") ||
           streq(r->registry, "dev.local");
}
