#include "places_priv.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

int places_init(struct places *p, uint64_t max_bytes)
{
    struct rng rng;
    memset(p, 0, sizeof *p);
    p->max_bytes = max_bytes;
    arena_init(&p->texts, 4096, 0);
    int err = rng_init(&rng);
    if (err)
        return err;
    p->seed = rng_u64(&rng); /* the texts are a stranger's choice */
    rng_fini(&rng);
    return 0;
}

void places_fini(struct places *p)
{
    free(p->place);
    free(p->text);
    free(p->place_slots.at);
    free(p->text_slots.at);
    arena_fini(&p->texts);
    memset(p, 0, sizeof *p);
}

size_t places_bytes(const struct places *p)
{
    return p->texts.used + p->place_cap * sizeof *p->place + p->text_cap * sizeof *p->text +
           ((size_t)p->place_slots.cap + p->text_slots.cap) * sizeof(struct places_slot);
}

static uint64_t hash_place(const struct places *p, const struct geo_place *x)
{
    uint32_t position[2];
    memcpy(position, &x->latitude, sizeof position[0]);
    memcpy(position + 1, &x->longitude, sizeof position[1]);
    const uint64_t words[] = {
        (uint64_t)(uintptr_t)x->city,
        (uint64_t)(uintptr_t)x->organisation,
        (uint64_t)position[0] << 32 | position[1],
        (uint64_t)x->asn << 32 | (uint64_t)x->radius_km << 2 | (uint64_t)x->registered << 1 |
            x->has_position,
    };
    uint64_t h = hash_bytes(words, sizeof words, p->seed);
    h = hash_bytes(x->continent, sizeof x->continent, h);
    h = hash_bytes(x->country, sizeof x->country, h);
    return hash_bytes(x->subdivision, sizeof x->subdivision, h);
}

/* Field by field: the room between the fields is nobody's. Texts are one copy each. */
static bool same_place(const struct geo_place *a, const struct geo_place *b)
{
    return !memcmp(a->continent, b->continent, sizeof a->continent) &&
           !memcmp(a->country, b->country, sizeof a->country) && a->registered == b->registered &&
           a->has_position == b->has_position &&
           !memcmp(a->subdivision, b->subdivision, sizeof a->subdivision) && a->city == b->city &&
           a->asn == b->asn && a->organisation == b->organisation && a->latitude == b->latitude &&
           a->longitude == b->longitude && a->radius_km == b->radius_km;
}

static bool has_room(const struct places *p, uint64_t more)
{
    return places_bytes(p) + more <= p->max_bytes;
}

/* Room for one more element of an array. The old array counts too while it is copied. */
static int grow(const struct places *p, void **array, uint32_t *cap, uint32_t count, size_t size)
{
    if (count < *cap)
        return 0;
    uint32_t more = *cap ? *cap + *cap / 2 : 64;
    if (more > UINT32_MAX / 4 || !has_room(p, more * size))
        return ERR_LIMIT;
    void *bigger = realloc(*array, more * size);
    if (!bigger)
        return ERR_NOMEM;
    *array = bigger;
    *cap = more;
    return 0;
}

static void slot_take(struct places_slots *s, struct places_slot slot)
{
    uint32_t i = slot.tag & (s->cap - 1);
    while (s->at[i].value)
        i = (i + 1) & (s->cap - 1);
    s->at[i] = slot;
}

/* At most half full, so that a probe is short. */
static int grow_slots(const struct places *p, struct places_slots *s, uint32_t count)
{
    if (count < s->cap / 2)
        return 0;
    struct places_slots bigger = {.cap = s->cap ? s->cap * 2 : 128};
    if (!has_room(p, bigger.cap * sizeof *bigger.at))
        return ERR_LIMIT;
    bigger.at = calloc(bigger.cap, sizeof *bigger.at);
    if (!bigger.at)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < s->cap; i++)
        if (s->at[i].value)
            slot_take(&bigger, s->at[i]);
    free(s->at);
    *s = bigger;
    return 0;
}

int places_text(struct places *p, const char *text, size_t len, const char **out)
{
    *out = "";
    if (!len)
        return 0;
    uint32_t tag = (uint32_t)hash_bytes(text, len, p->seed);
    for (uint32_t i = tag; p->text_slots.cap; i++) {
        struct places_slot found = p->text_slots.at[i & (p->text_slots.cap - 1)];
        if (!found.value)
            break;
        const char *have = p->text[found.value - 1];
        if (found.tag == tag && !strncmp(have, text, len) && !have[len]) {
            *out = have;
            return 0;
        }
    }
    int err = grow(p, (void **)&p->text, &p->text_cap, p->text_count, sizeof *p->text);
    err = err ? err : grow_slots(p, &p->text_slots, p->text_count);
    if (err)
        return err;
    if (!has_room(p, len + 1))
        return ERR_LIMIT;
    char *copy = arena_alloc(&p->texts, len + 1);
    if (!copy)
        return ERR_NOMEM;
    memcpy(copy, text, len);
    copy[len] = 0;
    slot_take(&p->text_slots, (struct places_slot){tag, p->text_count + 1});
    p->text[p->text_count++] = copy;
    *out = copy;
    return 0;
}

int places_put(struct places *p, const struct geo_place *place, uint32_t *index)
{
    uint32_t tag = (uint32_t)hash_place(p, place);
    for (uint32_t i = tag; p->place_slots.cap; i++) {
        struct places_slot found = p->place_slots.at[i & (p->place_slots.cap - 1)];
        if (!found.value)
            break;
        if (found.tag == tag && same_place(&p->place[found.value - 1], place)) {
            *index = found.value - 1;
            return 0;
        }
    }
    int err = grow(p, (void **)&p->place, &p->place_cap, p->place_count, sizeof *p->place);
    err = err ? err : grow_slots(p, &p->place_slots, p->place_count);
    if (err)
        return err;
    slot_take(&p->place_slots, (struct places_slot){tag, p->place_count + 1});
    *index = p->place_count;
    p->place[p->place_count++] = *place;
    return 0;
}

void places_settle(struct places *p)
{
    free(p->place_slots.at);
    free(p->text_slots.at);
    free(p->text);
    p->place_slots = p->text_slots = (struct places_slots){0};
    p->text = NULL;
    p->text_count = p->text_cap = 0;
    struct geo_place *fitting =
        p->place_count ? realloc(p->place, p->place_count * sizeof *p->place) : NULL;
    if (fitting) {
        p->place = fitting;
        p->place_cap = p->place_count;
    }
}

bool places_is_blank(const struct geo_place *x)
{
    return !*x->continent && !*x->country && !*x->subdivision[0] && !*x->city && !x->asn &&
           !*x->organisation && !x->has_position;
}
