/*
 * The Table form of objects (server-side printing) and PartialObjectMetadata. Everything is
 * appended as JSON text to the caller's buffer.
 */
#ifndef NONAGON_CLUSTER_APISERVER_KINDS_TABLE_H
#define NONAGON_CLUSTER_APISERVER_KINDS_TABLE_H

#include "cluster/apiserver/kinds/kinds.h"
#include "cluster/apiserver/request/query.h"

/* {"kind":"Table",…,"columnDefinitions":[…],"rows":[ — rows joined by commas follow, then
 * table_end. */
void table_begin(struct buf *out, const struct api_kind *k, bool v1beta1, const char *metadata);
void table_row(struct buf *out, const struct api_kind *k, bool v1beta1, const yyjson_val *obj,
               enum include_object include, int64_t now);
void table_end(struct buf *out);

void partial_object(struct buf *out, const yyjson_val *obj, bool v1beta1);

/* "5m", "3h2m", "2d" as kubectl writes ages; "<unknown>" for what is no time. */
void human_age(const char *stamp, int64_t now, char ret[static 32]);

/* ---- for column functions ---- */
void cell_str(struct buf *out, const char *s);                  /* NULL gives null */
void cell_or(struct buf *out, const char *s, const char *none); /* none for NULL and "" */
void cell_age(struct buf *out, const yyjson_val *obj, int64_t now);

/* "k=v,k2=v2", "<none>" when empty. */
void cell_map(struct buf *out, const yyjson_val *map);

#define COLUMN_AGE                                                                                 \
    {                                                                                              \
        "Age", "string", "", "Time since creation.", 0, cell_age, NULL                             \
    }
#define COLUMN_END                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }

extern const struct api_column columns_crd[];

#endif
