/* One table drives writing and reading: trace_add() follows the row's field types, trace_json()
 * walks the same row. "events" is the log as it was written; "hops" is the same log regrouped, one
 * object for each question at a zone cut. */
#include "trace_priv.h"

#include "base/cursor.h"
#include "dns/name.h"
#include "dns/rdata.h"
#include "dns/text.h"
#include "dns/type.h"
#include "resolver/resolver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD      8
#define FIXED_MAX 19 /* octets of a field but names and texts */

static const struct {
    const char *name;
    char types[TRACE_FIELDS_MAX + 1];
    const char *fields;
} rows[TRACE_KINDS] = {
#define TRACE_ROW(id, name, types, fields) [TRACE_##id] = {name, types, fields},
    TRACE_MAP(TRACE_ROW)
#undef TRACE_ROW
};

void trace_reset(struct trace *t)
{
    t->len = 0;
    t->lost = 0;
}

void trace_fini(struct trace *t)
{
    free(t->at);
    memset(t, 0, sizeof *t);
}

/* The buffer grows by doubling up to the bound; what does not fit is counted. */
static bool grow(struct trace *t, size_t need)
{
    size_t cap = t->cap ? t->cap * 2 : 4096;
    while (cap < need)
        cap *= 2;
    if (need > TRACE_BYTES_MAX)
        return false;
    uint8_t *at = realloc(t->at, cap);
    if (!at)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

/* Octets of variable length and a length octet before them (text); NULL: no room. Behind them there
 * is room for all other fields of the event. */
static uint8_t *put_bytes(struct trace *t, uint8_t *p, bool text, const void *bytes, size_t len)
{
    size_t at = (size_t)(p - t->at), need = at + 1 + len + (size_t)TRACE_FIELDS_MAX * FIXED_MAX;
    if (need > t->cap && !grow(t, need))
        return NULL;
    p = t->at + at;
    if (text)
        *p++ = (uint8_t)len;
    if (len)
        memcpy(p, bytes, len);
    return p + len;
}

static uint8_t *put_addr(uint8_t *p, const struct addr *a)
{
    static const struct addr none;
    a = a ? a : &none;
    p[0] = a->family;
    memcpy(p + 1, a->ip, sizeof a->ip);
    put_u16(p + 17, a->port);
    return p + FIXED_MAX;
}

/* Many for each question of a client: straight into the buffer, and room is looked for only where a
 * field has no fixed length. */
void trace_add(struct trace *t, enum trace_kind kind, unsigned iter, int64_t at_us, ...)
{
    size_t need = t->len + HEAD + (size_t)TRACE_FIELDS_MAX * FIXED_MAX;
    uint8_t *p = need <= t->cap || grow(t, need) ? t->at + t->len + HEAD : NULL;
    va_list ap;
    va_start(ap, at_us);
    for (const char *type = rows[kind].types; p && *type; type++) {
        const char *text;
        const uint8_t *name;
        size_t len;
        switch (*type) {
        case 'u':
            put_u32(p, va_arg(ap, unsigned));
            p += 4;
            break;
        case 'c':
            text = va_arg(ap, const char *);
            memcpy(p, &text, sizeof text);
            p += sizeof text;
            break;
        case 'n':
            name = va_arg(ap, const uint8_t *);
            name = name ? name : dns_name_root;
            p = put_bytes(t, p, false, name, dns_name_len(name));
            break;
        case 't':
            put_u16(p, (uint16_t)va_arg(ap, unsigned));
            p += 2;
            break;
        case 'a':
            p = put_addr(p, va_arg(ap, const struct addr *));
            break;
        default:
            text = va_arg(ap, const char *);
            len = text ? strlen(text) : 0;
            p = put_bytes(t, p, true, text, len > 255 ? 255 : len);
        }
    }
    va_end(ap);
    if (!p) {
        t->lost++;
        return;
    }
    uint8_t *head = t->at + t->len;
    put_u16(head, (uint16_t)(p - head));
    head[2] = (uint8_t)kind;
    head[3] = (uint8_t)iter;
    put_u32(head + 4, (uint32_t)(at_us < 0 ? 0 : at_us));
    t->len += (size_t)(p - head);
}

/* ---- reading ---- */

static void get_field(struct rcur *c, struct trace_field *f)
{
    if (f->type == 'u') {
        f->number = rcur_u32(c);
    } else if (f->type == 't') {
        f->number = rcur_u16(c);
    } else if (f->type == 'n') {
        f->len = 0;
        if (dns_name_skip_plain(c, &f->bytes) < 0)
            f->bytes = dns_name_root;
    } else if (f->type == 'a') {
        memset(&f->addr, 0, sizeof f->addr);
        f->addr.family = rcur_u8(c);
        const uint8_t *ip = rcur_take(c, 16);
        if (ip)
            memcpy(f->addr.ip, ip, 16);
        f->addr.port = rcur_u16(c);
    } else if (f->type == 'c') {
        const uint8_t *at = rcur_take(c, sizeof f->bytes);
        if (at)
            memcpy(&f->bytes, at, sizeof f->bytes);
        f->len = f->bytes ? strlen((const char *)f->bytes) : 0;
    } else {
        f->len = rcur_u8(c);
        f->bytes = rcur_take(c, f->len);
    }
}

bool trace_next(const struct resolver_result *res, size_t *at, struct trace_event *e)
{
    if (!res->trace || *at + HEAD > res->trace_len)
        return false;
    size_t len = get_u16(res->trace + *at);
    if (len < HEAD || *at + len > res->trace_len || res->trace[*at + 2] >= TRACE_KINDS)
        return false;
    struct rcur c = rcur_of(res->trace + *at, len);
    *at += len;
    rcur_u16(&c);
    e->kind = rcur_u8(&c);
    e->iter = rcur_u8(&c);
    e->at_us = rcur_u32(&c);
    e->count = 0;
    const char *name = rows[e->kind].fields;
    for (const char *type = rows[e->kind].types; *type; type++) {
        struct trace_field *x = &e->f[e->count++];
        *x = (struct trace_field){.type = *type, .name = name};
        x->name_len = (int)strcspn(name, " ");
        name += x->name_len + (name[x->name_len] == ' ');
        get_field(&c, x);
    }
    return !rcur_err(&c);
}

static void print_text(FILE *o, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    fputc('"', o);
    for (size_t i = 0; p && i < len; i++) {
        if (p[i] == '"' || p[i] == '\\')
            fprintf(o, "\\%c", p[i]);
        else if (p[i] < 0x20 || p[i] > 0x7e) /* names and texts may hold any octet */
            fprintf(o, "\\u%04x", p[i]);
        else
            fputc(p[i], o);
    }
    fputc('"', o);
}

static void print_name(FILE *o, const uint8_t *name)
{
    char text[DNS_NAME_TEXT_MAX];
    print_text(o, text, dns_name_print(name, text));
}

static bool is_millis(const struct trace_field *f)
{
    return f->name_len > 3 && !memcmp(f->name + f->name_len - 3, "_us", 3);
}

/* Microseconds are shown as milliseconds under the same name. */
static void print_field(FILE *o, const struct trace_field *f)
{
    char text[ADDR_TEXT_MAX];
    bool millis = is_millis(f);
    fprintf(o, "\"%.*s%s\":", f->name_len - (millis ? 3 : 0), f->name, millis ? "_ms" : "");
    if (millis)
        fprintf(o, "%" PRIu32 ".%03" PRIu32, f->number / 1000, f->number % 1000);
    else if (f->type == 'u')
        fprintf(o, "%" PRIu32, f->number);
    else if (f->type == 't')
        fprintf(o, "\"%s\"", f->number ? dns_type_print((uint16_t)f->number, text) : "*");
    else if (f->type == 'n')
        print_name(o, f->bytes);
    else if (f->type == 'a')
        fprintf(o, "\"%s\"", f->addr.family ? addr_print_port(&f->addr, text) : "");
    else
        print_text(o, f->bytes, f->len);
}

static void print_range(FILE *o, const struct trace_event *e, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to && i < e->count; i++) {
        fputc(',', o);
        print_field(o, &e->f[i]);
    }
}

static void print_fields(FILE *o, const struct trace_event *e, unsigned from)
{
    print_range(o, e, from, e->count);
}

static void print_events(FILE *o, const struct resolver_result *res)
{
    struct trace_event e = {0};
    bool more = false;
    fputs("\"events\":[", o);
    for (size_t at = 0; trace_next(res, &at, &e); more = true) {
        fprintf(o, "%s{\"event\":\"%s\",\"iter\":%u,\"at_ms\":%" PRIu32 ".%03" PRIu32,
                more ? "," : "", rows[e.kind].name, e.iter, e.at_us / 1000, e.at_us % 1000);
        print_fields(o, &e, 0);
        fputc('}', o);
    }
    fputc(']', o);
}

/* Is it an event of hop seq, of the kind asked for? */
static bool of_hop(const struct trace_event *e, enum trace_kind kind, uint32_t seq)
{
    return e->kind == kind && e->f[0].number == seq;
}

/* The attempt whose reply was classified: the row's last field. */
static uint32_t class_n(const struct trace_event *e)
{
    return e->f[e->count - 1].number;
}

static void print_attempts(FILE *o, const struct resolver_result *res, uint32_t seq)
{
    struct trace_event e = {0}, end = {0};
    bool more = false;
    fputs(",\"attempts\":[", o);
    for (size_t at = 0; trace_next(res, &at, &e);) {
        if (!of_hop(&e, TRACE_SEND, seq))
            continue;
        fprintf(o, "%s{\"at_ms\":%" PRIu32 ".%03" PRIu32, more ? "," : "", e.at_us / 1000,
                e.at_us % 1000);
        print_fields(o, &e, 1);
        /* A late reply overrides the timeout before it, hence the last outcome counts. */
        struct trace_event last = {.kind = TRACE_KINDS};
        for (size_t from = at; trace_next(res, &from, &end);)
            if (of_hop(&end, TRACE_OUTCOME, seq) && end.f[1].number == e.f[1].number)
                last = end;
        if (last.kind == TRACE_OUTCOME)
            print_fields(o, &last, 2);
        for (size_t from = at; trace_next(res, &from, &end);) /* what its reply meant */
            if (of_hop(&end, TRACE_CLASS, seq) && class_n(&end) == e.f[1].number)
                print_range(o, &end, 1, end.count - 1);
        fputc('}', o);
        more = true;
    }
    fputc(']', o);
}

/* The hop's events of one kind as an array of objects. */
static void print_hop_list(FILE *o, const struct resolver_result *res, enum trace_kind kind,
                           uint32_t seq, const char *name)
{
    struct trace_event e = {0};
    bool more = false;
    fprintf(o, ",\"%s\":[", name);
    for (size_t at = 0; trace_next(res, &at, &e);)
        if (of_hop(&e, kind, seq)) {
            fprintf(o, "%s{", more ? "," : "");
            print_field(o, &e.f[1]);
            print_fields(o, &e, 2);
            fputc('}', o);
            more = true;
        }
    fputc(']', o);
}

/* What the same walk read from the cache on its way to this hop: since its hop before. */
static void print_reads(FILE *o, const struct resolver_result *res, const struct trace_event *hop)
{
    struct trace_event e = {0};
    size_t from = 0;
    bool more = false;
    for (size_t at = 0; trace_next(res, &at, &e) && !of_hop(&e, TRACE_HOP, hop->f[0].number);)
        if (e.kind == TRACE_HOP && e.iter == hop->iter)
            from = at;
    fputs(",\"cache_reads\":[", o);
    while (trace_next(res, &from, &e) && !of_hop(&e, TRACE_HOP, hop->f[0].number))
        if (e.kind == TRACE_PROBE && e.iter == hop->iter) {
            fprintf(o, "%s{", more ? "," : "");
            print_field(o, &e.f[0]);
            print_fields(o, &e, 1);
            fputc('}', o);
            more = true;
        }
    fputc(']', o);
}

/* The last attempt's transport, whether TC led to TCP, and the pools after it. */
static void print_end(FILE *o, const struct resolver_result *res, uint32_t seq)
{
    struct trace_event e = {0}, class = {.kind = TRACE_KINDS}, sent = {.kind = TRACE_KINDS};
    uint32_t octets = 0, here = 0;
    bool truncated = false, tcp = false;
    for (size_t at = 0; trace_next(res, &at, &e);) {
        if (e.kind == TRACE_OUTCOME)
            octets += e.f[4].number;
        if (of_hop(&e, TRACE_OUTCOME, seq))
            here = octets;
        if (of_hop(&e, TRACE_CLASS, seq)) {
            class = e;
            truncated = truncated || e.f[4].number;
        }
        if (of_hop(&e, TRACE_SEND, seq)) {
            sent = e;
            tcp = tcp || (truncated && e.f[2].len == 3 && !memcmp(e.f[2].bytes, "tcp", 3));
        }
    }
    if (sent.kind == TRACE_SEND)
        print_range(o, &sent, 2, 3);
    if (class.kind == TRACE_CLASS)
        print_range(o, &class, 1, class.count - 1);
    fprintf(o, ",\"tc_to_tcp\":%s", tcp ? "true" : "false");
    if (sent.kind == TRACE_SEND) {
        fputs(",\"budget\":{", o);
        print_field(o, &sent.f[8]);
        print_range(o, &sent, 9, 11);
        fprintf(o, ",\"bytes\":%" PRIu32 "}", here);
    }
}

static void print_hop(FILE *o, const struct resolver_result *res, const struct trace_event *hop,
                      const struct trace_path *path)
{
    struct trace_event e = {0};
    uint32_t seq = hop->f[0].number;
    bool chosen = false;
    fprintf(o, "{\"iter\":%u,\"at_ms\":%" PRIu32 ".%03" PRIu32, hop->iter, hop->at_us / 1000,
            hop->at_us % 1000);
    print_fields(o, hop, 0);
    for (size_t at = 0; !chosen && trace_next(res, &at, &e);)
        if ((chosen = of_hop(&e, TRACE_CHOICE, seq)))
            print_fields(o, &e, 1);
    print_hop_list(o, res, TRACE_WEIGH, seq, "considered");
    print_attempts(o, res, seq);
    print_end(o, res, seq);
    fprintf(o, ",\"critical\":%s", trace_path_has(path, seq) ? "true" : "false");
    print_reads(o, res, hop);
    print_hop_list(o, res, TRACE_WRITE, seq, "cache_writes");
    fputc('}', o);
}

/* All events of one kind as an array, or (last) the last one as an object. */
static void print_kind(FILE *o, const struct resolver_result *res, enum trace_kind kind, bool last)
{
    struct trace_event e, keep = {.kind = TRACE_KINDS};
    bool more = false;
    fputc(last ? '{' : '[', o);
    for (size_t at = 0; trace_next(res, &at, &e);) {
        if (e.kind != kind)
            continue;
        keep = e;
        if (last)
            continue;
        fprintf(o, "%s{", more ? "," : "");
        print_field(o, &e.f[0]);
        print_fields(o, &e, 1);
        fputc('}', o);
        more = true;
    }
    if (last && keep.kind == kind) {
        print_field(o, &keep.f[0]);
        print_fields(o, &keep, 1);
    }
    fputc(last ? '}' : ']', o);
}

static void print_set(FILE *o, const struct dns_rrset *set, bool *more)
{
    DNS_RR_FOR (rd, set) {
        struct dns_rr rr = {.owner = set->owner,
                            .rdata = rd.at,
                            .ttl = set->ttl,
                            .type = set->type,
                            .cls = set->cls,
                            .rdlen = rd.len};
        size_t cap = 4u * rd.len + DNS_NAME_TEXT_MAX + 128;
        char *text = malloc(cap);
        if (!text)
            return;
        int len = dns_text_rr(&rr, text, cap);
        if (*more)
            fputc(',', o);
        print_text(o, text, len < 0 ? 0 : (size_t)len < cap ? (size_t)len : cap - 1);
        *more = true;
        free(text);
    }
}

static void print_result(FILE *o, const struct resolver_result *res, const uint8_t *qname,
                         uint16_t qtype)
{
    char text[32];
    fputs("{\"version\":1,\"question\":{\"name\":", o);
    print_name(o, qname);
    fprintf(o, ",\"type\":\"%s\"}", dns_type_print(qtype, text));
    fprintf(o, ",\"rcode\":\"%s\"", dns_rcode_print(res->rcode, text));
    fprintf(o, ",\"took_ms\":%" PRId64 ".%03" PRId64 ",\"from_cache\":%s", res->took_us / 1000,
            res->took_us % 1000, res->from_cache ? "true" : "false");
    bool more = false;
    fputs(",\"answer\":[", o);
    for (unsigned i = 0; i < res->answer_count; i++)
        print_set(o, &res->answer[i], &more);
    more = false;
    fputs("],\"authority\":[", o);
    for (unsigned i = 0; i < res->authority_count; i++)
        print_set(o, &res->authority[i], &more);
    fputs("],\"ede\":", o);
    print_kind(o, res, TRACE_EDE, false);
    fputs(",", o);
}

static void print_path(FILE *o, const struct trace_path *path)
{
    static const char *const names[] = {"work", "reply", "wait"};
    fputs(",\"critical_path\":[", o);
    for (unsigned i = 0; i < path->count; i++) {
        const struct trace_span *s = &path->spans[i];
        fprintf(o,
                "%s{\"what\":\"%s\",\"at_ms\":%" PRIu32 ".%03" PRIu32 ",\"ms\":%" PRIu32
                ".%03" PRIu32,
                i ? "," : "", names[s->what], s->from_us / 1000, s->from_us % 1000,
                (s->to_us - s->from_us) / 1000, (s->to_us - s->from_us) % 1000);
        if (s->what == TRACE_SPAN_REPLY)
            fprintf(o, ",\"seq\":%" PRIu32 ",\"n\":%" PRIu32, s->seq, s->n);
        fputc('}', o);
    }
    fputc(']', o);
}

char *trace_json(const struct resolver_result *res, const uint8_t *qname, uint16_t qtype)
{
    char *out = NULL;
    size_t len = 0;
    FILE *o = open_memstream(&out, &len);
    if (!o)
        return NULL;
    struct trace_event e = {0};
    unsigned sent = 0;
    bool more = false;
    struct trace_path path;
    trace_path_make(&path, res);
    print_result(o, res, qname, qtype);
    print_events(o, res);
    fputs(",\"hops\":[", o);
    for (size_t at = 0; trace_next(res, &at, &e);) {
        sent += e.kind == TRACE_SEND;
        if (e.kind != TRACE_HOP)
            continue;
        if (more)
            fputc(',', o);
        print_hop(o, res, &e, &path);
        more = true;
    }
    fputc(']', o);
    print_path(o, &path);
    trace_path_free(&path);
    fputs(",\"budget\":", o);
    print_kind(o, res, TRACE_BUDGET, true);
    fputs(",\"cache_reads\":", o);
    print_kind(o, res, TRACE_PROBE, false);
    fputs(",\"limits\":", o);
    print_kind(o, res, TRACE_LIMIT, false);
    fprintf(o, ",\"counts\":{\"queries\":%u}}\n", sent);
    bool bad = ferror(o) != 0;
    if (fclose(o) || bad) {
        free(out);
        return NULL;
    }
    return out;
}
