/* Traffic resolution as a table: what a spec means, given a fixed set of Configurations and
 * Revisions. */
#include "table.h"

#include "base/buf.h"
#include "serving/route/traffic.h"

static const char *const configurations[] = {
    "{'metadata':{'name':'hello','namespace':'ns','generation':2},'status':{'observedGeneration':2,"
    "'latestReadyRevisionName':'hello-00002','latestCreatedRevisionName':'hello-00002'}}",
    "{'metadata':{'name':'other','namespace':'ns','generation':1},'status':{'observedGeneration':1,"
    "'latestReadyRevisionName':'other-00001'}}",
    "{'metadata':{'name':'grpc','namespace':'ns','generation':1},'status':{'observedGeneration':1,"
    "'latestReadyRevisionName':'grpc-00001'}}",
    "{'metadata':{'name':'young','namespace':'ns','generation':1},'status':{}}",
    "{'metadata':{'name':'broken','namespace':'ns','generation':1},'status':{'observedGeneration':"
    "1,"
    "'conditions':[{'type':'Ready','status':'False'}]}}",
    "{'metadata':{'name':'broken-stale','namespace':'ns','generation':2},'status':{"
    "'observedGeneration':1,'conditions':[{'type':'Ready','status':'False'}]}}",
    "{'metadata':{'name':'dangling','namespace':'ns','generation':1},'status':{"
    "'latestReadyRevisionName':'gone-00001'}}",
    "{'metadata':{'name':'slow','namespace':'ns','generation':1},'status':{"
    "'latestReadyRevisionName':'slow-00001'}}",
};

#define REV(name, configuration, service, ready, port)                                             \
    "{'metadata':{'name':'" name "','namespace':'ns','generation':1,'labels':{"                    \
    "'serving.knative.dev/configuration':'" configuration "'" service "}},"                        \
    "'spec':{'containers':[{'name':'sidecar'},{'ports':[{'name':'" port "'}]}]},"                  \
    "'status':{'observedGeneration':1,'conditions':[{'type':'Ready','status':'" ready "'}]}}"
#define OF(service) ",'serving.knative.dev/service':'" service "'"

static const char *const revisions[] = {
    REV("hello-00001", "hello", OF("hello"), "True", ""),
    REV("hello-00002", "hello", OF("hello"), "True", "http1"),
    REV("hello-00003", "hello", OF("hello"), "Unknown", ""),
    REV("hello-00004", "hello", OF("hello"), "False", ""),
    REV("other-00001", "other", OF("other"), "True", ""),
    REV("grpc-00001", "grpc", "", "True", "h2c"),
    REV("slow-00001", "slow", "", "Unknown", ""),
    REV("lone-00001", "missing", "", "True", ""),
};

struct traffic_case {
    const char *name;
    const char *labels; /* of the Route */
    const char *spec;   /* spec.traffic */
    enum traffic_verdict verdict;
    const char *reason, *message;
    const char *groups; /* "tag: revision=percent[*latest][+h2c] …; …" */
};

#define C(n, p) "{'configurationName':'" n "','latestRevision':true,'percent':" #p "}"
#define CT(n, p, tag)                                                                              \
    "{'configurationName':'" n "','latestRevision':true,'percent':" #p ",'tag':'" tag "'}"
#define R(n, p) "{'revisionName':'" n "','latestRevision':false,'percent':" #p "}"
#define RT(n, p, tag)                                                                              \
    "{'revisionName':'" n "','latestRevision':false,'percent':" #p ",'tag':'" tag "'}"
#define OWNED "'serving.knative.dev/service':'hello'"

static const struct traffic_case cases[] = {
    {"latest of a configuration", "", C("hello", 100), 0, 0, 0, ": hello-00002=100*"},
    {"latestRevision defaults to true", "", "{'configurationName':'hello','percent':100}", 0, 0, 0,
     ": hello-00002=100*"},
    {"latestRevision defaults to false", "", "{'revisionName':'hello-00001','percent':100}", 0, 0,
     0, ": hello-00001=100"},
    {"a revision", "", R("hello-00001", 100), 0, 0, 0, ": hello-00001=100"},
    {"an empty revision name counts as none", "",
     "{'revisionName':'','configurationName':'hello','percent':100}", 0, 0, 0,
     ": hello-00002=100*"},
    {"two revisions", "", R("hello-00001", 30) "," R("hello-00002", 70), 0, 0, 0,
     ": hello-00001=30 hello-00002=70"},
    {"revision and latest", "", R("hello-00001", 10) "," C("hello", 90), 0, 0, 0,
     ": hello-00001=10 hello-00002=90*"},
    {"the same revision twice is one", "", R("hello-00002", 40) "," C("hello", 60), 0, 0, 0,
     ": hello-00002=100"},
    {"latest first keeps following", "", C("hello", 60) "," R("hello-00002", 40), 0, 0, 0,
     ": hello-00002=100*"},
    {"two configurations", "", C("hello", 50) "," C("other", 50), 0, 0, 0,
     ": hello-00002=50* other-00001=50*"},
    {"order of the spec is kept", "", C("other", 20) "," C("hello", 80), 0, 0, 0,
     ": other-00001=20* hello-00002=80*"},
    {"nothing for one", "", C("hello", 100) "," R("hello-00001", 0), 0, 0, 0,
     ": hello-00002=100* hello-00001=0"},
    {"h2c", "", C("grpc", 100), 0, 0, 0, ": grpc-00001=100*+h2c"},
    {"h2c beside http1", "", C("grpc", 50) "," C("hello", 50), 0, 0, 0,
     ": grpc-00001=50*+h2c hello-00002=50*"},
    {"a tag has a host with all of it", "", CT("hello", 100, "now"), 0, 0, 0,
     ": hello-00002=100*; now: hello-00002=100*"},
    {"a tag without share", "", C("hello", 100) "," RT("hello-00001", 0, "old"), 0, 0, 0,
     ": hello-00002=100* hello-00001=0; old: hello-00001=100"},
    {"tags are sorted", "", CT("hello", 50, "z") "," RT("hello-00001", 50, "a"), 0, 0, 0,
     ": hello-00002=50* hello-00001=50; a: hello-00001=100; z: hello-00002=100*"},
    {"two tags of one revision", "", RT("hello-00001", 50, "a") "," RT("hello-00001", 50, "b"), 0,
     0, 0, ": hello-00001=100; a: hello-00001=100; b: hello-00001=100"},
    {"one tag of two revisions", "", RT("hello-00001", 50, "a") "," RT("hello-00002", 50, "a"), 0,
     0, 0, ": hello-00001=50 hello-00002=50; a: hello-00001=50 hello-00002=50"},
    {"tag, and the same without", "", RT("hello-00001", 20, "a") "," R("hello-00001", 80), 0, 0, 0,
     ": hello-00001=100; a: hello-00001=100"},
    {"own revision of a Service", OWNED, R("hello-00001", 100), 0, 0, 0, ": hello-00001=100"},
    {"own configuration of a Service", OWNED, C("hello", 100), 0, 0, 0, ": hello-00002=100*"},
    {"a configuration is not checked for its Service", OWNED, C("other", 100), 0, 0, 0,
     ": other-00001=100*"},

    {"revision of another Service", OWNED, R("other-00001", 100), TRAFFIC_FAILED,
     "RevisionNotOwned",
     "Revision \"other-00001\" belongs to Service \"other\", not Service \"hello\".", ""},
    {"revision of no Service", OWNED, R("grpc-00001", 100), TRAFFIC_FAILED, "RevisionNotOwned",
     "Revision \"grpc-00001\" does not belong to Service \"hello\".", ""},
    {"without a Service nobody owns", "", R("other-00001", 100), 0, 0, 0, ": other-00001=100"},
    {"missing configuration", "", C("nope", 100), TRAFFIC_FAILED, "ConfigurationMissing",
     "Configuration \"nope\" referenced in traffic not found.", ""},
    {"missing revision", "", R("nope-00001", 100), TRAFFIC_FAILED, "RevisionMissing",
     "Revision \"nope-00001\" referenced in traffic not found.", ""},
    {"latest ready revision is gone", "", C("dangling", 100), TRAFFIC_FAILED, "RevisionMissing",
     "Revision \"gone-00001\" referenced in traffic not found.", ""},
    {"revision whose configuration is gone", "", R("lone-00001", 100), TRAFFIC_FAILED,
     "ConfigurationMissing", "Configuration \"missing\" referenced in traffic not found.", ""},
    {"configuration without a ready revision", "", C("young", 100), TRAFFIC_WAITING,
     "RevisionMissing", "Configuration \"young\" is waiting for a Revision to become ready.", ""},
    {"configuration that failed", "", C("broken", 100), TRAFFIC_FAILED, "RevisionMissing",
     "Configuration \"broken\" does not have any ready Revision.", ""},
    {"a failure of an older generation does not count", "", C("broken-stale", 100), TRAFFIC_WAITING,
     "RevisionMissing", "Configuration \"broken-stale\" is waiting for a Revision to become ready.",
     ""},
    {"revision not yet ready", "", R("hello-00003", 100), TRAFFIC_WAITING, "RevisionMissing",
     "Revision \"hello-00003\" is not yet ready.", ""},
    {"revision that failed", "", R("hello-00004", 100), TRAFFIC_FAILED, "RevisionMissing",
     "Revision \"hello-00004\" failed to become ready.", ""},
    {"latest ready is not ready any more", "", C("slow", 100), TRAFFIC_WAITING, "RevisionMissing",
     "Revision \"slow-00001\" is not yet ready.", ""},
    {"one of two is missing", "", C("hello", 50) "," C("nope", 50), TRAFFIC_FAILED,
     "ConfigurationMissing", "Configuration \"nope\" referenced in traffic not found.", 0},
    {"failure beats waiting, later", "", C("young", 50) "," C("nope", 50), TRAFFIC_FAILED,
     "ConfigurationMissing", "Configuration \"nope\" referenced in traffic not found.", ""},
    {"failure beats waiting, earlier", "", C("nope", 50) "," C("young", 50), TRAFFIC_FAILED,
     "ConfigurationMissing", "Configuration \"nope\" referenced in traffic not found.", ""},
    {"the last failure is told", "", C("nope", 50) "," R("hello-00004", 50), TRAFFIC_FAILED,
     "RevisionMissing", "Revision \"hello-00004\" failed to become ready.", ""},
    {"the first that waits is told", "", C("young", 50) "," R("hello-00003", 50), TRAFFIC_WAITING,
     "RevisionMissing", "Configuration \"young\" is waiting for a Revision to become ready.", ""},
    {"a tag is no excuse", "", C("hello", 100) "," RT("nope-00001", 0, "t"), TRAFFIC_FAILED,
     "RevisionMissing", "Revision \"nope-00001\" referenced in traffic not found.", 0},
    {"no targets", "", "", TRAFFIC_WAITING, "Unknown", "The Route has no traffic targets.", ""},
    {"a target that names nothing", "", "{'percent':100}", TRAFFIC_WAITING, "Unknown",
     "A traffic target names neither a Configuration nor a Revision.", ""},
};

static const char *groups_text(struct table *t, const struct traffic *traffic)
{
    struct buf b = BUF_INIT(4096);

    for (size_t i = 0; i < traffic->groups.n; i++) {
        const struct traffic_group *g = &traffic->groups.p[i];
        buf_addf(&b, "%s%s:", i ? "; " : "", g->tag);
        for (size_t j = 0; j < g->targets.n; j++) {
            const struct traffic_target *x = &g->targets.p[j];
            buf_addf(&b, " %s=%d%s%s", x->revision, x->percent, x->latest ? "*" : "",
                     x->h2c ? "+h2c" : "");
        }
    }
    const char *text = arena_strndup(&t->arena, buf_z(&b), b.n);
    buf_done(&b);
    return text;
}

static void fill(struct table *t)
{
    for (size_t i = 0; i < ARRAY_LEN(configurations); i++)
        table_put(t, &KR_CONFIGURATION, configurations[i]);
    for (size_t i = 0; i < ARRAY_LEN(revisions); i++)
        table_put(t, &KR_REVISION, revisions[i]);
}

static const struct kobj *route(struct table *t, const char *labels, const char *traffic)
{
    return table_put(t, &KR_ROUTE,
                     arena_printf(&t->arena,
                                  "{'metadata':{'name':'hello','namespace':'ns','labels':{%s}},"
                                  "'spec':{'traffic':[%s]}}",
                                  labels, traffic));
}

static void check(struct table *t, const struct traffic_case *c)
{
    struct traffic traffic;

    print_message("  %s\n", c->name);
    traffic_resolve(&traffic, route(t, c->labels, c->spec),
                    manager_cache(t->s.m, &KR_CONFIGURATION), manager_cache(t->s.m, &KR_REVISION));
    assert_int_equal(traffic.verdict, c->verdict);
    if (c->verdict != TRAFFIC_ASSIGNED) {
        assert_string_equal(traffic.reason, c->reason);
        assert_string_equal(traffic.message, c->message);
    }
    if (c->groups)
        assert_string_equal(groups_text(t, &traffic), c->groups);
    traffic_done(&traffic);
}

static void test_resolution(void **state)
{
    struct table t;

    table_start(&t);
    fill(&t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&t, &cases[i]);
    table_end(&t);
}

/* Whatever the outcome, all that could change it is named. */
static void test_refs(void **state)
{
    struct table t;
    struct traffic traffic;
    struct buf b = BUF_INIT(4096);

    table_start(&t);
    fill(&t);
    traffic_resolve(
        &traffic,
        route(&t, "", C("nope", 1) "," R("hello-00001", 1) "," C("slow", 1) "," R("x", 1)),
        manager_cache(t.s.m, &KR_CONFIGURATION), manager_cache(t.s.m, &KR_REVISION));
    for (size_t i = 0; i < traffic.refs.n; i++)
        buf_addf(&b, "%s %s; ", traffic.refs.p[i].res->kind, traffic.refs.p[i].name);
    assert_string_equal(buf_z(&b), "Configuration nope; Revision hello-00001; Configuration hello; "
                                   "Configuration slow; Revision slow-00001; Revision x; ");
    buf_done(&b);
    traffic_done(&traffic);
    table_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolution),
        cmocka_unit_test(test_refs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
