/* A simulation as a document and as tables. */
#include "simulate_priv.h"

#include "dns/type.h"

#include <string.h>

static const char *const space_names[] = {"ipv4", "ipv6", "seen"};
static const char *const space_titles[] = {"IPv4", "IPv6", "seen"};

static json_t *spaces_json(const double v[GSLB_SPACES])
{
    json_t *o = json_object();
    for (unsigned k = 0; k < GSLB_SPACES; k++)
        json_object_set_new(o, space_names[k], json_real(v[k]));
    return o;
}

static json_t *rows_json(const struct gslb_share *rows, unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", rows[i].what, "before",
                                              spaces_json(rows[i].before), "after",
                                              spaces_json(rows[i].after)));
    return list;
}

json_t *gslb_simulation_json(const struct gslb_simulation *s)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < s->count; i++) {
        const struct gslb_name_shift *n = &s->names[i];
        char type[16];
        json_t *o = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "name", n->name, "type",
                              dns_type_print(n->qtype, type), "covered", (int)n->covered, "size",
                              spaces_json(n->size), "changed", spaces_json(n->changed), "sites",
                              rows_json(n->sites, n->site_count), "members",
                              rows_json(n->members, n->member_count));
        if (!o || json_array_append_new(names, o)) {
            json_decref(names);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "version", 1, "names", names);
}

/* ---- tables ---- */

static bool changes(const struct gslb_name_shift *n)
{
    for (unsigned k = 0; k < GSLB_SPACES; k++)
        if (n->changed[k] > 0)
            return true;
    return false;
}

static void print_row(FILE *out, const struct gslb_name_shift *n, const struct gslb_share *r,
                      int width)
{
    fprintf(out, "  %-*s", width, r->what);
    for (unsigned k = 0; k < GSLB_SPACES; k++) {
        if (n->size[k] <= 0)
            continue;
        fprintf(out, "   %6.2f → %6.2f %%", 100 * r->before[k], 100 * r->after[k]);
    }
    fputc('\n', out);
}

static void print_name(FILE *out, const struct gslb_name_shift *n)
{
    char type[16];
    int width = 12;
    fprintf(out, "%s %s   changes:", n->name, dns_type_print(n->qtype, type));
    for (unsigned k = 0; k < GSLB_SPACES; k++)
        if (n->size[k] > 0)
            fprintf(out, "  %s %.2f %%", space_titles[k], 100 * n->changed[k]);
    fprintf(out, "%s\n", n->covered ? "   (of the networks that are known)" : "");
    for (unsigned i = 0; i < n->member_count; i++)
        width = (int)strlen(n->members[i].what) > width ? (int)strlen(n->members[i].what) : width;
    fprintf(out, "  %-*s", width, "");
    for (unsigned k = 0; k < GSLB_SPACES; k++)
        if (n->size[k] > 0)
            fprintf(out, "   %-17s", space_titles[k]);
    fputc('\n', out);
    for (unsigned i = 0; i < n->site_count; i++)
        print_row(out, n, &n->sites[i], width);
    for (unsigned i = 0; i < n->member_count; i++)
        if (strchr(n->members[i].what, '/')) /* the others are in the sites' rows */
            print_row(out, n, &n->members[i], width);
}

void gslb_simulation_print(const struct gslb_simulation *s, FILE *out, bool all)
{
    unsigned same = 0;
    for (unsigned i = 0; i < s->count; i++) {
        if (all || changes(&s->names[i]))
            print_name(out, &s->names[i]);
        same += !changes(&s->names[i]);
    }
    fprintf(out, "%u of %u names change\n", s->count - same, s->count);
}
