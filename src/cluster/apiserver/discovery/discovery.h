/*
 * Documents about the API, made from the registry at each request; clients cache them. Pure. Each
 * function appends the document and returns its content type, or NULL when the path names nothing.
 */
#ifndef NONAGON_CLUSTER_APISERVER_DISCOVERY_DISCOVERY_H
#define NONAGON_CLUSTER_APISERVER_DISCOVERY_DISCOVERY_H

#include "cluster/apiserver/kinds/kinds.h"
#include "cluster/apiserver/request/path.h"
#include "cluster/apiserver/request/query.h"

#define DISCOVERY_ROOM (32 * 1024 * 1024)

/* Groups, versions and resources, in the plain and in the aggregated form. */
const char *discovery_document(const struct kinds *ks, const struct api_path *p,
                               const struct api_accept *accept, struct buf *out);
/* OpenAPI v2 and v3; accept is the header field. */
const char *openapi_document(const struct kinds *ks, const struct api_path *p, struct str accept,
                             struct buf *out);

#endif
