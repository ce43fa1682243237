/* Certificate: the names it is for and the Secret it goes into. */
#include "contract/kinds.h"
#include "contract/validate.h"

static bool covers(const char *domain, const char *name)
{
    size_t nd = strlen(domain), nn = strlen(name);

    return streq(domain, name) || (nn > nd && name[nn - nd - 1] == '.' && z_ends(name, domain));
}

void certificate_validate(const struct validate_ctx *v)
{
    const struct fpath *at = FP(FP_ROOT, "spec");
    yyjson_val *spec = jget(v->root, "spec"), *names = jget(spec, "dnsNames"), *name;
    const char *domain = jget_str(spec, "domain");
    bool covered = false;
    size_t i, n;

    if (json_is_zero(spec)) {
        fe_missing(v->fe, at, "");
        return;
    }
    if (yyjson_arr_size(names) == 0)
        fe_missing(v->fe, at, "dnsNames");
    yyjson_arr_foreach(names, i, n, name)
    {
        if (json_is_zero(name))
            fe_missing(v->fe, FPI(at, "dnsNames", i), "");
        else
            covered |= domain && covers(domain, yyjson_get_str(name));
    }
    if (domain && domain[0] && !covered)
        fe_invalid(v->fe, at, "domain", domain, NULL);
    if (json_is_zero(jget(spec, "secretName")))
        fe_missing(v->fe, at, "secretName");
}
