/* gslb/probe_priv.h: what the kinds of probes share: the prober, a probe under way, sockets.
 * One epoll descriptor holds the sockets of all probes and those of libcurl, watched by one
 * uv_poll_t: a probe opens and closes sockets without a handle that takes a turn to close. */
#ifndef WAYPOST_GSLB_PROBE_PRIV_H
#define WAYPOST_GSLB_PROBE_PRIV_H

#include "base/arena.h"
#include "base/list.h"
#include "gslb/probe.h"

#include <ares.h>
#include <curl/curl.h>
#include <stdarg.h>

struct x509_store_st; /* X509_STORE, without OpenSSL's headers */

#define PROBE_BODY_MAX  (64 * 1024)
#define PROBE_REPLY_MAX 4096

enum probe_state { PROBE_FREE, PROBE_WAITING, PROBE_RUNNING };

/* Finds a text in a stream that comes in pieces, without keeping the stream. */
#define LOAD_DIGITS 8 /* one more than a load has, to see that it is none */

struct probe_match {
    const char *want;
    size_t len, got; /* got: so many of want are the end of what was seen; len: found */
};

struct probe_tcp {
    int fd;
    bool connected;
    size_t sent, seen;
    struct probe_match expect;
};

struct probe_http_slot { /* an easy handle with what it borrows; kept for the next probe */
    struct list link;
    CURL *easy;
    struct gslb_probe *probe;
    struct curl_slist connect_to, header;
    struct x509_store_st *trust; /* NULL: the certificate is not verified */
    size_t body_seen;
    struct probe_match body;
    struct probe_match load_mark; /* what stands before the load in the body */
    char load_text[LOAD_DIGITS + 1];
    unsigned load_len;
    bool load_ended;
    bool body_full, header_found, load_bad, opened;
    uint32_t connected_us; /* on a socket that was opened for it */
    int own_errno;         /* no socket could be made */
    char url[320], connect_text[96], header_text[320], error[CURL_ERROR_SIZE];
};

struct probe_dns {
    ares_channel channel;
    enum gslb_result result;
    int own_errno;
    bool done, stopping;
};

struct probe_icmp {
    int fd;
    bool raw;
    uint16_t id;
    uint8_t token[16];
};

struct probe_command;

struct gslb_probe {
    struct list link; /* of a line, of those running or of the free ones */
    struct gslb_prober *prober;
    uint32_t index; /* into prober->probes */
    enum probe_state state;
    const struct gslb_check *check;
    struct addr target; /* with the port that is asked */
    gslb_probed *done;
    void *arg;
    uint64_t number; /* in order of arrival */
    uv_timer_t deadline;
    int64_t started_us, late_us; /* late_us: how late the loop had been in all by then */
    struct gslb_probe_result result;
    union {
        struct probe_tcp tcp;
        struct probe_http_slot *http;
        struct probe_dns dns;
        struct probe_icmp icmp;
        struct probe_command *exec;
    } as;
};

struct gslb_prober {
    uv_loop_t *loop;
    const struct clock *clock;
    struct gslb_prober_limits limits;
    bool closing;
    void (*done_closed)(void *arg);
    void *done_arg;
    unsigned handles; /* not closed yet */
    uint64_t number;
    /* probes */
    struct list line, command_line, running, free;
    unsigned running_count, command_count; /* command_count: until each is reaped */
    struct gslb_probe **probes;
    uint32_t probe_count, probe_room;
    uv_idle_t kick; /* active while one in line may start */
    /* lateness */
    uv_timer_t beat;
    int64_t beat_us, late_us;
    /* sockets */
    int epoll;
    uv_poll_t ready;
    /* HTTP */
    CURLM *multi;
    uv_timer_t http_timer;
    struct list http_free;
    const char *ca_file; /* libcurl's own choice */
    struct list trusts;
    bool http_added;
    /* DNS */
    struct arena arena;
    struct ares_socket_functions ares;
    bool ares_up;
};

/* In the upper half of an event's data, where an index stands otherwise: a socket of libcurl. */
#define PROBE_HTTP_SOCKET UINT32_MAX

/* One row per type that is asked. start may finish the probe; stop ends whatever start began. */
struct probe_type {
    void (*start)(struct gslb_probe *probe);
    void (*ready)(struct gslb_probe *probe, int fd, uint32_t events);
    void (*stop)(struct gslb_probe *probe);
    const char *(*stage)(struct gslb_probe *probe); /* "connecting": where the deadline found it */
};
extern const struct probe_type probe_type_tcp, probe_type_http, probe_type_dns, probe_type_icmp,
    probe_type_exec;

/* The end of a probe; it is gone afterwards. */
void probe_finish(struct gslb_probe *probe, enum gslb_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an errno: FAIL, or NO_VERDICT when it is our own trouble. */
void probe_finish_errno(struct gslb_probe *probe, int errnum, const char *doing);
/* Notes the evidence only. */
void probe_evidence(struct gslb_probe *probe, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
uint32_t probe_elapsed_us(const struct gslb_probe *probe); /* at least 1 */

/* Does this errno speak of us and not of the target? */
bool probe_errno_is_own(int errnum);
const char *probe_errno_text(int errnum, char *room, size_t cap);
/* Socket for the target, not blocking, bound to the check's source; or -1 with errno. */
int probe_socket(const struct gslb_probe *probe, int type, int protocol);
/* Watches fd for the probe from now on; events 0: no longer. 0 or an errno. */
int probe_watch(struct gslb_probe *probe, int fd, uint32_t events);
void probe_close_fd(struct gslb_probe *probe, int *fd);

bool probe_match_feed(struct probe_match *m, const char *bytes, size_t len);

int probe_http_init(struct gslb_prober *p);  /* ERR_NOMEM */
void probe_http_turn(struct gslb_prober *p); /* begins what was added */
void probe_http_ready(struct gslb_prober *p, int fd, uint32_t events);
void probe_http_fini(struct gslb_prober *p);
void probe_dns_init(struct gslb_prober *p);

/* 0 and its process: a session of its own, in "/", that writes to `out` and reads nothing, with so
 * many open files as soft limit (0: as ours). Else an errno. */
int probe_spawn(char *const argv[], char *const env[], int out, uint64_t files, pid_t *pid);

/* The certificates in that file; NULL: it cannot be read. The prober's. */
struct x509_store_st *probe_trust_get(struct gslb_prober *p, const char *path);
void probe_trust_fini(struct gslb_prober *p);

void probe_handle_opened(struct gslb_prober *p);
void probe_handle_closed(struct gslb_prober *p); /* the last one frees the prober */
void probe_on_close(uv_handle_t *h);             /* h->data is the prober */
void probe_commands_changed(struct gslb_prober *p);

#endif
