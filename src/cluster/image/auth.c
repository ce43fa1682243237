/*
 * Pull secrets are docker's config.json: an object "auths" from registry to either username and
 * password or both joined in "auth" as base64. Challenges follow RFC 9110: scheme, then name=value
 * pairs whose values may be quoted.
 */
#include "cluster/image/auth.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/limits.h"
#include "base/vec.h"

#define MAX_AUTHS 1000

/* ---- pull secrets ---- */

static int decode_pair(const char *base64, char **ret_user, char **ret_password)
{
    _cleanup_free_ char *pair = base64_decode(base64, strlen(base64), NULL);
    char *colon = pair ? strchr(pair, ':') : NULL;

    if (!colon)
        return -EINVAL;
    *ret_user = xstrndup(pair, (size_t)(colon - pair));
    *ret_password = xstrdup(colon + 1);
    return 0;
}

static int read_auth(const char *registry, const yyjson_val *v, struct image_auth *ret,
                     struct err *e)
{
    const char *user = jget_str(v, "username"), *password = jget_str(v, "password");
    const char *joined = jget_str(v, "auth");
    char *u = NULL, *p = NULL;

    if (user && password) {
        u = xstrdup(user);
        p = xstrdup(password);
    } else if (joined && decode_pair(joined, &u, &p) < 0)
        return err_set(
            e, -EINVAL,
            "the pull secret's entry for \"%.200s\" has an \"auth\" that is not base64 of "
            "USER:PASSWORD",
            registry);
    *ret = (struct image_auth){u ? xstrdup(registry) : NULL, u, p};
    return 0;
}

void image_auths_free(struct image_auth *a, size_t n)
{
    for (size_t i = 0; a && i < n; i++) {
        free((char *)a[i].registry);
        free((char *)a[i].username);
        free((char *)a[i].password);
    }
    free(a);
}

int image_auths_parse(const char *dockerconfigjson, struct image_auth **ret, size_t *ret_n,
                      struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(dockerconfigjson, strlen(dockerconfigjson), e);
    VEC(struct image_auth) list = {0};
    yyjson_val *auths, *key, *v;
    size_t i, n;
    int rc = 0;

    if (!doc)
        return err_prefix(e, "the pull secret is not valid JSON");
    auths = jget(yyjson_doc_get_root(doc), "auths");
    if (!yyjson_is_obj(auths) || yyjson_obj_size(auths) > MAX_AUTHS)
        return err_set(e, -EINVAL, "the pull secret has no \"auths\" object of at most %d entries",
                       MAX_AUTHS);
    yyjson_obj_foreach(auths, i, n, key, v)
    {
        struct image_auth a = {0};
        if ((rc = read_auth(yyjson_get_str(key), v, &a, e)) < 0)
            break;
        if (a.username)
            vec_push(&list, a);
    }
    if (rc < 0) {
        image_auths_free(list.p, list.n);
        return rc;
    }
    *ret = list.p;
    *ret_n = list.n;
    return 0;
}

static struct str host_of(struct str entry, struct str *ret_path)
{
    size_t slash;

    if (str_starts(entry, STR("https://")))
        entry = (struct str){entry.p + 8, entry.n - 8};
    else if (str_starts(entry, STR("http://")))
        entry = (struct str){entry.p + 7, entry.n - 7};
    *ret_path = (struct str){entry.p + entry.n, 0};
    if (str_find(entry, '/', &slash)) {
        *ret_path = (struct str){entry.p + slash + 1, entry.n - slash - 1};
        entry.n = slash;
    }
    if (str_ieq(entry, STR("docker.io")) || str_ieq(entry, STR("registry-1.docker.io")))
        return STR("index.docker.io");
    return entry;
}

/* "*" stands for the whole of one label. */
static bool host_matches(struct str pattern, struct str host)
{
    struct str a, b;

    if (!memchr(pattern.p, '*', pattern.n))
        return str_ieq(pattern, host);
    while (pattern.n && host.n) {
        if (!str_split(&pattern, '.', &a) || !str_split(&host, '.', &b))
            return false;
        if (!str_eq(a, STR("*")) && !str_ieq(a, b))
            return false;
    }
    return pattern.n == 0 && host.n == 0;
}

int auth_match(const char *entry, const struct image_ref *r)
{
    struct str path, host = host_of(str_of(entry), &path), repository = str_of(r->repository);

    if (!host_matches(host, str_of(r->registry)))
        return 0;
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    /* The paths of the old and the new protocol say nothing about the image. */
    if (path.n == 0 || str_eq(path, STR("v1")) || str_eq(path, STR("v2")))
        return 1;
    if (!str_starts(repository, path) || (repository.n > path.n && repository.p[path.n] != '/'))
        return 0;
    return 1 + (int)path.n;
}

int auth_basic(const char *username, const char *password, struct buf *out)
{
    _cleanup_free_ char *pair = xasprintf("%s:%s", username, password);
    int r = buf_addz(out, "Basic ");

    return r < 0 ? r : base64_add(out, pair, strlen(pair));
}

/* ---- challenges ---- */

static void skip(struct str *s, const char *set)
{
    while (s->n && strchr(set, s->p[0])) {
        s->p++;
        s->n--;
    }
}

static struct str take_token(struct str *s)
{
    struct str t = {s->p, 0};

    while (t.n < s->n &&
           (isalnum((unsigned char)s->p[t.n]) || (s->p[t.n] && strchr("-._~+/", s->p[t.n]))))
        t.n++;
    s->p += t.n;
    s->n -= t.n;
    return t;
}

/* Into ret; too long a value becomes empty. */
static void take_value(struct str *s, char *ret, size_t size)
{
    size_t n = 0, i = 1;

    if (!s->n || s->p[0] != '"') {
        struct str t = take_token(s);
        n = t.n < size ? t.n : 0;
        memcpy(ret, t.p, n);
        ret[n] = '\0';
        return;
    }
    for (; i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n)
            i++;
        if (n < size)
            ret[n++] = s->p[i];
    }
    ret[n < size ? n : 0] = '\0';
    i = i < s->n ? i + 1 : s->n;
    s->p += i;
    s->n -= i;
}

static void take_parameter(struct auth_challenge *c, struct str name, struct str *s)
{
    char ignored[1024];

    if (str_ieq(name, STR("realm")))
        take_value(s, c->bearer && !c->realm[0] ? c->realm : ignored, sizeof(c->realm));
    else if (str_ieq(name, STR("service")))
        take_value(s, c->service, sizeof(c->service));
    else if (str_ieq(name, STR("scope")))
        take_value(s, c->scope, sizeof(c->scope));
    else
        take_value(s, ignored, sizeof(ignored));
}

void auth_challenge_add(struct auth_challenge *c, struct str s)
{
    while (s.n) {
        skip(&s, " \t,");
        struct str word = take_token(&s);
        if (!word.n)
            return;
        skip(&s, " \t");
        if (s.n && s.p[0] == '=') {
            s.p++;
            s.n--;
            skip(&s, " \t");
            take_parameter(c, word, &s);
        } else if (str_ieq(word, STR("bearer")))
            c->bearer = true;
        else if (str_ieq(word, STR("basic")))
            c->basic = true;
    }
}
