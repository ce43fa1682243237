/* The store as the API server's role opens it: in the data directory, told what lies beside it, and
 * with what is damaged in the log. */
#ifndef NONAGON_CMD_ROLE_API_STORE_H
#define NONAGON_CMD_ROLE_API_STORE_H

#include "cluster/store/store.h"

/* accept_loss: start without acknowledged writes that are gone. */
struct store *api_store_open(struct loop *l, const char *data_dir, bool accept_loss, struct err *e);

#endif
