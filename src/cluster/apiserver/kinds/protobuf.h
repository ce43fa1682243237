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

/* ---- the tables (protobuf_kinds.c) ---- */
enum pb_type {
    PB_STR,
    PB_BYTES, /* base64 in JSON */
    PB_INT,   /* varint, signed */
    PB_BOOL,
    PB_MSG,
    PB_INLINE, /* a message whose fields belong to the one around it */
    PB_TIME,   /* seconds, nanos; RFC 3339 in JSON */
    PB_MICRO_TIME,
    PB_QUANTITY, /* a message of one string */
    PB_INT_OR_STR,
    PB_STR_MAP,
    PB_BYTES_MAP,
    PB_QUANTITY_MAP,
    PB_SKIP, /* known and not kept (managedFields, status of a creation) */
};
enum pb_flag { PB_LIST = 1, PB_KEEP = 2 /* a pointer in Go: set even when zero or empty */ };

struct pb_message;
struct pb_field {
    uint32_t number;
    enum pb_type type;
    unsigned flags;
    const char *name;
    const struct pb_message *msg;
};
struct pb_message {
    const char *name;
    const struct pb_field *fields; /* ended by number 0 */
};
/* NULL when the kind has no table. */
const struct pb_message *pb_kind(const char *kind);

#endif
