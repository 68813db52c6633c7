/* daemon/steering_checks.c: checks of `gslb`, and when they are doubted. */
#include "base/err.h"
#include "dns/name.h"
#include "dns/type.h"
#include "steering_priv.h"

#include <stdlib.h>
#include <string.h>

#define CHECK "gslb.checks.*."
#define ON(t) (1u << GSLB_CHECK_##t)
#define WEB   (ON(HTTP) | ON(HTTPS))
#define NETS  (WEB | ON(TCP) | ON(DNS))

/* Keys that only some types know. */
static const struct {
    const char *path;
    unsigned types;
} keys[] = {{CHECK "port", NETS},
            {CHECK "source", NETS | ON(ICMP)},
            {CHECK "reuse", WEB},
            {CHECK "send", ON(TCP)},
            {CHECK "expect.text", ON(TCP)},
            {CHECK "expect.status", WEB},
            {CHECK "expect.body", WEB},
            {CHECK "expect.header", WEB},
            {CHECK "expect.rcode", ON(DNS)},
            {CHECK "expect.answer", ON(DNS)},
            {CHECK "method", WEB},
            {CHECK "path", WEB},
            {CHECK "host", WEB},
            {CHECK "sni", ON(HTTPS)},
            {CHECK "verify", ON(HTTPS)},
            {CHECK "ca", ON(HTTPS)},
            {CHECK "http2", WEB},
            {CHECK "load-header", WEB},
            {CHECK "load-body", WEB},
            {CHECK "ask", ON(DNS)},
            {CHECK "tcp", ON(DNS)},
            {CHECK "command", ON(EXEC)}};

static void check_keys(struct steering *s, const struct config_node *item, const char *type,
                       enum gslb_check_type t)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct config_node *n = config_node(s->c, item, keys[i].path);
        if (n && !(keys[i].types >> t & 1))
            steering_wrong(s, n, NULL, "%s is nothing that a check of type %s knows",
                           keys[i].path + sizeof CHECK - 1, type);
    }
    if (t == GSLB_CHECK_TCP && !config_node(s->c, item, CHECK "port"))
        steering_key_wrong(s, item, "write port: NUMBER", "a check of type tcp needs a port");
    if (t == GSLB_CHECK_EXEC && !config_count(s->c, item, CHECK "command"))
        steering_key_wrong(s, item, "write command: [PROGRAM, ARGUMENTS]",
                           "a check of type exec needs a command");
}

static void read_rules(struct steering *s, const struct config_node *item, struct gslb_rules *r)
{
    const struct config *c = s->c;
    r->fail_after = (uint32_t)config_int(c, item, CHECK "fail-after");
    r->pass_after = (uint32_t)config_int(c, item, CHECK "pass-after");
    r->reset_after = (uint32_t)config_int(c, item, CHECK "reset-after");
    r->hold_ms = (uint32_t)config_int(c, item, CHECK "hold");
    r->slow_start_ms = (uint32_t)config_int(c, item, CHECK "slow-start");
    r->flap_penalty = (uint32_t)config_int(c, item, CHECK "flap.penalty");
    r->flap_suppress = (uint32_t)config_int(c, item, CHECK "flap.suppress");
    r->flap_reuse = (uint32_t)config_int(c, item, CHECK "flap.reuse");
    r->flap_half_life_ms = (uint32_t)config_int(c, item, CHECK "flap.half-life");
    r->manual_resume = !strcmp(config_text(c, item, CHECK "resume"), "manual");
    bool damps = r->flap_penalty && r->flap_suppress && r->flap_half_life_ms;
    if (damps && r->flap_reuse >= r->flap_suppress)
        steering_wrong(s, config_node(c, item, CHECK "flap"), "suppress: 0 is without damping",
                       "flap.reuse (%u) must be less than flap.suppress (%u)",
                       (unsigned)r->flap_reuse, (unsigned)r->flap_suppress);
}

static void read_times(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    const struct config *c = s->c;
    const struct config_node *timeout = config_node(c, item, CHECK "timeout");
    bool push = k->type == GSLB_CHECK_PUSH;
    k->every_ms = (uint32_t)config_int(c, item, CHECK "every");
    k->timeout_ms = push && !timeout ? 0 : (uint32_t)config_int(c, item, CHECK "timeout");
    k->jitter_permille = (uint32_t)config_int(c, item, CHECK "jitter");
    if (!push && !k->timeout_ms)
        steering_wrong(s, timeout, NULL, "without any time no answer can come");
    if (!push && k->timeout_ms > k->every_ms)
        config_complain(c, timeout ? timeout : item, DIAG_WARNING, NULL, s->diags,
                        "the timeout (%u ms) is longer than the interval (%u ms)",
                        (unsigned)k->timeout_ms, (unsigned)k->every_ms);
}

static void read_status(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    unsigned n = config_count(s->c, item, CHECK "expect.status");
    struct gslb_range *ranges = STEERING_ARRAY(s, struct gslb_range, n);
    for (unsigned i = 0; ranges && i < n; i++) {
        const char *text = config_text_at(s->c, item, CHECK "expect.status", i);
        char *end;
        unsigned long low = strtoul(text, &end, 10), high = low;
        if (*end == '-')
            high = strtoul(end + 1, &end, 10);
        if (*end || low < 100 || high > 999 || low > high)
            steering_wrong(s, config_node_at(s->c, item, CHECK "expect.status", i), NULL,
                           "\"%s\" is not a status such as 200 or 200-299", text);
        ranges[i] = (struct gslb_range){(uint16_t)low, (uint16_t)high};
    }
    k->status = ranges;
    k->status_count = ranges ? n : 0;
}

static void read_web(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    const struct config *c = s->c;
    const struct config_node *header = config_node(c, item, CHECK "expect.header");
    k->method = steering_text(s, item, CHECK "method");
    k->path = steering_text(s, item, CHECK "path");
    k->host = steering_text(s, item, CHECK "host");
    k->sni = steering_text(s, item, CHECK "sni");
    k->verify = config_bool(c, item, CHECK "verify");
    k->http2 = config_bool(c, item, CHECK "http2");
    k->reuse = config_bool(c, item, CHECK "reuse");
    k->body = steering_text(s, item, CHECK "expect.body");
    k->header = steering_text(s, item, CHECK "expect.header");
    k->load_header = steering_text(s, item, CHECK "load-header");
    k->load_body = steering_text(s, item, CHECK "load-body");
    const char *ca = config_text(c, item, CHECK "ca");
    k->ca_file = ca ? steering_file(s, ca) : NULL;
    if (k->path && *k->path != '/')
        steering_wrong(s, config_node(c, item, CHECK "path"), NULL, "a path begins with /");
    if (k->header && (!strchr(k->header, ':') || *k->header == ':'))
        steering_wrong(s, header, NULL, "\"%s\" is not a header such as \"Server: nginx\"",
                       k->header);
    read_status(s, item, k);
}

static void read_dns(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    const struct config *c = s->c;
    const struct config_node *at = config_node(c, item, CHECK "ask");
    const char *ask = config_text(c, item, CHECK "ask");
    const char *rcode = config_text(c, item, CHECK "expect.rcode");
    k->qtype = DNS_TYPE_SOA;
    k->rcode = DNS_RCODE_NOERROR;
    k->tcp = config_bool(c, item, CHECK "tcp");
    k->answer = steering_text(s, item, CHECK "expect.answer");
    if (rcode && !strcmp(rcode, "any")) {
        k->rcode = -1;
    } else if (rcode) {
        k->rcode = dns_rcode_parse(rcode, strlen(rcode));
        if (k->rcode < 0)
            steering_wrong(s, config_node(c, item, CHECK "expect.rcode"), "noerror, nxdomain, any",
                           "there is no response code \"%s\"", rcode);
    }
    if (!ask)
        return;
    char name[DNS_NAME_TEXT_MAX];
    size_t len = strcspn(ask, " ");
    const char *word = ask + len + strspn(ask + len, " ");
    int type = *word ? dns_type_parse(word, strlen(word)) : DNS_TYPE_A;
    snprintf(name, sizeof name, "%.*s", (int)len, ask);
    k->qname = steering_domain(s, at, name);
    k->qtype = (uint16_t)(type < 0 ? 0 : type);
    if (type < 0)
        steering_wrong(s, at, "a name and a type: \"www.example.com A\"", "there is no type \"%s\"",
                       word);
}

static void read_command(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    unsigned n = config_count(s->c, item, CHECK "command");
    const char **argv = STEERING_ARRAY(s, const char *, n + 1);
    for (unsigned i = 0; argv && i < n; i++) {
        const char *word = config_text_at(s->c, item, CHECK "command", i);
        argv[i] = i ? steering_strdup(s, word) : steering_file(s, word);
    }
    k->argv = argv;
}

static enum gslb_check_type type_of(const char *text)
{
    for (int t = 0; t < GSLB_CHECK_TYPES; t++)
        if (!strcmp(gslb_check_type_name((enum gslb_check_type)t), text))
            return (enum gslb_check_type)t;
    return GSLB_CHECK_NONE;
}

static void read_address(struct steering *s, const struct config_node *item, const char *path,
                         const char *hint, struct addr *out)
{
    *out = config_addr(s->c, item, path, 0);
    if (out->port)
        steering_wrong(s, config_node(s->c, item, path), hint, "an address without port is wanted");
}

static void read_check(struct steering *s, const struct config_node *item, struct gslb_check *k)
{
    const char *type = config_text(s->c, item, CHECK "type");
    gslb_check_default(k);
    steering_check_name(s, item, "check");
    k->name = steering_strdup(s, item->key);
    k->at = steering_at(s, item);
    if (!type)
        return; /* said by the row */
    k->type = type_of(type);
    check_keys(s, item, type, k->type);
    k->port = (uint16_t)config_int(s->c, item, CHECK "port");
    read_address(s, item, CHECK "address", "the port is a key of its own", &k->address);
    read_address(s, item, CHECK "source", NULL, &k->source);
    read_rules(s, item, &k->rules);
    read_times(s, item, k);
    if (k->type == GSLB_CHECK_TCP) {
        k->send = steering_text(s, item, CHECK "send");
        k->send_len = k->send ? strlen(k->send) : 0;
        k->expect = steering_text(s, item, CHECK "expect.text");
        k->expect_len = k->expect ? strlen(k->expect) : 0;
    } else if (k->type == GSLB_CHECK_HTTP || k->type == GSLB_CHECK_HTTPS) {
        read_web(s, item, k);
    } else if (k->type == GSLB_CHECK_DNS) {
        read_dns(s, item, k);
    } else if (k->type == GSLB_CHECK_EXEC) {
        read_command(s, item, k);
    }
}

void steering_checks_read(struct steering *s)
{
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.checks", &n);
    s->plan->checks = STEERING_ARRAY(s, struct gslb_check, n);
    for (; !s->nomem && item; item = item->next)
        read_check(s, item, &s->plan->checks[s->plan->check_count++]);
}

void steering_doubt_read(struct steering *s)
{
    struct gslb_doubt *d = &s->plan->doubt;
    const struct config *c = s->c;
    unsigned n;
    const struct config_node *item = steering_first(s, NULL, "gslb.doubt.references", &n),
                             *checks = config_node(c, NULL, "gslb.checks");
    d->share_permille = (uint32_t)config_int(c, NULL, "gslb.doubt.share");
    d->window_ms = (uint32_t)config_int(c, NULL, "gslb.doubt.window");
    d->targets_min = (uint32_t)config_int(c, NULL, "gslb.doubt.targets");
    d->withdraw_permille = (uint32_t)config_int(c, NULL, "gslb.doubt.withdraw");
    uint16_t *references = STEERING_ARRAY(s, uint16_t, n);
    struct addr *addresses = STEERING_ARRAY(s, struct addr, n);
    for (unsigned i = 0; references && addresses && i < n; i++, item = item->next) {
        const char *name = config_text(c, item, "gslb.doubt.references[].check");
        int k = steering_index(s, checks, "check",
                               config_node(c, item, "gslb.doubt.references[].check"), name);
        references[i] = (uint16_t)(k < 0 ? 0 : k);
        read_address(s, item, "gslb.doubt.references[].address", "the port is the check's",
                     &addresses[i]);
    }
    d->references = references;
    d->reference_address = addresses;
    d->reference_count = references && addresses ? n : 0;
}
