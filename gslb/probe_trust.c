/* Certificates that a check trusts, one store per file, read again when the file changed. libcurl
 * keeps only the store of the last file it read: checks that trust different files would read one
 * for each probe, and the system's takes longer than a turn of the loop may. */
#include "probe_priv.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct probe_trust {
    struct list link;
    X509_STORE *store;
    struct stat seen;
    char path[];
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void trust_drop(struct probe_trust *t)
{
    list_remove(&t->link);
    X509_STORE_free(t->store); /* connections have references of their own */
    free(t);
}

static struct probe_trust *trust_find(struct gslb_prober *p, const char *path)
{
    LIST_FOR (l, &p->trusts) {
        struct probe_trust *t = container_of(l, struct probe_trust, link);
        if (!strcmp(t->path, path))
            return t;
    }
    return NULL;
}

struct x509_store_st *probe_trust_get(struct gslb_prober *p, const char *path)
{
    struct stat now;
    struct probe_trust *t = trust_find(p, path);
    if (stat(path, &now))
        return NULL;
    if (t && same_file(&t->seen, &now))
        return t->store;
    if (t)
        trust_drop(t);
    t = calloc(1, sizeof *t + strlen(path) + 1);
    if (!t)
        return NULL;
    list_init(&t->link);
    strcpy(t->path, path);
    t->seen = now;
    t->store = X509_STORE_new();
    if (!t->store || X509_STORE_load_file(t->store, path) != 1) {
        ERR_clear_error();
        trust_drop(t);
        return NULL;
    }
    /* As libcurl does: an intermediate in the file is an anchor. */
    X509_STORE_set_flags(t->store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    list_push(&p->trusts, &t->link);
    return t->store;
}

void probe_trust_fini(struct gslb_prober *p)
{
    for (struct list *l; (l = list_first(&p->trusts));)
        trust_drop(container_of(l, struct probe_trust, link));
}
