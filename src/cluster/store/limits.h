/* The store's maxima. Sizes in bytes unless the name says otherwise. */
#ifndef NONAGON_STORE_LIMITS_H
#define NONAGON_STORE_LIMITS_H

#define LIMIT_STORE_WRITES      10000              /* waiting for their commit */
#define LIMIT_STORE_WRITE_BYTES (64 * 1024 * 1024) /* of those */
#define LIMIT_HISTORY_EVENTS    10000              /* kept of one kind, for watches to resume */
#define LIMIT_HISTORY_BYTES     (4 * 1024 * 1024)  /* that only the history of all kinds keeps */
#define LIMIT_STORE_DAMAGES     1000 /* told apart; a database with more is not opened */

#endif
