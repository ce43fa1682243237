/*
 * Requests start without credentials; a 401 answer says which kind is wanted. The credentials that
 * match the image are then tried from the most specific to none at all, so a wrong or stale pull
 * secret does not block a public image.
 */
#include "cluster/image/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/image/fetch.h"

#define MAX_CANDIDATES 8
#define TRIES          3

struct registry {
    struct registry_opts o;
    struct image_ref ref;
    char name[700]; /* of the image, for messages */
    bool plain;
    struct fetcher *fetcher;
    char *authorization;
    const struct image_auth *candidates[MAX_CANDIDATES]; /* best first */
    size_t n_candidates, candidate; /* candidate == n_candidates: none at all */
    struct auth_challenge challenge;
    bool started, worked; /* authentication began; the authorization was accepted once */
};

/* ---- where and with what ---- */

static bool host_is_listed(const char *registry, const char *list)
{
    struct str rest = str_of(list ? list : ""), item, whole = str_of(registry), host = whole;
    size_t colon;

    if (registry[0] != '[' && str_find(whole, ':', &colon))
        host.n = colon;
    while (str_split(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.n && (str_ieq(item, whole) || str_ieq(item, host)))
            return true;
    }
    return false;
}

bool registry_is_plain_http(const char *registry, const char *insecure_list)
{
    struct str host = str_of(registry);
    size_t colon;

    if (registry[0] != '[' && str_find(host, ':', &colon))
        host.n = colon;
    return fetch_is_loopback(registry) || str_ends(host, STR(".local")) ||
           host_is_listed(registry, insecure_list);
}

static void add_candidate(struct registry *r, const struct image_auth *a)
{
    size_t at = r->n_candidates;
    int rank = auth_match(a->registry, &r->ref);

    if (rank == 0 || !a->username || at == MAX_CANDIDATES)
        return;
    for (; at > 0 && auth_match(r->candidates[at - 1]->registry, &r->ref) < rank; at--)
        r->candidates[at] = r->candidates[at - 1];
    r->candidates[at] = a;
    r->n_candidates++;
}

struct registry *registry_open(const struct registry_opts *o)
{
    struct registry *r = xnew(struct registry);

    r->o = *o;
    r->ref = *o->ref;
    image_ref_format(&r->ref, r->name, sizeof(r->name));
    r->plain = registry_is_plain_http(r->ref.registry, getenv("NONAGON_INSECURE_REGISTRIES"));
    r->fetcher = fetcher_new();
    r->authorization = o->authorization ? xstrdup(o->authorization) : NULL;
    for (size_t i = 0; i < o->n_auths; i++)
        add_candidate(r, &o->auths[i]);
    return r;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    fetcher_free(r->fetcher);
    free(r->authorization);
    free(r);
}

const char *registry_authorization(const struct registry *r)
{
    return r->authorization;
}

/* ---- failures ---- */

static int not_reached(struct registry *r, struct err *e)
{
    char why[400];
    int code = e ? e->code : -EHOSTUNREACH;

    if (code == -ECANCELED)
        return err_set(e, code, "pulling image \"%s\" was cancelled", r->name);
    snprintf(why, sizeof(why), "%.390s", e ? e->msg : "");
    if (code == -EKEYREJECTED)
        return err_set(
            e, -EHOSTUNREACH,
            "image \"%s\": no trusted TLS connection to registry %s: %s; add its authority to the "
            "system's certificates, or name it in NONAGON_INSECURE_REGISTRIES if it speaks plain "
            "HTTP",
            r->name, r->ref.registry, why);
    if (code != -EHOSTUNREACH && code != -ETIMEDOUT)
        return code;
    return err_set(e, -EHOSTUNREACH,
                   "image \"%s\": registry %s not reached by %s: %s; check the registry's name, "
                   "the network and "
                   "the proxy settings",
                   r->name, r->ref.registry, r->plain ? "HTTP" : "HTTPS", why);
}

static int bad_status(struct registry *r, const struct fetch_answer *a, struct err *e)
{
    const char *image = r->name, *host = r->ref.registry;

    if (a->status == 401 || a->status == 403)
        return err_set(e, -EACCES,
                       "image \"%s\": registry %s refuses access (HTTP %d)%s; check the image's "
                       "name, and give an image "
                       "pull secret for %s",
                       image, host, a->status, r->n_candidates ? " with the credentials given" : "",
                       host);
    if (a->status == 404)
        return err_set(
            e, -ENOENT,
            "image \"%s\" not found at registry %s; check name and tag, or push it first", image,
            host);
    if (a->status == 429)
        return err_set(e, -EBUSY,
                       "image \"%s\": registry %s limits the rate of requests (HTTP 429); wait, or "
                       "give an image pull "
                       "secret",
                       image, host);
    if (a->status >= 500)
        return err_set(e, -EHOSTUNREACH,
                       "image \"%s\": registry %s fails (HTTP %d): %s; try again later", image,
                       host, a->status, a->text);
    return err_set(e, -EPROTO, "image \"%s\": registry %s answers HTTP %d: %s; is it a registry?",
                   image, host, a->status, a->text);
}

static int corrupt(struct registry *r, struct err *e, const char *what, const char *digest)
{
    return err_set(e, -EBADMSG,
                   "image \"%s\": %s %s from registry %s does not have that content; the registry "
                   "or a proxy is faulty: "
                   "push the image again or pull it from elsewhere",
                   r->name, what, digest, r->ref.registry);
}

/* ---- authentication ---- */

static int collect(void *ctx, int64_t at, const char *p, size_t n, struct err *e)
{
    struct buf *b = ctx;

    if (buf_add(b, p, n) < 0)
        return err_set(e, -EBADMSG, "the answer is longer than %zu bytes", b->max);
    return 0;
}

static void add_query(struct buf *url, const char *key, const char *value)
{
    buf_addf(url, "%c%s=", strchr(buf_z(url), '?') ? '&' : '?', key);
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if (strchr("-._~", *p) || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
            (*p >= 'A' && *p <= 'Z'))
            buf_addc(url, (char)*p);
        else
            buf_addf(url, "%%%02X", *p);
}

static const struct image_auth *current(const struct registry *r)
{
    return r->candidate < r->n_candidates ? r->candidates[r->candidate] : NULL;
}

static int read_token(struct registry *r, const struct buf *body, struct err *e)
{
    _cleanup_jdoc_ yyjson_doc *doc = json_parse(buf_z(body), body->n, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *token = jget_str(root, "token");

    if (!token)
        token = jget_str(root, "access_token");
    if (!token || strpbrk(token, "\r\n"))
        return err_set(e, -EPROTO, "image \"%s\": the token server %s of registry %s gave no token",
                       r->name, r->challenge.realm, r->ref.registry);
    free(r->authorization);
    r->authorization = xasprintf("Bearer %s", token);
    return 0;
}

/* Asks the token server; 1 when it refuses these credentials. */
static int get_token(struct registry *r, struct err *e)
{
    _cleanup_buf_ struct buf url = BUF_INIT(8192), basic = BUF_INIT(100000),
                             body = BUF_INIT(1 << 20);
    const struct image_auth *a = current(r);
    struct fetch_answer answer;
    int rc;

    if (!z_starts(r->challenge.realm, "https://") &&
        !(r->plain && z_starts(r->challenge.realm, "http://")))
        return err_set(
            e, -EPROTO,
            "image \"%s\": registry %s names a token server that cannot be trusted: \"%s\"",
            r->name, r->ref.registry, r->challenge.realm);
    buf_addz(&url, r->challenge.realm);
    if (r->challenge.service[0])
        add_query(&url, "service", r->challenge.service);
    _cleanup_free_ char *scope = xasprintf("repository:%s:pull", r->ref.repository);
    add_query(&url, "scope", r->challenge.scope[0] ? r->challenge.scope : scope);
    if (a)
        auth_basic(a->username, a->password ? a->password : "", &basic);
    struct fetch_request q = {.url = buf_z(&url),
                              .authorization = a ? buf_z(&basic) : NULL,
                              .sink = collect,
                              .ctx = &body,
                              .timeout_ms = 30000,
                              .cancel = r->o.cancel,
                              .deadline_ns = r->o.deadline_ns};
    if ((rc = fetch(r->fetcher, &q, &answer, e)) < 0)
        return rc;
    if (answer.status == 401 || answer.status == 403 || answer.status == 400)
        return 1;
    return answer.status == 200 ? read_token(r, &body, e) : bad_status(r, &answer, e);
}

/* One step with the current candidate: 0 = try the request again, 1 = this candidate cannot help.
 */
static int try_candidate(struct registry *r, struct err *e)
{
    _cleanup_buf_ struct buf basic = BUF_INIT(100000);
    const struct image_auth *a = current(r);

    if (r->challenge.bearer)
        return get_token(r, e);
    if (!r->challenge.basic || !a ||
        auth_basic(a->username, a->password ? a->password : "", &basic) < 0)
        return 1;
    free(r->authorization);
    r->authorization = buf_steal(&basic, NULL);
    return 0;
}

/* After a refusal: 0 = try again, 1 = nothing is left to try. */
static int authenticate(struct registry *r, const struct fetch_answer *a, struct err *e)
{
    if (a->challenge.bearer || a->challenge.basic)
        r->challenge = a->challenge;
    if (!r->challenge.bearer && !r->challenge.basic)
        return 1;
    /* A token that was good has expired: the same credentials give a new one. */
    if (r->started && !r->worked)
        r->candidate++;
    r->started = true;
    r->worked = false;
    for (; r->candidate <= r->n_candidates; r->candidate++) {
        int rc = try_candidate(r, e);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static int request_once(struct registry *r, struct fetch_request *q, struct fetch_answer *a,
                        struct err *e)
{
    int rc;

    q->cancel = r->o.cancel;
    q->deadline_ns = r->o.deadline_ns;
    for (;;) {
        q->authorization = r->authorization;
        if ((rc = fetch(r->fetcher, q, a, e)) < 0)
            return rc;
        if (a->status != 401 && a->status != 403) {
            r->worked = true;
            return 0;
        }
        struct fetch_answer refusal = *a;
        if ((rc = authenticate(r, &refusal, e)) < 0)
            return rc;
        if (rc > 0)
            return 0;
    }
}

/* ---- tries ---- */

static bool cancelled(const struct registry *r)
{
    return r->o.cancel && atomic_load(r->o.cancel);
}

/* Waits before try number n; false when there is no more time. */
static bool back_off(const struct registry *r, int n)
{
    int64_t until = clock_mono_ns() + (n == 1 ? 250 : 1000) * NS_PER_MS;

    if (r->o.deadline_ns && until > r->o.deadline_ns)
        return false;
    while (clock_mono_ns() < until) {
        if (cancelled(r))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
    return true;
}

/* As request_once, but tries again what may pass. On success the status is 200 or 206. */
static int request(struct registry *r, struct fetch_request *q, struct fetch_answer *a,
                   void (*again)(struct fetch_request *q), struct err *e)
{
    struct err own = {0}, *why = e ? e : &own;
    int rc;

    for (int n = 1;; n++) {
        rc = request_once(r, q, a, why);
        if (rc == 0 && (a->status == 200 || a->status == 206))
            return 0;
        bool transient = rc == -EHOSTUNREACH || (rc == 0 && (a->status == 429 || a->status >= 500));
        rc = rc < 0 ? not_reached(r, why) : bad_status(r, a, why);
        if (!transient || n == TRIES || !back_off(r, n))
            return rc;
        if (again)
            again(q);
    }
}

/* ---- manifests ---- */

static char *manifest_url(const struct registry *r, const char *what)
{
    return xasprintf("%s://%s/v2/%s/manifests/%s", r->plain ? "http" : "https", r->ref.registry,
                     r->ref.repository, what);
}

static void clear_body(struct fetch_request *q)
{
    buf_clear(q->ctx);
}

int registry_manifest(struct registry *r, const char *what, struct buf *ret_body,
                      char ret_digest[static DIGEST_MAX], struct err *e)
{
    _cleanup_free_ char *url = manifest_url(r, what);
    bool by_digest = digest_valid_z(what);
    struct fetch_request q = {.url = url,
                              .accept = MANIFEST_ACCEPT,
                              .sink = collect,
                              .ctx = ret_body,
                              .timeout_ms = 60000};
    struct fetch_answer a;

    buf_clear(ret_body);
    int rc = request(r, &q, &a, clear_body, e);
    if (rc < 0)
        return rc;
    digest_of(ret_body->p, ret_body->n, by_digest ? what : NULL, ret_digest);
    if (by_digest && !streq(ret_digest, what))
        return corrupt(r, e, "manifest", what);
    return 0;
}

int registry_resolve(struct registry *r, char ret_digest[static DIGEST_MAX], struct err *e)
{
    const char *what = r->ref.digest[0] ? r->ref.digest : r->ref.tag;
    _cleanup_free_ char *url = manifest_url(r, what);
    _cleanup_buf_ struct buf body = BUF_INIT(LIMIT_MANIFEST);
    struct fetch_request q = {
        .url = url, .accept = MANIFEST_ACCEPT, .head = true, .timeout_ms = 60000};
    struct fetch_answer a;

    int rc = request(r, &q, &a, NULL, e);
    if (rc == -ENOENT || rc == -EACCES || rc == -EHOSTUNREACH || rc == -ECANCELED)
        return rc;
    if (rc == 0 && a.digest[0]) {
        memcpy(ret_digest, a.digest, DIGEST_MAX);
        return 0;
    }
    /* Some registries refuse HEAD or leave the digest out. */
    return registry_manifest(r, what, &body, ret_digest, e);
}

/* ---- blobs ---- */

struct blob_sink {
    struct registry *r;
    const struct descriptor *d;
    struct buf *body; /* or */
    int fd;
    struct digest_sum sum;
    int64_t got;
};

static int blob_restart(struct blob_sink *s, struct err *e)
{
    digest_done(&s->sum);
    digest_start(&s->sum, s->d->digest);
    s->got = 0;
    if (s->body)
        buf_clear(s->body);
    else if (ftruncate(s->fd, 0) < 0)
        return err_sys(e, errno, "cannot start the download of %s again", s->d->digest);
    return 0;
}

static int blob_store(struct blob_sink *s, const char *p, size_t n, struct err *e)
{
    if (s->body)
        return collect(s->body, 0, p, n, e);
    for (size_t at = 0; at < n;) {
        ssize_t done = pwrite(s->fd, p + at, n - at, s->got + (int64_t)at);
        if (done < 0 && errno != EINTR)
            return err_sys(e, errno, "image \"%s\": cannot write a layer to disk", s->r->name);
        at += done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static int blob_data(void *ctx, int64_t at, const char *p, size_t n, struct err *e)
{
    struct blob_sink *s = ctx;
    int rc = 0;

    /* A registry that does not know ranges begins anew. */
    if (at != s->got)
        rc = at == 0 ? blob_restart(s, e) : corrupt(s->r, e, "part of blob", s->d->digest);
    if (rc < 0)
        return rc;
    if ((int64_t)n > s->d->size - s->got)
        return corrupt(s->r, e, "blob", s->d->digest);
    if ((rc = blob_store(s, p, n, e)) < 0)
        return rc;
    digest_add(&s->sum, p, n);
    s->got += (int64_t)n;
    return 0;
}

static void blob_resume(struct fetch_request *q)
{
    struct blob_sink *s = q->ctx;

    q->range_from = s->got < s->d->size ? s->got : 0;
}

static int blob_fetch(struct blob_sink *s, struct err *e)
{
    struct registry *r = s->r;
    _cleanup_free_ char *url = xasprintf("%s://%s/v2/%s/blobs/%s", r->plain ? "http" : "https",
                                         r->ref.registry, r->ref.repository, s->d->digest);
    struct fetch_request q = {.url = url, .sink = blob_data, .ctx = s};
    struct fetch_answer a;
    char digest[DIGEST_MAX];

    int rc = request(r, &q, &a, blob_resume, e);
    if (rc < 0)
        return rc;
    digest_end(&s->sum, digest);
    if (s->got != s->d->size || !streq(digest, s->d->digest))
        return corrupt(r, e, "blob", s->d->digest);
    return 0;
}

static int blob_get(struct registry *r, const struct descriptor *d, struct buf *body, int fd,
                    struct err *e)
{
    struct blob_sink s = {.r = r, .d = d, .body = body, .fd = fd};

    digest_start(&s.sum, d->digest);
    int rc = blob_fetch(&s, e);
    digest_done(&s.sum);
    return rc;
}

int registry_blob(struct registry *r, const struct descriptor *d, struct buf *ret_body,
                  struct err *e)
{
    buf_clear(ret_body);
    return blob_get(r, d, ret_body, -1, e);
}

int registry_blob_to_file(struct registry *r, const struct descriptor *d, int fd, struct err *e)
{
    return blob_get(r, d, NULL, fd, e);
}
