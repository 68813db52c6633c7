#include "prober.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SLACK_US 1500000 /* of a machine under load */

static int64_t fixture_now(const struct clock *c)
{
    struct fixture *f = container_of(c, struct fixture, clock);
    return (f->still ? 1000000 : clock_mono_us(clock_system())) + f->ahead_us;
}

void fixture_open(struct fixture *f, const struct gslb_prober_limits *limits)
{
    *f = (struct fixture){.clock = {fixture_now, fixture_now}};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gslb_prober_new(&f->prober, &f->loop, &f->clock, limits), 0);
}

void fixture_on_closed(void *arg)
{
    struct fixture *f = arg;
    f->closed = true;
}

void fixture_close(struct fixture *f)
{
    if (f->prober)
        gslb_prober_close(f->prober, fixture_on_closed, f);
    while (uv_run(&f->loop, UV_RUN_ONCE))
        ;
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

void fixture_on_done(void *arg, const struct gslb_probe_result *r)
{
    struct asked *a = arg;
    a->times++;
    a->r = *r;
    if (a->cancel)
        gslb_probe_cancel(a->cancel);
    if (a->close) {
        gslb_prober_close(a->close->prober, fixture_on_closed, a->close);
        a->close->prober = NULL;
    }
}

void fixture_start(struct fixture *f, const struct gslb_check *c, struct asked *a,
                   struct gslb_probe **probe)
{
    struct addr target;
    memset(a, 0, sizeof *a);
    assert_int_equal(addr_parse(&target, "127.0.0.1", 0), 0);
    assert_int_equal(gslb_probe_start(f->prober, c, &target, fixture_on_done, a, probe), 0);
    assert_int_equal(a->times, 0);
}

void fixture_finish(struct fixture *f, const struct asked *a)
{
    while (!a->times)
        uv_run(&f->loop, UV_RUN_ONCE);
}

void fixture_ask(struct fixture *f, const struct gslb_check *c, struct asked *a)
{
    for (unsigned n = 0; n < 30; n++) { /* a loaded machine was late five times in a row */
        fixture_start(f, c, a, NULL);
        fixture_finish(f, a);
        if (!strstr(a->r.evidence, "late ourselves"))
            return;
    }
}

void fixture_judge(const char *label, const struct gslb_probe_result *r, uint32_t timeout_ms)
{
    const uint32_t at[] = {r->connect_us, r->tls_us, r->first_us, r->total_us};
    uint32_t last = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        if (at[i] && at[i] < last)
            fail_msg("%s: times go back: %u %u %u %u", label, at[0], at[1], at[2], at[3]);
        last = at[i] ? at[i] : last;
    }
    if (!r->total_us || r->total_us > timeout_ms * 1000 + SLACK_US)
        fail_msg("%s: took %u us", label, r->total_us);
}
