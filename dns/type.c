#include "dns/type.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_CAP 16

struct word {
    uint16_t number, len;
    const char *text;
};
#define WORD(number, text)            \
    {                                 \
        number, sizeof text - 1, text \
    }

static const struct word types[] = {
#define TYPE_ROW(name, number) WORD(number, #name),
    DNS_TYPE_MAP(TYPE_ROW)
#undef TYPE_ROW
};
static const struct word classes[] = {WORD(1, "IN"), WORD(3, "CH"), WORD(4, "HS"),
                                      WORD(254, "NONE"), WORD(255, "ANY")};
static const struct word rcodes[] = {WORD(0, "NOERROR"),   WORD(1, "FORMERR"),  WORD(2, "SERVFAIL"),
                                     WORD(3, "NXDOMAIN"),  WORD(4, "NOTIMP"),   WORD(5, "REFUSED"),
                                     WORD(6, "YXDOMAIN"),  WORD(7, "YXRRSET"),  WORD(8, "NXRRSET"),
                                     WORD(9, "NOTAUTH"),   WORD(10, "NOTZONE"), WORD(16, "BADVERS"),
                                     WORD(23, "BADCOOKIE")};
static const struct word opcodes[] = {WORD(0, "QUERY"), WORD(1, "IQUERY"), WORD(2, "STATUS"),
                                      WORD(4, "NOTIFY"), WORD(5, "UPDATE")};
/* IANA, Extended DNS Error Codes (RFC 8914 and later). */
static const char *const ede_texts[] = {"Other Error",
                                        "Unsupported DNSKEY Algorithm",
                                        "Unsupported DS Digest Type",
                                        "Stale Answer",
                                        "Forged Answer",
                                        "DNSSEC Indeterminate",
                                        "DNSSEC Bogus",
                                        "Signature Expired",
                                        "Signature Not Yet Valid",
                                        "DNSKEY Missing",
                                        "RRSIGs Missing",
                                        "No Zone Key Bit Set",
                                        "NSEC Missing",
                                        "Cached Error",
                                        "Not Ready",
                                        "Blocked",
                                        "Censored",
                                        "Filtered",
                                        "Prohibited",
                                        "Stale NXDOMAIN Answer",
                                        "Not Authoritative",
                                        "Not Supported",
                                        "No Reachable Authority",
                                        "Network Error",
                                        "Invalid Data",
                                        "Signature Expired before Valid",
                                        "Too Early",
                                        "Unsupported NSEC3 Iterations Value",
                                        "Unable to conform to policy",
                                        "Synthesized"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *word_print(const struct word *w, size_t n, uint16_t number, const char *prefix,
                              char *out)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].number == number) {
            snprintf(out, TEXT_CAP, "%s", w[i].text);
            return out;
        }
    snprintf(out, TEXT_CAP, "%s%u", prefix, number);
    return out;
}

static int word_parse(const struct word *w, size_t n, const char *prefix, const char *text,
                      size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].len == len && strncasecmp(w[i].text, text, len) == 0)
            return w[i].number;
    size_t plen = strlen(prefix);
    if (len <= plen || len > plen + 5 || strncasecmp(text, prefix, plen) != 0)
        return ERR_SYNTAX;
    unsigned v = 0;
    for (size_t i = plen; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_SYNTAX;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    return v > 65535 ? ERR_SYNTAX : (int)v;
}

const char *dns_type_print(uint16_t type, char *out)
{
    return word_print(types, COUNT(types), type, "TYPE", out);
}

int dns_type_parse(const char *text, size_t len)
{
    return word_parse(types, COUNT(types), "TYPE", text, len);
}

const char *dns_class_print(uint16_t cls, char *out)
{
    return word_print(classes, COUNT(classes), cls, "CLASS", out);
}

int dns_class_parse(const char *text, size_t len)
{
    return word_parse(classes, COUNT(classes), "CLASS", text, len);
}

const char *dns_rcode_print(uint16_t rcode, char *out)
{
    return word_print(rcodes, COUNT(rcodes), rcode, "RCODE", out);
}

int dns_rcode_parse(const char *text, size_t len)
{
    return word_parse(rcodes, COUNT(rcodes), "RCODE", text, len);
}

const char *dns_opcode_print(uint8_t opcode, char *out)
{
    return word_print(opcodes, COUNT(opcodes), opcode, "OPCODE", out);
}

const char *dns_ede_text(uint16_t code)
{
    return code < COUNT(ede_texts) ? ede_texts[code] : "";
}

bool dns_type_is_meta(uint16_t type)
{
    return type == 0 || type == DNS_TYPE_OPT || (type >= 128 && type <= 255);
}
