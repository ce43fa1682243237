/* Gradual rollout: the annotation's text, the pace, and each kind of change on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "serving/route/rollout.h"

#define T0 (1700000000LL * NS_PER_SEC)

static struct rollout parsed(struct arena *a, const char *text)
{
    struct rollout ro;
    char *json = arena_strndup(a, text, strlen(text));

    for (char *p = json; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    assert_int_equal(rollout_parse(&ro, a, json), 0);
    return ro;
}

/* "tag/configuration percent: revision=percent … [start next step size]", relative to T0 in
 * seconds. */
static const char *brief(struct arena *a, const struct rollout *ro)
{
    const char *s = "";

    for (size_t i = 0; i < ro->entries.n; i++) {
        const struct rollout_entry *e = &ro->entries.p[i];
        s = arena_printf(a, "%s%s%s/%s %d:", s, i ? "; " : "", e->tag, e->configuration,
                         e->percent);
        for (size_t j = 0; j < e->revisions.n; j++)
            s = arena_printf(a, "%s %s=%d", s, e->revisions.p[j].name, e->revisions.p[j].percent);
        if (e->start_ns)
            s = arena_printf(a, "%s start %d", s, (int)((e->start_ns - T0) / NS_PER_SEC));
        if (e->step_ns)
            s = arena_printf(a, "%s next %d every %d by %d", s,
                             (int)((e->next_ns - T0) / NS_PER_SEC), (int)(e->step_ns / NS_PER_SEC),
                             e->step_size);
    }
    return s;
}

#define ENTRY(c, percent, revisions)                                                               \
    "{'configurationName':'" c "','percent':" #percent ",'revisions':[" revisions                  \
    "],'stepParams':{}}"
#define REV(n, p)    "{'revisionName':'" n "','percent':" #p "}"
#define ONE(c, p, r) ENTRY(c, p, REV(r, p))
#define ALL(list)    "{'configurations':[" list "]}"
#define ROLLING(revisions, params)                                                                 \
    "{'configurations':[{'configurationName':'c','percent':100,'revisions':[" revisions            \
    "],'stepParams':{" params "}}]}"

static void test_text_round_trip(void **state)
{
    static const char text[] =
        "{\"configurations\":[{\"configurationName\":\"c\",\"tag\":\"t\",\"percent\":100,"
        "\"revisions\":[{\"revisionName\":\"a\",\"percent\":99},{\"revisionName\":\"b\","
        "\"percent\":1}],\"stepParams\":{\"starttime\":1700000000000000001,"
        "\"nextStepTime\":1700000000000000002,\"stepDuration\":5,\"stepSize\":7}}]}";
    struct arena a;

    arena_init(&a);
    struct rollout ro = parsed(&a, text);
    _cleanup_free_ char *again = rollout_text(&ro);
    assert_string_equal(again, text);
    rollout_done(&ro);
    struct rollout none = {0};
    _cleanup_free_ char *empty = rollout_text(&none);
    assert_string_equal(empty, "{}");
    arena_done(&a);
}

static void test_invalid_text(void **state)
{
    static const char *const texts[] = {
        "",
        "nonsense",
        "[",
        "{\"configurations\":[{\"percent\":101,\"revisions\":[{\"percent\":101}]}]}",
        "{\"configurations\":[{\"percent\":10}]}",
        "{\"configurations\":[{\"percent\":10,\"revisions\":[{\"percent\":9}]}]}",
        "{\"configurations\":[{\"percent\":10,\"revisions\":[{\"percent\":-1},{\"percent\":11}]}]}",
        "{\"configurations\":[{\"percent\":10,\"revisions\":[{\"percent\":10}],"
        "\"stepParams\":{\"stepSize\":11}}]}",
        "{\"configurations\":[{\"percent\":10,\"revisions\":[{\"percent\":10}],"
        "\"stepParams\":{\"stepSize\":-1}}]}",
    };
    struct arena a;
    struct rollout ro;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_true(rollout_parse(&ro, &a, texts[i]) < 0);
    arena_done(&a);
}

struct step_case {
    const char *before, *goal;
    int at_s;
    const char *after;
};

static void test_steps(void **state)
{
    static const struct step_case cases[] = {
        /* the same again */
        {ALL(ONE("c", 100, "a")), ALL(ONE("c", 100, "a")), 0, "/c 100: a=100"},
        /* a new revision starts with one percent */
        {ALL(ONE("c", 100, "a")), ALL(ONE("c", 100, "b")), 5, "/c 100: a=99 b=1 start 5"},
        /* too little to split, or nothing there before */
        {ALL(ONE("c", 1, "a")), ALL(ONE("c", 1, "b")), 0, "/c 1: b=1"},
        {ALL(ONE("d", 100, "a")), ALL(ONE("c", 100, "b")), 0, "/c 100: b=100"},
        {"{}", ALL(ONE("c", 100, "b")), 0, "/c 100: b=100"},
        /* a configuration more, one less; sorted */
        {ALL(ONE("c", 100, "a")), ALL(ONE("d", 40, "x") "," ONE("c", 60, "a")), 0,
         "/c 60: a=60; /d 40: x=40"},
        {ALL(ONE("c", 60, "a") "," ONE("d", 40, "x")), ALL(ONE("c", 100, "a")), 0, "/c 100: a=100"},
        /* not yet due, due, and the last step */
        {ROLLING(REV("a", 99) "," REV("b", 1),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "b")), 9, "/c 100: a=99 b=1 start 0 next 10 every 10 by 20"},
        {ROLLING(REV("a", 99) "," REV("b", 1),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "b")), 10, "/c 100: a=79 b=21 start 0 next 20 every 10 by 20"},
        {ROLLING(REV("a", 15) "," REV("b", 85),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "b")), 10, "/c 100: b=100"},
        /* the clock was set back, or ahead, by ten minutes */
        {ROLLING(REV("a", 99) "," REV("b", 1),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "b")), -600, "/c 100: a=99 b=1 start 0 next -590 every 10 by 20"},
        {ROLLING(REV("a", 99) "," REV("b", 1),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "b")), 600, "/c 100: a=79 b=21 start 0 next 610 every 10 by 20"},
        /* the younger of the old ones gives first */
        {ROLLING(REV("a", 80) "," REV("b", 15) "," REV("d", 5),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "d")), 10, "/c 100: a=75 d=25 start 0 next 20 every 10 by 20"},
        /* a newer one in the middle: it takes its percent from the youngest */
        {ROLLING(REV("a", 60) "," REV("b", 40),
                 "'starttime':1700000000000000000,'nextStepTime':1700000010000000000,"
                 "'stepDuration':10000000000,'stepSize':20"),
         ALL(ONE("c", 100, "d")), 12, "/c 100: a=60 b=39 d=1 start 12"},
        {ROLLING(REV("a", 99) "," REV("b", 1), "'starttime':1700000000000000000"),
         ALL(ONE("c", 100, "d")), 12, "/c 100: a=99 d=1 start 12"},
        /* the share changed meanwhile: newest gains, oldest loses */
        {ROLLING(REV("a", 60) "," REV("b", 40), "'starttime':1700000000000000000"),
         ALL(ONE("c", 50, "b")), 1, "/c 50: a=10 b=40 start 0"},
        {ROLLING(REV("a", 60) "," REV("b", 40), "'starttime':1700000000000000000"),
         ALL(ONE("c", 30, "b")), 1, "/c 30: b=30"},
        {ALL(ENTRY("c", 50, REV("a", 30) "," REV("b", 20))), ALL(ONE("c", 70, "b")), 1,
         "/c 70: a=30 b=40"},
    };
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rollout before = parsed(&a, cases[i].before), goal = parsed(&a, cases[i].goal),
                       after;
        rollout_step(&after, &before, &goal, T0 + cases[i].at_s * NS_PER_SEC);
        assert_string_equal(brief(&a, &after), cases[i].after);
        rollout_done(&before);
        rollout_done(&goal);
        rollout_done(&after);
    }
    arena_done(&a);
}

/* How long the first percent took decides the length of a step. */
static void test_pace(void **state)
{
    static const struct {
        int took_ms, duration_s;
        const char *after;
    } cases[] = {
        {-600000, 120, "/c 100: a=99 b=1 start 0 next -598 every 1 by 1"},
        {500, 120, "/c 100: a=99 b=1 start 0 next 1 every 1 by 1"},
        {10000, 120, "/c 100: a=99 b=1 start 0 next 20 every 10 by 9"},
        {40000, 120, "/c 100: a=99 b=1 start 0 next 80 every 40 by 50"},
        {100000, 120, "/c 100: a=99 b=1 start 0 next 120 every 20 by 99"},
        {200000, 120, "/c 100: a=99 b=1 start 0 next 201 every 1 by 99"},
    };
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rollout ro =
            parsed(&a, ROLLING(REV("a", 99) "," REV("b", 1), "'starttime':1700000000000000000"));
        rollout_observe_ready(&ro, T0 + cases[i].took_ms * NS_PER_MS, cases[i].duration_s);
        assert_string_equal(brief(&a, &ro), cases[i].after);
        rollout_done(&ro);
    }
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_invalid_text),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_pace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
