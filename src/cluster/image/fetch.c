/*
 * libcurl's easy interface. All state of one request is in `struct run`; the callbacks only fill
 * it. An answer's fields are forgotten at each status line, since a redirect brings several
 * answers.
 */
#include "cluster/image/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

struct fetcher {
    CURL *curl;
    char why[CURL_ERROR_SIZE];
};

struct run {
    const struct fetch_request *q;
    struct fetch_answer *a;
    struct fetcher *f;
    struct err *e;
    int sink_rc;
    bool cancelled, too_late;
    size_t text_n;
    int64_t from; /* start of Content-Range */
    int64_t at;   /* where the next piece of content belongs; -1 before the first */
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct fetcher *fetcher_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fetcher *f = xnew(struct fetcher);

    pthread_once(&once, global_init);
    f->curl = curl_easy_init();
    if (!f->curl)
        abort(); /* out of memory */
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->curl);
    free(f);
}

static bool field_is(struct str line, const char *name, struct str *ret_value)
{
    size_t n = strlen(name);

    if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
        return false;
    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
        line.n--;
    *ret_value = str_trim((struct str){line.p + n + 1, line.n - n - 1});
    return true;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct run *r = ctx;
    struct str line = {p, size * n}, v;

    if (str_starts(line, STR("HTTP/"))) {
        memset(r->a, 0, sizeof(*r->a));
        r->text_n = 0;
        r->from = 0;
        r->at = -1;
    } else if (field_is(line, "docker-content-digest", &v) && digest_valid(v))
        memcpy(r->a->digest, v.p, v.n);
    else if (field_is(line, "www-authenticate", &v))
        auth_challenge_add(&r->a->challenge, v);
    else if (field_is(line, "content-range", &v) && str_starts(v, STR("bytes ")))
        r->from = strtoll(v.p + 6, NULL, 10);
    return size * n;
}

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
    struct run *r = ctx;
    long status = 0;

    n *= size;
    curl_easy_getinfo(r->f->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 || status == 206) {
        if (r->at < 0)
            r->at = status == 206 ? r->from : 0;
        r->sink_rc = r->q->sink ? r->q->sink(r->q->ctx, r->at, p, n, r->e) : 0;
        r->at += (int64_t)n;
        return r->sink_rc < 0 ? 0 : n;
    }
    for (size_t i = 0; i < n && r->text_n < sizeof(r->a->text) - 1; i++)
        r->a->text[r->text_n++] = p[i] >= ' ' && p[i] < 0x7f ? p[i] : ' ';
    return n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct run *r = ctx;

    r->cancelled = r->q->cancel && atomic_load(r->q->cancel);
    r->too_late = r->q->deadline_ns && clock_mono_ns() > r->q->deadline_ns;
    return r->cancelled || r->too_late;
}

bool fetch_is_loopback(const char *host)
{
    char name[64];
    struct in_addr a;
    size_t n = strcspn(host, ":/");

    if (z_starts(host, "[::1]"))
        return true;
    if (n >= sizeof(name))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET, name, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

static struct curl_slist *fields_of(const struct fetch_request *q)
{
    struct curl_slist *list = NULL;

    if (q->accept) {
        _cleanup_free_ char *f = xasprintf("Accept: %s", q->accept);
        list = curl_slist_append(list, f);
    }
    if (q->authorization) {
        _cleanup_free_ char *f = xasprintf("Authorization: %s", q->authorization);
        list = curl_slist_append(list, f);
    }
    return list;
}

static void set_limits(CURL *c, const struct fetch_request *q)
{
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
}

static void set_security(CURL *c, const struct fetch_request *q)
{
    const char *ca = getenv("SSL_CERT_FILE");
    bool secure = z_starts(q->url, "https://");

    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    if (ca && *ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    if (fetch_is_loopback(strstr(q->url, "://") + 3))
        curl_easy_setopt(c, CURLOPT_PROXY, "");
}

static void set_request(CURL *c, const struct fetch_request *q, struct run *r)
{
    curl_easy_setopt(c, CURLOPT_URL, q->url);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "nonagon/" NONAGON_VERSION);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->f->why);
    curl_easy_setopt(c, CURLOPT_NOBODY, q->head ? 1L : 0L);
    if (q->range_from > 0) {
        char range[32];
        snprintf(range, sizeof(range), "%lld-", (long long)q->range_from);
        curl_easy_setopt(c, CURLOPT_RANGE, range); /* copied */
    }
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, r);
}

static bool is_tls_refusal(CURLcode rc)
{
    return rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE ||
           rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_SSL_CERTPROBLEM;
}

static int explain(const struct run *r, CURLcode rc)
{
    const char *why = r->f->why[0] ? r->f->why : curl_easy_strerror(rc);

    if (r->sink_rc < 0)
        return r->sink_rc;
    if (r->cancelled)
        return err_set(r->e, -ECANCELED, "cancelled");
    if (r->too_late)
        return err_set(r->e, -ETIMEDOUT, "no answer within the time allowed");
    return err_set(r->e, is_tls_refusal(rc) ? -EKEYREJECTED : -EHOSTUNREACH, "%s", why);
}

int fetch(struct fetcher *f, const struct fetch_request *q, struct fetch_answer *ret, struct err *e)
{
    struct run r = {.q = q, .a = ret, .f = f, .e = e};
    struct curl_slist *fields = fields_of(q);
    long status = 0;

    memset(ret, 0, sizeof(*ret));
    f->why[0] = '\0';
    curl_easy_reset(f->curl);
    set_limits(f->curl, q);
    set_security(f->curl, q);
    set_request(f->curl, q, &r);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, fields);
    CURLcode rc = curl_easy_perform(f->curl);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(fields);
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    ret->status = (int)status;
    return rc == CURLE_OK ? 0 : explain(&r, rc);
}
