#include "dns/text.h"

#include "dns/rdata.h"

#include <stdlib.h>

/* The record's RDATA as text, to be freed; NULL without memory. Bitmaps grow most: one octet may
 * name eight types. */
static char *rdata_text(const struct dns_rr *rr)
{
    char *text = NULL;
    for (size_t room = 4u * rr->rdlen + 64;; room *= 4) {
        char *more = realloc(text, room);
        if (!more)
            break;
        text = more;
        if (dns_rdata_print(rr->type, rr->rdata, rr->rdlen, text, room) >= 0)
            return text;
    }
    free(text);
    return NULL;
}

int dns_text_rr(const struct dns_rr *rr, char *out, size_t cap)
{
    char owner[DNS_NAME_TEXT_MAX], type[16], cls[16];
    char *rdata = rdata_text(rr);
    dns_name_print(rr->owner, owner);
    int n = snprintf(out, cap, "%s %u %s %s %s", owner, rr->ttl, dns_class_print(rr->cls, cls),
                     dns_type_print(rr->type, type), rdata ? rdata : "?");
    free(rdata);
    return n;
}

static const char *const section_names[] = {"question", "answer", "authority", "additional"};

static void print_rr(FILE *out, const struct dns_rr *rr)
{
    int n = dns_text_rr(rr, NULL, 0);
    char *line = malloc((size_t)n + 1);
    if (line) {
        dns_text_rr(rr, line, (size_t)n + 1);
        fprintf(out, "%s\n", line);
    }
    free(line);
}

/* Text that a stranger wrote (RFC 8914 2): a terminal gets no control characters of his. */
static void put_remark(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        fprintf(out, c < 0x20 || c >= 0x7f ? "\\%03u" : "%c", c);
    }
}

static void print_edns(FILE *out, const struct edns *e)
{
    fprintf(out, ";; edns version %u, size %u%s\n", e->version, e->size,
            e->dnssec_ok ? ", do" : "");
    for (unsigned i = 0; i < e->ede_count; i++) {
        const struct edns_ede *d = &e->ede[i];
        fprintf(out, ";; extended error %u (%s)%s", d->code, dns_ede_text(d->code),
                d->text_len ? ": " : "");
        put_remark(out, d->text, d->text_len);
        fputc('\n', out);
    }
}

void dns_text_message(FILE *out, const struct dns_msg *m)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } flags[] = {{DNS_FLAG_QR, "qr"}, {DNS_FLAG_AA, "aa"}, {DNS_FLAG_TC, "tc"}, {DNS_FLAG_RD, "rd"},
                 {DNS_FLAG_RA, "ra"}, {DNS_FLAG_AD, "ad"}, {DNS_FLAG_CD, "cd"}};
    char rcode[16], type[16], name[DNS_NAME_TEXT_MAX];
    fprintf(out, ";; %s, id %u, flags", dns_rcode_print(m->rcode, rcode), m->id);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (m->flags & flags[i].bit)
            fprintf(out, " %s", flags[i].name);
    fprintf(out, ", %zu octets\n", m->size);
    if (m->edns.present)
        print_edns(out, &m->edns);
    if (m->qname) {
        dns_name_print(m->qname, name);
        fprintf(out, ";; question\n;%s %s\n", name, dns_type_print(m->qtype, type));
    }
    for (uint8_t s = DNS_SECTION_ANSWER; s <= DNS_SECTION_ADDITIONAL; s++) {
        if (m->counts[s])
            fprintf(out, ";; %s\n", section_names[s]);
        for (unsigned i = 0; i < m->rr_count; i++)
            if (m->rrs[i].section == s)
                print_rr(out, &m->rrs[i]);
    }
}

static void json_text(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', out);
        if ((unsigned char)*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else
            fputc(*s, out);
    }
    fputc('"', out);
}

static void json_rr(FILE *out, const struct dns_rr *rr)
{
    char name[DNS_NAME_TEXT_MAX], type[16];
    char *rdata = rdata_text(rr);
    dns_name_print(rr->owner, name);
    fputs("{\"NAME\":", out);
    json_text(out, name);
    fprintf(out, ",\"TYPE\":%u,\"TYPEname\":\"%s\",\"CLASS\":%u,\"TTL\":%u,\"rdata%s\":", rr->type,
            dns_type_print(rr->type, type), rr->cls, rr->ttl, type);
    json_text(out, rdata ? rdata : "");
    fputc('}', out);
    free(rdata);
}

void dns_text_json(FILE *out, const struct dns_msg *m)
{
    static const char *const members[] = {"", "answerRRs", "authorityRRs", "additionalRRs"};
    char name[DNS_NAME_TEXT_MAX];
    fprintf(out,
            "{\"ID\":%u,\"QR\":%d,\"Opcode\":%u,\"AA\":%d,\"TC\":%d,\"RD\":%d,\"RA\":%d,\"AD\":%d,"
            "\"CD\":%d,\"RCODE\":%u",
            m->id, !!(m->flags & DNS_FLAG_QR), m->opcode, !!(m->flags & DNS_FLAG_AA),
            !!(m->flags & DNS_FLAG_TC), !!(m->flags & DNS_FLAG_RD), !!(m->flags & DNS_FLAG_RA),
            !!(m->flags & DNS_FLAG_AD), !!(m->flags & DNS_FLAG_CD), m->rcode);
    if (m->qname) {
        dns_name_print(m->qname, name);
        fputs(",\"QNAME\":", out);
        json_text(out, name);
        fprintf(out, ",\"QTYPE\":%u,\"QCLASS\":%u", m->qtype, m->qclass);
    }
    for (uint8_t s = DNS_SECTION_ANSWER; s <= DNS_SECTION_ADDITIONAL; s++) {
        const char *comma = "";
        fprintf(out, ",\"%s\":[", members[s]);
        for (unsigned i = 0; i < m->rr_count; i++)
            if (m->rrs[i].section == s) {
                fputs(comma, out);
                json_rr(out, &m->rrs[i]);
                comma = ",";
            }
        fputc(']', out);
    }
    fputs("}", out);
}
