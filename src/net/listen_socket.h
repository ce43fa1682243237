/* Making and asking listening sockets. Shared by the files of this folder. */
#ifndef NONAGON_NET_LISTEN_SOCKET_H
#define NONAGON_NET_LISTEN_SOCKET_H

#include <stdbool.h>

#include "net/conn.h"

/* Bound, listening, not blocking; or the given descriptor made so. Negative with an error. */
int listen_socket(const struct listen_opts *o, struct err *e);
int listen_socket_port(int fd); /* 0 = none, as of unix sockets */
bool listen_socket_is_unix(int fd);

#endif
