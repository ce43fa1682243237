/*
 * Reviews are questions in the form of objects: they are posted, answered and not kept. Whoever
 * passes identification is an administrator, so the answers are short.
 */
#include "cluster/apiserver/verbs/verbs.h"

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
    yyjson_mut_val *info = jm_obj(KM(m), "status", "userInfo");
    const struct user_info *u = r->user;

    jm_set_str(m->d, info, u->name, "username");
    if (*u->uid)
        jm_set_str(m->d, info, u->uid, "uid");
    for (size_t i = 0; i < u->n_groups; i++)
        jm_add_str(m->d, jm_arr(m->d, info, "groups"), u->groups[i]);
    for (size_t i = 0; i < u->n_extra; i++)
        for (size_t k = 0; k < u->extra[i].n; k++)
            jm_add_str(m->d, jm_arr(m->d, info, "extra", u->extra[i].key), u->extra[i].values[k]);
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

bool review_is(const struct api_path *p)
{
    return find(p) != NULL;
}

void verb_review(struct api_request *r)
{
    _cleanup_(kmut_freep) struct kmut *m = NULL;

    if (!str_eq(r->method, STR("POST"))) {
        request_not_allowed(r);
        return;
    }
    m = request_decode(r, true);
    if (m)
        answer(r, find(&r->path), m);
    else
        request_fail(r);
}
