/*
 * Kubernetes' protobuf encoding of request bodies into JSON documents: what client-go's generated
 * clients (and kubectl create) send for built-in kinds. Answers are always JSON, which those
 * clients accept. Pure.
 */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_PROTOBUF_H
#define NONAGON_CLUSTER_APISERVER_KINDS_PROTOBUF_H

#include "json/json.h"

/*
 * The object in the envelope. -ENOTSUP for a kind without a table, or a field that is set and not
 * in it: nothing is dropped silently. -EINVAL for bytes that are no such message. NULL on failure.
 */
yyjson_doc *protobuf_decode(const char *p, size_t n, struct err *e);

#endif
