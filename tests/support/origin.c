#include "origin.h"

#include "loopback.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DAY_S = 86400, DRIP_MS = 20, DRIPS = 1000 };

struct origin_seen {
    atomic_uint connections;
};

struct peer {
    int fd;
    SSL *ssl; /* NULL: plain */
};

static int peer_read(struct peer *p, void *to, int cap)
{
    return p->ssl ? SSL_read(p->ssl, to, cap) : (int)recv(p->fd, to, (size_t)cap, 0);
}

static bool peer_write(struct peer *p, const void *from, size_t len)
{
    const char *at = from;
    while (len) {
        int n = p->ssl ? SSL_write(p->ssl, at, (int)len) : (int)send(p->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- what it says ---- */

static void wait_for_end(struct peer *p)
{
    char room[4096];
    while (peer_read(p, room, sizeof room) > 0)
        ;
}

static void drip(struct peer *p, const char *reply)
{
    char ch = 'x';
    for (unsigned i = 0; i < DRIPS; i++) {
        if (*reply)
            ch = *reply++;
        if (!peer_write(p, &ch, 1))
            return;
        poll(NULL, 0, DRIP_MS);
    }
}

static void serve_echo(struct peer *p)
{
    char room[4096], head[96];
    int n = peer_read(p, room, sizeof room);
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n);
    if (n > 0 && peer_write(p, head, strlen(head)))
        peer_write(p, room, (size_t)n);
}

/* Our settings, that theirs are taken, and ":status: 200" as one octet of HPACK (RFC 9113 6). */
static void serve_http2(struct peer *p)
{
    static const uint8_t frames[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1,
                                     0, 0, 0, 0, 0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88};
    char room[4096];
    if (peer_read(p, room, sizeof room) > 0 && peer_write(p, frames, sizeof frames))
        wait_for_end(p);
}

static int choose_http2(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
                        unsigned in_len, void *arg)
{
    static const uint8_t h2[] = "\2h2";
    (void)ssl;
    (void)arg;
    return SSL_select_next_proto((uint8_t **)out, out_len, h2, 3, in, in_len) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void serve(struct peer *p, const struct origin_script *s)
{
    static const char filler[4096] = {'x'};
    char room[4096];
    switch (s->does) {
    case ORIGIN_HANG:
        wait_for_end(p);
        break;
    case ORIGIN_GREET:
        peer_write(p, s->reply, strlen(s->reply));
        wait_for_end(p);
        break;
    case ORIGIN_REPLY:
        while (peer_read(p, room, sizeof room) > 0 && peer_write(p, s->reply, strlen(s->reply)))
            ;
        break;
    case ORIGIN_DRIP:
        if (peer_read(p, room, sizeof room) > 0)
            drip(p, s->reply);
        break;
    case ORIGIN_HUGE:
        if (peer_read(p, room, sizeof room) > 0 && peer_write(p, s->reply, strlen(s->reply)))
            while (peer_write(p, filler, sizeof filler))
                ;
        break;
    case ORIGIN_ECHO:
        serve_echo(p);
        break;
    case ORIGIN_HTTP2:
        serve_http2(p);
        break;
    case ORIGIN_CLOSE:
        peer_read(p, room, sizeof room);
        break;
    default:
        break;
    }
}

/* ---- a certificate ---- */

static X509 *certificate_make(const struct origin_script *script, EVP_PKEY *key)
{
    char names[256];
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), getpid());
    X509_gmtime_adj(X509_getm_notBefore(x), -2 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(x), script->expired ? -DAY_S : DAY_S);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)script->certificate, -1,
                               -1, 0);
    X509_set_issuer_name(x, name);
    snprintf(names, sizeof names, "DNS:%s", script->certificate);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static SSL_CTX *context_make(struct origin *o, const struct origin_script *script)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate_make(script, key);
    strcpy(o->ca_file, "/tmp/waypost-origin-XXXXXX");
    int fd = mkstemp(o->ca_file);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    if (script->does == ORIGIN_HTTP2)
        SSL_CTX_set_alpn_select_cb(ctx, choose_http2, NULL);
    X509_free(x);
    EVP_PKEY_free(key);
    return ctx;
}

/* ---- DNS ---- */

/* Turns the question in m into its answer; returns the length, 0: none. */
static size_t dns_answer(enum origin_does does, bool udp, uint8_t *m, size_t len)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7};
    if (does == ORIGIN_DNS_SILENT)
        return 0;
    m[2] |= 0x80;
    if (does == ORIGIN_DNS_WRONG_ID)
        m[0] ^= 0x55;
    if (does == ORIGIN_DNS_NXDOMAIN)
        m[3] = 3;
    else if (does == ORIGIN_DNS_TRUNCATED && udp)
        m[2] |= 2;
    else
        m[7] = 1;
    if (m[7] && does != ORIGIN_DNS_GARBAGE) {
        memcpy(m + len, record, sizeof record);
        len += sizeof record;
    }
    return len;
}

static void dns_serve_tcp(struct peer *p, enum origin_does does)
{
    uint8_t m[600];
    int n = peer_read(p, m, 512);
    if (n <= 2)
        return;
    size_t len = dns_answer(does, false, m + 2, (size_t)n - 2);
    m[0] = (uint8_t)(len >> 8);
    m[1] = (uint8_t)len;
    if (len)
        peer_write(p, m, len + 2);
    wait_for_end(p);
}

static void dns_serve_udp(int fd, enum origin_does does)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    uint8_t m[600];
    ssize_t n = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &from_len);
    size_t len = n >= 12 ? dns_answer(does, true, m, (size_t)n) : 0;
    if (len)
        sendto(fd, m, len, 0, (struct sockaddr *)&from, from_len);
}

/* ---- the process ---- */

static void one_connection(int listener, const struct origin_script *s, SSL_CTX *ctx,
                           struct origin_seen *seen)
{
    struct peer p = {.fd = accept(listener, NULL, NULL)};
    if (p.fd < 0)
        return;
    atomic_fetch_add(&seen->connections, 1);
    if (s->does == ORIGIN_RESET) {
        struct linger l = {.l_onoff = 1};
        setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    } else if (s->does >= ORIGIN_DNS) {
        dns_serve_tcp(&p, s->does);
    } else if (!ctx) {
        serve(&p, s);
    } else if ((p.ssl = SSL_new(ctx))) {
        SSL_set_fd(p.ssl, p.fd);
        if (SSL_accept(p.ssl) == 1) {
            serve(&p, s);
            SSL_shutdown(p.ssl);
        }
        SSL_free(p.ssl);
    }
    close(p.fd);
}

static void run(int listener, int udp, const struct origin_script *s, SSL_CTX *ctx,
                struct origin_seen *seen)
{
    struct pollfd at[2] = {{.fd = listener, .events = POLLIN}, {.fd = udp, .events = POLLIN}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        if (poll(at, 2, -1) <= 0)
            continue;
        if (at[1].revents)
            dns_serve_udp(udp, s->does);
        if (at[0].revents)
            one_connection(listener, s, ctx, seen);
    }
}

void origin_start(struct origin *o, const struct origin_script *script)
{
    *o = (struct origin){.pid = 0};
    o->seen =
        mmap(NULL, sizeof *o->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(o->seen != MAP_FAILED);
    SSL_CTX *ctx = script->certificate ? context_make(o, script) : NULL;
    int listener = loopback_bind("127.0.0.1", SOCK_STREAM, &o->port);
    int udp = script->does >= ORIGIN_DNS ? loopback_bind("127.0.0.1", SOCK_DGRAM, &o->port) : -1;
    if (script->does != ORIGIN_REFUSE) {
        o->pid = fork();
        assert_true(o->pid >= 0);
        if (!o->pid)
            run(listener, udp, script, ctx, o->seen);
    }
    close(listener);
    if (udp >= 0)
        close(udp);
    SSL_CTX_free(ctx);
}

void origin_stop(struct origin *o)
{
    if (o->pid > 0) {
        kill(o->pid, SIGKILL);
        waitpid(o->pid, NULL, 0);
    }
    if (o->ca_file[0])
        unlink(o->ca_file);
    munmap(o->seen, sizeof *o->seen);
}

unsigned origin_connections(const struct origin *o)
{
    return atomic_load(&o->seen->connections);
}
