/* daemon/policy_tests.h: what a steering policy promises, as rows of client and expectation.
 * A file of rows, each of which is steered dry, by the serving code, with every member up except
 * those it names as down:
 *   tests:
 *     - { name: www.example.com, from: 192.0.2.1, site: fra }
 *     - { name: www.example.com, type: AAAA, ecs: 10.1.0.0/16, scope: 16, ttl: [10, 30] }
 *     - { name: www.example.com, from: 192.0.2.1, share: { a: 75% +- 1%, b: 25% } }
 *     - { name: www.example.com, from: 192.0.2.1, down: [fra, www-iad/a], answer: [192.0.2.30] }
 * Keys: name, type (A), from (source of the packet) and ecs (client subnet; without a length as
 * gslb_client_parse), at least one; down (sites, pools, pool/member). Expected: site, pool, answer
 * (records in any order), share (odds of members of the pool that answers; of all clients where the
 * policy hashes them; without +- within 0.1 %), ttl (number or [least, most]), scope, outcome
 * (answer, nodata, refused, static, failed). Threads: any but a worker's. */
#ifndef WAYPOST_DAEMON_POLICY_TESTS_H
#define WAYPOST_DAEMON_POLICY_TESTS_H

#include "base/diag.h"
#include "gslb/steer.h"

struct policy_tests {
    unsigned rows, failed;
};

/* p NULL: nothing is steered. t is not changed. 0: every row holds; ERR_MISMATCH: some do not;
 * ERR_SYNTAX, ERR_INVALID: the file is wrong; what the file system says; ERR_NOMEM. All is said in
 * d, rows that do not hold as errors with their place, what was wanted and what was got. */
int policy_tests_run(const struct gslb_plan *p, const struct gslb_table *t, const char *path,
                     struct diag_list *d, struct policy_tests *counts);

#endif
