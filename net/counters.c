#include "net/counters.h"

const struct stat_row net_stat_rows[NET_COUNTER_COUNT] = {
#define NET_ROW(id, name, help) {name, help},
    NET_COUNTERS(NET_ROW)
#undef NET_ROW
};
