/* dns/type.h: numbers and mnemonics of types, classes, rcodes, opcodes, extended errors.
 * Threads: pure. Source: the IANA DNS parameters; RFC 3597 (TYPEn, CLASSn); RFC 8914 (EDE). */
#ifndef WAYPOST_DNS_TYPE_H
#define WAYPOST_DNS_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define DNS_TYPE_MAP(X) \
    X(A, 1) X(NS, 2) X(MD, 3) X(MF, 4) X(CNAME, 5) X(SOA, 6) X(MB, 7) X(MG, 8) X(MR, 9) \
    X(NULL, 10) X(PTR, 12) X(HINFO, 13) X(MINFO, 14) X(MX, 15) X(TXT, 16) X(RP, 17) X(AFSDB, 18) \
    X(X25, 19) X(ISDN, 20) X(RT, 21) X(SIG, 24) X(KEY, 25) X(PX, 26) X(AAAA, 28) X(LOC, 29) \
    X(SRV, 33) X(NAPTR, 35) X(KX, 36) X(CERT, 37) X(DNAME, 39) X(OPT, 41) X(APL, 42) X(DS, 43) \
    X(SSHFP, 44) X(IPSECKEY, 45) X(RRSIG, 46) X(NSEC, 47) X(DNSKEY, 48) X(DHCID, 49) \
    X(NSEC3, 50) X(NSEC3PARAM, 51) X(TLSA, 52) X(SMIMEA, 53) X(HIP, 55) X(CDS, 59) \
    X(CDNSKEY, 60) X(OPENPGPKEY, 61) X(CSYNC, 62) X(ZONEMD, 63) X(SVCB, 64) X(HTTPS, 65) \
    X(SPF, 99) X(EUI48, 108) X(EUI64, 109) X(TKEY, 249) X(TSIG, 250) X(IXFR, 251) X(AXFR, 252) \
    X(MAILB, 253) X(MAILA, 254) X(ANY, 255) X(URI, 256) X(CAA, 257) X(RESINFO, 261)
/* clang-format on */

enum dns_type {
#define DNS_TYPE_ENUM(name, number) DNS_TYPE_##name = number,
    DNS_TYPE_MAP(DNS_TYPE_ENUM)
#undef DNS_TYPE_ENUM
};

enum dns_class {
    DNS_CLASS_IN = 1,
    DNS_CLASS_CH = 3,
    DNS_CLASS_HS = 4,
    DNS_CLASS_NONE = 254,
    DNS_CLASS_ANY = 255
};
enum dns_opcode {
    DNS_OPCODE_QUERY = 0,
    DNS_OPCODE_STATUS = 2,
    DNS_OPCODE_NOTIFY = 4,
    DNS_OPCODE_UPDATE = 5
};
enum dns_rcode {
    DNS_RCODE_NOERROR = 0,
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NXDOMAIN = 3,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
    DNS_RCODE_YXDOMAIN = 6,
    DNS_RCODE_NOTAUTH = 9,
    DNS_RCODE_BADVERS = 16,
    DNS_RCODE_BADCOOKIE = 23,
};
enum dns_section {
    DNS_SECTION_QUESTION,
    DNS_SECTION_ANSWER,
    DNS_SECTION_AUTHORITY,
    DNS_SECTION_ADDITIONAL
};
/* Header flag bits in the second 16-bit word. */
enum dns_flag {
    DNS_FLAG_QR = 0x8000,
    DNS_FLAG_AA = 0x0400,
    DNS_FLAG_TC = 0x0200,
    DNS_FLAG_RD = 0x0100,
    DNS_FLAG_RA = 0x0080,
    DNS_FLAG_Z = 0x0040,
    DNS_FLAG_AD = 0x0020,
    DNS_FLAG_CD = 0x0010,
};
enum dns_ede {
    DNS_EDE_OTHER = 0,
    DNS_EDE_STALE = 3,
    DNS_EDE_BOGUS = 6,
    DNS_EDE_CACHED_ERROR = 13,
    DNS_EDE_NOT_READY = 14,
    DNS_EDE_BLOCKED = 15,
    DNS_EDE_PROHIBITED = 18,
    DNS_EDE_NOT_AUTHORITATIVE = 20,
    DNS_EDE_NOT_SUPPORTED = 21,
    DNS_EDE_NO_REACHABLE = 22,
    DNS_EDE_NETWORK = 23,
    DNS_EDE_INVALID_DATA = 24,
};

/* "AAAA" or "TYPE4711" into out (at least 16 bytes); returns out. */
const char *dns_type_print(uint16_t type, char *out);
/* Mnemonic or TYPEn, any case. ERR_SYNTAX, or the number. */
int dns_type_parse(const char *text, size_t len);
const char *dns_class_print(uint16_t cls, char *out);
int dns_class_parse(const char *text, size_t len);
/* "NOERROR"; "RCODE4711" otherwise, into out (at least 16 bytes). */
const char *dns_rcode_print(uint16_t rcode, char *out);
int dns_rcode_parse(const char *text, size_t len);
const char *dns_opcode_print(uint8_t opcode, char *out);
/* IANA's purpose text of an extended error code; "" when unassigned. */
const char *dns_ede_text(uint16_t code);
/* Meta types and query types never stored in zones or caches (OPT, TSIG, AXFR, ANY ...: 41,
 * 128..255). */
bool dns_type_is_meta(uint16_t type);

#endif
