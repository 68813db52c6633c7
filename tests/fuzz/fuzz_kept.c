/* folders: gslb geo net authority */
/* Any text as what a monitor kept: states with their age, or (it begins with a bracket) orders of
 * the operator. Orders that are taken are taken again as they are written. */
#include "../../gslb/monitor_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t now_us(const struct clock *c)
{
    (void)c;
    return 1700000000000000;
}

static const struct clock clock_fixed = {.mono_us = now_us, .wall_us = now_us};

static struct gslb_monitor *monitor_new(void)
{
    struct gslb_monitor *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->place.clock = &clock_fixed;
    return m;
}

static void orders(const char *text)
{
    struct gslb_monitor *first = monitor_new(), *second = monitor_new();
    if (!orders_parse(first, text)) {
        json_t *list = gslb_monitor_orders(first);
        char *written = list ? json_dumps(list, 0) : NULL;
        if (!written || orders_parse(second, written) || second->order_count != first->order_count)
            abort();
        for (unsigned i = 0; i < first->order_count; i++)
            if (strcmp(first->orders[i]->what, second->orders[i]->what) != 0 ||
                first->orders[i]->forced.force != second->orders[i]->forced.force)
                abort();
        free(written);
        json_decref(list);
    }
    orders_fini(first);
    orders_fini(second);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    if (*text == '[') {
        orders(text);
    } else {
        struct gslb_monitor *m = monitor_new();
        memory_parse(m, text, size);
        memory_fini(&m->memory);
        free(m);
    }
    free(text);
    return 0;
}
