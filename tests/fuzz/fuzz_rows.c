/* folders: geo */
/* Any octets as rows of networks and places: what is wrong is said, what is right is sorted, each
 * network once. */
#include "../../geo/rows_priv.h"

#include "base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows rows;
    struct diag_list d;
    char path[64];
    int fd = memfd_create("rows", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    diag_init(&d);
    int err = rows_read(&rows, path, &d);
    if (err ? !d.errors : d.errors)
        abort();
    for (size_t i = 1; !err && i < rows.count; i++) {
        const struct rows_row *a = &rows.at[i - 1], *b = &rows.at[i];
        int order = a->family != b->family ? a->family - b->family : memcmp(a->ip, b->ip, 16);
        if (order > 0 || (!order && a->bits >= b->bits))
            abort();
    }
    for (size_t i = 0; !err && i < rows.count; i++)
        if (rows.at[i].place != ROWS_BLANK && rows.at[i].place >= rows.places.place_count)
            abort();
    rows_fini(&rows);
    diag_fini(&d);
    close(fd);
    return 0;
}
