/* Objects being built: a yyjson mutable document with the few helpers that every builder needs. */
#include <stdio.h>

#include "kube/object.h"

void kube_api_version(const struct kube_resource *r, char *ret, size_t size)
{
    if (*r->group)
        snprintf(ret, size, "%s/%s", r->group, r->version);
    else
        snprintf(ret, size, "%s", r->version);
}

bool kube_resource_eq(const struct kube_resource *a, const struct kube_resource *b)
{
    return a == b || (streq(a->group, b->group) && streq(a->plural, b->plural));
}

struct kmut *kmut_new(const struct kube_resource *r, const char *ns, const char *name)
{
    char api[300];
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_mut_doc_new(NULL);
    m->root = yyjson_mut_obj(m->d);
    yyjson_mut_doc_set_root(m->d, m->root);
    kube_api_version(r, api, sizeof(api));
    jm_set_str(KM(m), api, "apiVersion");
    jm_set_str(KM(m), r->kind, "kind");
    jm_obj(KM(m), "metadata");
    if (name)
        jm_set_str(KM(m), name, "metadata", "name");
    if (ns && *ns)
        jm_set_str(KM(m), ns, "metadata", "namespace");
    return m;
}

struct kmut *kmut_from(const struct kobj *o)
{
    struct kmut *m = xnew(struct kmut);

    m->d = yyjson_mut_doc_new(NULL);
    m->root = yyjson_val_mut_copy(m->d, kobj_root(o));
    yyjson_mut_doc_set_root(m->d, m->root);
    return m;
}

void kmut_free(struct kmut *m)
{
    if (!m)
        return;
    yyjson_mut_doc_free(m->d);
    free(m);
}

struct kobj *kmut_freeze(const struct kmut *m)
{
    return kobj_from_doc(yyjson_mut_val_imut_copy(m->root, NULL));
}

char *kmut_text(const struct kmut *m, size_t *ret_n)
{
    return json_mut_text(m->root, ret_n);
}

void kmut_label(struct kmut *m, const char *key, const char *value)
{
    jm_set_str(KM(m), value, "metadata", "labels", key);
}

void kmut_annotation(struct kmut *m, const char *key, const char *value)
{
    jm_set_str(KM(m), value, "metadata", "annotations", key);
}

void kmut_set_controller(struct kmut *m, const struct kobj *owner)
{
    yyjson_mut_val *ref = jm_add_obj(m->d, jm_arr(KM(m), "metadata", "ownerReferences"));

    jm_set_str(m->d, ref, jget_str(kobj_root(owner), "apiVersion"), "apiVersion");
    jm_set_str(m->d, ref, kobj_kind(owner), "kind");
    jm_set_str(m->d, ref, kobj_name(owner), "name");
    jm_set_str(m->d, ref, kobj_uid(owner), "uid");
    jm_set_bool(m->d, ref, true, "controller");
    jm_set_bool(m->d, ref, true, "blockOwnerDeletion");
}

const struct kube_resource KR_NAMESPACE = {"", "v1", "namespaces", "Namespace", false};
const struct kube_resource KR_POD = {"", "v1", "pods", "Pod", true};
const struct kube_resource KR_SERVICE = {"", "v1", "services", "Service", true};
const struct kube_resource KR_ENDPOINTS = {"", "v1", "endpoints", "Endpoints", true};
const struct kube_resource KR_CONFIGMAP = {"", "v1", "configmaps", "ConfigMap", true};
const struct kube_resource KR_SECRET = {"", "v1", "secrets", "Secret", true};
const struct kube_resource KR_SERVICEACCOUNT = {"", "v1", "serviceaccounts", "ServiceAccount",
                                                true};
const struct kube_resource KR_EVENT = {"", "v1", "events", "Event", true};
const struct kube_resource KR_NODE = {"", "v1", "nodes", "Node", false};
const struct kube_resource KR_DEPLOYMENT = {"apps", "v1", "deployments", "Deployment", true};
const struct kube_resource KR_REPLICASET = {"apps", "v1", "replicasets", "ReplicaSet", true};
const struct kube_resource KR_LEASE = {"coordination.k8s.io", "v1", "leases", "Lease", true};
const struct kube_resource KR_ENDPOINTSLICE = {"discovery.k8s.io", "v1", "endpointslices",
                                               "EndpointSlice", true};
const struct kube_resource KR_CRD = {"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                     "CustomResourceDefinition", false};
