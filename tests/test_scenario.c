/* Every tests/scenario/NN_name.txt is a story: servers, a question, and what must come of it. */
/* clang-format off
 *   title: TEXT                          said when it fails
 *   option NAME VALUE                    of resolver_options (yes, no, a number)
 *   forward ZONE ADDRESS...
 *   local NAME TYPE RDATA | local NAME nxdomain|nodata|refuse
 *   hints ADDRESS                        of the root, instead of 192.0.2.1 (a.root.)
 *   server ADDRESS [behaviour...]        dead udp-dead tcp-dead tcp-refused no-edns formerr-edns edns
 *                                        close-idle truncate wrong-id lower no-aa garbage empty flat
 *                                        cookies badcookie wrong-cookie cookie-rubbish
 *                                        subnets formerr-subnet refuse-subnet silent-subnet scope=N
 *                                        echo-family echo-source echo-address echo-rubbish echo
 *                                        rcode=N delay=MS drop=N upward=NAME
 *   zone NAME                            of the server above; then indented records:
 *     OWNER TTL TYPE RDATA               @10.1.0.0/16 in front: for clients from there
 *   extra                                indented records put into every additional section
 *   proof NAME                           indented records put into the authority section of replies about it
 *   ask NAME TYPE [norecurse|refresh|subnet NET] several questions follow one another
 *   burst N NAME TYPE [MS]               N questions at once, # in the name is the number; then MS go by
 *   networks N NAME TYPE                 N questions at once, each from a /24 of its own
 *   wait SECONDS                         time goes by
 *   expect rcode R | answer OWNER TTL TYPE RDATA | answers N | no-answer | authority OWNER TYPE |
 *          authorities N | additionals N |
 *          additional OWNER TYPE | ede CODE TEXT | queries N | tcp N | counter NAME N |
 *          at-least NAME N | cached yes|no | asked ADDRESS N | asked-most ADDRESS N |
 *          asked-least ADDRESS N | told ADDRESS N | scope N | trace TEXT | faster MS | done N | window ADDRESS N
 * Counters are those of the whole story. clang-format on */
/* folders: resolver net dns base */
#include "fakenet.h"

#include "base/diag.h"
#include "base/err.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "resolver/resolver.h"
#include "resolver/servers.h"
#include "resolver/trace.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES_MAX 64
#define PROOFS    8
#define TEXT_MAX  2048

struct story {
    const char *file;
    unsigned line;
    char title[256];
    struct fakenet net;
    struct wheel wheel;
    struct rng rng;
    struct resolver_options o;
    struct resolver *r;
    struct resolver_worker *w;
    struct stat_block *stats;
    struct fakenet_server *server;
    struct fakenet_zone *zone;
    struct fakenet_zone *proofs[PROOFS];
    unsigned proof_count;
    struct resolver_forward forward[4];
    uint8_t forward_zone[4][DNS_NAME_MAX];
    struct addr forward_servers[4][4];
    struct resolver_local local[8];
    uint8_t local_name[8][DNS_NAME_MAX], local_rdata[8][256];
    char hints[256];
    unsigned burst_good; /* answered with records */
    /* The last result. */
    bool done, from_cache;
    uint16_t rcode;
    uint8_t scope;
    unsigned answers, authorities, additionals, edes;
    int64_t took_ms;
    char answer[LINES_MAX][TEXT_MAX], authority[LINES_MAX][TEXT_MAX], additional[8][TEXT_MAX],
        ede[EDNS_EDE_MAX][256];
    char *trace;
    unsigned failures;
};

static void complain(struct story *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%u: %s: ", s->file, s->line, s->title);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    s->failures++;
}

static void to_name(struct story *s, const char *text, uint8_t out[DNS_NAME_MAX])
{
    if (dns_name_parse(out, text, strlen(text), NULL) < 0) {
        complain(s, "bad name %s", text);
        dns_name_copy(out, dns_name_root);
    }
}

static unsigned print_sets(const struct dns_rrset *sets, unsigned count, char lines[][TEXT_MAX],
                           unsigned max)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        DNS_RR_FOR (rd, &sets[i]) {
            char owner[DNS_NAME_TEXT_MAX], type[16], data[TEXT_MAX / 2] = "";
            if (n == max)
                return n;
            dns_name_print(sets[i].owner, owner);
            dns_rdata_print(sets[i].type, rd.at, rd.len, data, sizeof data);
            snprintf(lines[n++], TEXT_MAX, "%.200s %u %s %s", owner, sets[i].ttl,
                     dns_type_print(sets[i].type, type), data);
        }
    return n;
}

static void on_done(void *arg, const struct resolver_result *res)
{
    struct story *s = arg;
    s->done = true;
    s->rcode = res->rcode;
    s->scope = res->scope;
    s->from_cache = res->from_cache;
    s->took_ms = res->took_us / 1000;
    s->answers = print_sets(res->answer, res->answer_count, s->answer, LINES_MAX);
    s->authorities = print_sets(res->authority, res->authority_count, s->authority, LINES_MAX);
    s->additionals = print_sets(res->additional, res->additional_count, s->additional, 8);
    s->edes = res->ede_count;
    for (unsigned i = 0; i < res->ede_count; i++)
        snprintf(s->ede[i], sizeof s->ede[i], "%u %.*s", res->ede[i].code, res->ede[i].text_len,
                 res->ede[i].text ? res->ede[i].text : "");
    free(s->trace);
    s->trace = trace_json(res, dns_name_root, DNS_TYPE_A);
}

static void start(struct story *s)
{
    struct diag_list d;
    if (s->w)
        return;
    diag_init(&d);
    int err = resolver_new(&s->r, &s->o, &s->net.clock, &d);
    diag_print(&d, stderr, 0);
    diag_fini(&d);
    assert_int_equal(err, 0);
    assert_int_equal(resolver_worker_new(&s->w, s->r, &s->net.transport, &s->wheel, &s->rng,
                                         s->stats, NULL, NULL),
                     0);
}

static void to_subnet(struct story *s, const char *text, struct edns_subnet *out)
{
    struct prefix p;
    if (!text || prefix_parse(&p, text)) {
        complain(s, "bad network");
        return;
    }
    bool v4 = p.bits >= 96 && p.family == 4;
    *out =
        (struct edns_subnet){.family = v4 ? 1 : 2, .source = (uint8_t)(v4 ? p.bits - 96 : p.bits)};
    memcpy(out->ip, p.ip + (v4 ? 12 : 0), v4 ? 4 : 16);
}

static void ask(struct story *s, char *rest)
{
    char *name = strtok(rest, " "), *type = strtok(NULL, " "), *how = strtok(NULL, " ");
    uint8_t qname[DNS_NAME_MAX];
    struct request *req;
    to_name(s, name, qname);
    start(s);
    struct resolver_ask a = {.qname = qname,
                             .qtype = (uint16_t)dns_type_parse(type, strlen(type)),
                             .qclass = DNS_CLASS_IN,
                             .flags = how && !strcmp(how, "norecurse") ? 0 : DNS_FLAG_RD,
                             .refresh = how && !strcmp(how, "refresh"),
                             .trace = true};
    if (how && !strcmp(how, "subnet"))
        to_subnet(s, strtok(NULL, " "), &a.subnet);
    s->done = false;
    if (resolver_ask(s->w, &a, on_done, s, &req))
        complain(s, "resolver_ask failed");
    for (unsigned ms = 0; !s->done && ms < 10000; ms += 10)
        fakenet_run(&s->net, &s->wheel, 10);
    if (!s->done)
        complain(s, "no answer at all");
}

static void on_burst(void *arg, const struct resolver_result *res)
{
    struct story *s = arg;
    s->burst_good += res->rcode == DNS_RCODE_NOERROR && res->answer_count;
}

static void burst(struct story *s, char *rest)
{
    char pattern[128] = "", type[16] = "";
    unsigned n = 0, ms = 6500;
    sscanf(rest, "%u %127s %15s %u", &n, pattern, type, &ms);
    char *mark = strchr(pattern, '#');
    if (!mark) {
        complain(s, "bad burst");
        return;
    }
    start(s);
    s->burst_good = 0;
    for (unsigned i = 0; i < n; i++) {
        char text[160];
        uint8_t qname[DNS_NAME_MAX];
        struct request *req;
        snprintf(text, sizeof text, "%.*s%u%s", (int)(mark - pattern), pattern, i, mark + 1);
        to_name(s, text, qname);
        struct resolver_ask a = {.qname = qname,
                                 .qtype = (uint16_t)dns_type_parse(type, strlen(type)),
                                 .qclass = DNS_CLASS_IN,
                                 .flags = DNS_FLAG_RD};
        int err = resolver_ask(s->w, &a, on_burst, s, &req);
        if (err && err != ERR_LIMIT)
            complain(s, "resolver_ask failed");
    }
    fakenet_run(&s->net, &s->wheel, ms);
}

static void networks(struct story *s, char *rest)
{
    char name[128] = "", type[16] = "";
    uint8_t qname[DNS_NAME_MAX];
    unsigned n = 0;
    sscanf(rest, "%u %127s %15s", &n, name, type);
    to_name(s, name, qname);
    start(s);
    s->burst_good = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *req;
        struct resolver_ask a = {.qname = qname,
                                 .qtype = (uint16_t)dns_type_parse(type, strlen(type)),
                                 .qclass = DNS_CLASS_IN,
                                 .flags = DNS_FLAG_RD,
                                 .subnet = {.family = 1, .source = 24, .ip = {10, 9, (uint8_t)i}}};
        if (resolver_ask(s->w, &a, on_burst, s, &req))
            complain(s, "resolver_ask failed");
    }
    fakenet_run(&s->net, &s->wheel, 2000);
}

/* ---- the script's nouns ---- */

static void set_option(struct story *s, char *rest)
{
    struct resolver_options *o = &s->o;
    char name[64] = "", value[64] = "";
    sscanf(rest, "%63s %63s", name, value);
    bool yes = !strcmp(value, "yes");
    unsigned n = (unsigned)strtoul(value, NULL, 10);
    const struct {
        const char *name;
        bool *flag;
        uint16_t *u16;
        uint32_t *u32;
    } rows[] = {
        {"qname_minimisation", &o->qname_minimisation, NULL, NULL},
        {"case_randomisation", &o->case_randomisation, NULL, NULL},
        {"cookies", &o->cookies, NULL, NULL},
        {"priming", &o->priming, NULL, NULL},
        {"harden_glue", &o->harden_glue, NULL, NULL},
        {"full_responses", &o->full_responses, NULL, NULL},
        {"special_zones", &o->special_zones, NULL, NULL},
        {"use_ipv4", &o->use_ipv4, NULL, NULL},
        {"use_ipv6", &o->use_ipv6, NULL, NULL},
        {"ask_loopback", &o->ask_loopback, NULL, NULL},
        {"ask_private", &o->ask_private, NULL, NULL},
        {"total", NULL, &o->limits.total, NULL},
        {"walk", NULL, &o->limits.walk, NULL},
        {"ns_addr", NULL, &o->limits.ns_addr, NULL},
        {"ns_names", NULL, &o->limits.ns_names, NULL},
        {"ns_names_step", NULL, &o->limits.ns_names_step, NULL},
        {"ns_set", NULL, &o->limits.ns_set, NULL},
        {"aliases", NULL, &o->limits.aliases, NULL},
        {"bytes", NULL, NULL, &o->limits.bytes},
        {"query_ms", NULL, NULL, &o->limits.query_ms},
        {"ttl_min", NULL, NULL, &o->ttl_min_s},
        {"ttl_max", NULL, NULL, &o->ttl_max_s},
        {"ttl_negative_max", NULL, NULL, &o->ttl_negative_max_s},
        {"steps", NULL, NULL, &o->limits.steps},
        {"in_flight", NULL, NULL, &o->limits.in_flight},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name)) {
            if (rows[i].flag)
                *rows[i].flag = yes;
            else if (rows[i].u16)
                *rows[i].u16 = (uint16_t)n;
            else
                *rows[i].u32 = n;
            return;
        }
    complain(s, "no option %s", name);
}

static void add_server(struct story *s, char *rest)
{
    struct addr a;
    char *word = strtok(rest, " ");
    if (!word || addr_parse(&a, word, 53)) {
        complain(s, "bad address");
        return;
    }
    struct fakenet_server *x = s->server = fakenet_server(&s->net, &a);
    s->zone = NULL;
    const struct {
        const char *word;
        bool *flag;
    } rows[] = {{"dead", &x->dead},
                {"udp-dead", &x->udp_dead},
                {"tcp-dead", &x->tcp_dead},
                {"tcp-refused", &x->tcp_refused},
                {"no-edns", &x->no_edns},
                {"formerr-edns", &x->formerr_edns},
                {"truncate", &x->truncate},
                {"wrong-id", &x->wrong_id},
                {"lower", &x->lower},
                {"no-aa", &x->no_aa},
                {"garbage", &x->garbage},
                {"empty", &x->empty},
                {"cookies", &x->cookies},
                {"badcookie", &x->badcookie},
                {"wrong-cookie", &x->wrong_cookie},
                {"cookie-rubbish", &x->cookie_rubbish},
                {"flat", &x->flat},
                {"subnets", &x->subnets},
                {"formerr-subnet", &x->formerr_subnet},
                {"refuse-subnet", &x->refuse_subnet},
                {"silent-subnet", &x->silent_subnet},
                {"close-idle", &x->close_idle}};
    while ((word = strtok(NULL, " "))) {
        bool known = false;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (!strcmp(rows[i].word, word))
                known = *rows[i].flag = true;
        static const char *const echoes[] = {"echo", "echo-family", "echo-source", "echo-address",
                                             "echo-rubbish"};
        for (unsigned i = 0; i < sizeof echoes / sizeof *echoes; i++)
            if (!strcmp(echoes[i], word))
                known = true, x->echo = i;
        if (!strcmp(word, "alive"))
            known = true, x->dead = false;
        if (!strcmp(word, "edns"))
            known = true, x->no_edns = x->formerr_edns = false;
        if (sscanf(word, "rcode=%d", &x->rcode) == 1 ||
            sscanf(word, "delay=%d", &x->delay_ms) == 1 ||
            sscanf(word, "drop=%d", &x->drop_first) == 1 ||
            sscanf(word, "scope=%d", &x->scope) == 1)
            known = true;
        if (!strncmp(word, "upward=", 7)) {
            x->upward = malloc(DNS_NAME_MAX);
            to_name(s, word + 7, x->upward);
            known = true;
        }
        if (!known)
            complain(s, "no behaviour %s", word);
    }
}

static void add_record(struct story *s, char *text)
{
    char owner[512], type[32];
    struct edns_subnet net = {0};
    unsigned ttl;
    int at = 0;
    uint8_t rd[4096];
    size_t bad;
    const char *why = "";
    struct fakenet_zone *z = s->zone;
    char *end = *text == '@' ? strchr(text, ' ') : NULL;
    if (end) {
        *end = 0;
        to_subnet(s, text + 1, &net);
        text = end + 1;
    }
    if (!z || sscanf(text, "%511s %u %31s %n", owner, &ttl, type, &at) != 3 ||
        z->count == FAKENET_RECORDS) {
        complain(s, "bad record");
        return;
    }
    int t = dns_type_parse(type, strlen(type));
    int len = t < 0 ? t
                    : dns_rdata_parse((uint16_t)t, text + at, strlen(text + at), dns_name_root, rd,
                                      sizeof rd, &bad, &why);
    if (len < 0) {
        complain(s, "bad record data: %s", why);
        return;
    }
    struct fakenet_rr *rr = &z->rr[z->count++];
    to_name(s, owner, rr->owner);
    rr->type = (uint16_t)t;
    rr->ttl = ttl;
    rr->net = net;
    rr->rdlen = (uint16_t)len;
    rr->rdata = malloc((size_t)len + 1);
    memcpy(rr->rdata, rd, (size_t)len);
}

static void add_forward(struct story *s, char *rest)
{
    unsigned n = s->o.forward_count++;
    to_name(s, strtok(rest, " "), s->forward_zone[n]);
    s->forward[n].zone = s->forward_zone[n];
    s->forward[n].servers = s->forward_servers[n];
    for (char *a; (a = strtok(NULL, " "));)
        if (addr_parse(&s->forward_servers[n][s->forward[n].server_count++], a, 53))
            complain(s, "bad address");
    s->o.forward = s->forward;
}

static void add_local(struct story *s, char *rest)
{
    unsigned n = s->o.local_count++;
    char *name = strtok(rest, " "), *type = strtok(NULL, " "), *data = strtok(NULL, "");
    struct resolver_local *l = &s->local[n];
    size_t bad;
    const char *why;
    to_name(s, name, s->local_name[n]);
    l->name = s->local_name[n];
    l->ttl = 60;
    s->o.local = s->local;
    if (data) {
        l->type = (uint16_t)dns_type_parse(type, strlen(type));
        int len = dns_rdata_parse(l->type, data, strlen(data), dns_name_root, s->local_rdata[n],
                                  256, &bad, &why);
        l->rdata = s->local_rdata[n];
        l->rdlen = (uint16_t)len;
    } else {
        l->action = !strcmp(type, "refuse")   ? LOCAL_REFUSE
                    : !strcmp(type, "nodata") ? LOCAL_NODATA
                                              : LOCAL_NXDOMAIN;
    }
}

/* ---- proofs: the servers sign nothing themselves ---- */

static void add_proof(struct story *s, const char *name)
{
    if (s->proof_count == PROOFS) {
        complain(s, "too many proofs");
        return;
    }
    s->zone = s->proofs[s->proof_count++] = calloc(1, sizeof *s->zone);
    to_name(s, name, s->zone->apex);
}

static void write_section(struct dns_writer *w, const struct dns_msg *m, uint8_t section,
                          struct arena *a)
{
    struct dns_rrset *sets = NULL;
    int n = dns_msg_rrsets(m, section, a, &sets);
    for (int i = 0; i < n; i++)
        dns_writer_rrset(w, section, &sets[i], sets[i].owner, sets[i].ttl, 0);
}

static void write_proof(struct dns_writer *w, const struct fakenet_rr *rr)
{
    uint8_t rd[4096];
    put_u16(rd, rr->rdlen);
    memcpy(rd + 2, rr->rdata, rr->rdlen);
    struct dns_rrset set = {
        .rdata = rd, .size = rr->rdlen + 2u, .type = rr->type, .cls = DNS_CLASS_IN, .count = 1};
    dns_writer_rrset(w, DNS_SECTION_AUTHORITY, &set, rr->owner, rr->ttl, 0);
}

/* The same reply, with the proof in it. */
static size_t prove(struct fakenet *n, uint8_t *reply, size_t len)
{
    struct story *s = container_of(n, struct story, net);
    struct dns_writer *w = malloc(sizeof *w);
    struct dns_msg m;
    struct arena a;
    uint8_t *out = malloc(65535);
    arena_init(&a, 0, 0);
    const struct fakenet_zone *z = NULL;
    if (!dns_msg_parse(&m, reply, len, &a, 1024) && m.qname)
        for (unsigned i = 0; i < s->proof_count; i++)
            if (dns_name_equal(s->proofs[i]->apex, m.qname))
                z = s->proofs[i];
    if (z) {
        dns_writer_init(w, out, 65535);
        dns_writer_question(w, m.qname, m.qtype, m.qclass);
        write_section(w, &m, DNS_SECTION_ANSWER, &a);
        write_section(w, &m, DNS_SECTION_AUTHORITY, &a);
        for (unsigned i = 0; i < z->count; i++)
            write_proof(w, &z->rr[i]);
        write_section(w, &m, DNS_SECTION_ADDITIONAL, &a);
        len = dns_writer_finish(w, m.id, m.flags, m.rcode, m.edns.present ? &m.edns : NULL, 0);
        memcpy(reply, out, len);
    }
    arena_fini(&a);
    free(out);
    free(w);
    return len;
}

/* ---- expectations ---- */

static void dump(struct story *s)
{
    if (getenv("SCENARIO_TRACE") && s->trace)
        fprintf(stderr, "%s", s->trace);
}

static bool has_line(char lines[][TEXT_MAX], unsigned n, const char *want)
{
    for (unsigned i = 0; i < n; i++)
        if (!strcasecmp(lines[i], want))
            return true;
    return false;
}

static void expect_number(struct story *s, const char *what, uint64_t got, uint64_t want)
{
    if (got != want)
        complain(s, "%s is %llu, not %llu", what, (unsigned long long)got,
                 (unsigned long long)want);
}

static void expect_counter(struct story *s, const char *rest, bool at_least)
{
    char name[96];
    unsigned want;
    if (sscanf(rest, "%95s %u", name, &want) != 2) {
        complain(s, "bad expectation");
        return;
    }
    for (size_t i = 0; i < resolver_stat_count; i++)
        if (!strcmp(resolver_stat_rows[i].name, name)) {
            uint64_t got = stat_get(s->stats, (unsigned)i);
            if (!at_least || got < want)
                expect_number(s, name, got, want);
            return;
        }
    complain(s, "no counter %s", name);
}

static void expect_beside(struct story *s, const char *rest, char lines[][TEXT_MAX], unsigned count)
{
    char owner[256], type[32], start_of[300];
    sscanf(rest, "%255s %31s", owner, type);
    for (unsigned i = 0; i < count; i++) {
        char o[256], t[32];
        if (sscanf(lines[i], "%255s %*u %31s", o, t) == 2 && !strcasecmp(o, owner) &&
            !strcmp(t, type))
            return;
    }
    snprintf(start_of, sizeof start_of, "%s", rest);
    complain(s, "no record %s beside the answer", start_of);
}

static void expect_window(struct story *s, const char *rest)
{
    char text[64];
    unsigned want;
    struct addr a;
    struct server_info info;
    if (sscanf(rest, "%63s %u", text, &want) != 2 || addr_parse(&a, text, 53)) {
        complain(s, "bad expectation");
        return;
    }
    servers_look(resolver_servers(s->r), &a, NULL, s->net.now_us / 1000, &info);
    expect_number(s, "window", info.window, want);
}

static void expect_told(struct story *s, const char *rest)
{
    char text[64];
    unsigned want;
    struct addr a;
    if (sscanf(rest, "%63s %u", text, &want) != 2 || addr_parse(&a, text, 53)) {
        complain(s, "bad expectation");
        return;
    }
    expect_number(s, "networks told", fakenet_server(&s->net, &a)->told, want);
}

/* At least so often, at most, or both. */
static void expect_asked(struct story *s, const char *rest, bool least, bool most)
{
    char text[64];
    unsigned want;
    struct addr a;
    if (sscanf(rest, "%63s %u", text, &want) == 2 && !addr_parse(&a, text, 53)) {
        unsigned got = fakenet_server(&s->net, &a)->asked;
        if ((least && got < want) || (most && got > want))
            expect_number(s, text, got, want);
    } else {
        complain(s, "bad expectation");
    }
}

static void expect(struct story *s, char *rest)
{
    char rcode[32], *arg = strchr(rest, ' ');
    unsigned before = s->failures;
    if (arg)
        *arg++ = 0;
    else
        arg = rest + strlen(rest);
    unsigned n = (unsigned)strtoul(arg, NULL, 10);
    if (!strcmp(rest, "rcode")) {
        if (strcmp(dns_rcode_print(s->rcode, rcode), arg))
            complain(s, "rcode is %s, not %s (ede %s)", rcode, arg, s->edes ? s->ede[0] : "none");
    } else if (!strcmp(rest, "answer")) {
        if (!has_line(s->answer, s->answers, arg))
            complain(s, "no answer '%s' among %u, the first is '%s'", arg, s->answers,
                     s->answers ? s->answer[0] : "");
    } else if (!strcmp(rest, "no-answer")) {
        expect_number(s, "answer records", s->answers, 0);
    } else if (!strcmp(rest, "answers")) {
        expect_number(s, "answer records", s->answers, n);
    } else if (!strcmp(rest, "authorities")) {
        expect_number(s, "authority records", s->authorities, n);
    } else if (!strcmp(rest, "additionals")) {
        expect_number(s, "additional records", s->additionals, n);
    } else if (!strcmp(rest, "authority")) {
        expect_beside(s, arg, s->authority, s->authorities);
    } else if (!strcmp(rest, "additional")) {
        expect_beside(s, arg, s->additional, s->additionals);
    } else if (!strcmp(rest, "ede")) {
        bool hit = false;
        for (unsigned i = 0; i < s->edes; i++)
            hit = hit || !strcmp(s->ede[i], arg);
        if (!hit)
            complain(s, "no ede '%s', the first is '%s'", arg, s->edes ? s->ede[0] : "");
    } else if (!strcmp(rest, "queries")) {
        expect_number(s, "queries sent", s->net.sent, n);
    } else if (!strcmp(rest, "tcp")) {
        expect_number(s, "queries over TCP", s->net.sent_tcp, n);
    } else if (!strcmp(rest, "counter")) {
        expect_counter(s, arg, false);
    } else if (!strcmp(rest, "at-least")) {
        expect_counter(s, arg, true);
    } else if (!strcmp(rest, "cached")) {
        expect_number(s, "from cache", s->from_cache, !strcmp(arg, "yes"));
    } else if (!strcmp(rest, "asked")) {
        expect_asked(s, arg, true, true);
    } else if (!strcmp(rest, "asked-least")) {
        expect_asked(s, arg, true, false);
    } else if (!strcmp(rest, "asked-most")) {
        expect_asked(s, arg, false, true);
    } else if (!strcmp(rest, "told")) {
        expect_told(s, arg);
    } else if (!strcmp(rest, "scope")) {
        expect_number(s, "scope", s->scope, n);
    } else if (!strcmp(rest, "window")) {
        expect_window(s, arg);
    } else if (!strcmp(rest, "done")) {
        expect_number(s, "answered questions", s->burst_good, n);
    } else if (!strcmp(rest, "faster")) {
        if (s->took_ms >= n)
            complain(s, "took %d ms, not less than %u", (int)s->took_ms, n);
    } else if (!strcmp(rest, "trace")) {
        if (!s->trace || !strstr(s->trace, arg))
            complain(s, "the trace has no %s", arg);
    } else {
        complain(s, "no expectation %s", rest);
    }
    if (s->failures > before)
        dump(s);
}

static void obey(struct story *s, char *line)
{
    uint8_t name[DNS_NAME_MAX];
    if (*line == ' ' || *line == '\t') {
        add_record(s, line + strspn(line, " \t"));
        return;
    }
    char *rest = strchr(line, ' ');
    if (rest)
        *rest++ = 0;
    else
        rest = line + strlen(line);
    if (!strcmp(line, "title:"))
        snprintf(s->title, sizeof s->title, "%s", rest);
    else if (!strcmp(line, "option"))
        set_option(s, rest);
    else if (!strcmp(line, "server"))
        add_server(s, rest);
    else if (!strcmp(line, "zone") && s->server) {
        to_name(s, rest, name);
        s->zone = fakenet_zone(s->server, name);
    } else if (!strcmp(line, "extra") && s->server)
        s->zone = s->server->extra = calloc(1, sizeof *s->zone);
    else if (!strcmp(line, "proof"))
        add_proof(s, rest);
    else if (!strcmp(line, "forward"))
        add_forward(s, rest);
    else if (!strcmp(line, "local"))
        add_local(s, rest);
    else if (!strcmp(line, "ask"))
        ask(s, rest);
    else if (!strcmp(line, "burst"))
        burst(s, rest);
    else if (!strcmp(line, "networks"))
        networks(s, rest);
    else if (!strcmp(line, "hints")) {
        bool v6 = strchr(rest, ':') != NULL;
        snprintf(s->hints, sizeof s->hints, ". 3600 NS a.root.\na.root. 3600 %s %s\n",
                 v6 ? "AAAA" : "A", rest);
        s->o.hints_text = s->hints;
    } else if (!strcmp(line, "wait"))
        fakenet_run(&s->net, &s->wheel, strtol(rest, NULL, 10) * 1000);
    else if (!strcmp(line, "expect"))
        expect(s, rest);
    else
        complain(s, "no word %s", line);
}

/* Plays one script; returns the number of failures and adds its counters to the sum. */
static unsigned play(const char *file, uint64_t *sum)
{
    struct story *s = calloc(1, sizeof *s);
    char line[4096];
    s->file = file;
    fakenet_init(&s->net);
    s->net.mutate = prove;
    wheel_init(&s->wheel, s->net.now_us / 1000);
    rng_init_fixed(&s->rng, 7);
    resolver_options_default(&s->o);
    s->o.priming = false;
    s->o.hints_text = ". 3600 NS a.root.\na.root. 3600 A 192.0.2.1\n";
    s->o.cache_bytes = 4 << 20;
    s->stats = stat_new(resolver_stat_rows, resolver_stat_count);
    FILE *f = fopen(file, "r");
    if (!f)
        complain(s, "cannot be read");
    while (f && fgets(line, sizeof line, f)) {
        s->line++;
        line[strcspn(line, "\r\n")] = 0;
        if (*line && *line != '#')
            obey(s, line);
    }
    if (f)
        fclose(f);
    for (size_t i = 0; i < resolver_stat_count; i++)
        sum[i] += stat_get(s->stats, (unsigned)i);
    resolver_worker_free(s->w);
    resolver_free(s->r);
    stat_free(s->stats);
    fakenet_fini(&s->net);
    for (unsigned i = 0; i < s->proof_count; i++) {
        for (unsigned j = 0; j < s->proofs[i]->count; j++)
            free(s->proofs[i]->rr[j].rdata);
        free(s->proofs[i]);
    }
    free(s->trace);
    unsigned failures = s->failures;
    free(s);
    return failures;
}

static void all_scenarios(void **state)
{
    (void)state;
    glob_t g;
    uint64_t sum[256] = {0};
    unsigned failures = 0;
    const char *only = getenv("SCENARIO");
    assert_true(resolver_stat_count < 256);
    assert_int_equal(glob(WAYPOST_SOURCE_DIR "/tests/scenario/*.txt", 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 60);
    for (size_t i = 0; i < g.gl_pathc; i++)
        if (!only || strstr(g.gl_pathv[i], only))
            failures += play(g.gl_pathv[i], sum);
    globfree(&g);
    /* Every class of reply and every limit has its story. */
    for (size_t i = 0; !only && i < resolver_stat_count; i++) {
        const char *name = resolver_stat_rows[i].name;
        bool must = !strncmp(name, "resolver_reply_", 15) || !strncmp(name, "resolver_limit_", 15);
        if (must && !sum[i]) {
            fprintf(stderr, "no scenario hits %s\n", name);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_scenarios)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
