#include "remote_priv.h"

#include "base/runtime.h"
#include "lab/lab.h"
#include "verbs_priv.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)
#define TIMEOUT_S  60L

struct body {
    char *text;
    size_t len;
};

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    struct body *b = arg;
    n *= size;
    char *grown = b->len + n < ANSWER_MAX ? realloc(b->text, b->len + n + 1) : NULL;
    if (!grown)
        return 0;
    memcpy(grown + b->len, bytes, n);
    b->text = grown;
    b->len += n;
    b->text[b->len] = 0;
    return n;
}

void remote_escape(const char *text, char *out, size_t cap)
{
    size_t n = 0;
    for (; *text && n + 4 < cap; text++) {
        unsigned char ch = (unsigned char)*text;
        if (isalnum(ch) || strchr("-._", ch))
            out[n++] = (char)ch;
        else
            n += (size_t)snprintf(out + n, cap - n, "%%%02X", ch);
    }
    out[n] = 0;
}

static bool find_socket(char *out, size_t cap)
{
    struct lab_descriptor lab;
    if (runtime_path(out, cap, "control", false) && access(out, W_OK) == 0)
        return true;
    if (!lab_running(&lab) || !*lab.control)
        return false;
    fputs("(the running lab)\n", stderr);
    snprintf(out, cap, "%s", lab.control);
    return true;
}

static CURLcode perform(CURL *curl, const char *socket, const char *method, const char *path,
                        struct body *body, long *status)
{
    char url[4096];
    snprintf(url, sizeof url, "http://waypost%s", path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    CURLcode err = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    return err;
}

json_t *remote_call(const char *socket, const char *method, const char *path, long *status,
                    int *exit_code)
{
    char found[1200];
    struct body body = {0};
    json_t *doc = NULL;
    *exit_code = EXIT_CANNOT;
    if (!socket && !find_socket(found, sizeof found)) {
        fputs("waypost: no server of yours is running here; name its control socket with -s PATH, "
              "or start one: waypost run, waypost lab\n",
              stderr);
        return NULL;
    }
    socket = socket ? socket : found;
    CURL *curl = curl_easy_init();
    CURLcode err = curl ? perform(curl, socket, method, path, &body, status) : CURLE_FAILED_INIT;
    curl_easy_cleanup(curl);
    if (err)
        fprintf(stderr, "waypost: %s: %s\n", socket,
                err == CURLE_COULDNT_CONNECT ? "no server answers there" : curl_easy_strerror(err));
    else if (!(doc = json_loads(body.text ? body.text : "", 0, NULL)))
        fprintf(stderr, "waypost: %s: the answer is not JSON\n", socket);
    free(body.text);
    const char *text = json_string_value(json_object_get(doc, "error"));
    if (text) {
        fprintf(stderr, "waypost: %s\n", text);
        *exit_code = *status == 400 ? EXIT_USAGE : EXIT_CANNOT;
        json_decref(doc);
        doc = NULL;
    }
    return doc;
}
