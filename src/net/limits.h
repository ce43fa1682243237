/* The maxima of connections that can be met from outside. */
#ifndef NONAGON_NET_LIMITS_H
#define NONAGON_NET_LIMITS_H

#define LIMIT_CONN_OUT        (256 * 1024) /* unsent bytes before back-pressure */
#define LIMIT_NET_HANDSHAKES  512          /* TLS handshakes under way at one listener */
#define LIMIT_NET_CONNECTIONS 50000        /* of one listener, where its owner names no number */

#endif
