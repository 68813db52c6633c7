#include "book_priv.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

#define TTL_MAX 86400u /* a change on the other side is seen within a day, whatever it promised */

/* ---- networks ---- */

static uint64_t word(const uint8_t ip[16], unsigned half)
{
    return get_u64(ip + half * 8);
}

int book_network_cmp(const struct prefix *a, const struct prefix *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    for (unsigned i = 0; i < 2; i++)
        if (word(a->ip, i) != word(b->ip, i))
            return word(a->ip, i) < word(b->ip, i) ? -1 : 1;
    return (int)a->bits - b->bits;
}

/* Leading bits that both addresses share. */
static unsigned shared_bits(const uint8_t a[16], const uint8_t b[16])
{
    for (unsigned i = 0; i < 2; i++)
        if (word(a, i) != word(b, i))
            return i * 64 + (unsigned)__builtin_clzll(word(a, i) ^ word(b, i));
    return 128;
}

bool book_network_has(const struct prefix *a, const struct prefix *b)
{
    return a->family == b->family && a->bits <= b->bits && shared_bits(a->ip, b->ip) >= a->bits;
}

struct prefix book_network_cut(const struct prefix *n, uint8_t bits)
{
    struct prefix out = *n;
    if (bits >= n->bits)
        return out;
    out.bits = bits;
    memset(out.ip + (bits + 7) / 8, 0, 16u - (bits + 7u) / 8);
    if (bits % 8)
        out.ip[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
    return out;
}

bool book_network_of(struct prefix *n, const struct edns_subnet *s)
{
    unsigned most = s->family == 1 ? 32 : 128;
    if ((s->family != 1 && s->family != 2) || !s->source || s->source > most)
        return false;
    *n = (struct prefix){.family = s->family == 1 ? 4 : 6, .bits = 128};
    if (s->family == 1) {
        n->ip[10] = n->ip[11] = 0xff;
        memcpy(n->ip + 12, s->ip, 4);
    } else {
        memcpy(n->ip, s->ip, 16);
    }
    *n = book_network_cut(n, (uint8_t)(s->source + book_base(n->family)));
    return true;
}

struct edns_subnet book_subnet_of(const struct prefix *n)
{
    struct edns_subnet s = {.family = n->family == 4 ? 1 : 2,
                            .source = (uint8_t)(n->bits - book_base(n->family))};
    if (n->family == 4)
        memcpy(s.ip, n->ip + 12, 4);
    else
        memcpy(s.ip, n->ip, 16);
    return s;
}

/* ---- sets ---- */

static void set_free(struct part *p)
{
    free(container_of(p, struct book_set, part));
}

/* One family's records, where they come from. */
struct source {
    const uint8_t *rdata;
    size_t record;
    uint16_t count;
    uint32_t learnt_s;
};

static struct source fetched_source(const struct dns_rrset *set, size_t record, uint32_t now_s)
{
    struct source s = {.record = record, .learnt_s = now_s};
    if (set && set->size == set->count * record) {
        s.rdata = set->rdata;
        s.count = set->count < GSLB_TARGET_ADDRESSES ? set->count : GSLB_TARGET_ADDRESSES;
    }
    return s;
}

static struct source kept_source(const struct book_set *before, unsigned family, size_t record,
                                 uint32_t now_s)
{
    struct source s = {.record = record};
    if (!before || now_s - before->learnt_s[family] >= GSLB_TARGET_STALE_S)
        return s;
    s.rdata = before->rdata + (family ? before->size[0] : 0);
    s.count = before->count[family];
    s.learnt_s = before->learnt_s[family];
    return s;
}

struct book_set *book_set_new(const struct gslb_fetched *f, const struct book_set *before,
                              uint32_t now_s)
{
    const struct dns_rrset *sets[2] = {f->a, f->aaaa};
    struct source from[2];
    size_t size = 0;
    for (unsigned i = 0; i < 2; i++) {
        size_t record = i ? 18 : 6;
        from[i] = f->err && !sets[i] ? kept_source(before, i, record, now_s)
                                     : fetched_source(sets[i], record, now_s);
        size += from[i].count * record;
    }
    struct book_set *s = calloc(1, sizeof *s + size);
    if (!s)
        return NULL;
    part_init(&s->part, set_free);
    s->ttl = !f->ttl ? 1 : f->ttl < TTL_MAX ? f->ttl : TTL_MAX;
    s->fetched_s = now_s;
    s->expires_s = now_s + s->ttl;
    uint8_t *at = s->rdata;
    for (unsigned i = 0; i < 2; i++) {
        s->count[i] = from[i].count;
        s->size[i] = (uint16_t)(from[i].count * from[i].record);
        s->learnt_s[i] = from[i].learnt_s;
        if (from[i].count)
            memcpy(at, from[i].rdata, s->size[i]);
        at += s->size[i];
    }
    return s;
}

/* ---- books ---- */

static void book_free(struct part *p)
{
    struct book *b = container_of(p, struct book, part);
    book_set_unref(b->everybody);
    for (uint32_t i = 0; i < b->count; i++)
        book_set_unref(b->networks[i].set);
    free(b);
}

struct book *book_new(uint32_t count)
{
    struct book *b = calloc(1, sizeof *b + count * sizeof *b->networks);
    if (b) {
        part_init(&b->part, book_free);
        b->count = count;
    }
    return b;
}

void book_finish(struct book *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        uint32_t around = i ? i - 1 : BOOK_NONE;
        while (around != BOOK_NONE &&
               !book_network_has(&b->networks[around].net, &b->networks[i].net))
            around = b->networks[around].parent;
        b->networks[i].parent = around;
    }
}

/* How long a prefix of the client's address must be to have nothing of this network in it. When the
 * address itself lies there (the client's network is the wider one): at least as long as that. */
static uint8_t bits_apart(const struct prefix *n, const struct prefix *client)
{
    unsigned shared = shared_bits(n->ip, client->ip);
    return (uint8_t)(shared < n->bits ? shared + 1 : n->bits);
}

struct book_set *book_find(const struct book *b, const struct prefix *client, uint8_t *bits)
{
    uint32_t low = 0, high = b->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (book_network_cmp(&b->networks[mid].net, client) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    /* Of all networks beside the client's, those next to it in order share most bits with it. */
    uint32_t before = low ? low - 1 : BOOK_NONE, at = before;
    while (at != BOOK_NONE && !book_network_has(&b->networks[at].net, client))
        at = b->networks[at].parent;
    if (at == BOOK_NONE)
        return NULL;
    const struct book_network *found = &b->networks[at];
    uint8_t most = found->net.bits;
    if (before != at)
        most = bits_apart(&b->networks[before].net, client);
    if (low < b->count && book_network_has(&found->net, &b->networks[low].net)) {
        uint8_t apart = bits_apart(&b->networks[low].net, client);
        most = apart > most ? apart : most;
    }
    *bits = most;
    return found->set;
}
