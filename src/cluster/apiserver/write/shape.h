/* What the kind says of an object on its way: unknown fields, defaults, validity. */
#ifndef NONAGON_CLUSTER_APISERVER_WRITE_SHAPE_H
#define NONAGON_CLUSTER_APISERVER_WRITE_SHAPE_H

#include "cluster/apiserver/write/write.h"

/* Prunes and defaults w->obj; `report`: unknown fields are warned of or refused, as was asked for.
 */
int shape_object(struct write *w, bool report, struct api_status *st);
int validate_object(struct write *w, struct api_status *st);

#endif
