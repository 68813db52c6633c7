#include "proof_priv.h"

#include "dns/dnssec.h"
#include "scrub_priv.h"

#include <string.h>

#define NSEC3_ITERATIONS_MAX 50 /* there should be none (RFC 9276 3.1) */

_Static_assert(ITER_AUTHORITY_MAX % 2 == 0, "a set and its signatures stay together");

static bool is_denial(uint16_t type)
{
    return type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3;
}

const struct dns_rrset *proof_of_nothing(struct iter *it, const struct dns_rrset *sets,
                                         unsigned count, unsigned *n)
{
    unsigned signed_sets = 0;
    *n = 0;
    for (unsigned i = 0; i < count; i++)
        signed_sets += is_denial(sets[i].covers);
    unsigned max = 2 * signed_sets < ITER_AUTHORITY_MAX ? 2 * signed_sets : ITER_AUTHORITY_MAX;
    struct dns_rrset *proof = max ? ARENA_ARRAY(&it->walk->arena, struct dns_rrset, max) : NULL;
    for (unsigned i = 0; proof && *n < max && i < count; i++) {
        const struct dns_rrset *sigs =
            is_denial(sets[i].type) ? scrub_find_sigs(sets, count, sets[i].owner, sets[i].type)
                                    : NULL;
        if (sigs) {
            proof[(*n)++] = sets[i];
            proof[(*n)++] = *sigs;
        }
    }
    return proof;
}

/* The labels that the signatures count (RFC 4034 3.1.3); more than any name has when there are
 * none. */
static unsigned signed_labels(const struct dns_rrset *sigs)
{
    unsigned least = UINT8_MAX;
    DNS_RR_FOR (rd, sigs)
        if (rd.len > 3 && rd.at[3] < least)
            least = rd.at[3];
    return least;
}

bool proof_is_needed(const struct dns_rrset *set, const struct dns_rrset *sigs)
{
    return signed_labels(sigs) + dns_name_is_wild(set->owner) < dns_name_labels(set->owner);
}

/* Strictly between the owner and the next name; the last one's next name is the apex. */
static bool nsec_covers(const struct dns_rrset *nsec, const uint8_t *name)
{
    DNS_RR_FOR (rd, nsec) {
        bool last = dns_name_cmp(rd.at, nsec->owner) <= 0;
        if (dns_name_cmp(nsec->owner, name) < 0 &&
            (last ? dns_name_is_sub(name, rd.at) : dns_name_cmp(name, rd.at) < 0))
            return true;
    }
    return false;
}

/* RDATA: algorithm, flags, iterations, salt, next hash (RFC 5155 3.2). True also when that would
 * cost too much to find out. */
static bool nsec3_covers(const struct dns_rrset *nsec3, const uint8_t *name)
{
    uint8_t at[DNSSEC_NSEC3_HASH_LEN], h[DNSSEC_NSEC3_HASH_LEN];
    DNS_RR_FOR (rd, nsec3) {
        const uint8_t *salt = rd.at + 5, *next = salt + rd.at[4] + 1;
        uint16_t iterations = get_u16(rd.at + 2);
        if (rd.at[0] != DNSSEC_NSEC3_SHA1 || next[-1] != sizeof h ||
            iterations > NSEC3_ITERATIONS_MAX || !dnssec_nsec3_label(nsec3->owner, at))
            return true;
        dnssec_nsec3_hash(name, iterations, salt, rd.at[4], h);
        bool after = memcmp(at, h, sizeof h) < 0, before = memcmp(h, next, sizeof h) < 0;
        if (memcmp(at, next, sizeof h) < 0 ? after && before : after || before)
            return true;
    }
    return false;
}

/* RFC 4035 5.3.4, RFC 5155 8.8: what covers the name, or the hash of the one next closer. When
 * nothing does, all of it: a validator may see more in it. Also when there is too much of it, or
 * too many sets to prove: hashing must not become work that a server can make for us. */
const struct dns_rrset *proof_of_wildcard(struct iter *it, const struct dns_rrset *set,
                                          const struct dns_rrset *sigs, const struct dns_rrset *all,
                                          unsigned count, unsigned *n)
{
    const uint8_t *closer = dns_name_suffix(set->owner, signed_labels(sigs) + 1);
    bool look = count && count <= CACHE_PROOF_MAX && it->qtype != DNS_TYPE_ANY;
    struct dns_rrset *some = look ? ARENA_ARRAY(&it->walk->arena, struct dns_rrset, count) : NULL;
    *n = 0;
    for (unsigned i = 0; some && i + 1 < count; i += 2)
        if (all[i].type == DNS_TYPE_NSEC ? nsec_covers(&all[i], set->owner)
                                         : nsec3_covers(&all[i], closer)) {
            some[(*n)++] = all[i];
            some[(*n)++] = all[i + 1];
        }
    if (*n)
        return some;
    *n = count;
    return all;
}

/* With NSEC3 the proof is of the name next closer to what exists, which is the same one for
 * everything below (RFC 5155 8.4). An NSEC has to cover the name itself: one made to measure may
 * end right below the name it was made for (RFC 4470, RFC 9824). */
bool proof_reaches(const struct cache_entry *e, const uint8_t *name)
{
    bool any = false;
    for (unsigned i = 0; i < e->proof_count; i++)
        if (e->proof[i].type == DNS_TYPE_NSEC) {
            any = true;
            if (nsec_covers(&e->proof[i], name))
                return true;
        }
    return !any;
}

void proof_give(struct iter *it, const struct dns_rrset *proof, unsigned n, uint32_t ttl)
{
    for (unsigned i = 0; i < n; i++) {
        struct dns_rrset s = proof[i];
        if (s.covers ? scrub_find_sigs(it->authority, it->authority_count, s.owner, s.covers)
                     : scrub_find(it->authority, it->authority_count, s.owner, s.type))
            continue;
        if (s.ttl > ttl)
            s.ttl = ttl;
        iter_add(it->authority, &it->authority_count, ITER_AUTHORITY_MAX, &s);
    }
}
