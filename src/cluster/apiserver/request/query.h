/* The options of a request (query parameters) and the form of answer that its Accept field asks
 * for. Pure. */
#ifndef NONAGON_CLUSTER_APISERVER_REQUEST_QUERY_H
#define NONAGON_CLUSTER_APISERVER_REQUEST_QUERY_H

#include "cluster/apiserver/request/status.h"
#include "kube/selector.h"

enum validation_mode { VALIDATE_WARN, VALIDATE_STRICT, VALIDATE_IGNORE };
enum include_object { INCLUDE_METADATA, INCLUDE_NONE, INCLUDE_OBJECT };
enum rv_match { RV_MATCH_UNSET, RV_MATCH_EXACT, RV_MATCH_NOT_OLDER };

struct api_query {
    struct selector *labels;       /* NULL = all */
    struct field_selector *fields; /* NULL = all */
    char *text_labels, *text_fields;
    bool watch, bookmarks, initial_events, has_initial_events, dry_run;
    bool has_rv;
    uint64_t rv;
    enum rv_match rv_match;
    int64_t limit;     /* 0 = all */
    char *after;       /* the key that a continued list starts behind, NULL = from the start */
    uint64_t snapshot; /* that it is continued from; 0 = from the state of now */
    int64_t timeout_s;
    enum validation_mode validation;
    enum include_object include;
    /* deletion */
    int64_t grace; /* -1 = not given */
    char *propagation;
};
int api_query_parse(struct str query, struct api_query *ret, struct api_status *st);
void api_query_done(struct api_query *q);
/* What must hold together for a list, or for a watch: -1 with the status (422). */
int api_query_check(const struct api_query *q, struct api_status *st);
/* The token that makes a later request start behind `key` of the snapshot; malloc'ed. */
char *api_continue_token(uint64_t snapshot, const char *key);

enum accept_form { FORM_JSON, FORM_YAML, FORM_TABLE, FORM_PARTIAL, FORM_AGGREGATED_DISCOVERY };
struct api_accept {
    enum accept_form form;
    bool v1beta1; /* of the Table or PartialObjectMetadata */
};
/*
 * The first of the offered types that can be served. JSON when none is offered, and for those who
 * name protobuf alone (they decode by the answer's type). -1 with the status (406) when only others
 * are; *ret is JSON then.
 */
int api_accept_parse(struct str accept, struct api_accept *ret, struct api_status *st);

#endif
