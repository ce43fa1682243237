/*
 * Parsers of the single ConfigMaps, used by config.c. Each fills its section of `c`, which is
 * zeroed there, from the map's data (NULL = empty). On error the section is partly filled and the
 * caller frees it.
 */
#ifndef NONAGON_CONTRACT_CONFIG_PARSE_H
#define NONAGON_CONTRACT_CONFIG_PARSE_H

#include "contract/config.h"

int config_parse_defaults(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_network(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_domain(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_deployment(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_features(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_autoscaler(struct contract_config *c, yyjson_val *data, struct err *e);
int config_parse_image_cache(struct contract_config *c, yyjson_val *data, struct err *e);

/*
 * One value by its key or an older spelling of it (which is read first, "" = none). An absent key
 * gives the default. Numbers and booleans as Go reads them, without trimming.
 */
int config_int(yyjson_val *data, const char *key, const char *old, int64_t def, int64_t lo,
               int64_t hi, int64_t *ret, struct err *e);
int config_bool(yyjson_val *data, const char *key, const char *old, bool def, bool *ret,
                struct err *e);
int config_duration(yyjson_val *data, const char *key, const char *old, int64_t def_ns,
                    int64_t *ret_ns, struct err *e);
char *config_string(yyjson_val *data, const char *key, const char *old,
                    const char *def);                                       /* malloc'ed, trimmed */
const char *config_raw(yyjson_val *data, const char *key, const char *old); /* NULL when absent */

#endif
