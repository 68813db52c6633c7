/* folders: config */
/* Any text as a configuration. */
#include "config/config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag_list diags;
    struct config *c = NULL;
    diag_init(&diags);
    config_load_mem(&c, "fuzz", (const char *)data, size, &diags);
    config_free(c);
    diag_fini(&diags);
    return 0;
}
