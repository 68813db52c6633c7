#include "tour_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "dns/rdata.h"
#include "lab/client.h"
#include "lab/exhibits.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CHANGE_US 6000000 /* a change that took longer was not seen */

static const char *last_answer(const struct dns_msg *m, struct arena *a)
{
    const struct dns_rr *last = NULL;
    for (unsigned i = 0; i < m->rr_count; i++)
        if (m->rrs[i].section == DNS_SECTION_ANSWER)
            last = &m->rrs[i];
    if (!last)
        return NULL;
    size_t cap = 4u * last->rdlen + 64;
    char *text = arena_alloc(a, cap);
    return text && dns_rdata_print(last->type, last->rdata, last->rdlen, text, cap) >= 0 ? text
                                                                                         : NULL;
}

/* One of several that are split by |; which one, or -1. */
static int place_in(const char *answers, const char *answer)
{
    size_t len = answer ? strlen(answer) : 0;
    int i = 0;
    for (const char *p = answers; p && answer && *p; p += strcspn(p, "|"), p += *p == '|', i++)
        if (strcspn(p, "|") == len && !memcmp(p, answer, len))
            return i;
    return -1;
}

/* NULL, or what is not as the exhibit says. */
static const char *check_reply(const struct exhibit *e, const struct dns_msg *m, const char *answer,
                               struct arena *a)
{
    char rcode[16];
    dns_rcode_print(m->rcode, rcode);
    if (strcmp(rcode, e->rcode) != 0)
        return arena_printf(a, "expected %s, got %s", e->rcode, rcode);
    if (!e->answer != !answer || (answer && place_in(e->answer, answer) < 0))
        return arena_printf(a, "expected %s, got %s", e->answer ? e->answer : "no answer",
                            answer ? answer : "none");
    bool found = !e->ede_text;
    for (unsigned i = 0; i < m->edns.ede_count && !found; i++)
        found =
            m->edns.ede[i].code == e->ede_code && m->edns.ede[i].text_len &&
            memmem(m->edns.ede[i].text, m->edns.ede[i].text_len, e->ede_text, strlen(e->ede_text));
    return found ? NULL : arena_printf(a, "no extended error %d \"%s\"", e->ede_code, e->ede_text);
}

/* One line: what was asked, what came, and what is wrong with it. */
static void show_claim(struct tour *t, const char *title, const char *name, const char *type,
                       const char *rcode, const char *answer, int64_t took_us, const char *note,
                       const char *wrong)
{
    printf("%3u  %-19s %-20s %-4s  %-9s %-18s %8.1f ms%s%s%s\n", ++t->step, title, name, type,
           rcode, answer, (double)took_us / 1000, note, wrong ? "   WRONG: " : "",
           wrong ? wrong : "");
    t->failed += wrong != NULL;
}

static void show_exhibit(struct tour *t, const struct exhibit *e, const char *title)
{
    struct arena a;
    struct lab_reply reply;
    const char *answer = NULL, *wrong;
    arena_init(&a, 16384, 0);
    struct addr at = t->resolver;
    if (e->at)
        addr_parse(&at, e->at, t->upstream_port);
    int err = lab_ask(&at, e->name, e->type, !e->at, &a, &reply);
    if (err) {
        wrong = err_text(err);
        reply.took_us = 0;
        reply.tcp = false;
    } else {
        answer = last_answer(&reply.msg, &a);
        wrong = check_reply(e, &reply.msg, answer, &a);
    }
    show_claim(t, title ? title : e->title, e->name, e->type, e->rcode,
               wrong    ? ""
               : answer ? answer
                        : "-",
               reply.took_us, reply.tcp ? "  tcp" : "", wrong);
    arena_fini(&a);
}

/* ---- steered names ---- */

/* Asks once; which of the answers came, or -1 with why in wrong. The answer itself is in out. */
static int ask_steered(struct tour *t, const struct steered *e, char *out, size_t cap,
                       const char **wrong)
{
    struct arena a;
    struct lab_reply reply;
    struct lab_client client;
    struct addr at;
    int which = -1;
    arena_init(&a, 16384, 0);
    addr_parse(&at, LAB_STEERING, t->upstream_port);
    int err = lab_client_parse(&client, e->from);
    err = err ? err : lab_ask_as(&at, &client, e->name, "A", &a, &reply);
    const char *answer = err ? NULL : last_answer(&reply.msg, &a);
    snprintf(out, cap, "%s", answer ? answer : "-");
    if (err)
        *wrong = err_text(err);
    else if (!answer)
        *wrong = "no answer";
    else if ((which = place_in(e->answers, answer)) < 0)
        *wrong = "another answer";
    else if (e->scope >= 0 &&
             (!reply.msg.edns.subnet.family || reply.msg.edns.subnet.scope != e->scope))
        *wrong = "another scope";
    arena_fini(&a);
    return *wrong ? -1 : which;
}

/* Within six standard deviations of the share, so that chance fails once in 10^8 tours; and however
 * few were asked, not all or none. */
static bool is_share(unsigned first, unsigned times, unsigned percent)
{
    if (!first || first == times)
        return false;
    int64_t off = 100 * (int64_t)first - (int64_t)percent * times;
    return off * off <= (int64_t)36 * percent * (100 - percent) * times;
}

static unsigned count_of(const char *answers)
{
    unsigned n = 1;
    for (const char *p = answers; *p; p++)
        n += *p == '|';
    return n;
}

/* Sets the origins and asks until each of the right answers came; microseconds from one to the
 * other. */
static int64_t await_change(struct tour *t, const struct steered *e, char *answer, size_t cap,
                            const char **wrong)
{
    char said[256];
    unsigned seen = 0, all = (1u << count_of(e->answers)) - 1;
    int64_t begun = clock_mono_us(clock_system()), took = 0;
    if (origins_set(t->origins, e->origins, e->how, said, sizeof said))
        *wrong = "the web servers cannot be set so";
    while (!*wrong && seen != all) {
        int which = ask_steered(t, e, answer, cap, wrong);
        took = clock_mono_us(clock_system()) - begun;
        if (took > CHANGE_US)
            *wrong = *wrong ? *wrong : "not each of them";
        else
            *wrong = NULL;
        seen |= which < 0 ? 0 : 1u << which;
        poll(NULL, 0, seen == all ? 0 : 10);
    }
    return took;
}

static void show_change(struct tour *t, const struct steered *e)
{
    char answer[64] = "-", note[96];
    const char *wrong = NULL;
    bool heal = !strcmp(e->how, "heal");
    int64_t took = await_change(t, e, answer, sizeof answer, &wrong);
    snprintf(note, sizeof note, "  %s, after %.1f s (%s-after %u x %.3g s)", e->from,
             (double)took / 1e6, heal ? "pass" : "fail", heal ? t->pass_after : t->fail_after,
             (double)t->every_ms / 1000);
    show_claim(t, e->title, e->name, "A", "NOERROR", answer, took, note, wrong);
}

static void show_steered(struct tour *t, const struct steered *e)
{
    unsigned first = 0;
    int before = -1;
    char answer[64] = "-", note[96];
    const char *wrong = NULL;
    int64_t begun = clock_mono_us(clock_system());
    for (unsigned i = 0; i < e->times && !wrong; i++) {
        int which = ask_steered(t, e, answer, sizeof answer, &wrong);
        first += which == 0;
        if (!e->share && i && !wrong && which != before)
            wrong = "not always the same";
        before = which;
    }
    if (!wrong && e->share && !is_share(first, e->times, e->share))
        wrong = "not its share";
    int64_t took = clock_mono_us(clock_system()) - begun;
    snprintf(note, sizeof note, "  %s", e->from);
    size_t n = strlen(note);
    if (e->share)
        snprintf(note + n, sizeof note - n, ", %.*s %u of %u", (int)strcspn(e->answers, "|"),
                 e->answers, first, e->times);
    show_claim(t, e->title, e->name, "A", "NOERROR", answer, took / e->times, note, wrong);
}

static void walk(struct tour *t)
{
    for (unsigned i = 0; i < lab_exhibit_count; i++)
        show_exhibit(t, &lab_exhibits[i], NULL);
    show_exhibit(t, &lab_exhibits[0], "ask again: cached");
    for (unsigned i = 0; i < lab_steered_count; i++)
        (lab_steered[i].how ? show_change : show_steered)(t, &lab_steered[i]);
}

void tour_thread(void *arg)
{
    struct tour *t = arg;
    puts("\ntour");
    walk(t);
    if (t->failed)
        printf("\n%u of %u claims failed\n", t->failed, t->step);
    else
        printf("\nall %u claims hold\n", t->step);
    if (t->stay)
        printf("\nTry:\n  waypost trace www.shop.test       every hop\n  waypost lab list          "
               "        all exhibits\n"
               "  dig -p 5300 @127.0.0.1 www.shop.test\n"
               "  dig -p 5300 -b 127.22.0.1 @127.53.9.1 country.steer.geo\n"
               "Ctrl-C stops and removes everything.\n");
    fflush(stdout);
    atomic_store(&t->over, true);
    if (!t->stay)
        server_stop(t->server);
}
