/* tests/support/asker.h: a monitor's time and probes in a test's own hands.
 * Every address passes until it is told otherwise. Probes end when time is moved on. */
#ifndef WAYPOST_TESTS_ASKER_H
#define WAYPOST_TESTS_ASKER_H

#include "gslb/monitor.h"

#include "base/list.h"

#define ASKER_SAID 64

struct asker {
    struct gslb_asker asker; /* first */
    struct clock clock;
    int64_t mono_us, wall_us;
    uint32_t takes_ms;    /* each probe */
    uint16_t closed_port; /* checks of it always fail */
    struct list running;
    unsigned started, cancelled, most; /* most: at once */
    struct {
        char address[40];
        struct gslb_probe_result result;
        bool hangs;
    } said[ASKER_SAID];
    unsigned said_count;
};

void asker_init(struct asker *a);
/* "192.0.2.1": 'p' passes, 'f' fails, 'n' without a verdict, 'h' hangs until it is cancelled. "*":
 * all that were not named. */
void asker_say(struct asker *a, const char *address, char what);
struct gslb_probe_result *asker_result(struct asker *a, const char *address);
/* Moves time on in steps that the monitor asks for, and lets probes end. Returns the longest turn
 * in real microseconds. */
int64_t asker_run(struct asker *a, struct gslb_monitor *m, int64_t for_ms);
/* Lets go of what still runs. */
void asker_fini(struct asker *a);

#endif
