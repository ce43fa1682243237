/* What a plain YAML scalar means. Internal to this folder; pure. */
#ifndef NONAGON_JSON_YAML_SCALAR_H
#define NONAGON_JSON_YAML_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum yaml_kind {
    YAML_IS_STRING,
    YAML_IS_NULL,
    YAML_IS_BOOL,
    YAML_IS_INT,  /* within int64: i */
    YAML_IS_UINT, /* beyond int64: u */
    YAML_IS_REAL,
    YAML_IS_NOT_JSON, /* .inf and .nan: no JSON number says that */
};
struct yaml_value {
    enum yaml_kind kind;
    bool b;
    int64_t i;
    uint64_t u;
    double real;
};
struct yaml_value yaml_resolve(struct str s);

#endif
