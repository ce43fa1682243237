/* The codec: queries as clients send them, malformed ones, and answers byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "cluster/dns/message.h"

#define HEAD "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define NAME "\x05HeLLo\x03svc\x00"
#define IN_A "\x00\x01\x00\x01"
#define OPT  "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"

static int read_z(const char *p, size_t n, struct dns_query *q)
{
    return dns_query_read((const uint8_t *)p, n, q);
}
#define READ(lit, q) read_z(lit, sizeof(lit) - 1, q)

static void reads_queries(void **state)
{
    struct dns_query q;

    assert_int_equal(READ(HEAD NAME IN_A, &q), DNS_NOERROR);
    assert_int_equal(q.id, 0x1234);
    assert_string_equal(q.name, "hello.svc");
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.udp_size, 512);
    assert_int_equal(q.question_n, 15);
    assert_memory_equal(q.question, NAME IN_A, 15);
    assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" NAME IN_A OPT, &q),
                     DNS_NOERROR);
    assert_true(q.edns);
    assert_int_equal(q.udp_size, 4096);
    assert_int_equal(READ(HEAD "\x00" IN_A, &q), DNS_NOERROR);
    assert_string_equal(q.name, "");
    /* a dot inside a label is no separator */
    assert_int_equal(READ(HEAD "\x03"
                               "a.b\x00" IN_A,
                          &q),
                     DNS_NOERROR);
    assert_string_equal(q.name, "a?b");
}

static void refuses_malformed(void **state)
{
    struct dns_query q;
    char long_name[400] = HEAD;
    size_t n = DNS_HEADER;

    assert_true(READ("", &q) < 0);
    assert_true(READ("\x12\x34\x01\x00\x00\x01", &q) < 0);
    assert_true(READ("\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME IN_A, &q) <
                0); /* an answer */
    assert_int_equal(READ("\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME IN_A, &q),
                     DNS_NOTIMP);
    assert_int_equal(READ("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00" NAME IN_A, &q),
                     DNS_FORMERR);
    assert_int_equal(READ(HEAD, &q), DNS_FORMERR);
    assert_int_equal(READ(HEAD "\x05HeL", &q), DNS_FORMERR);
    assert_int_equal(READ(HEAD NAME "\x00\x01", &q), DNS_FORMERR);
    assert_int_equal(READ(HEAD "\xc0\x0c" IN_A, &q), DNS_FORMERR);
    assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" NAME IN_A, &q),
                     DNS_FORMERR);
    assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x02" NAME IN_A OPT OPT, &q),
                     DNS_FORMERR);
    assert_int_equal(READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" NAME IN_A
                          "\x00\x00\x29\x10\x00\x00\x01\x00\x00\x00\x00",
                          &q),
                     DNS_BADVERS);
    for (int i = 0; i < 5; i++) {
        long_name[n++] = 63;
        memset(long_name + n, 'a', 63);
        n += 63;
    }
    assert_int_equal(read_z(long_name, n + 5, &q), DNS_FORMERR);
}

static void writes_answers(void **state)
{
    static const char want[] = "\x12\x34\x85\x80\x00\x01\x00\x02\x00\x00\x00\x00" NAME IN_A
                               "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x05\x03"
                               "foo\x00"
                               "\xc0\x27\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x00\x00\x01";
    uint8_t p[512];
    struct dns_query q;
    struct dns_answer a;
    struct in_addr ip = {htonl(0x0a000001)};

    READ(HEAD NAME IN_A, &q);
    dns_answer_begin(&a, p, sizeof(p), 512, &q);
    size_t owner = dns_answer_cname(&a, 0, 5, "foo");
    dns_answer_a(&a, owner, 5, ip);
    assert_int_equal(dns_answer_end(&a, &q, DNS_NOERROR, true), sizeof(want) - 1);
    assert_memory_equal(p, want, sizeof(want) - 1);
    assert_true(dns_is_answer_to(p, sizeof(want) - 1, 0x1234, q.question, q.question_n));
    assert_false(dns_is_answer_to(p, sizeof(want) - 1, 0x1235, q.question, q.question_n));
    p[13] = 'h'; /* another case */
    assert_false(dns_is_answer_to(p, sizeof(want) - 1, 0x1234, q.question, q.question_n));

    struct in_addr got[4];
    assert_int_equal(dns_addresses(p, sizeof(want) - 1, got, 4), 1);
    assert_int_equal(got[0].s_addr, ip.s_addr);
    for (size_t cut = 0; cut < sizeof(want) - 1; cut++)
        assert_true(dns_addresses(p, cut, got, 4) <= 0);
}

static void cuts_what_does_not_fit(void **state)
{
    uint8_t p[4096];
    struct dns_query q;
    struct dns_answer a;

    READ("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" NAME IN_A
         "\x00\x00\x29\x02\x00\x00\x00\x00\x00\x00\x00",
         &q);
    dns_answer_begin(&a, p, sizeof(p), q.udp_size, &q);
    for (uint32_t i = 0; i < 100; i++)
        dns_answer_a(&a, 0, 5, (struct in_addr){i});
    size_t n = dns_answer_end(&a, &q, DNS_NOERROR, true);
    assert_true(n <= 512);
    assert_true(p[2] & 2); /* TC */
    assert_int_equal(dns_u16(p + 10), 1);
    assert_int_equal(dns_u16(p + 6), (512 - 11 - 27) / 16);
    assert_int_equal(p[n - 11 + 2], DNS_OPT);
}

static void refuses_names_that_are_none(void **state)
{
    uint8_t p[512];

    assert_int_equal(dns_query_write(p, sizeof(p), 1, "a..b"), 0);
    assert_int_equal(
        dns_query_write(p, sizeof(p), 1,
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"),
        0);
    assert_int_equal(dns_query_write(p, 20, 1, "example.com"), 0);
    struct dns_query q;
    size_t n = dns_query_write(p, sizeof(p), 7, "example.com");
    assert_int_equal(dns_query_read(p, n, &q), DNS_NOERROR);
    assert_string_equal(q.name, "example.com");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_queries),
        cmocka_unit_test(refuses_malformed),
        cmocka_unit_test(writes_answers),
        cmocka_unit_test(cuts_what_does_not_fit),
        cmocka_unit_test(refuses_names_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
