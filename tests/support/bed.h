/* tests/support/bed.h: targets with a clock and a fetcher of the test's own. */
#ifndef WAYPOST_TESTS_BED_H
#define WAYPOST_TESTS_BED_H

#include "gslb/target.h"

#define BED_FLIGHTS 300

struct bed_flight {
    uint8_t name[255];
    char net[64]; /* "10.1.2.0/24"; "-": nothing was told */
    gslb_fetch_done *done;
    void *arg;
    bool checked;
};
struct bed {
    struct clock clock;
    struct gslb_fetcher fetcher;
    struct snap_domain domain;
    struct gslb_targets *targets;
    int64_t now_us;
    struct bed_flight flights[BED_FLIGHTS];
    unsigned flight_count;
    int refuse; /* what fetch returns */
};

void bed_open(struct bed *b);
/* Frees the targets; what flies is cancelled after that. */
void bed_close(struct bed *b);
uint32_t bed_now(const struct bed *b);
uint32_t bed_take(struct bed *b, const char *name, bool subnets);
/* "10.1.2.0/24"; "-": none. */
struct edns_subnet bed_subnet_of(const char *text);

/* "192.0.2.1,2001:db8::1" into sets. */
struct bed_answer {
    uint8_t rdata[2][GSLB_TARGET_ADDRESSES * 40];
    struct dns_rrset sets[2];
    struct gslb_fetched fetched;
};
void bed_answer_of(struct bed_answer *a, char *addresses, uint32_t ttl, unsigned scope);
struct gslb_fetched bed_failed(int err);
/* Index of the flight that told this network; flight_count: there is none. */
unsigned bed_flight_find(const struct bed *b, const char *net);
/* Ends flight i, or that of a network. */
void bed_end(struct bed *b, unsigned i, const struct gslb_fetched *f);
void bed_say(struct bed *b, const char *net, const char *addresses, uint32_t ttl, unsigned scope);

/* "192.0.2.1,2001:db8::1 60 24", with "stale" behind it when it is; "nothing". */
void bed_find(struct bed *b, uint32_t index, const char *net, char *out, size_t cap);
/* Fails the test when bed_find says otherwise. */
void bed_gives(struct bed *b, uint32_t index, const char *net, const char *expected);
/* Opens; a target with a set for everybody, for a day. */
uint32_t bed_known(struct bed *b);
/* A client comes, its network is asked for and answered. */
void bed_learn(struct bed *b, uint32_t index, const char *net, unsigned scope);

#endif
