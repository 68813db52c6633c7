/* tests/support/prober.h: a prober on a loop and a clock of the test's own. */
#ifndef WAYPOST_TESTS_PROBER_H
#define WAYPOST_TESTS_PROBER_H

#include "gslb/probe.h"

#define SHORT_MS 300  /* for what never answers */
#define LONG_MS  8000 /* for what does */

struct fixture {
    uv_loop_t loop;
    struct clock clock;
    int64_t ahead_us; /* of the system's clock, or of a time that stands still */
    bool still;
    struct gslb_prober *prober;
    bool closed;
};

struct asked {
    unsigned times;
    struct gslb_probe_result r;
    struct gslb_probe *cancel; /* when done */
    struct fixture *close;
};

void fixture_open(struct fixture *f, const struct gslb_prober_limits *limits);
void fixture_on_closed(void *arg);                                  /* for gslb_prober_close */
void fixture_on_done(void *arg, const struct gslb_probe_result *r); /* arg: struct asked */
void fixture_close(struct fixture *f);
/* At 127.0.0.1; probe may be NULL. */
void fixture_start(struct fixture *f, const struct gslb_check *c, struct asked *a,
                   struct gslb_probe **probe);
void fixture_finish(struct fixture *f, const struct asked *a);
/* Both; once more where this machine itself was late, which is a result of its own. */
void fixture_ask(struct fixture *f, const struct gslb_check *c, struct asked *a);
/* Fails the test when the times of a result contradict each other or the timeout. */
void fixture_judge(const char *label, const struct gslb_probe_result *r, uint32_t timeout_ms);

#endif
