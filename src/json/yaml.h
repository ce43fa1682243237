/*
 * YAML 1.1 core schema as Kubernetes tools read it, to and from JSON documents. Aliases and nodes
 * are bounded (LIMIT_YAML_ALIASES, LIMIT_YAML_NODES, LIMIT_JSON_DEPTH); tags other than the core
 * ones, duplicate keys and merge keys with non-maps are refused with line and column.
 */
#ifndef NONAGON_JSON_YAML_H
#define NONAGON_JSON_YAML_H

#include "base/buf.h"
#include "json/json.h"

/*
 * Parses the documents of a stream, calling `each` with every non-empty one (ownership passes to
 * the callback). A negative answer stops and is returned. Plain JSON is accepted too.
 */
typedef int yaml_doc_fn(void *ctx, yyjson_doc *doc, struct err *e);
int yaml_parse_stream(const char *p, size_t n, yaml_doc_fn *each, void *ctx, struct err *e);

/* Exactly one document, or NULL with an error. */
yyjson_doc *yaml_parse(const char *p, size_t n, struct err *e);

/* Block style, keys in document order. */
int yaml_write(const yyjson_val *v, struct buf *out, struct err *e);

#endif
