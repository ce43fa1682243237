/* The rules of the contracts, and the one node for every new pod, as admission in process. */
#ifndef NONAGON_CMD_ROLE_ADMISSION_H
#define NONAGON_CMD_ROLE_ADMISSION_H

#include "cluster/apiserver/apiserver.h"

struct role_admission;
struct role_admission *role_admission_new(void);
void role_admission_free(struct role_admission *a); /* after the API server that asks it */
const struct admission *role_admission_rows(const struct role_admission *a, size_t *ret_n);

#endif
