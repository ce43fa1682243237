/*
 * Reviews are questions in the form of objects: they are posted, answered and not kept. Whoever
 * passes identification is an administrator, so the answers are short.
 */
#include "base/limits.h"
#include "cluster/apiserver/core.h"

typedef void fill_fn(const struct api_request *r, struct kmut *m);

static void fill_access(const struct api_request *r, struct kmut *m)
{
    jm_set_bool(KM(m), true, "status", "allowed");
}

static void add_all(struct kmut *m, yyjson_mut_val *rule, const char *key)
{
    yyjson_mut_arr_add_str(m->d, jm_arr(m->d, rule, key), "*");
}

static void fill_rules(const struct api_request *r, struct kmut *m)
{
    yyjson_mut_val *status = jm_obj(KM(m), "status"), *rule;

    rule = jm_add_obj(m->d, jm_arr(m->d, status, "resourceRules"));
    add_all(m, rule, "verbs");
    add_all(m, rule, "apiGroups");
    add_all(m, rule, "resources");
    rule = jm_add_obj(m->d, jm_arr(m->d, status, "nonResourceRules"));
    add_all(m, rule, "verbs");
    add_all(m, rule, "nonResourceURLs");
    jm_set_bool(m->d, status, false, "incomplete");
}

static void fill_self(const struct api_request *r, struct kmut *m)
{
    yyjson_mut_val *user = jm_obj(KM(m), "status", "userInfo");
    yyjson_mut_val *groups = jm_arr(m->d, user, "groups");
    const struct user_info *u = http_user(r->x);

    jm_set_str(m->d, user, r->user, "username");
    for (size_t i = 0; i < u->n_groups; i++)
        yyjson_mut_arr_add_strcpy(m->d, groups, u->groups[i]);
    yyjson_mut_arr_add_str(m->d, groups, "system:authenticated");
}

static const struct review {
    struct kube_resource res;
    fill_fn *fill;
} reviews[] = {
    {{"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false},
     fill_access},
    {{"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false},
     fill_rules},
    {{"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false}, fill_self},
};

static const struct review *find(const struct api_path *p)
{
    for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
        if (streq(p->group, reviews[i].res.group) && streq(p->version, reviews[i].res.version) &&
            streq(p->plural, reviews[i].res.plural) && !p->name[0] && !p->ns[0])
            return &reviews[i];
    return NULL;
}

static void answer(struct api_request *r, const struct review *v, struct kmut *m)
{
    char api[600];
    size_t n;

    kube_api_version(&v->res, api, sizeof(api));
    jm_set_str(KM(m), v->res.kind, "kind");
    jm_set_str(KM(m), api, "apiVersion");
    v->fill(r, m);
    _cleanup_free_ char *text = kmut_text(m, &n);

    request_reply(r, 201, "application/json", (struct str){text, n});
}

bool review_reply(struct api_request *r)
{
    const struct review *v = find(&r->path);
    _cleanup_(kmut_freep) struct kmut *m = NULL;

    if (!v)
        return false;
    if (!str_eq(r->method, STR("POST")))
        api_fail(&r->st, 405, "MethodNotAllowed",
                 "the server does not allow this method on the requested resource");
    else
        m = decode_body(r, true, &r->st);
    if (m)
        answer(r, v, m);
    else
        request_fail(r);
    return true;
}
