/*
 * The API server with a real store, asked by exchanges in memory: one loop, no sockets. Answers are
 * collected whole; a peer can be made to stop reading.
 */
#ifndef NONAGON_TESTS_APISERVER_RIG_H
#define NONAGON_TESTS_APISERVER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cluster/apiserver/apiserver.h"
#include "net/loop.h"
#include "json/json.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

struct answer {
    int status;
    struct buf body;
    char *warning, *retry_after;
    bool ended, aborted;
    size_t waiting; /* what the peer leaves unread */
    bool stuck;
    struct loop *stop; /* stopped at the end */
};
void answer_done(struct answer *a);

struct world {
    char dir[64], db[96];
    struct loop *loop;
    struct store *store;
    struct apiserver *api;
};
/* Opens and waits until it is ready; the options' store is the world's. */
struct world *world_new(const struct apiserver_opts *o);
void world_free(struct world *w);
/* Server and store anew over the same files. */
void world_open(struct world *w, const struct apiserver_opts *o);
void world_close(struct world *w);

/* The request is handed over; the exchange is the transport's (http_exchange_gone). headers: pairs
 * of name and value, NULL at the end; may be NULL. */
struct http_exchange *ask_with(struct world *w, struct answer *a, const struct user_info *u,
                               const char *method, const char *path, const char *const *headers,
                               const char *body);
struct http_exchange *ask_as(struct world *w, struct answer *a, const char *user, const char *group,
                             const char *method, const char *path, const char *type,
                             const char *body);
/* GET as an administrator who does not read. */
struct http_exchange *ask_slow(struct world *w, struct answer *a, const char *path);
/* As an administrator, and waits for the answer. */
void ask(struct world *w, struct answer *a, const char *method, const char *path, const char *type,
         const char *body);
/* Runs the loop until the answer has ended. */
void wait_for(struct world *w, struct answer *a);
/* As ask; the status must be this one. The document is the caller's; NULL if the answer is none. */
yyjson_doc *ask_json(struct world *w, int status, const char *method, const char *path,
                     const char *body);

/* {"metadata":{"name":NAME},"data":{KEY:"1"}}; malloc'ed. */
char *config_map(const char *name, const char *key);

#endif
