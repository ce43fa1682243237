/* The contracts as YAML text, embedded at build time from contracts/. Each array ends with NULL. */
#ifndef NONAGON_CONTRACT_CRDS_H
#define NONAGON_CONTRACT_CRDS_H

extern const char *const contract_crds[]; /* CustomResourceDefinitions */
extern const char
    *const contract_configs[]; /* the ConfigMaps of the system namespace, settings all at default */

#endif
