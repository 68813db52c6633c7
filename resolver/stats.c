#include "stats_priv.h"

#include "resolver/resolver.h"

const struct stat_row resolver_stat_rows[] = {
#define STAT_ROW(id, name, help) {name, help},
    STAT_MAP(STAT_ROW)
#undef STAT_ROW
#define CLASS_ROW(id, name, help) {"resolver_reply_" name "_total", "Upstream " help "."},
        CLASS_MAP(CLASS_ROW)
#undef CLASS_ROW
#define LIMIT_ROW(id, name, help) \
    {"resolver_limit_" name "_total", "Times a limit was hit: " help "."},
            LIMIT_MAP(LIMIT_ROW)
#undef LIMIT_ROW
};
const size_t resolver_stat_count = STAT_COUNT;

const char *class_name(enum reply_class c)
{
    static const char *const names[] = {
#define CLASS_NAME(id, name, help) name,
        CLASS_MAP(CLASS_NAME)
#undef CLASS_NAME
    };
    return names[c];
}

const char *limit_name(enum limit l)
{
    static const char *const names[] = {
#define LIMIT_NAME(id, name, help) name,
        LIMIT_MAP(LIMIT_NAME)
#undef LIMIT_NAME
    };
    return names[l];
}
