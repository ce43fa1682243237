/*
 * What a request path names. Pure. Segments are unescaped; a path that names nothing that an API
 * server could have gives PATH_NONE (404).
 */
#ifndef NONAGON_CLUSTER_APISERVER_REQUEST_PATH_H
#define NONAGON_CLUSTER_APISERVER_REQUEST_PATH_H

#include "base/str.h"

enum path_kind {
    PATH_NONE,
    PATH_VERSION,   /* /version */
    PATH_HEALTH,    /* /healthz /livez /readyz and what lies below */
    PATH_ROOT,      /* / */
    PATH_API,       /* /api */
    PATH_APIS,      /* /apis */
    PATH_GROUP,     /* /apis/G */
    PATH_RESOURCES, /* /api/v1, /apis/G/V */
    PATH_OPENAPI2,
    PATH_OPENAPI3,    /* /openapi/v3 */
    PATH_OPENAPI3_GV, /* /openapi/v3/api/v1, /openapi/v3/apis/G/V */
    PATH_OBJECTS,     /* a collection, an object or a subresource */
};

#define PATH_SEGMENT 256 /* no name in the API is longer than 253 */
struct api_path {
    enum path_kind kind;
    char group[PATH_SEGMENT], version[PATH_SEGMENT];
    char ns[PATH_SEGMENT]; /* "" = none given */
    char plural[PATH_SEGMENT], name[PATH_SEGMENT], sub[PATH_SEGMENT];
    bool old_watch; /* /api/v1/watch/…: the form before ?watch=true */
};
void api_path_parse(struct str path, struct api_path *ret);

#endif
