/*
 * Splits into at most MAX_PARTS segments first, then matches by position:
 *   api/V[/watch][/namespaces/NS]/PLURAL[/NAME[/SUB]]   apis/G/V/…
 * "namespaces/NAME" and "namespaces/NAME/status|finalize" are the Namespace objects themselves.
 */
#include "cluster/apiserver/request/path.h"

#include "http/message.h"

#define MAX_PARTS 12

struct parts {
    char s[MAX_PARTS][PATH_SEGMENT];
    size_t n;
};

static bool split(struct str path, struct parts *out)
{
    struct str part;

    while (str_split(&path, '/', &part)) {
        if (!part.n)
            continue;
        if (out->n == MAX_PARTS || part.n >= PATH_SEGMENT)
            return false;
        char *to = out->s[out->n++];
        size_t n = part.n;

        memcpy(to, part.p, n);
        if (!http_unescape(to, &n, false) || memchr(to, '/', n))
            return false;
        to[n] = '\0';
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)to[i] < 0x20 || (unsigned char)to[i] >= 0x7f)
                return false; /* no name in the API has such bytes */
        if (streq(to, ".") || streq(to, ".."))
            return false;
    }
    return true;
}

static void objects(const struct parts *p, size_t at, struct api_path *ret)
{
    if (at < p->n && streq(p->s[at], "watch")) {
        ret->old_watch = true;
        at++;
    }
    size_t left = p->n - at;

    if (left >= 3 && streq(p->s[at], "namespaces") && !streq(p->s[at + 2], "status") &&
        !streq(p->s[at + 2], "finalize")) {
        strcpy(ret->ns, p->s[at + 1]);
        at += 2;
        left -= 2;
    }
    if (left < 1 || left > 3)
        return;
    strcpy(ret->plural, p->s[at]);
    if (left > 1)
        strcpy(ret->name, p->s[at + 1]);
    if (left > 2)
        strcpy(ret->sub, p->s[at + 2]);
    ret->kind = PATH_OBJECTS;
}

static void in_version(const struct parts *p, size_t at, struct api_path *ret)
{
    strcpy(ret->version, p->s[at]);
    if (p->n == at + 1)
        ret->kind = PATH_RESOURCES;
    else
        objects(p, at + 1, ret);
}

static void openapi(const struct parts *p, struct api_path *ret)
{
    if (p->n == 2 && streq(p->s[1], "v2"))
        ret->kind = PATH_OPENAPI2;
    if (p->n < 2 || !streq(p->s[1], "v3"))
        return;
    if (p->n == 2)
        ret->kind = PATH_OPENAPI3;
    if (p->n == 4 && streq(p->s[2], "api")) {
        ret->kind = PATH_OPENAPI3_GV;
        strcpy(ret->version, p->s[3]);
    }
    if (p->n == 5 && streq(p->s[2], "apis")) {
        ret->kind = PATH_OPENAPI3_GV;
        strcpy(ret->group, p->s[3]);
        strcpy(ret->version, p->s[4]);
    }
}

static bool is_health(const char *s)
{
    return streq(s, "healthz") || streq(s, "livez") || streq(s, "readyz");
}

void api_path_parse(struct str path, struct api_path *ret)
{
    struct parts p = {.n = 0};

    *ret = (struct api_path){.kind = PATH_NONE};
    if (!split(path, &p))
        return;
    if (p.n == 0)
        ret->kind = PATH_ROOT;
    else if (is_health(p.s[0]))
        ret->kind = PATH_HEALTH;
    else if (streq(p.s[0], "version"))
        ret->kind = p.n == 1 ? PATH_VERSION : PATH_NONE;
    else if (streq(p.s[0], "openapi"))
        openapi(&p, ret);
    else if (streq(p.s[0], "api")) {
        if (p.n == 1)
            ret->kind = PATH_API;
        else
            in_version(&p, 1, ret);
    } else if (streq(p.s[0], "apis")) {
        if (p.n == 1) {
            ret->kind = PATH_APIS;
            return;
        }
        strcpy(ret->group, p.s[1]);
        if (p.n == 2)
            ret->kind = PATH_GROUP;
        else
            in_version(&p, 2, ret);
    }
}
