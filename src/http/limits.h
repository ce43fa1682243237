/* The maxima of HTTP that can be met from outside. Sizes in bytes unless the name says otherwise.
 */
#ifndef NONAGON_HTTP_LIMITS_H
#define NONAGON_HTTP_LIMITS_H

#define LIMIT_HTTP_HEAD     (64 * 1024) /* request or response line and all header fields */
#define LIMIT_HTTP_HEADERS  128         /* header fields in one message */
#define LIMIT_HTTP_URL      (16 * 1024)
#define LIMIT_HTTP_TRAILERS (16 * 1024) /* all trailer fields of one message */
#define LIMIT_HTTP_CHUNKEXT (16 * 1024) /* all chunk extensions of one message */

/* Server */
#define LIMIT_HTTP_BODY        (3 * 1024 * 1024) /* one request, where its owner says nothing else */
#define LIMIT_HTTP_PIPELINED   (16 * 1024)       /* read ahead of the request being answered */
#define LIMIT_HTTP_CONNECTIONS 2000 /* of one server, where its owner names no other number */
#define LIMIT_HTTP_HELD        (64 * 1024 * 1024) /* what one server keeps of requests in all */
#define LIMIT_HTTP_DRAIN       (256 * 1024) /* read of a refused request to keep its connection */

#define LIMIT_WS_MESSAGE                                                                           \
    (1024 * 1024) /* one WebSocket message, where its owner says nothing else */

/* Client */
#define LIMIT_HTTP_IDLE   64                   /* idle connections that one client keeps */
#define LIMIT_HTTP_ANSWER (1024 * 1024 * 1024) /* a buffered answer, unless the call says less */

#endif
