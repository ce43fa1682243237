/*
 * The grammars are checked by hand instead of by regular expression; the texts are what kubectl
 * users know from Kubernetes, where a text names the rule, the examples and the expression.
 */
#include "kube/names.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MD5_HEX 32
#define HEAD    (NAME_MAX_LABEL - MD5_HEX)

static void md5_hex(const char *a, const char *b, char ret[static MD5_HEX + 1])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    EVP_DigestInit_ex(c, EVP_md5(), NULL);
    EVP_DigestUpdate(c, a, strlen(a));
    EVP_DigestUpdate(c, b, strlen(b));
    EVP_DigestFinal_ex(c, sum, NULL);
    EVP_MD_CTX_free(c);
    hex_encode(sum, MD5_HEX / 2, ret);
}

void child_name(const char *parent, const char *suffix, char ret[static NAME_MAX_LABEL + 1])
{
    char hash[MD5_HEX + 1];
    size_t np = strlen(parent), ns = strlen(suffix);

    if (np + ns <= NAME_MAX_LABEL) {
        snprintf(ret, NAME_MAX_LABEL + 1, "%s%s", parent, suffix);
        return;
    }
    if (ns < HEAD) {
        md5_hex(parent, "", hash);
        snprintf(ret, NAME_MAX_LABEL + 1, "%.*s%s%s", (int)(HEAD - ns), parent, hash, suffix);
        return;
    }
    md5_hex(parent, suffix, hash);
    int n = snprintf(ret, NAME_MAX_LABEL + 1, "%.*s%s", HEAD, parent, hash);
    if (n < NAME_MAX_LABEL)
        n +=
            snprintf(ret + n, (size_t)(NAME_MAX_LABEL + 1 - n), "%.*s", NAME_MAX_LABEL - n, suffix);
    n = (int)strlen(ret);
    while (n > 0 && !isalnum((unsigned char)ret[n - 1]))
        ret[--n] = '\0';
}

/* ---- grammars ---- */
static bool lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool any_alnum(char c)
{
    return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool label_chars(const char *s, size_t n)
{
    if (n == 0 || !lower_alnum(s[0]) || !lower_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!lower_alnum(s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

static bool subdomain_chars(const char *s)
{
    for (;;) {
        size_t n = strcspn(s, ".");
        if (!label_chars(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static bool word_chars(const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || !any_alnum(s[0]) || !any_alnum(s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!any_alnum(s[i]) && !strchr("-_.", s[i]))
            return false;
    }
    return true;
}

#define TOO_LONG_63  "must be no more than 63 characters"
#define TOO_LONG_253 "must be no more than 253 characters"
#define WORD_TEXT                                                                                  \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "    \
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "         \
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define SUBDOMAIN_TEXT                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

const char *why_not_dns1123_label(const char *s)
{
    if (strlen(s) > NAME_MAX_LABEL)
        return TOO_LONG_63;
    if (label_chars(s, strlen(s)))
        return NULL;
    return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
           "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
           "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

const char *why_not_dns1123_subdomain(const char *s)
{
    if (strlen(s) > 253)
        return TOO_LONG_253;
    return subdomain_chars(s) ? NULL : SUBDOMAIN_TEXT;
}

const char *why_not_dns1035_label(const char *s)
{
    if (strlen(s) > NAME_MAX_LABEL)
        return TOO_LONG_63;
    if (label_chars(s, strlen(s)) && !(s[0] >= '0' && s[0] <= '9'))
        return NULL;
    return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
           "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
           "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
}

static const char *why_not_prefix(const char *s, size_t n)
{
    char prefix[254];

    if (n == 0)
        return "prefix part must be non-empty";
    if (n > 253)
        return "prefix part " TOO_LONG_253;
    memcpy(prefix, s, n);
    prefix[n] = '\0';
    return subdomain_chars(prefix) ? NULL : "prefix part " SUBDOMAIN_TEXT;
}

const char *why_not_qualified_name(const char *s)
{
    const char *slash = strchr(s, '/');
    const char *name = slash ? slash + 1 : s;
    const char *why = slash ? why_not_prefix(s, (size_t)(slash - s)) : NULL;

    if (strchr(name, '/'))
        return "a qualified name " WORD_TEXT
               " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    if (why)
        return why;
    if (!*name)
        return "name part must be non-empty";
    if (strlen(name) > NAME_MAX_LABEL)
        return "name part " TOO_LONG_63;
    return word_chars(name) ? NULL : "name part " WORD_TEXT;
}

const char *why_not_label_value(const char *s)
{
    if (strlen(s) > NAME_MAX_LABEL)
        return TOO_LONG_63;
    if (!*s || word_chars(s))
        return NULL;
    return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
           "or "
           "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
           "'my_value',  or '12345', regex used for validation is "
           "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

bool is_dns1123_label(const char *s)
{
    return !why_not_dns1123_label(s);
}

bool is_dns1123_subdomain(const char *s)
{
    return !why_not_dns1123_subdomain(s);
}

bool is_dns1035_label(const char *s)
{
    return !why_not_dns1035_label(s);
}

bool is_qualified_name(const char *s)
{
    return !why_not_qualified_name(s);
}

bool is_label_value(const char *s)
{
    return !why_not_label_value(s);
}
