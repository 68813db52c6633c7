/* dns/rdata_loc.c: where on Earth (RFC 1876).
 * Angles are thousandths of a second of arc around 2^31, the altitude is centimetres above 100 km
 * below the ellipsoid, sizes are a digit and a power of ten in one octet. */
#include "rdata_priv.h"

#include <stdio.h>

#define LOC_LEN      16
#define LOC_EQUATOR  0x80000000u
#define LOC_DEGREE   3600000u
#define LOC_ALTITUDE 10000000u /* centimetres */
#define LOC_SIZE     0x12      /* 1 m; RFC 1876 3 */
#define LOC_HORIZ    0x16      /* 10 km */
#define LOC_VERT     0x13      /* 10 m */
#define LOC_SIZE_MAX 9000000000u

static bool size_is_good(uint8_t v)
{
    return v >> 4 <= 9 && (v & 15) <= 9;
}

static bool angle_is_good(uint32_t v, uint32_t degrees)
{
    return v >= LOC_EQUATOR - degrees * LOC_DEGREE && v <= LOC_EQUATOR + degrees * LOC_DEGREE;
}

int rdata_loc_len(const uint8_t *p, const uint8_t *end)
{
    if (p == end)
        return ERR_FORMAT;
    if (*p) /* RFC 1876 2: the layout of other versions is not known */
        return (int)(end - p);
    bool good = end - p >= LOC_LEN && size_is_good(p[1]) && size_is_good(p[2]) &&
                size_is_good(p[3]) && angle_is_good(get_u32(p + 4), 90) &&
                angle_is_good(get_u32(p + 8), 180);
    return good ? LOC_LEN : ERR_FORMAT;
}

/* Another version, or a zero with a power, which text would not bring back. */
bool rdata_loc_is_opaque(const uint8_t *p)
{
    for (unsigned i = 1; i <= 3 && !*p; i++)
        if (!(p[i] >> 4) && p[i])
            return true;
    return *p;
}

/* Digits, perhaps a point and up to `decimals` more; in units of the last decimal. */
static int fixed_number(struct scan *s, const struct token *t, unsigned decimals, uint64_t max,
                        uint64_t *v)
{
    unsigned after = 0;
    bool point = false, digit = false;
    *v = 0;
    for (size_t i = 0; i < t->len; i++) {
        char c = t->at[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && after == decimals))
            return scan_fail(s, t->at, "expected a number", ERR_SYNTAX);
        digit = true;
        after += point;
        *v = *v * 10 + (uint64_t)(c - '0');
        if (*v > max)
            return scan_fail(s, t->at, "the number is too large", ERR_RANGE);
    }
    for (; after < decimals; after++)
        *v *= 10;
    if (!digit)
        return scan_fail(s, t->at, "expected a number", ERR_SYNTAX);
    return *v > max ? scan_fail(s, t->at, "the number is too large", ERR_RANGE) : 0;
}

/* +1 or -1 for one of the two letters, 0 for anything else. */
static int direction(const struct token *t, const char letters[3])
{
    char c = (char)(t->len == 1 ? dns_lower((uint8_t)*t->at) : 0);
    return c && c == letters[0] ? 1 : c && c == letters[1] ? -1 : 0;
}

/* degrees [minutes [seconds]] and a letter */
static int put_angle(struct scan *s, uint32_t degrees, const char letters[3], struct wcur *w)
{
    static const uint32_t units[] = {LOC_DEGREE, 60000, 1};
    uint64_t sum = 0, v;
    for (unsigned i = 0;; i++) {
        struct token t;
        if (!scan_token(s, &t))
            return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
        int sign = i ? direction(&t, letters) : 0;
        if (sign) {
            if (sum > (uint64_t)degrees * LOC_DEGREE)
                return scan_fail(s, t.at, "too many degrees", ERR_RANGE);
            wcur_u32(w, sign > 0 ? LOC_EQUATOR + (uint32_t)sum : LOC_EQUATOR - (uint32_t)sum);
            return 0;
        }
        if (i == 3)
            return scan_fail(s, t.at, "expected N, S, E or W", ERR_SYNTAX);
        int err = fixed_number(s, &t, i == 2 ? 3 : 0, i == 2 ? 59999 : i ? 59 : degrees, &v);
        if (err)
            return err;
        sum += v * units[i];
    }
}

static void drop_metres(struct token *t)
{
    if (t->len > 1 && dns_lower((uint8_t)t->at[t->len - 1]) == 'm')
        t->len--;
}

static int put_altitude(struct scan *s, struct wcur *w)
{
    struct token t;
    uint64_t v;
    if (!scan_token(s, &t))
        return scan_fail(s, s->end, "the record ends early", ERR_SYNTAX);
    drop_metres(&t);
    bool below = t.len && *t.at == '-';
    if (t.len && (below || *t.at == '+')) {
        t.at++;
        t.len--;
    }
    int err = fixed_number(s, &t, 2, below ? LOC_ALTITUDE : UINT32_MAX - LOC_ALTITUDE, &v);
    wcur_u32(w, below ? LOC_ALTITUDE - (uint32_t)v : LOC_ALTITUDE + (uint32_t)v);
    return err;
}

int rdata_loc_parse(struct scan *s, struct wcur *w)
{
    uint8_t sizes[3] = {LOC_SIZE, LOC_HORIZ, LOC_VERT};
    struct token t;
    wcur_u8(w, 0);
    uint8_t *at = wcur_room(w, 3);
    int err = put_angle(s, 90, "ns", w);
    err = err ? err : put_angle(s, 180, "ew", w);
    err = err ? err : put_altitude(s, w);
    for (unsigned i = 0; i < 3 && !err && scan_token(s, &t); i++) {
        uint64_t v;
        unsigned power = 0;
        drop_metres(&t);
        err = fixed_number(s, &t, 2, LOC_SIZE_MAX, &v);
        for (; v > 9 && !err; v /= 10)
            power++;
        sizes[i] = (uint8_t)(v << 4 | power);
    }
    if (at)
        memcpy(at, sizes, 3);
    return err;
}

static void print_angle(struct sheet *o, uint32_t v, char plus, char minus)
{
    char text[48];
    char letter = v < LOC_EQUATOR ? minus : plus;
    uint32_t a = v < LOC_EQUATOR ? LOC_EQUATOR - v : v - LOC_EQUATOR;
    snprintf(text, sizeof text, "%u %u %u.%03u %c ", a / LOC_DEGREE, a / 60000 % 60, a / 1000 % 60,
             a % 1000, letter);
    sheet_put(o, text);
}

void rdata_loc_print(struct sheet *o, const uint8_t *p)
{
    char text[48];
    print_angle(o, get_u32(p + 4), 'N', 'S');
    print_angle(o, get_u32(p + 8), 'E', 'W');
    uint32_t v = get_u32(p + 12);
    uint32_t cm = v < LOC_ALTITUDE ? LOC_ALTITUDE - v : v - LOC_ALTITUDE;
    snprintf(text, sizeof text, "%s%u.%02um", v < LOC_ALTITUDE ? "-" : "", cm / 100, cm % 100);
    sheet_put(o, text);
    for (unsigned i = 1; i <= 3; i++) {
        uint64_t size = p[i] >> 4;
        for (unsigned power = p[i] & 15; power; power--)
            size *= 10;
        snprintf(text, sizeof text, " %u.%02um", (unsigned)(size / 100), (unsigned)(size % 100));
        sheet_put(o, text);
    }
}
