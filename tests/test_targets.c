/* folders: gslb authority geo net dns base */
/* Names that are not ours: stories of what is asked, heard and given. */
#include "bed.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One step of a story; NULL: as told. Else what is wrong. */
static const char *step(struct bed *b, uint32_t index, const char *text)
{
    static char wrong[256];
    char net[64] = "-", rest[128] = "";
    unsigned scope, ttl, i;
    if (text[0] == '+') {
        b->now_us += (int64_t)(strtod(text + 1, NULL) * 1000000);
        return NULL;
    }
    if (!strcmp(text, "turn")) {
        gslb_targets_turn(b->targets);
        return NULL;
    }
    if (!strcmp(text, "quiet")) {
        for (i = 0; i < b->flight_count; i++)
            if (!b->flights[i].checked)
                return b->flights[i].net;
        return NULL;
    }
    if (sscanf(text, "find %63s %127[^\n]", net, rest) == 2) {
        char found[160];
        bed_find(b, index, net, found, sizeof found);
        snprintf(wrong, sizeof wrong, "gave %s", found);
        return strcmp(found, rest) != 0 ? wrong : NULL;
    }
    if (sscanf(text, "%*s %63s", net) != 1)
        return "unknown step";
    i = bed_flight_find(b, net);
    if (i == b->flight_count)
        return "was not asked";
    if (!strncmp(text, "ask ", 4)) {
        bool again = b->flights[i].checked;
        b->flights[i].checked = true;
        return again ? "was asked before" : NULL;
    }
    struct bed_answer a = {.fetched = bed_failed(ERR_TIMEOUT)};
    if (!strncmp(text, "none ", 5))
        a.fetched.err = ERR_NOT_FOUND;
    else if (sscanf(text, "say %*s %u %u %127s", &scope, &ttl, rest) == 3)
        bed_answer_of(&a, rest, ttl, scope);
    else if (sscanf(text, "half %*s %u %127s", &ttl, rest) == 2) {
        bed_answer_of(&a, rest, ttl, 0);
        a.fetched.err = ERR_TIMEOUT; /* of the other family */
    } else if (strncmp(text, "fail ", 5) != 0)
        return "unknown step";
    bed_end(b, i, &a.fetched);
    return NULL;
}

struct story {
    const char *label;
    const char *steps; /* separated by "; " */
    bool host;         /* clients' networks are not told */
};

static void tell(const struct story *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bed b;
        char steps[2048], *save = NULL;
        bed_open(&b);
        uint32_t index = bed_take(&b, "cdn.example.net", !rows[i].host);
        gslb_targets_keep(b.targets, &index, 1);
        snprintf(steps, sizeof steps, "%s", rows[i].steps);
        for (char *s = strtok_r(steps, ";", &save); s; s = strtok_r(NULL, ";", &save)) {
            s += strspn(s, " ");
            const char *wrong = step(&b, index, s);
            if (wrong)
                fail_msg("%s: %s: %s", rows[i].label, s, wrong);
        }
        bed_close(&b);
    }
}
#define TELL(rows) tell(rows, sizeof(rows) / sizeof *(rows))

#define BEGIN "turn; ask -; say - 0 60 192.0.2.1; "

static void for_everybody(void **state)
{
    (void)state;
    static const struct story rows[] = {
        {"nothing yet", "find - nothing; turn; ask -; find - nothing; find 10.1.2.0/24 nothing", 0},
        {"fetched", BEGIN "find - 192.0.2.1 60 0; +7; find - 192.0.2.1 53 0; turn; quiet", 0},
        {"both families",
         "turn; ask -; say - 0 30 192.0.2.1,2001:db8::1,192.0.2.2; "
         "find - 192.0.2.1,192.0.2.2,2001:db8::1 30 0",
         0},
        {"asked once while it flies", "turn; ask -; +1; turn; quiet", 0},
        {"again at 90 % of its TTL",
         BEGIN "+53.9; turn; quiet; +0.1; turn; ask -; find - 192.0.2.1 6 0; "
               "say - 0 60 192.0.2.2; find - 192.0.2.2 60 0",
         0},
        {"a TTL of 0 is a second",
         "turn; ask -; say - 0 0 192.0.2.1; find - 192.0.2.1 1 0; "
         "+0.9; turn; quiet; +0.1; turn; ask -",
         0},
        {"a TTL of weeks is a day",
         "turn; ask -; say - 0 4000000 192.0.2.1; "
         "find - 192.0.2.1 86400 0",
         0},
        {"stale while it fails",
         BEGIN "+54; turn; ask -; fail -; +6; find - 192.0.2.1 5 0 stale; turn; ask -", 0},
        {"stale: no longer than it was",
         "turn; ask -; say - 0 2 192.0.2.1; +2; "
         "find - 192.0.2.1 2 0 stale",
         0},
        {"stale: for a day",
         BEGIN "+60; turn; fail -; +86399; find - 192.0.2.1 5 0 stale; +1; find - nothing", 0},
        {"back-off: 5, 10 s ... 5 min",
         "turn; ask -; fail -; +4.9; turn; quiet; +0.1; turn; ask -; fail -; +9.9; turn; quiet; "
         "+0.1; turn; ask -; fail -; +20; turn; ask -; fail -; +40; turn; ask -; fail -; +80; "
         "turn; ask -; fail -; +160; turn; ask -; fail -; +299; turn; quiet; +1; turn; ask -; "
         "fail -; +299; turn; quiet; +1; turn; ask -",
         0},
        {"an answer ends the back-off",
         "turn; fail -; +5; turn; fail -; +10; turn; say - 0 60 192.0.2.1; +54; turn; ask -; "
         "fail -; +5; turn; ask -",
         0},
        {"gone once: stays", BEGIN "+54; turn; none -; find - 192.0.2.1 6 0", 0},
        {"gone twice", BEGIN "+54; turn; none -; +5; turn; ask -; none -; find - nothing", 0},
        {"gone, failed, gone",
         BEGIN "+54; turn; none -; +5; turn; fail -; +10; turn; none -; "
               "find - 192.0.2.1 5 0 stale",
         0},
        {"gone twice, and back",
         BEGIN "+54; turn; none -; +5; turn; none -; +10; turn; ask -; say - 0 60 192.0.2.9; "
               "find - 192.0.2.9 60 0",
         0},
        {"one family was not learnt",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +54; turn; half - 60 192.0.2.2; "
         "find - 192.0.2.2,2001:db8::1 60 0",
         0},
        {"one family was never learnt", "turn; half - 60 192.0.2.2; find - 192.0.2.2 60 0", 0},
        {"one family is there no more",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +54; turn; say - 0 60 192.0.2.1; "
         "find - 192.0.2.1 60 0",
         0},
        {"one family was not learnt for a day",
         "turn; say - 0 60 192.0.2.1,2001:db8::1; +86400; turn; half - 60 192.0.2.2; "
         "find - 192.0.2.2 60 0",
         0},
    };
    TELL(rows);
}

static const struct story per_networks[] = {
    {"not covered: short, source length, and asked for",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24", 0},
    {"not covered: what is left, if less", BEGIN "+58; find 10.1.2.0/24 192.0.2.1 2 24", 0},
    {"no network: as everybody", BEGIN "find 0.0.0.0/0 192.0.2.1 60 0; turn; quiet", 0},
    {"a host member's clients are not told", BEGIN "find 10.1.2.0/24 192.0.2.1 60 0; turn; quiet",
     1},
    {"covered by its own",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
           "find 10.1.2.0/24 192.0.2.7 30 24; find - 192.0.2.1 60 0; "
           "find 10.1.3.0/24 192.0.2.1 5 24",
     0},
    {"covered by a wider answer",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 16 30 192.0.2.7; "
           "find 10.1.9.0/24 192.0.2.7 30 16; turn; quiet; find 10.2.0.0/24 192.0.2.1 5 24",
     0},
    {"a scope longer than the question counts as that",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 32 30 192.0.2.7; "
           "find 10.1.2.0/24 192.0.2.7 30 24",
     0},
    {"told by 24 bits",
     BEGIN "find 10.1.2.3/32 192.0.2.1 5 32; turn; ask 10.1.2.0/24; "
           "say 10.1.2.0/24 24 30 192.0.2.7; find 10.1.2.3/32 192.0.2.7 30 24",
     0},
    {"IPv6 by 56",
     BEGIN "find 2001:db8:1:203::/64 192.0.2.1 5 64; turn; ask 2001:db8:1:200::/56; "
           "say 2001:db8:1:200::/56 48 30 192.0.2.7; "
           "find 2001:db8:1:900::/56 192.0.2.7 30 48",
     0},
    {"a shorter one is not covered by a longer",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
           "find 10.1.0.0/16 192.0.2.1 5 16; turn; ask 10.1.0.0/16",
     0},
    {"nested: de-aggregated",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
           "find 10.1.4.0/24 192.0.2.1 5 24; turn; say 10.1.4.0/24 16 30 192.0.2.8; "
           "find 10.1.2.0/24 192.0.2.7 30 24; find 10.1.3.0/24 192.0.2.8 30 24; "
           "find 10.1.0.0/24 192.0.2.8 30 23; find 10.1.4.0/24 192.0.2.8 30 22; "
           "find 10.1.200.0/24 192.0.2.8 30 17; find 10.1.0.0/16 192.0.2.8 30 23; "
           "find 10.1.0.0/20 192.0.2.8 30 23",
     0},
    {"the other family does not matter",
     BEGIN "find ::/1 192.0.2.1 5 1; turn; say ::/1 1 30 192.0.2.7; "
           "find 10.1.2.0/24 192.0.2.1 5 24; find 2001:db8::/56 192.0.2.7 30 1",
     0},
    {"equal ones are asked once",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; find 10.1.2.9/32 192.0.2.1 5 32; "
           "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; +1; "
           "find 10.1.2.0/24 192.0.2.1 5 24; turn; quiet",
     0},
    {"at most 4 fly; those that an answer covers are not asked",
     BEGIN "find 10.1.1.0/24 192.0.2.1 5 24; find 10.1.2.0/24 192.0.2.1 5 24; "
           "find 10.1.3.0/24 192.0.2.1 5 24; find 10.1.4.0/24 192.0.2.1 5 24; "
           "find 10.1.5.0/24 192.0.2.1 5 24; find 10.2.0.0/24 192.0.2.1 5 24; turn; "
           "ask 10.1.1.0/24; ask 10.1.2.0/24; ask 10.1.3.0/24; ask 10.1.4.0/24; quiet; "
           "say 10.1.2.0/24 16 30 192.0.2.7; ask 10.2.0.0/24; quiet; "
           "find 10.1.5.0/24 192.0.2.7 30 16",
     0},
    {"used: again before it ends; scope may change",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 16 30 192.0.2.7; +20; "
           "find 10.1.9.0/24 192.0.2.7 10 16; +7; turn; ask 10.1.2.0/24; "
           "say 10.1.2.0/24 20 30 192.0.2.8; find 10.1.2.0/24 192.0.2.8 30 20; "
           "find 10.1.99.0/24 192.0.2.1 5 24",
     0},
    {"not used: goes when it ends",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; "
           "say 10.1.2.0/24 16 30 192.0.2.7; +27; turn; quiet; +3; turn; quiet; "
           "find 10.1.2.0/24 192.0.2.1 5 24",
     0},
    {"used late: asked when it ends",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; "
           "say 10.1.2.0/24 16 30 192.0.2.7; +27; turn; quiet; "
           "find 10.1.2.0/24 192.0.2.7 3 16; +3; turn; ask 10.1.2.0/24; "
           "find 10.1.2.0/24 192.0.2.7 5 16 stale",
     0},
    {"stale per network",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 30 192.0.2.7; "
           "find 10.1.2.0/24 192.0.2.7 30 24; +30; turn; fail 10.1.2.0/24; "
           "find 10.1.2.0/24 192.0.2.7 5 24 stale; +5; turn; ask 10.1.2.0/24",
     0},
    {"failed: asked again when somebody comes",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; fail 10.1.2.0/24; +1; "
           "find 10.1.2.0/24 192.0.2.1 5 24; turn; quiet; +4; turn; ask 10.1.2.0/24",
     0},
    {"failed: not asked again when nobody comes",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; fail 10.1.2.0/24; +6; turn; quiet; "
           "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24",
     0},
    {"gone twice, a network",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 10 192.0.2.7; "
           "find 10.1.2.0/24 192.0.2.7 10 24; +9; turn; none 10.1.2.0/24; "
           "find 10.1.2.0/24 192.0.2.7 1 24; +5; turn; none 10.1.2.0/24; "
           "find 10.1.2.0/24 192.0.2.1 5 24",
     0},
    {"gone twice: its networks too",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 300 192.0.2.7; +54; "
           "turn; none -; +5; turn; none -; find 10.1.2.0/24 nothing",
     0},
    {"everybody's set is too old, a network's is not",
     BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 86400 192.0.2.7; "
           "+86460; find - nothing; find 10.1.3.0/24 nothing; "
           "find 10.1.2.0/24 192.0.2.7 5 24 stale",
     0},
};

static void per_network(void **state)
{
    (void)state;
    TELL(per_networks);
}

/* Scope 0 to a question with a network: one set for everybody. */
static void for_all_of_a_family(void **state)
{
    (void)state;
#define ALL                                                                               \
    BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; ask 10.1.2.0/24; say 10.1.2.0/24 0 60 " \
          "192.0.2.7; "
    static const struct story rows[] = {
        {"no more networks are asked",
         ALL "find 10.1.2.0/24 192.0.2.7 60 0; find 99.1.2.0/24 192.0.2.7 60 0; "
             "find 10.0.0.0/8 192.0.2.7 60 0; turn; quiet",
         0},
        {"also those who tell none", ALL "find - 192.0.2.7 60 0", 0},
        {"the other family is asked once",
         ALL "find 2001:db8::/56 192.0.2.7 5 56; turn; ask 2001:db8::/56; "
             "say 2001:db8::/56 0 60 192.0.2.7; find 2001:db9::/56 192.0.2.7 60 0; turn; quiet",
         0},
        {"earlier networks go",
         BEGIN "find 10.1.2.0/24 192.0.2.1 5 24; turn; say 10.1.2.0/24 24 60 192.0.2.6; "
               "find 10.1.3.0/24 192.0.2.1 5 24; turn; say 10.1.3.0/24 0 60 192.0.2.7; "
               "find 10.1.2.0/24 192.0.2.7 60 0",
         0},
        {"one question for all of them",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; quiet; "
             "say 10.1.2.0/24 0 60 192.0.2.8; find - 192.0.2.8 60 0; turn; quiet",
         0},
        {"nobody with a network comes: without one", ALL "+54; turn; ask -; quiet", 0},
        {"until it tells clients apart",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; "
             "say 10.1.2.0/24 16 60 192.0.2.8; find 10.1.2.0/24 192.0.2.8 60 16; "
             "find - 192.0.2.7 6 0; find 99.1.2.0/24 192.0.2.7 5 24; ask -; turn; ask 99.1.2.0/24",
         0},
        {"fails: everybody is asked for alone",
         ALL "find 99.1.2.0/24 192.0.2.7 60 0; +54; turn; ask 10.1.2.0/24; fail 10.1.2.0/24; "
             "ask -; say - 0 60 192.0.2.8; find - 192.0.2.8 60 0; "
             "find 99.1.2.0/24 192.0.2.7 6 0",
         0},
    };
    TELL(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_everybody),
        cmocka_unit_test(per_network),
        cmocka_unit_test(for_all_of_a_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
