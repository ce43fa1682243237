/* See strict.h. */
#include "strict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void must(bool ok, const char *what, struct buf *b)
{
    if (!ok)
        fail_msg("%s in \"%s\"", what, buf_z(b));
}

static bool is_token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)p[i]) && !strchr("!#$%&'*+-.^_`|~", p[i]))
            return false;
    }
    return n > 0;
}

/* The line from *at on without its end, which is CR LF and nothing else; NULL: not there yet. */
static const char *take_line(struct buf *b, size_t *at, size_t *ret_n)
{
    const char *line = b->p + *at, *end = memmem(line, b->n - *at, "\r\n", 2);

    if (!end)
        return NULL;
    *ret_n = (size_t)(end - line);
    for (size_t i = 0; i < *ret_n; i++)
        must((unsigned char)line[i] >= 0x20 || line[i] == '\t', "a control byte", b);
    *at += *ret_n + 2;
    return line;
}

static void split_line(struct strict *m, const char *line, size_t n, struct buf *b)
{
    const char *end = line + n;

    for (int i = 0; i < 3; i++) {
        const char *sp = i < 2 ? memchr(line, ' ', (size_t)(end - line)) : end;
        must(sp != NULL && (size_t)(sp - line) < sizeof(m->line[0]), "a bad first line", b);
        memcpy(m->line[i], line, (size_t)(sp - line));
        m->line[i][sp - line] = '\0';
        line = sp + 1;
    }
    if (m->request) {
        must(is_token(m->line[0], strlen(m->line[0])), "no method", b);
        must(m->line[1][0] == '/' || strcmp(m->line[1], "*") == 0, "no path", b);
        must(!strchr(m->line[2], ' '), "a blank in the target", b);
    }
    must(strcmp(m->line[m->request ? 2 : 0], "HTTP/1.1") == 0, "another version", b);
}

/* 1 at the empty line, 0 when more is needed. */
static int take_fields(struct strict *m, struct buf *b, size_t *at, size_t *count)
{
    const char *line;
    size_t n;

    while ((line = take_line(b, at, &n)) != NULL) {
        if (n == 0)
            return 1;
        const char *colon = memchr(line, ':', n);
        must(colon && is_token(line, (size_t)(colon - line)), "a bad field name", b);
        must(colon[1] == ' ' && m->n + m->n_trailers < STRICT_FIELDS, "a bad field", b);
        size_t i = m->n + m->n_trailers, name_n = (size_t)(colon - line);
        size_t value_n = n - name_n - 2;
        must(name_n < sizeof(m->f[0].name) && value_n < sizeof(m->f[0].value), "a long field", b);
        memcpy(m->f[i].name, line, name_n);
        m->f[i].name[name_n] = '\0';
        memcpy(m->f[i].value, colon + 2, value_n);
        m->f[i].value[value_n] = '\0';
        (*count)++;
    }
    return 0;
}

size_t strict_count(const struct strict *m, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        n += strcasecmp(m->f[i].name, name) == 0;
    return n;
}

const char *strict_get(const struct strict *m, const char *name)
{
    for (size_t i = 0; i < m->n + m->n_trailers; i++) {
        if (strcasecmp(m->f[i].name, name) == 0)
            return m->f[i].value;
    }
    return "";
}

static size_t number(const char *p, size_t n, int base, struct buf *b)
{
    size_t v = 0;

    must(n > 0 && n < 12, "no number", b);
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef", *d = strchr(digits, p[i]);
        must(p[i] && d && d - digits < base, "a bad digit", b);
        v = v * (size_t)base + (size_t)(d - digits);
    }
    return v;
}

static int take_chunks(struct strict *m, struct buf *b, size_t *at)
{
    const char *line;
    size_t n;

    while ((line = take_line(b, at, &n)) != NULL) {
        size_t size = number(line, n, 16, b);
        if (size == 0)
            return take_fields(m, b, at, &m->n_trailers);
        if (b->n - *at < size + 2)
            return 0;
        buf_add(&m->body, b->p + *at, size);
        must(memcmp(b->p + *at + size, "\r\n", 2) == 0, "a chunk without its end", b);
        *at += size + 2;
    }
    return 0;
}

static int take_body(struct strict *m, struct buf *b, size_t *at, bool to_head)
{
    size_t lengths = strict_count(m, "Content-Length"),
           codings = strict_count(m, "Transfer-Encoding");
    int status = m->request ? 200 : (int)number(m->line[1], strlen(m->line[1]), 10, b);

    must(lengths + codings <= 1, "more than one framing", b);
    must(!m->request || strict_count(m, "Host") == 1, "not one Host", b);
    must(strict_count(m, "Connection") <= 1, "more than one Connection", b);
    must(status >= 100, "no status", b);
    if (status < 200 || status == 204)
        must(lengths + codings == 0, "framing without a body", b);
    if (to_head || status < 200 || status == 204 || status == 304)
        return 1;
    if (codings) {
        must(strcmp(strict_get(m, "Transfer-Encoding"), "chunked") == 0, "another coding", b);
        m->chunked = true;
        return take_chunks(m, b, at);
    }
    must(m->request || lengths == 1, "an answer without framing", b);
    const char *length = strict_get(m, "Content-Length");
    size_t n = lengths ? number(length, strlen(length), 10, b) : 0;
    if (b->n - *at < n)
        return 0;
    buf_add(&m->body, b->p + *at, n);
    *at += n;
    return 1;
}

int strict_read(struct strict *m, struct buf *b, bool request, bool to_head)
{
    size_t at = 0, n;

    buf_clear(&m->body);
    m->body.max = 64 << 20;
    m->n = m->n_trailers = 0;
    m->request = request;
    m->chunked = false;
    const char *line = b->n ? take_line(b, &at, &n) : NULL;
    if (!line)
        return 0;
    split_line(m, line, n, b);
    if (!take_fields(m, b, &at, &m->n) || !take_body(m, b, &at, to_head))
        return 0;
    buf_consume(b, at);
    return 1;
}

void strict_done(struct strict *m)
{
    buf_done(&m->body);
}
