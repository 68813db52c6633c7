#include "dns/msg_write.h"

#include "base/hash.h"
#include "dns/msg_parse.h"
#include "dns/rdata.h"

#define COMPRESS_TARGETS (DNS_COMPRESS_SLOTS / 2)
#define COMPRESS_OFFSET  0x3fff

void dns_writer_init(struct dns_writer *w, uint8_t *buf, size_t cap)
{
    w->out = wcur_of(buf, cap);
    memset(w->counts, 0, sizeof w->counts);
    w->reserved = w->targets = w->question = 0;
    w->compress = w->entered = true;
    memset(w->used, 0, sizeof w->used);
    wcur_room(&w->out, DNS_HEADER_LEN);
}

void dns_writer_reserve(struct dns_writer *w, size_t n)
{
    n = n < wcur_left(&w->out) ? n : wcur_left(&w->out);
    w->reserved = (uint16_t)n;
    w->out.end -= n;
}

/* Does the name written at `offset` (labels, perhaps ending in a pointer) equal the plain name? */
static bool equals_written(const struct dns_writer *w, unsigned offset, const uint8_t *name)
{
    const uint8_t *start = w->out.start, *p = start + offset;
    for (unsigned hops = 0;;) {
        if ((*p & 0xc0) == 0xc0) {
            if (++hops > DNS_LABELS_MAX)
                return false;
            p = start + (get_u16(p) & COMPRESS_OFFSET);
            continue;
        }
        uint8_t n = *p;
        if (n != *name)
            return false;
        if (!n)
            return true;
        /* Octets, not letters: the case of what is written must survive. */
        if (memcmp(p + 1, name + 1, n) != 0)
            return false;
        p += 1 + n;
        name += 1 + n;
    }
}

/* Offset of an equal name written before, or 0 after entering this one at `here` (0: not to be
 * entered). */
static unsigned compress_find(struct dns_writer *w, const uint8_t *suffix, uint64_t hash,
                              size_t here)
{
    unsigned slot = (unsigned)hash % DNS_COMPRESS_SLOTS;
    uint16_t check = (uint16_t)(hash >> 48);
    for (;; slot = (slot + 1) % DNS_COMPRESS_SLOTS) {
        uint64_t bit = 1ULL << (slot % 64);
        if (!(w->used[slot / 64] & bit)) {
            if (here && here <= COMPRESS_OFFSET && w->targets < COMPRESS_TARGETS) {
                w->used[slot / 64] |= bit;
                w->table[slot].check = check;
                w->table[slot].offset = (uint16_t)here;
                w->targets++;
            }
            return 0;
        }
        if (w->table[slot].check == check && w->table[slot].offset < wcur_len(&w->out) &&
            equals_written(w, w->table[slot].offset, suffix))
            return w->table[slot].offset;
    }
}

/* Takes back the targets at or beyond `len`. A broken probe chain only costs a later match. */
static void compress_forget(struct dns_writer *w, size_t len)
{
    for (unsigned slot = 0; slot < DNS_COMPRESS_SLOTS; slot++) {
        uint64_t bit = 1ULL << (slot % 64);
        if (w->used[slot / 64] & bit && w->table[slot].offset >= len) {
            w->used[slot / 64] &= ~bit;
            w->targets--;
        }
    }
}

/* One hash per suffix, from the root up, each built from the one before: linear in the name. */
static unsigned suffixes(const uint8_t *name, uint8_t offsets[DNS_LABELS_MAX + 1],
                         uint64_t hashes[DNS_LABELS_MAX + 1])
{
    unsigned n = dns_name_offsets(name, offsets);
    uint64_t h = 0;
    for (unsigned i = n; i-- > 0;)
        hashes[i] = h = hash_bytes(name + offsets[i], 1u + name[offsets[i]], h + 1);
    return n;
}

/* Only when a name comes that is not the question's: most answers have none. */
static void enter_question(struct dns_writer *w)
{
    uint8_t offsets[DNS_LABELS_MAX + 1];
    uint64_t hashes[DNS_LABELS_MAX + 1];
    const uint8_t *name = w->out.start + DNS_HEADER_LEN;
    unsigned n = suffixes(name, offsets, hashes);
    w->entered = true;
    for (unsigned i = 0; i < n; i++)
        (void)compress_find(w, name + offsets[i], hashes[i], DNS_HEADER_LEN + offsets[i]);
}

static void write_name(struct dns_writer *w, const uint8_t *name)
{
    size_t len = dns_name_len(name);
    if (!w->compress) {
        wcur_bytes(&w->out, name, len);
        return;
    }
    /* Octets, not letters, as in equals_written. */
    if (len == w->question && len > 1 && !memcmp(w->out.start + DNS_HEADER_LEN, name, len)) {
        wcur_u16(&w->out, 0xc000 | DNS_HEADER_LEN);
        return;
    }
    if (!w->entered)
        enter_question(w);
    uint8_t offsets[DNS_LABELS_MAX + 1];
    uint64_t hashes[DNS_LABELS_MAX + 1];
    unsigned n = suffixes(name, offsets, hashes), plain = n, to = 0;
    size_t at = wcur_len(&w->out);
    for (unsigned i = 0; i < n; i++) {
        to = compress_find(w, name + offsets[i], hashes[i], at + offsets[i]);
        if (to) {
            plain = i;
            break;
        }
    }
    wcur_bytes(&w->out, name, offsets[plain]);
    if (to)
        wcur_u16(&w->out, (uint16_t)(0xc000 | to));
    else
        wcur_u8(&w->out, 0);
}

int dns_writer_question(struct dns_writer *w, const uint8_t *qname, uint16_t qtype, uint16_t qclass)
{
    size_t len = dns_name_len(qname);
    bool first = wcur_len(&w->out) == DNS_HEADER_LEN;
    uint8_t *p = wcur_room(&w->out, len + 4);
    w->counts[DNS_SECTION_QUESTION]++;
    if (!p)
        return wcur_err(&w->out);
    memcpy(p, qname, len);
    put_u16(p + len, qtype);
    put_u16(p + len + 2, qclass);
    if (first) {
        w->question = (uint16_t)len;
        w->entered = false;
    }
    return 0;
}

static void write_rdata(struct dns_writer *w, uint16_t type, struct dns_rd rd)
{
    uint16_t names[2];
    unsigned n = w->compress ? dns_rdata_compressible(type, rd.at, rd.len, names) : 0;
    if (!n) {
        uint8_t *p = wcur_room(&w->out, 2u + rd.len);
        if (!p)
            return;
        put_u16(p, rd.len);
        if (rd.len)
            memcpy(p + 2, rd.at, rd.len);
        return;
    }
    uint8_t *rdlen = wcur_room(&w->out, 2);
    size_t start = wcur_len(&w->out), done = 0;
    for (unsigned i = 0; i < n; i++) {
        wcur_bytes(&w->out, rd.at + done, names[i] - done);
        write_name(w, rd.at + names[i]);
        done = names[i] + dns_name_len(rd.at + names[i]);
    }
    wcur_bytes(&w->out, rd.at + done, rd.len - done);
    if (rdlen && !w->out.err)
        put_u16(rdlen, (uint16_t)(wcur_len(&w->out) - start));
}

int dns_writer_rrset(struct dns_writer *w, enum dns_section section, const struct dns_rrset *set,
                     const uint8_t *owner, uint32_t ttl, unsigned first)
{
    if (w->out.err)
        return w->out.err;
    uint8_t *mark = w->out.at;
    const uint8_t *p = set->rdata;
    for (unsigned skip = set->count ? first % set->count : 0; skip; skip--)
        dns_rd_next(&p);
    for (unsigned i = 0; i < set->count; i++) {
        if (p == set->rdata + set->size)
            p = set->rdata;
        struct dns_rd rd = dns_rd_next(&p);
        write_name(w, owner);
        uint8_t *fixed = wcur_room(&w->out, 8);
        if (!fixed)
            break;
        put_u16(fixed, set->type);
        put_u16(fixed + 2, set->cls);
        put_u32(fixed + 4, ttl);
        write_rdata(w, set->type, rd);
        if (w->out.err)
            break;
    }
    if (w->out.err) {
        w->out.at = mark;
        w->out.err = 0;
        compress_forget(w, wcur_len(&w->out));
        return ERR_SPACE;
    }
    w->counts[section] = (uint16_t)(w->counts[section] + set->count);
    return 0;
}

size_t dns_writer_finish(struct dns_writer *w, uint16_t id, uint16_t flags, uint16_t rcode,
                         const struct edns *e, unsigned pad_to)
{
    w->out.end += w->reserved;
    w->reserved = 0;
    w->out.err = 0;
    if (e && e->present) {
        uint8_t *mark = w->out.at;
        edns_write(e, rcode, pad_to, &w->out);
        if (w->out.err) { /* options are a courtesy: a bare OPT is not */
            struct edns bare = {.present = true, .size = e->size, .dnssec_ok = e->dnssec_ok};
            w->out.at = mark;
            w->out.err = 0;
            edns_write(&bare, rcode, 0, &w->out);
        }
        if (w->out.err)
            w->out.at = mark;
        else
            w->counts[DNS_SECTION_ADDITIONAL]++;
    }
    uint8_t *h = w->out.start;
    put_u16(h, id);
    put_u16(h + 2, (uint16_t)((flags & 0xfff0) | (rcode & 15)));
    for (unsigned i = 0; i < 4; i++)
        put_u16(h + 4 + 2 * i, w->counts[i]);
    return wcur_len(&w->out);
}

size_t dns_write_error(const struct dns_query *q, uint8_t *buf, size_t cap, uint16_t flags,
                       uint16_t rcode, const struct edns *e)
{
    struct wcur w = wcur_of(buf, cap);
    size_t question = q->has_question ? q->question_end : DNS_HEADER_LEN;
    if (cap < DNS_HEADER_LEN)
        return 0;
    if (cap < question)
        question = DNS_HEADER_LEN;
    wcur_bytes(&w, q->packet, question);
    uint16_t keep = q->flags & (DNS_FLAG_RD | DNS_FLAG_CD | 0x7800);
    put_u16(buf + 2, (uint16_t)(DNS_FLAG_QR | keep | flags | (rcode & 15)));
    memset(buf + 4, 0, 8);
    buf[5] = question > DNS_HEADER_LEN;
    if (e && e->present) {
        edns_write(e, rcode, 0, &w);
        if (wcur_err(&w))
            return question;
        buf[11] = 1;
    }
    return wcur_len(&w);
}
