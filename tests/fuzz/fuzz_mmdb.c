/* folders: geo */
/* Any octets as a database of places: what loads answers for every network it has, the same as by
 * address, with clean texts and positions on the globe. */
#include "base/diag.h"
#include "geo/db.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_network(void *arg, const struct prefix *p, uint32_t value)
{
    const struct geo_db *db = arg;
    struct addr a = {.family = p->family};
    unsigned depth, shift;
    memcpy(a.ip, p->ip, sizeof a.ip);
    const struct geo_place *found = geo_db_find(db, &a, &depth);
    bool other = prefixes_canonical(&a, &shift).family != a.family;
    if (!other && found != (value == PREFIXES_NONE ? NULL : geo_db_place(db, value - 1)))
        abort();
    if (!other && depth < p->bits - (p->family == 4 ? 96u : 0u))
        abort();
}

static void check_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct geo_db_limits limits = {.table_bytes = 16u << 20};
    struct geo_db *db;
    struct diag_list d;
    diag_init(&d);
    int err = geo_db_load_mem(&db, "fuzz", data, size, &limits, &d);
    if (err ? !d.errors : d.errors)
        abort();
    if (!err) {
        for (unsigned i = 0; i < geo_db_places(db); i++) {
            const struct geo_place *p = geo_db_place(db, i);
            check_text(p->city);
            check_text(p->organisation);
            if (p->has_position && !(p->latitude >= -90 && p->latitude <= 90 &&
                                     p->longitude >= -180 && p->longitude <= 180))
                abort();
        }
        check_text(geo_db_info(db).type);
        check_text(geo_db_info(db).description);
        prefixes_each(geo_db_prefixes(db), on_network, db);
        geo_db_free(db);
    }
    diag_fini(&d);
    return 0;
}
