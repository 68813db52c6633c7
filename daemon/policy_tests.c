/* Rows are read and judged one after the other; a wrong row is said and the next one read. */
#include "daemon/policy_tests.h"

#include "base/err.h"
#include "config/tree.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/type.h"
#include "gslb/explain.h"
#include "gslb/simulate.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX  (16u << 20)
#define SHARE_TOO 0.1 /* percent, without +- */

struct run {
    const struct gslb_plan *plan;
    struct gslb_table *table; /* a copy */
    const struct tree *tree;
    struct diag_list *diags;
    struct policy_tests *counts;
    struct gslb_worker worker;
    struct gslb_log log;
    struct gslb_answer answer;
    bool supposed; /* something is down in the table */
    bool wrong;    /* the file, not the policy */
    /* of the row */
    const struct config_node *row;
    uint16_t qtype;
    unsigned name;
    struct gslb_client client;
    bool row_wrong, row_failed;
};

/* ---- saying ---- */

static void place(const struct run *r, const struct config_node *at, struct diag_at *out)
{
    tree_place(r->tree, at->line, at->column, out);
    out->file = r->tree->name;
    out->width = at->text ? (unsigned)strlen(at->text) : 1;
}

static void __attribute__((format(printf, 4, 5)))
wrong(struct run *r, const struct config_node *at, const char *hint, const char *fmt, ...)
{
    struct diag_at where;
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    place(r, at, &where);
    where.hint = hint;
    diag_add(r->diags, DIAG_ERROR, &where, "%s", text);
    r->row_wrong = r->wrong = true;
}

/* A row that does not hold; the decision in one line is its hint. */
static void __attribute__((format(printf, 3, 4)))
unlike(struct run *r, const struct config_node *at, const char *fmt, ...)
{
    struct diag_at where;
    char text[512], line[512], name[DNS_NAME_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    gslb_explain_line(r->plan, &r->log, &r->answer, line, sizeof line);
    dns_name_print(r->plan->names[r->name].owner, name);
    place(r, at, &where);
    where.hint = line;
    diag_add(r->diags, DIAG_ERROR, &where, "%s %s", name, text);
    r->row_failed = true;
}

/* ---- the question ---- */

static const struct config_node *scalar(struct run *r, const char *key)
{
    const struct config_node *n = tree_child(r->row, key);
    if (n && n->kind != TREE_SCALAR) {
        wrong(r, n, NULL, "%s is one value", key);
        return NULL;
    }
    return n;
}

static void read_name(struct run *r)
{
    uint8_t owner[DNS_NAME_MAX];
    const struct config_node *n = scalar(r, "name"), *type = scalar(r, "type");
    r->qtype = DNS_TYPE_A;
    if (type) {
        int t = dns_type_parse(type->text, strlen(type->text));
        if (t < 0)
            wrong(r, type, NULL, "\"%s\" is no type", type->text);
        else
            r->qtype = (uint16_t)t;
    }
    if (!n) {
        wrong(r, r->row, NULL, "name is missing");
        return;
    }
    if (dns_name_parse(owner, n->text, strlen(n->text), NULL) < 0) {
        wrong(r, n, NULL, "\"%s\" is not a domain name", n->text);
        return;
    }
    dns_name_lower(owner, owner);
    int name = r->plan ? gslb_plan_name(r->plan, owner) : GSLB_NONE;
    if (name == GSLB_NONE)
        wrong(r, n, "it is declared under gslb.names", "\"%s\" is not steered", n->text);
    r->name = name == GSLB_NONE ? 0 : (unsigned)name;
}

static void read_client(struct run *r)
{
    const struct config_node *from = scalar(r, "from"), *ecs = scalar(r, "ecs");
    r->client = (struct gslb_client){.subnet.family = 0};
    if (!from && !ecs)
        wrong(r, r->row, NULL, "from or ecs is missing");
    if (ecs && gslb_client_parse(&r->client, ecs->text, true))
        wrong(r, ecs, NULL, "\"%s\" is not a network", ecs->text);
    if (from && addr_parse(&r->client.source, from->text, 0))
        wrong(r, from, NULL, "\"%s\" is not an address", from->text);
}

static void suppose(struct run *r, const struct config_node *n)
{
    if (n->kind != TREE_SCALAR) {
        wrong(r, n, NULL, "down names sites, pools or pool/member");
        return;
    }
    r->supposed = true;
    if (!gslb_suppose_down(r->plan, r->table, n->text))
        wrong(r, n, "sites, pools or pool/member", "there is no \"%s\" to be down", n->text);
}

static void read_down(struct run *r)
{
    const struct config_node *down = tree_child(r->row, "down");
    if (r->supposed)
        gslb_suppose_up(r->plan, r->table);
    r->supposed = false;
    if (down && down->kind == TREE_SCALAR)
        suppose(r, down);
    for (const struct config_node *n = down ? down->child : NULL; n; n = n->next)
        suppose(r, n);
}

/* ---- the expectations ---- */

static void expect_text(struct run *r, const char *key, const char *got)
{
    const struct config_node *n = scalar(r, key);
    if (n && strcmp(n->text, got) != 0)
        unlike(r, n, "want %s %s, got %s", key, n->text, got);
}

static void expect_places(struct run *r)
{
    const struct gslb_answer *a = &r->answer;
    static const char *const outcomes[] = {[GSLB_STATIC] = "static",
                                           [GSLB_SET] = "answer",
                                           [GSLB_NODATA] = "nodata",
                                           [GSLB_REFUSED] = "refused",
                                           [GSLB_FAILED] = "failed"};
    expect_text(r, "outcome", outcomes[a->outcome]);
    expect_text(r, "pool", a->pool == GSLB_NONE ? "none" : r->plan->pools[a->pool].name);
    expect_text(r, "site", a->site == GSLB_NONE ? "none" : r->plan->sites[a->site].name);
}

/* The number of a scalar node, or -1 with an error. */
static long number_of(struct run *r, const struct config_node *n)
{
    char *end;
    errno = 0;
    long v = n->text ? strtol(n->text, &end, 10) : -1;
    if (!n->text || end == n->text || *end || v < 0 || errno) {
        wrong(r, n, NULL, "a number is wanted");
        return -1;
    }
    return v;
}

static void expect_numbers(struct run *r)
{
    const struct config_node *scope = scalar(r, "scope"), *ttl = tree_child(r->row, "ttl");
    if (scope) {
        long want = number_of(r, scope);
        if (want >= 0 && want != r->answer.scope)
            unlike(r, scope, "want scope %ld, got %u", want, r->answer.scope);
    }
    if (!ttl)
        return;
    if (ttl->kind == TREE_MAP || (ttl->kind == TREE_SEQ && ttl->count != 2)) {
        wrong(r, ttl, NULL, "ttl is a number or [least, most]");
        return;
    }
    const struct config_node *low = ttl->kind == TREE_SEQ ? ttl->child : ttl,
                             *high = ttl->kind == TREE_SEQ ? ttl->child->next : ttl;
    long least = number_of(r, low), most = high == low ? least : number_of(r, high);
    if (least < 0 || most < 0)
        return;
    if (r->answer.ttl < (unsigned long)least || r->answer.ttl > (unsigned long)most)
        unlike(r, ttl, "want a ttl of %ld to %ld, got %u", least, most, (unsigned)r->answer.ttl);
}

/* The records of the answer as text, with a blank behind each. */
static void records_text(const struct gslb_answer *a, char *out, size_t cap)
{
    size_t len = 0;
    *out = '\0';
    if (a->outcome == GSLB_SET)
        DNS_RR_FOR (rd, &a->set) {
            int n = dns_rdata_print(a->set.type, rd.at, rd.len, out + len, cap - len - 1);
            if (n < 0)
                return; /* what is cut is not equal */
            len += (size_t)n;
            out[len++] = ' ';
            out[len] = '\0';
        }
}

static bool has_record(const char *records, const char *want)
{
    size_t len = strlen(want);
    for (const char *at = records; (at = strstr(at, want)); at += len)
        if ((at == records || at[-1] == ' ') && at[len] == ' ')
            return true;
    return false;
}

static void expect_answer(struct run *r)
{
    const struct config_node *answer = tree_child(r->row, "answer");
    char got[4096];
    if (!answer)
        return;
    bool one = answer->kind == TREE_SCALAR;
    unsigned want = one ? 1 : answer->count;
    records_text(&r->answer, got, sizeof got);
    unsigned have = r->answer.outcome == GSLB_SET ? r->answer.set.count : 0;
    if (want != have)
        unlike(r, answer, "want %u records, got %u: %s", want, have, got);
    for (const struct config_node *n = one ? answer : answer->child; n && want == have;
         n = n->next) {
        struct addr a;
        char text[ADDR_TEXT_MAX];
        const char *record = n->text ? n->text : "";
        if (!addr_parse(&a, record, 0)) /* as it is printed */
            record = addr_print(&a, text);
        if (!has_record(got, record)) {
            unlike(r, n, "want %s, got %s", record, got);
            return;
        }
        if (one)
            return;
    }
}

/* "75%", "75% +- 1%". */
static bool read_share(const char *text, double *share, double *around)
{
    char *end;
    *share = strtod(text, &end);
    *around = SHARE_TOO;
    if (end == text || *end++ != '%')
        return false;
    end += strspn(end, " ");
    if (!*end)
        return *share >= 0 && *share <= 100;
    if (strncmp(end, "+-", 2) != 0)
        return false;
    const char *second = end + 2;
    *around = strtod(second, &end);
    return end != second && !strcmp(end, "%") && *share >= 0 && *share <= 100 && *around >= 0;
}

static double odds_of(const struct run *r, const char *member, bool *found)
{
    const struct gslb_answer *a = &r->answer;
    *found = false;
    if (a->pool == GSLB_NONE)
        return 0;
    const struct gslb_pool *p = &r->plan->pools[a->pool];
    for (unsigned i = 0; i < p->endpoint_count; i++)
        if (!strcmp(p->endpoints[i].name, member)) {
            *found = true;
            return r->log.has_odds ? 100 * (double)r->log.odds[i] / 4294967296.0 : 0;
        }
    return 0;
}

static void expect_share(struct run *r)
{
    const struct config_node *share = tree_child(r->row, "share");
    double want, around;
    bool found;
    if (share && share->kind != TREE_MAP) {
        wrong(r, share, NULL, "share is { member: 75%% +- 1%% }");
        return;
    }
    for (const struct config_node *n = share ? share->child : NULL; n; n = n->next) {
        if (!n->text || !read_share(n->text, &want, &around)) {
            wrong(r, n, "75% or 75% +- 1%", "not a share");
            continue;
        }
        double got = odds_of(r, n->key, &found);
        if (!found)
            unlike(r, n, "want a share of %s, which the answering pool does not have", n->key);
        else if (fabs(got - want) > around)
            unlike(r, n, "want %g %% +- %g %% of %s, got %.4g %%", want, around, n->key, got);
    }
}

/* ---- rows ---- */

static void check_keys(struct run *r)
{
    static const char *const known[] = {"name", "type",  "from", "ecs",   "down",    "site",
                                        "pool", "share", "ttl",  "scope", "outcome", "answer"};
    enum { ASKING = 5 };
    bool expects = false;
    for (const struct config_node *n = r->row->child; n; n = n->next) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], n->key) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            wrong(r, n, "name type from ecs down; site pool answer share ttl scope outcome",
                  "there is no key \"%s\"", n->key);
        expects = expects || i >= ASKING;
    }
    if (!expects && !r->row_wrong)
        wrong(r, r->row, "site pool answer share ttl scope outcome", "the row expects nothing");
}

static void run_row(struct run *r)
{
    r->row_wrong = r->row_failed = false;
    r->counts->rows++;
    if (r->row->kind != TREE_MAP) {
        wrong(r, r->row, NULL, "a row is { name: ..., from: ..., site: ... }");
        return;
    }
    check_keys(r);
    read_name(r);
    read_client(r);
    if (r->plan)
        read_down(r);
    if (r->row_wrong)
        return;
    const struct gslb_ask ask = {.plan = r->plan,
                                 .name = r->name,
                                 .qtype = r->qtype,
                                 .client = &r->client,
                                 .dry = true,
                                 .log = &r->log};
    r->log.everybody = true;
    gslb_steer(&ask, &r->worker, &r->answer);
    expect_places(r);
    expect_answer(r);
    expect_share(r);
    expect_numbers(r);
    r->counts->failed += r->row_failed;
}

static int run_rows(struct run *r)
{
    const struct config_node *tests = tree_child(r->tree->root, "tests");
    if (!tests || tests->kind != TREE_SEQ) {
        wrong(r, tests ? tests : r->tree->root, NULL, "a file of policy tests is: tests: [ ... ]");
        return ERR_INVALID;
    }
    for (r->row = tests->child; r->row; r->row = r->row->next)
        run_row(r);
    return r->wrong ? ERR_INVALID : r->counts->failed ? ERR_MISMATCH : 0;
}

/* ---- the file ---- */

static int read_file(const char *path, char **text, size_t *len)
{
    FILE *f = fopen(path, "re");
    int err = f ? 0 : err_of_errno(errno);
    *text = NULL;
    *len = 0;
    if (f) {
        *text = malloc(FILE_MAX);
        *len = *text ? fread(*text, 1, FILE_MAX, f) : 0;
        err = !*text ? ERR_NOMEM : ferror(f) ? ERR_IO : *len == FILE_MAX ? ERR_LIMIT : 0;
        fclose(f);
    }
    return err;
}

static int run_tree(struct run *r, const struct gslb_table *t)
{
    int err = r->plan ? gslb_table_dup(t, &r->table) : 0;
    if (err)
        return err;
    r->worker.table = r->table;
    if (r->plan)
        gslb_suppose_up(r->plan, r->table);
    err = run_rows(r);
    if (r->table)
        gslb_table_free(r->table);
    return err;
}

int policy_tests_run(const struct gslb_plan *p, const struct gslb_table *t, const char *path,
                     struct diag_list *d, struct policy_tests *counts)
{
    char *text;
    size_t len;
    struct tree tree;
    *counts = (struct policy_tests){0};
    int err = read_file(path, &text, &len);
    if (err) {
        diag_add(d, DIAG_ERROR, &(struct diag_at){.file = path}, "%s", err_text(err));
        free(text);
        return err;
    }
    struct run *r = calloc(1, sizeof *r);
    err = tree_read(&tree, path, text, len, d);
    free(text);
    if (!err && !r)
        err = ERR_NOMEM;
    if (!err) {
        r->plan = p;
        r->tree = &tree;
        r->diags = d;
        r->counts = counts;
        err = run_tree(r, t);
    }
    tree_free(&tree);
    free(r);
    return err;
}
