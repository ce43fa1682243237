/* DNS messages from arbitrary bytes: as a query that is answered, and as another resolver's answer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/dns/message.h"
#include "cluster/dns/zone.h"
#include "kube/slices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *make_zone(void)
{
    static const char service[] = "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{"
                                  "\"namespace\":\"a\",\"name\":\"b\","
                                  "\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{}}";
    static struct zone z;

    if (z.domain)
        return &z;
    z = (struct zone){"cluster.local", "10.0.0.1", cache_new(&KR_SERVICE),
                      cache_new(&KR_ENDPOINTSLICE)};
    slices_add_index(z.slices);
    struct kobj *o = kobj_parse(service, sizeof(service) - 1, NULL);
    cache_put(z.services, o);
    kobj_unref(o);
    return &z;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[4096];
    struct in_addr ips[8];
    struct zone_reply r;
    struct dns_query q;
    struct dns_answer a;

    dns_addresses(data, size, ips, 8);
    int rc = dns_query_read(data, size, &q);
    if (rc < 0)
        return 0;
    if (rc > 0) {
        dns_refuse(out, 512, &q, rc);
        return 0;
    }
    size_t limit = q.udp_size < sizeof(out) ? q.udp_size : sizeof(out);
    dns_answer_begin(&a, out, sizeof(out), limit, &q);
    if (zone_answer(make_zone(), &q, &a, &r) != ZONE_FOREIGN) {
        size_t n = dns_answer_end(&a, &q, r.rcode, true);
        if (n > limit || !dns_is_answer_to(out, n, q.id, q.question, q.question_n) ||
            dns_addresses(out, n, ips, 8) < 0)
            abort();
    }
    return 0;
}
