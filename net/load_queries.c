#include "net/load_queries.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "dns/msg_parse.h"
#include "dns/name.h"
#include "dns/type.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_MAX    48 /* OPT with one client's network */
#define TYPE_CACHED 12 /* octets of a type's text that is remembered */

struct load_queries {
    uint8_t *bytes; /* name, type, class of each */
    size_t len, cap;
    uint32_t *at; /* where each begins; one more: where the last ends */
    uint32_t count, room;
    uint16_t flags;
    bool fresh_label, subnet_random;
    unsigned tail_count; /* at least 1 */
    uint64_t seed;
    struct {
        uint8_t len, bytes[TAIL_MAX];
    } tails[LOAD_SUBNET_MAX];
};

/* ---- shape ---- */

static void write_tail(struct load_queries *q, struct edns e, const struct prefix *subnet)
{
    struct wcur w = wcur_of(q->tails[q->tail_count].bytes, TAIL_MAX);
    if (subnet) {
        bool four = subnet->family == 4;
        e.subnet = (struct edns_subnet){.family = four ? 1 : 2,
                                        .source = (uint8_t)(subnet->bits - (four ? 96 : 0))};
        memcpy(e.subnet.ip, subnet->ip + (four ? 12 : 0), four ? 4 : 16);
    }
    if (e.present)
        edns_write(&e, 0, 0, &w);
    q->tails[q->tail_count++].len = (uint8_t)wcur_len(&w);
}

struct load_queries *load_queries_new(const struct load_shape *shape)
{
    static const struct prefix random = {.family = 4, .bits = 96 + 24}; /* filled when written */
    struct load_queries *q = calloc(1, sizeof *q);
    uint32_t *at = calloc(2, sizeof *at);
    if (!q || !at) {
        free(q);
        free(at);
        return NULL;
    }
    q->at = at;
    q->room = 1;
    q->flags = shape->flags;
    q->fresh_label = shape->fresh_label;
    q->subnet_random = shape->subnet_random;
    q->seed = shape->seed;
    for (unsigned i = 0; !shape->subnet_random && i < shape->subnet_count; i++)
        write_tail(q, shape->edns, &shape->subnets[i]);
    if (!q->tail_count)
        write_tail(q, shape->edns, shape->subnet_random ? &random : NULL);
    return q;
}

void load_queries_free(struct load_queries *q)
{
    if (!q)
        return;
    free(q->bytes);
    free(q->at);
    free(q);
}

/* ---- filling ---- */

static int make_room(struct load_queries *q)
{
    if (q->cap - q->len < DNS_NAME_MAX + 4) {
        size_t cap = q->cap ? q->cap * 2 : 4096;
        uint8_t *bytes = realloc(q->bytes, cap);
        if (!bytes)
            return ERR_NOMEM;
        q->bytes = bytes;
        q->cap = cap;
    }
    if (q->count == q->room) {
        uint32_t room = q->room * 2;
        uint32_t *at = realloc(q->at, ((size_t)room + 1) * sizeof *at);
        if (!at)
            return ERR_NOMEM;
        q->at = at;
        q->room = room;
    }
    return q->len > UINT32_MAX - 2 * (DNS_NAME_MAX + 4) ? ERR_LIMIT : 0;
}

int load_queries_add(struct load_queries *q, const char *name, size_t len, uint16_t type)
{
    int err = make_room(q);
    if (err)
        return err;
    uint8_t *out = q->bytes + q->len;
    int n = dns_name_parse(out, name, len, NULL);
    if (n < 0)
        return n;
    if (q->fresh_label && n + 1 + LOAD_FRESH_LEN > DNS_NAME_MAX)
        return ERR_NAME_LONG;
    put_u16(out + n, type);
    put_u16(out + n + 2, DNS_CLASS_IN);
    q->len += (size_t)n + 4;
    q->at[++q->count] = (uint32_t)q->len;
    return 0;
}

/* Lines of a file mostly repeat the type of the line before. */
struct last_type {
    char text[TYPE_CACHED];
    size_t len;
    int type;
};

static int type_of(struct last_type *last, const char *text, size_t len)
{
    if (len == last->len && !memcmp(text, last->text, len))
        return last->type;
    int type = dns_type_parse(text, len);
    if (type >= 0 && len < TYPE_CACHED) {
        memcpy(last->text, text, len);
        last->len = len;
        last->type = type;
    }
    return type;
}

static void blame(struct diag_list *diags, struct diag_at *at, const char *word, size_t len,
                  const char *hint, const char *why)
{
    at->column = (unsigned)(word - at->source) + 1;
    at->width = (unsigned)len;
    at->hint = hint;
    diag_add(diags, DIAG_ERROR, at, "%s", why);
}

/* "name", "name type"; mistakes are said. ERR_NOMEM, ERR_LIMIT or 0. */
static int read_line(struct load_queries *q, struct last_type *last, struct diag_at *at,
                     struct diag_list *diags)
{
    static const char blank[] = " \t\r";
    const char *end = at->source + at->source_len, *word[3];
    size_t len[3];
    unsigned words = 0;
    for (const char *p = at->source; p < end && words < 3;) {
        p += strspn(p, blank);
        word[words] = p;
        len[words] = strcspn(p, " \t\r\n");
        p += len[words];
        words += len[words] > 0;
        if (*p == '\n' || !*p)
            break;
    }
    if (!words || *word[0] == '#' || *word[0] == ';')
        return 0;
    int type = words > 1 ? type_of(last, word[1], len[1]) : DNS_TYPE_A;
    if (type < 0) {
        blame(diags, at, word[1], len[1], "a line is \"name type\": www.example.com AAAA",
              "not a record type");
        return 0;
    }
    if (words > 2) {
        blame(diags, at, word[2], len[2], "a line is \"name type\", without anything behind it",
              "a word too many");
        return 0;
    }
    int err = load_queries_add(q, word[0], len[0], (uint16_t)type);
    if (err == ERR_NOMEM || err == ERR_LIMIT)
        return err;
    if (err)
        blame(diags, at, word[0], len[0], NULL, err_text(err));
    return 0;
}

int load_queries_read(struct load_queries *q, FILE *in, const char *file, struct diag_list *diags)
{
    struct last_type last = {.len = 0};
    struct diag_at at = {.file = file};
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    unsigned errors = diags->errors;
    uint32_t before = q->count;
    int err = 0;
    while (!err && (n = getline(&line, &cap, in)) >= 0) {
        at.line++;
        at.source = line;
        at.source_len = (size_t)n - (n && line[n - 1] == '\n');
        size_t text = strlen(line);
        if (text < (size_t)n)
            blame(diags, &at, line + text, 1, "is this a text file?", "a NUL octet");
        else
            err = read_line(q, &last, &at, diags);
    }
    free(line);
    if (!err && ferror(in))
        err = ERR_IO;
    if (!err && diags->errors > errors)
        err = ERR_SYNTAX;
    return err ? err : q->count == before ? ERR_NOT_FOUND : 0;
}

uint32_t load_queries_count(const struct load_queries *q)
{
    return q->count;
}

/* ---- one query ---- */

/* A label nobody asked for before: 60 bits of the mixed serial number, base 32. */
static void write_label(const struct load_queries *q, uint64_t serial, uint8_t *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint64_t v = hash_mix(q->seed + serial);
    out[0] = LOAD_FRESH_LEN;
    for (unsigned i = 1; i <= LOAD_FRESH_LEN; i++, v >>= 5)
        out[i] = (uint8_t)digits[v & 31];
}

/* Anything that can be a unicast network: 1.0.0.0/24 to 223.255.255.0/24. */
static void write_network(const struct load_queries *q, uint64_t serial, uint8_t out[3])
{
    uint64_t v = hash_mix(~q->seed + serial);
    out[0] = (uint8_t)(1 + (v >> 16 & 0xffff) % 223);
    out[1] = (uint8_t)(v >> 8);
    out[2] = (uint8_t)v;
}

size_t load_queries_write(const struct load_queries *q, uint32_t index, uint64_t serial,
                          uint16_t id, uint8_t out[LOAD_QUERY_MAX])
{
    unsigned tail = q->tail_count > 1 ? (unsigned)(serial % q->tail_count) : 0;
    size_t n = q->at[index + 1] - q->at[index], len = DNS_HEADER_LEN;
    put_u16(out, id);
    put_u16(out + 2, q->flags);
    put_u32(out + 4, 1u << 16);
    put_u32(out + 8, q->tails[tail].len > 0);
    if (q->fresh_label) {
        write_label(q, serial, out + len);
        len += 1 + LOAD_FRESH_LEN;
    }
    memcpy(out + len, q->bytes + q->at[index], n);
    len += n;
    memcpy(out + len, q->tails[tail].bytes, q->tails[tail].len);
    len += q->tails[tail].len;
    if (q->subnet_random)
        write_network(q, serial, out + len - 3);
    return len;
}

enum load_match load_queries_match(const struct load_queries *q, uint32_t index, uint64_t serial,
                                   const uint8_t *answer, size_t len)
{
    size_t n = q->at[index + 1] - q->at[index], at = DNS_HEADER_LEN;
    if (len < DNS_HEADER_LEN)
        return LOAD_MISMATCH;
    if (!get_u16(answer +
                 4)) /* RFC 1035 4.1.1: a server that could not read it has nothing to repeat */
        return answer[3] & 15 ? LOAD_MATCH_BARE : LOAD_MISMATCH;
    if (q->fresh_label) {
        uint8_t label[1 + LOAD_FRESH_LEN];
        write_label(q, serial, label);
        if (len < at + sizeof label || memcmp(answer + at, label, sizeof label))
            return LOAD_MISMATCH;
        at += sizeof label;
    }
    return len >= at + n && !memcmp(answer + at, q->bytes + q->at[index], n) ? LOAD_MATCH
                                                                             : LOAD_MISMATCH;
}
