/*
 * How tables of kinds are written: for the files that have some. STR is a field here, no longer the
 * literal of base/str.h.
 */
#ifndef NONAGON_CLUSTER_APISERVER_TYPES_KTABLE_H
#define NONAGON_CLUSTER_APISERVER_TYPES_KTABLE_H

#include "cluster/apiserver/types/shared_types.h"

/* Number first, as the published definitions have it; what follows the name is
 * any further member, as in .required = true. */
#define KFIELD(n, b, s, p, nm, ...)                                                                \
    {                                                                                              \
        .number = (n), .base = (b), .shape = (s), .ptr = (p), .name = (nm), ##__VA_ARGS__          \
    }
#undef STR /* of base/str.h: a field here */
#define STR(n, name, ...)            KFIELD(n, K_STR, K_ONE, false, name, ##__VA_ARGS__)
#define STR_P(n, name, ...)          KFIELD(n, K_STR, K_ONE, true, name, ##__VA_ARGS__)
#define STRS(n, name, ...)           KFIELD(n, K_STR, K_LIST, false, name, ##__VA_ARGS__)
#define STR_MAP(n, name, ...)        KFIELD(n, K_STR, K_MAP, false, name, ##__VA_ARGS__)
#define STRS_MAP(n, name, ...)       KFIELD(n, K_STR, K_MAP_OF_LISTS, false, name, ##__VA_ARGS__)
#define INT32(n, name, ...)          KFIELD(n, K_INT32, K_ONE, false, name, ##__VA_ARGS__)
#define INT32_P(n, name, ...)        KFIELD(n, K_INT32, K_ONE, true, name, ##__VA_ARGS__)
#define INT32S(n, name, ...)         KFIELD(n, K_INT32, K_LIST, false, name, ##__VA_ARGS__)
#define INT64(n, name, ...)          KFIELD(n, K_INT64, K_ONE, false, name, ##__VA_ARGS__)
#define INT64_P(n, name, ...)        KFIELD(n, K_INT64, K_ONE, true, name, ##__VA_ARGS__)
#define INT64S(n, name, ...)         KFIELD(n, K_INT64, K_LIST, false, name, ##__VA_ARGS__)
#define BOOL(n, name, ...)           KFIELD(n, K_BOOL, K_ONE, false, name, ##__VA_ARGS__)
#define BOOL_P(n, name, ...)         KFIELD(n, K_BOOL, K_ONE, true, name, ##__VA_ARGS__)
#define DOUBLE_P(n, name, ...)       KFIELD(n, K_DOUBLE, K_ONE, true, name, ##__VA_ARGS__)
#define BYTES(n, name, ...)          KFIELD(n, K_BYTES, K_ONE, false, name, ##__VA_ARGS__)
#define BYTES_MAP(n, name, ...)      KFIELD(n, K_BYTES, K_MAP, false, name, ##__VA_ARGS__)
#define TIME(n, name, ...)           KFIELD(n, K_TIME, K_ONE, false, name, ##__VA_ARGS__)
#define TIME_P(n, name, ...)         KFIELD(n, K_TIME, K_ONE, true, name, ##__VA_ARGS__)
#define MICRO_TIME(n, name, ...)     KFIELD(n, K_MICRO_TIME, K_ONE, false, name, ##__VA_ARGS__)
#define MICRO_TIME_P(n, name, ...)   KFIELD(n, K_MICRO_TIME, K_ONE, true, name, ##__VA_ARGS__)
#define QUANTITY(n, name, ...)       KFIELD(n, K_QUANTITY, K_ONE, false, name, ##__VA_ARGS__)
#define QUANTITY_P(n, name, ...)     KFIELD(n, K_QUANTITY, K_ONE, true, name, ##__VA_ARGS__)
#define QUANTITY_MAP(n, name, ...)   KFIELD(n, K_QUANTITY, K_MAP, false, name, ##__VA_ARGS__)
#define INT_OR_STR(n, name, ...)     KFIELD(n, K_INT_OR_STR, K_ONE, false, name, ##__VA_ARGS__)
#define INT_OR_STR_P(n, name, ...)   KFIELD(n, K_INT_OR_STR, K_ONE, true, name, ##__VA_ARGS__)
#define OBJ(n, name, t, ...)         KFIELD(n, K_OBJ, K_ONE, false, name, .of = &(t), ##__VA_ARGS__)
#define OBJ_P(n, name, t, ...)       KFIELD(n, K_OBJ, K_ONE, true, name, .of = &(t), ##__VA_ARGS__)
#define OBJS(n, name, t, ...)        KFIELD(n, K_OBJ, K_LIST, false, name, .of = &(t), ##__VA_ARGS__)
#define OBJ_MAP(n, name, t, ...)     KFIELD(n, K_OBJ, K_MAP, false, name, .of = &(t), ##__VA_ARGS__)
#define INLINE(n, t)                 KFIELD(n, K_INLINE, K_ONE, false, "", .of = &(t))
#define RAW_JSON(n, name)            KFIELD(n, K_JSON, K_ONE, true, name)
#define RAW_JSONS(n, name)           KFIELD(n, K_JSON, K_LIST, false, name)
#define SCHEMA_OR_BOOL(n, name, t)   KFIELD(n, K_SCHEMA_OR_BOOL, K_ONE, true, name, .of = &(t))
#define SCHEMA_OR_LIST(n, name, t)   KFIELD(n, K_SCHEMA_OR_LIST, K_ONE, true, name, .of = &(t))
#define SCHEMA_OR_STRS_MAP(n, nm, t) KFIELD(n, K_SCHEMA_OR_STRS, K_MAP, false, nm, .of = &(t))
#define SKIPPED(n, name)             KFIELD(n, K_SKIPPED, K_ONE, true, name)

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A type of this file, and one that others use, of the package PACKAGE. */
#define TYPE(id, text, ...)                                                                        \
    static const struct kfield id##_fields[] = {__VA_ARGS__ __VA_OPT__(, ){.name = NULL}};         \
    static const struct ktype id = {text, PACKAGE, id##_fields}
#define SHARED_TYPE(id, text, ...)                                                                 \
    static const struct kfield id##_fields[] = {__VA_ARGS__ __VA_OPT__(, ){.name = NULL}};         \
    const struct ktype id = {text, PACKAGE, id##_fields}

#endif
