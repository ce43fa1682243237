/*
 * The files are lines of colon-separated fields: name:x:uid:gid:… and name:x:gid:members. A number
 * that is in no file is accepted as it is, with group 0, as runtimes do.
 */
#include "cluster/node/runtime/user.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define MAX_FIELDS 8

void oci_user_done(struct oci_user *u)
{
    vec_done(&u->groups);
}

yyjson_val *oci_security_field(const yyjson_val *pod_spec, const yyjson_val *container,
                               const char *name)
{
    yyjson_val *v = jget(container, "securityContext", name);
    return v && !yyjson_is_null(v) ? v : jget(pod_spec, "securityContext", name);
}

static bool number(struct str s, uint32_t *ret)
{
    uint64_t v;
    if (!s.n || str_u64(s, &v) < 0 || v > UINT32_MAX - 1)
        return false;
    *ret = (uint32_t)v;
    return true;
}

static size_t fields_of(struct str line, struct str *f)
{
    size_t n = 0;
    while (n < MAX_FIELDS && str_split(&line, ':', &f[n]))
        n++;
    return n;
}

/* The line whose first field is `name`, or whose third is `id` when name is empty. */
static bool find_line(const char *text, struct str name, struct str id, struct str *f, size_t need)
{
    struct str rest = str_of(text), line;
    while (str_split(&rest, '\n', &line)) {
        if (fields_of(line, f) < need)
            continue;
        if (name.n ? str_eq(f[0], name) : str_eq(f[2], id))
            return true;
    }
    return false;
}

static void add_group(struct oci_user *u, uint32_t gid)
{
    for (size_t i = 0; i < u->groups.n; i++)
        if (u->groups.p[i] == gid)
            return;
    vec_push(&u->groups, gid);
}

/* Groups whose member list names the user. */
static void add_memberships(struct oci_user *u, const char *group, struct str user)
{
    struct str rest = str_of(group), line, f[MAX_FIELDS], member;
    while (user.n && str_split(&rest, '\n', &line)) {
        uint32_t gid;
        if (fields_of(line, f) < 4 || !number(f[2], &gid))
            continue;
        struct str members = f[3];
        while (str_split(&members, ',', &member))
            if (str_eq(member, user))
                add_group(u, gid);
    }
}

static int resolve_group(struct str text, const char *group, uint32_t *ret, struct err *e)
{
    struct str f[MAX_FIELDS];
    if (number(text, ret))
        return 0;
    if (find_line(group, text, STR_NULL, f, 3) && number(f[2], ret))
        return 0;
    return err_set(e, -EINVAL,
                   "unable to find group " STR_FMT ": no such entry in the image's "
                   "/etc/group",
                   STR_ARG(text));
}

/* The image's "user[:group]", with the passwd entry's group and the memberships. */
static int resolve_user(struct str text, const char *passwd, const char *group,
                        struct oci_user *ret, struct err *e)
{
    struct str user = text, f[MAX_FIELDS], rest = text;
    str_split(&rest, ':', &user);
    bool numeric = number(user, &ret->uid);
    bool listed = find_line(passwd, numeric ? STR_NULL : user, user, f, 4);
    if (!numeric && !(listed && number(f[2], &ret->uid)))
        return err_set(e, -EINVAL,
                       "unable to find user " STR_FMT ": no such entry in the "
                       "image's /etc/passwd",
                       STR_ARG(user));
    if (listed && !number(f[3], &ret->gid))
        ret->gid = 0;
    if (listed)
        add_memberships(ret, group, f[0]);
    size_t at;
    if (!str_find(text, ':', &at))
        return 0;
    return resolve_group((struct str){text.p + at + 1, text.n - at - 1}, group, &ret->gid, e);
}

static void add_context_groups(const yyjson_val *pod_spec, struct oci_user *ret)
{
    size_t i, max;
    yyjson_val *g;
    yyjson_arr_foreach(jget(pod_spec, "securityContext", "supplementalGroups"), i, max, g)
        add_group(ret, (uint32_t)yyjson_get_uint(g));
    g = jget(pod_spec, "securityContext", "fsGroup");
    if (yyjson_is_int(g))
        add_group(ret, (uint32_t)yyjson_get_uint(g));
}

int oci_user_resolve(const yyjson_val *pod_spec, const yyjson_val *container,
                     const char *image_user, const char *passwd, const char *group,
                     struct oci_user *ret, struct err *e)
{
    *ret = (struct oci_user){0};
    yyjson_val *uid = oci_security_field(pod_spec, container, "runAsUser");
    yyjson_val *gid = oci_security_field(pod_spec, container, "runAsGroup");
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)yyjson_get_uint(uid));
    struct str user = yyjson_is_int(uid) ? str_of(text) : str_of(image_user ? image_user : "");
    if (!user.n)
        user = STR("0");
    int r = resolve_user(user, passwd, group, ret, e);
    if (r < 0) {
        oci_user_done(ret);
        return r;
    }
    if (yyjson_is_int(gid))
        ret->gid = (uint32_t)yyjson_get_uint(gid);
    add_context_groups(pod_spec, ret);
    if (ret->uid == 0 && yyjson_get_bool(oci_security_field(pod_spec, container, "runAsNonRoot"))) {
        oci_user_done(ret);
        return err_set(e, -EACCES, "container has runAsNonRoot and %s",
                       uid ? "runAsUser is 0" : "image will run as root");
    }
    return 0;
}
