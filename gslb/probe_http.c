/* HTTP and HTTPS through one libcurl multi handle on the prober's epoll descriptor and one timer.
 * Easy handles are kept for the next probe, whatever it asks: what is the same for all is set once,
 * the rest each time. They share neither connections (unless the check says so) nor TLS sessions
 * nor names: a resumed session would hide a certificate that expired since.
 * The address is pinned twice: the URL's host is bound to it as a literal, so that nothing is
 * looked up, and the socket is ours and connects to the target whatever libcurl believes. */
#include "probe_priv.h"

#include "base/err.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

enum { BUFFER = 8192, LOAD_MAX = 1000000 };

/* ---- what libcurl calls ---- */

/* The digits behind the mark. */
static void feed_load(struct probe_http_slot *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !s->load_ended; i++) {
        char ch = bytes[i];
        if (s->load_mark.got < s->load_mark.len)
            probe_match_feed(&s->load_mark, &ch, 1);
        else if (ch >= '0' && ch <= '9' && s->load_len < LOAD_DIGITS)
            s->load_text[s->load_len++] = ch;
        else
            s->load_ended = s->load_len || (ch != ' ' && ch != '\t');
    }
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct probe_http_slot *s = arg;
    size_t len = size * n, room = PROBE_BODY_MAX - s->body_seen, take = len < room ? len : room;
    probe_match_feed(&s->body, bytes, take);
    if (s->load_mark.len)
        feed_load(s, bytes, take);
    s->body_seen += take;
    s->body_full = take < len || s->body_seen == PROBE_BODY_MAX;
    return s->body_full ? 0 : len;
}

/* The value of "name: value" in a header line, or NULL. */
static const char *header_value(const char *line, size_t len, const char *name, size_t name_len,
                                size_t *value_len)
{
    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
        return NULL;
    const char *at = line + name_len + 1, *end = line + len;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
        end--;
    *value_len = (size_t)(end - at);
    return at;
}

static void take_load(struct probe_http_slot *s, const char *value, size_t len)
{
    struct gslb_probe_result *r = &s->probe->result;
    uint32_t load = 0;
    bool bad = len == 0 || len > 7;
    for (size_t i = 0; i < len && !bad; i++) {
        bad = value[i] < '0' || value[i] > '9';
        load = load * 10 + (uint32_t)(value[i] - '0');
    }
    r->has_load = !bad && load <= LOAD_MAX;
    r->load = r->has_load ? load : 0;
    s->load_bad = !r->has_load;
}

static void take_header(struct probe_http_slot *s, const char *line, size_t len)
{
    const char *want = s->probe->check->header, *value;
    size_t name_len = strcspn(want, ":"), value_len;
    const char *text = want + name_len + (want[name_len] == ':');
    text += strspn(text, " \t");
    value = header_value(line, len, want, name_len, &value_len);
    if (value && (!*text || memmem(value, value_len, text, strlen(text))))
        s->header_found = true;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct probe_http_slot *s = arg;
    const struct gslb_check *c = s->probe->check;
    size_t len = size * n, value_len;
    if (len >= 5 && !memcmp(line, "HTTP/", 5)) { /* one after a 100 or 103 counts anew */
        s->header_found = s->load_bad = false;
        s->probe->result.has_load = false;
    }
    if (c->header)
        take_header(s, line, len);
    const char *value =
        c->load_header ? header_value(line, len, c->load_header, strlen(c->load_header), &value_len)
                       : NULL;
    if (value)
        take_load(s, value, value_len);
    return len;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct probe_http_slot *s = arg;
    struct sockaddr_storage ss;
    (void)purpose;
    socklen_t len = addr_to_sockaddr(&s->probe->target, &ss);
    int fd = probe_socket(s->probe, SOCK_STREAM, 0);
    if (fd < 0) {
        s->own_errno = errno;
        return CURL_SOCKET_BAD;
    }
    s->opened = true;
    address->family = ss.ss_family;
    address->addrlen = len;
    memcpy(&address->addr, &ss, len); /* libcurl has room for either family there */
    return fd;
}

/* What is trusted is ours: libcurl reads no file. */
static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    const struct probe_http_slot *s = arg;
    (void)easy;
    if (s->trust)
        SSL_CTX_set1_cert_store(context, s->trust);
    return CURLE_OK;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct gslb_prober *p = arg;
    struct epoll_event e = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
                                      (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                            .data.u64 = (uint64_t)PROBE_HTTP_SOCKET << 32 | (uint32_t)fd};
    struct probe_http_slot *s = NULL;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, &e);
        return 0;
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s);
    if (s && s->probe && s->opened && what == CURL_POLL_IN && !s->connected_us)
        s->connected_us = probe_elapsed_us(s->probe);
    if (epoll_ctl(p->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e)) {
        if (s)
            s->own_errno = errno;
        return -1;
    }
    if (!known)
        curl_multi_assign(p->multi, fd, p); /* anything: it is being watched */
    return 0;
}

/* ---- the verdict ---- */

static bool status_is_good(const struct gslb_check *c, long status)
{
    if (!c->status_count)
        return status >= 200 && status <= 299;
    for (unsigned i = 0; i < c->status_count; i++)
        if (status >= c->status[i].low && status <= c->status[i].high)
            return true;
    return false;
}

static void judge_answer(struct gslb_probe *probe, struct probe_http_slot *s, long status)
{
    const struct gslb_check *c = probe->check;
    if (c->load_body && s->load_mark.got == s->load_mark.len)
        take_load(s, s->load_text, s->load_len);
    if (!status_is_good(c, status))
        probe_finish(probe, GSLB_FAIL, "status %ld", status);
    else if (c->header && !s->header_found)
        probe_finish(probe, GSLB_FAIL, "status %ld, no header holds: %s", status, c->header);
    else if (c->body && s->body.got < s->body.len)
        probe_finish(probe, GSLB_FAIL, "status %ld, the body%s lacks: %s", status,
                     s->body_full ? "'s first 64 KiB" : "", c->body);
    else
        probe_finish(probe, GSLB_PASS, "status %ld%s", status,
                     s->load_bad ? ", the load is no number up to 1,000,000" : "");
}

static bool is_ours(CURLcode err)
{
    static const CURLcode own[] = {
        CURLE_FAILED_INIT,           CURLE_OUT_OF_MEMORY,        CURLE_URL_MALFORMAT,
        CURLE_NOT_BUILT_IN,          CURLE_INTERFACE_FAILED,     CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_ENGINE_NOTFOUND,   CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CERTPROBLEM,
        CURLE_BAD_FUNCTION_ARGUMENT, CURLE_COULDNT_RESOLVE_HOST, CURLE_ABORTED_BY_CALLBACK};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] == err)
            return true;
    return false;
}

static void judge_error(struct gslb_probe *probe, const struct probe_http_slot *s, CURLcode err)
{
    char said[CURL_ERROR_SIZE];
    long os = 0;
    curl_easy_getinfo(s->easy, CURLINFO_OS_ERRNO, &os);
    snprintf(said, sizeof said, "%s", s->error[0] ? s->error : curl_easy_strerror(err));
    if (s->own_errno)
        probe_finish_errno(probe, s->own_errno, "cannot ask");
    else if (is_ours(err))
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: %s", said);
    else if (err == CURLE_COULDNT_CONNECT && os)
        probe_finish_errno(probe, (int)os, NULL);
    else if (err == CURLE_PEER_FAILED_VERIFICATION)
        probe_finish(probe, GSLB_FAIL, "certificate: %s", said);
    else if (err == CURLE_SSL_CONNECT_ERROR)
        probe_finish(probe, GSLB_FAIL, "TLS: %s", said);
    else if (err == CURLE_GOT_NOTHING)
        probe_finish(probe, GSLB_FAIL, "closed without an answer");
    else if (err == CURLE_UNSUPPORTED_PROTOCOL || err == CURLE_WEIRD_SERVER_REPLY)
        probe_finish(probe, GSLB_FAIL, "the answer is not HTTP: %s", said);
    else if ((err == CURLE_RECV_ERROR || err == CURLE_SEND_ERROR) &&
             (os == ECONNRESET || strstr(said, "onnection reset")))
        probe_finish(probe, GSLB_FAIL, "connection reset");
    else
        probe_finish(probe, GSLB_FAIL, "%s", said);
}

static uint32_t time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* libcurl 7.88 knows of a TCP connection only when that of TLS stands: there ours counts, which is
 * when it first wanted to do nothing but read. */
static void take_times(struct gslb_probe *probe)
{
    const struct probe_http_slot *s = probe->as.http;
    struct gslb_probe_result *r = &probe->result;
    long status = 0;
    if (curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status)
        r->code = (int)status;
    r->connect_us = time_of(s->easy, CURLINFO_CONNECT_TIME_T);
    r->tls_us = time_of(s->easy, CURLINFO_APPCONNECT_TIME_T);
    r->first_us = time_of(s->easy, CURLINFO_STARTTRANSFER_TIME_T);
    if (s->connected_us && (!r->connect_us || s->connected_us < r->connect_us))
        r->connect_us = s->connected_us;
}

static void http_drain(struct gslb_prober *p)
{
    CURLMsg *m;
    int left;
    while (!p->closing && (m = curl_multi_info_read(p->multi, &left))) {
        struct probe_http_slot *s = NULL;
        long status = 0;
        CURLcode err = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (err == CURLE_OK || (err == CURLE_WRITE_ERROR && s->body_full))
            judge_answer(s->probe, s, status);
        else
            judge_error(s->probe, s, err);
    }
}

/* ---- the loop ---- */

static void http_act(struct gslb_prober *p, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(p->multi, fd, what, &running);
    http_drain(p);
}

static void on_timer(uv_timer_t *timer)
{
    http_act(container_of(timer, struct gslb_prober, http_timer), CURL_SOCKET_TIMEOUT, 0);
}

/* A timer of 0 set by a timer would run again before any socket is looked at. */
static int on_timeout(CURLM *multi, long ms, void *arg)
{
    struct gslb_prober *p = arg;
    (void)multi;
    if (p->closing || ms < 0)
        uv_timer_stop(&p->http_timer);
    else
        uv_timer_start(&p->http_timer, on_timer, ms ? (uint64_t)ms : 1, 0);
    return 0;
}

void probe_http_turn(struct gslb_prober *p)
{
    p->http_added = false;
    http_act(p, CURL_SOCKET_TIMEOUT, 0);
}

void probe_http_ready(struct gslb_prober *p, int fd, uint32_t events)
{
    http_act(p, fd,
             (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                 (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                 (events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

/* ---- one probe ---- */

static void slot_free(struct probe_http_slot *s)
{
    curl_easy_cleanup(s->easy);
    free(s);
}

static struct probe_http_slot *slot_new(struct gslb_prober *p)
{
    char *ca_file = NULL;
    struct probe_http_slot *s = calloc(1, sizeof *s);
    CURL *e = s ? curl_easy_init() : NULL;
    if (!e) {
        free(s);
        return NULL;
    }
    list_init(&s->link);
    s->easy = e;
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor the environment's */
    curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)INT32_MAX); /* the deadline is ours */
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "waypost");
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s);
    if (curl_easy_getinfo(e, CURLINFO_CAINFO, &ca_file) == CURLE_OK)
        p->ca_file = ca_file; /* a constant of libcurl's */
    curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* it would keep ours for the next */
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_context);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, s);
    return s;
}

static const char *http_stage(struct gslb_probe *probe)
{
    take_times(probe);
    const struct gslb_probe_result *r = &probe->result;
    return r->first_us ? "reading the answer"
           : r->tls_us || (r->connect_us && probe->check->type == GSLB_CHECK_HTTP)
               ? "waiting for an answer"
           : r->connect_us ? "in the TLS handshake"
                           : "connecting";
}

static void http_stop(struct gslb_probe *probe)
{
    struct probe_http_slot *s = probe->as.http;
    if (!s)
        return;
    take_times(probe);
    curl_multi_remove_handle(probe->prober->multi, s->easy);
    probe->as.http = NULL;
    s->probe = NULL;
    list_push_front(&probe->prober->http_free, &s->link);
}

/* Names come from a configuration: nothing that would end a host or a header may be in them. */
static bool host_is_plain(const char *host)
{
    return !host || (strlen(host) < 256 && host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
                                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                             "0123456789-._:[]")] == 0);
}

static bool path_is_plain(const char *path)
{
    if (*path != '/')
        return false;
    for (; *path; path++)
        if (*path <= ' ' || *path == 127)
            return false;
    return true;
}

/* Writes the URL, where it leads and, where they differ, the Host header. */
static void slot_aim(struct probe_http_slot *s, const struct gslb_probe *probe)
{
    const struct gslb_check *c = probe->check;
    const char *scheme = c->type == GSLB_CHECK_HTTPS ? "https" : "http";
    const char *sni = c->type == GSLB_CHECK_HTTPS ? c->sni : NULL;
    struct addr literal = probe->target;
    char address[ADDR_TEXT_MAX], port[8] = "";
    literal.scope = 0;
    addr_print_port(&literal, address);
    *strrchr(address, ':') = 0;
    const char *host = c->host ? c->host : address, *name = sni ? sni : host;
    snprintf(s->url, sizeof s->url, "%s://%s:%u/", scheme, name, probe->target.port);
    snprintf(s->connect_text, sizeof s->connect_text, "::%s:%u", address, probe->target.port);
    s->connect_to = (struct curl_slist){.data = s->connect_text};
    if (probe->target.port != (c->type == GSLB_CHECK_HTTPS ? 443 : 80))
        snprintf(port, sizeof port, ":%u", probe->target.port);
    snprintf(s->header_text, sizeof s->header_text, "Host: %s%s", host, port);
    s->header = (struct curl_slist){.data = s->header_text};
    curl_easy_setopt(s->easy, CURLOPT_URL, s->url);
    curl_easy_setopt(s->easy, CURLOPT_CONNECT_TO, name == address ? NULL : &s->connect_to);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, name == host ? NULL : &s->header);
}

static void slot_ask(struct probe_http_slot *s, const struct gslb_probe *probe)
{
    const struct gslb_check *c = probe->check;
    const char *method = c->method ? c->method : "GET", *path = c->path ? c->path : "/";
    bool tls = c->type == GSLB_CHECK_HTTPS, head = !strcmp(method, "HEAD");
    CURL *e = s->easy;
    curl_easy_setopt(e, CURLOPT_NOBODY, (long)head);
    if (!head)
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, head || !strcmp(method, "GET") ? NULL : method);
    curl_easy_setopt(e, CURLOPT_REQUEST_TARGET, !strcmp(path, "/") ? NULL : path);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     (long)(!c->http2 ? CURL_HTTP_VERSION_1_1
                            : tls     ? CURL_HTTP_VERSION_2TLS
                                      : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)!c->reuse);
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, (long)!c->reuse);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, c->header || c->load_header ? on_header : NULL);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, (long)c->verify);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, c->verify ? 2L : 0L);
}

static void http_start(struct gslb_probe *probe)
{
    struct gslb_prober *p = probe->prober;
    const struct gslb_check *c = probe->check;
    struct list *first = list_first(&p->http_free);
    probe->as.http = NULL;
    if (!host_is_plain(c->host) || !host_is_plain(c->sni) || (c->path && !path_is_plain(c->path))) {
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: a host or path that no URL can hold");
        return;
    }
    const char *ca_file = c->ca_file ? c->ca_file : p->ca_file;
    struct x509_store_st *trust = NULL;
    if (c->type == GSLB_CHECK_HTTPS && c->verify &&
        (!ca_file || !(trust = probe_trust_get(p, ca_file)))) {
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: no certificates can be read from %s",
                     ca_file ? ca_file : "the system");
        return;
    }
    struct probe_http_slot *s =
        first ? container_of(first, struct probe_http_slot, link) : slot_new(p);
    if (!s) {
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: out of memory");
        return;
    }
    list_remove(&s->link);
    probe->as.http = s;
    s->probe = probe;
    s->trust = trust;
    s->body_seen = 0;
    s->body = (struct probe_match){.want = c->body, .len = c->body ? strlen(c->body) : 0};
    s->load_mark =
        (struct probe_match){.want = c->load_body, .len = c->load_body ? strlen(c->load_body) : 0};
    s->load_len = 0;
    s->load_ended = false;
    s->body_full = s->header_found = s->load_bad = false;
    s->opened = false;
    s->connected_us = 0;
    s->own_errno = 0;
    s->error[0] = 0;
    slot_aim(s, probe);
    slot_ask(s, probe);
    if (curl_multi_add_handle(p->multi, s->easy) != CURLM_OK)
        probe_finish(probe, GSLB_NO_VERDICT, "cannot ask: out of memory");
    p->http_added = true;
}

const struct probe_type probe_type_http = {http_start, NULL, http_stop, http_stage};

/* ---- the prober's part ---- */

int probe_http_init(struct gslb_prober *p)
{
    /* Counted by libcurl, and undone in fini. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return ERR_NOMEM;
    p->multi = curl_multi_init();
    if (!p->multi) {
        curl_global_cleanup();
        return ERR_NOMEM;
    }
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)p->limits.running);
    /* Two probes on one connection would measure each other. */
    curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    struct probe_http_slot *s = slot_new(p);
    if (s)
        list_push(&p->http_free, &s->link);
    return s ? 0 : ERR_NOMEM;
}

void probe_http_fini(struct gslb_prober *p)
{
    for (struct list *l; (l = list_first(&p->http_free));) {
        list_remove(l);
        slot_free(container_of(l, struct probe_http_slot, link));
    }
    if (!p->multi)
        return;
    curl_multi_cleanup(p->multi);
    curl_global_cleanup();
}
