#include "cputime_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TREE_MAX 1024

struct tree {
    pid_t pids[TREE_MAX];
    unsigned count;
};

static int64_t cputime_of(pid_t pid)
{
    clockid_t clock;
    struct timespec ts;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The kernel lists children by the thread that started them. */
static void add_children(struct tree *t, pid_t pid)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (struct dirent *e; threads && (e = readdir(threads));) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, e->d_name);
        FILE *f = *e->d_name == '.' ? NULL : fopen(path, "re");
        char word[24];
        while (f && t->count < TREE_MAX && fscanf(f, "%23s", word) == 1)
            t->pids[t->count++] = (pid_t)strtol(word, NULL, 10);
        if (f)
            fclose(f);
    }
    if (threads)
        closedir(threads);
}

int64_t cputime_of_tree(pid_t pid)
{
    struct tree t = {.pids = {pid}, .count = 1};
    int64_t sum = 0;
    for (unsigned i = 0; i < t.count; i++) {
        int64_t ns = cputime_of(t.pids[i]);
        if (ns < 0 && !i)
            return -1;
        sum += ns > 0 ? ns : 0;
        add_children(&t, t.pids[i]);
    }
    return sum;
}
