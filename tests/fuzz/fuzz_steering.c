/* folders: daemon gslb authority resolver config geo net */
/* Any text as a configuration: a plan that is made of it explains each of its names to clients of
 * both families, with everything up and with nothing. */
#include "daemon/steering.h"

#include "dns/type.h"
#include "gslb/explain.h"
#include "gslb/simulate.h"

#include <limits.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MOST 4096u /* a map of more rules takes its time */

static void explain_all(const struct gslb_plan *plan, struct gslb_worker *w, FILE *out)
{
    static const char *const froms[] = {"192.0.2.1", "2001:db8::1", "10.1.0.0/16"};
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_ANY, DNS_TYPE_TXT};
    for (unsigned i = 0; i < plan->name_count * 12; i++) {
        struct gslb_client client;
        if (gslb_client_parse(&client, froms[i % 3], true))
            abort();
        json_t *doc = gslb_explain(plan, w, i / 12, types[i / 3 % 4], &client, 100000, 1700000000);
        if (!doc)
            abort();
        gslb_explain_print(doc, out, i & 1);
        json_decref(doc);
    }
}

static void plan_use(const struct gslb_plan *plan, struct gslb_table *t)
{
    struct gslb_worker *w = calloc(1, sizeof *w);
    FILE *out = fopen("/dev/null", "we");
    if (!w || !out)
        abort();
    w->table = t;
    w->index = UINT_MAX;
    explain_all(plan, w, out);
    for (uint32_t slot = 0; slot < gslb_table_count(t); slot++)
        gslb_table_put(t, slot, &(struct gslb_view){.known = true});
    explain_all(plan, w, out);
    fclose(out);
    free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL;
    struct gslb_plan *plan = NULL;
    struct steering_place place = {.workers = 1};
    struct diag_list d;
    unsigned kept = 0;
    if (size > SIZE_MOST)
        return 0;
    if (gslb_table_new(&place.table))
        abort();
    diag_init(&d);
    int err = config_load_mem(&c, "fuzz", (const char *)data, size, &d);
    if (!err) {
        err = steering_build(&plan, c, NULL, &place, &d, &kept);
        if (err ? !d.errors : d.errors)
            abort();
    }
    if (plan) {
        plan_use(plan, place.table);
        part_unref(gslb_plan_part(plan));
    }
    config_free(c);
    gslb_table_free(place.table);
    diag_fini(&d);
    return 0;
}
