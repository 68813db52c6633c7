/* dns/name.h: domain names as uncompressed wire bytes.
 * A name is a pointer to length-prefixed labels that end with the root label; nothing around it.
 * Whoever made it has checked it (labels 1..63, whole 1..255), so the functions on names trust
 * their input; only parse and unpack meet strangers. Case is kept; comparing and hashing ignore it
 * (ASCII only, RFC 4343). Threads: pure. Source: RFC 1035 3.1, RFC 4034 6.1 (order), RFC 4343, RFC
 * 4592. */
#ifndef WAYPOST_DNS_NAME_H
#define WAYPOST_DNS_NAME_H

#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX      255
#define DNS_LABEL_MAX     63
#define DNS_LABELS_MAX    127  /* without the root label */
#define DNS_NAME_TEXT_MAX 1025 /* every octet as \DDD, dots, NUL */

/* The root, one zero octet. */
extern const uint8_t dns_name_root[1];

/* Text (RFC 1035 5.1: \X, \DDD) into wire; a name without final dot is completed by origin (wire;
 * NULL: the root).
 * "@" alone is the origin. Returns the wire length or ERR_NAME_LONG, ERR_LABEL_LONG,
 * ERR_LABEL_EMPTY, ERR_ESCAPE. */
int dns_name_parse(uint8_t out[DNS_NAME_MAX], const char *text, size_t len, const uint8_t *origin);
/* Text with final dot; specials escaped. Returns the length; out needs DNS_NAME_TEXT_MAX bytes. */
size_t dns_name_print(const uint8_t *name, char *out);
/* From a message, following pointers strictly backwards, at most 16 (more is ERR_POINTER), length
 * checked while reading. The cursor ends behind the name. Returns the wire length; errors are also
 * sticky in the cursor. */
int dns_name_unpack(struct rcur *c, uint8_t out[DNS_NAME_MAX]);
/* Length of an uncompressed name at the cursor, checked, cursor behind it; a pointer is
 * ERR_POINTER. */
int dns_name_skip_plain(struct rcur *c, const uint8_t **name);

size_t dns_name_len(const uint8_t *name);      /* octets with the root label */
unsigned dns_name_labels(const uint8_t *name); /* without the root label */
/* Offsets of every label, leftmost first; returns the label count without the root. */
unsigned dns_name_offsets(const uint8_t *name, uint8_t offsets[DNS_LABELS_MAX + 1]);
/* The suffix with exactly n labels (n <= dns_name_labels), a pointer into name. */
const uint8_t *dns_name_suffix(const uint8_t *name, unsigned n);
/* One label less; the root's parent is the root. */
static inline const uint8_t *dns_name_parent(const uint8_t *name)
{
    return *name ? name + 1 + *name : name;
}
bool dns_name_equal(const uint8_t *a, const uint8_t *b);
/* Canonical order (RFC 4034 6.1): <0, 0, >0. */
int dns_name_cmp(const uint8_t *a, const uint8_t *b);
/* Number of labels that a and b share from the right. */
unsigned dns_name_common(const uint8_t *a, const uint8_t *b);
/* name is `top` or below it. */
bool dns_name_is_sub(const uint8_t *name, const uint8_t *top);
/* Leftmost label is exactly "*" (RFC 4592 2.1.1). */
static inline bool dns_name_is_wild(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}
/* Lower-cased copy (out may be name); returns the length. */
size_t dns_name_lower(uint8_t *out, const uint8_t *name);
/* Plain copy; returns the length. */
size_t dns_name_copy(uint8_t *out, const uint8_t *name);
/* Case-insensitive. */
uint64_t dns_name_hash(const uint8_t *name, uint64_t seed);
/* The same two of names whose length is known: dns_name_hash of a name of len octets, and equality
 * of two that both have len. */
uint64_t dns_name_hash_len(const uint8_t *name, size_t len, uint64_t seed);
bool dns_name_equal_len(const uint8_t *a, const uint8_t *b, size_t len);
/* prefix (relative labels, `prefix_len` octets without root) before suffix. Wire length or
 * ERR_NAME_LONG. */
int dns_name_join(uint8_t out[DNS_NAME_MAX], const uint8_t *prefix, size_t prefix_len,
                  const uint8_t *suffix);

static inline uint8_t dns_lower(uint8_t c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

#endif
