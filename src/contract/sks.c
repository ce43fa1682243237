/* ServerlessService: a mode, a protocol and the target whose pods it leads to. */
#include "contract/kinds.h"
#include "contract/validate.h"

static void check_word(const struct validate_ctx *v, const char *field, const char *one,
                       const char *other)
{
    const struct fpath *at = FP(FP_ROOT, "spec");
    const char *word = jget_str(v->root, "spec", field);

    if (!word || !word[0])
        fe_missing(v->fe, at, field);
    else if (!streq(word, one) && !streq(word, other))
        fe_invalid(v->fe, at, field, word, NULL);
}

void sks_validate(const struct validate_ctx *v)
{
    static const char *const ref_fields[] = {"apiVersion", "kind", "name"};
    const struct fpath *at = FP(FP_ROOT, "spec");
    yyjson_val *spec = jget(v->root, "spec");
    int64_t activators = jget_int(spec, 0, "numActivators");

    if (json_is_zero(spec)) {
        fe_missing(v->fe, at, "");
        return;
    }
    check_word(v, "mode", "Serve", "Proxy");
    check_word(v, "protocolType", "http1", "h2c");
    for (size_t i = 0; i < ARRAY_LEN(ref_fields); i++) {
        if (json_is_zero(jget(spec, "objectRef", ref_fields[i])))
            fe_missing(v->fe, FP(at, "objectRef"), ref_fields[i]);
    }
    if (activators < 0)
        fe_bounds(v->fe, at, "numActivators", 0, activators, INT32_MAX);
}
