#include "load_priv.h"

#include "base/err.h"

#include <stdlib.h>

int load_slots_init(struct load_slots *s, unsigned bits)
{
    uint32_t count = 1u << bits;
    *s = (struct load_slots){.at = calloc(count, sizeof *s->at),
                             .bits = bits,
                             .oldest = LOAD_SLOT_NONE,
                             .newest = LOAD_SLOT_NONE,
                             .free_last = count - 1};
    if (!s->at)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        s->at[i].next = i + 1 < count ? i + 1 : LOAD_SLOT_NONE;
        s->at[i].id = (uint16_t)i;
    }
    return 0;
}

void load_slots_fini(struct load_slots *s)
{
    free(s->at);
    s->at = NULL;
}

struct load_slot *load_slots_take(struct load_slots *s)
{
    uint32_t i = s->free_first;
    if (i == LOAD_SLOT_NONE)
        return NULL;
    struct load_slot *slot = &s->at[i];
    s->free_first = slot->next;
    if (s->free_first == LOAD_SLOT_NONE)
        s->free_last = LOAD_SLOT_NONE;
    slot->id = (uint16_t)(slot->id + (1u << s->bits));
    slot->state = LOAD_SLOT_WAITS;
    slot->prev = s->newest;
    slot->next = LOAD_SLOT_NONE;
    if (s->newest == LOAD_SLOT_NONE)
        s->oldest = i;
    else
        s->at[s->newest].next = i;
    s->newest = i;
    s->waiting++;
    return slot;
}

struct load_slot *load_slots_find(struct load_slots *s, uint16_t id)
{
    struct load_slot *slot = &s->at[id & ((1u << s->bits) - 1)];
    return slot->id == id && slot->state != LOAD_SLOT_NEW ? slot : NULL;
}

struct load_slot *load_slots_oldest(struct load_slots *s)
{
    return s->oldest == LOAD_SLOT_NONE ? NULL : &s->at[s->oldest];
}

void load_slots_end(struct load_slots *s, struct load_slot *slot, enum load_slot_state state)
{
    uint32_t i = (uint32_t)(slot - s->at);
    if (slot->prev == LOAD_SLOT_NONE)
        s->oldest = slot->next;
    else
        s->at[slot->prev].next = slot->next;
    if (slot->next == LOAD_SLOT_NONE)
        s->newest = slot->prev;
    else
        s->at[slot->next].prev = slot->prev;
    slot->state = (uint8_t)state;
    slot->next = LOAD_SLOT_NONE;
    if (s->free_last == LOAD_SLOT_NONE)
        s->free_first = i;
    else
        s->at[s->free_last].next = i;
    s->free_last = i;
    s->waiting--;
}
