#include "mail.h"

#include "courier.h"
#include "resolve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_MS = 10000, ALL_MS = 60000, TRIES = 3, PAUSE_S = 2, DATE_ROOM = 40, LINE_CHARS = 72 };

struct mail {
    struct message_relay relay;
    CURL *curl;
};

struct mail *mail_open(const struct message_relay *relay) {
    struct mail *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->relay = *relay;
    m->curl = curl_easy_init();
    if (m->curl) return m;
    free(m);
    return NULL;
}

uint16_t mail_port(const struct mail *m) { return (uint16_t)m->relay.port; }

/* ---- the letter ---- */

/* Base64 in lines (RFC 2045): whatever the text holds, no line is too long and none begins with a dot. */
static void add_base64(FILE *out, const char *text, size_t size) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)text[i] << 16;
        size_t left = size - i;
        if (left > 1) bits |= (uint32_t)(uint8_t)text[i + 1] << 8;
        if (left > 2) bits |= (uint8_t)text[i + 2];
        const char four[] = {digit[bits >> 18], digit[bits >> 12 & 63], left > 1 ? digit[bits >> 6 & 63] : '=',
                             left > 2 ? digit[bits & 63] : '='};
        fwrite(four, 1, sizeof four, out);
        written += sizeof four;
        if (written % LINE_CHARS == 0) fputs("\r\n", out);
    }
    if (written % LINE_CHARS) fputs("\r\n", out);
}

static void add_header(FILE *out, const struct message_letter *l, const char *from, uint64_t now_ms) {
    static const char *const subject[NOTICE_KINDS] = {
#define NOTICE(NAME, BY, FRENCH, ENGLISH) [NOTICE_##NAME] = ENGLISH,
#include "../../policy/notices.def"
#undef NOTICE
    };
    char date[DATE_ROOM];
    struct tm tm;
    time_t now = (time_t)(now_ms / 1000);
    if (!gmtime_r(&now, &tm) || !strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm)) date[0] = '\0';
    fprintf(out, "Date: %s\r\nFrom: <%s>\r\nTo: <%s>\r\n", date, from, l->to);
    /* One number for each notice and tenant: a letter that is sent twice is the same one. */
    fprintf(out, "Message-ID: <notice-%" PRIu32 "-%" PRIu32 "@%s>\r\nSubject: Notice of change: %s\r\n", l->number, l->head.tenant,
            strchr(from, '@') + 1, subject[l->kind]);
    fputs("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Transfer-Encoding: base64\r\n\r\n",
          out);
}

/* What stands before the text. A new string; NULL: no memory. */
static char *preface(const struct message_letter *l) {
    const struct notice_row *row = &notice_table[l->kind];
    char day[16], *text = NULL;
    struct tm tm;
    time_t effective = (time_t)(l->effective_ms / 1000);
    if (!gmtime_r(&effective, &tm) || !strftime(day, sizeof day, "%Y-%m-%d", &tm)) return NULL;
    int size = asprintf(&text,
                        "%s. Prend effet le %s au plus tôt. Pour en accuser réception : https://%s/ (Avis).\n"
                        "%s. Takes effect on %s at the earliest. To acknowledge it: https://%s/ (Notices).\n\n",
                        row->fr, day, l->host, row->en, day, l->host);
    return size < 0 ? NULL : text;
}

char *mail_compose(const struct message_letter *l, const char *from, const char *text, uint64_t now_ms, size_t *size) {
    char *letter = NULL, *before = preface(l), *body = NULL;
    int body_size = before ? asprintf(&body, "%s%.*s", before, (int)l->bytes, text) : -1;
    FILE *out = body_size < 0 ? NULL : open_memstream(&letter, size);
    if (out) {
        add_header(out, l, from, now_ms);
        add_base64(out, body, (size_t)body_size);
        if (fclose(out) != 0) {
            free(letter);
            letter = NULL;
        }
    }
    if (body_size >= 0) free(body);
    free(before);
    return letter;
}

/* ---- the relay ---- */

struct reading {
    const char *bytes;
    size_t left;
};

static size_t on_read(char *to, size_t one, size_t room, void *context) {
    struct reading *r = context;
    (void)one;
    if (room > r->left) room = r->left;
    memcpy(to, r->bytes, room);
    r->bytes += room;
    r->left -= room;
    return room;
}

/* In clear: the relay is the provider's own, on this machine or its network, and what it is given is the provider's own words. */
static void set_relay(const struct mail *m, const char *url) {
    curl_easy_setopt(m->curl, CURLOPT_URL, url);
    curl_easy_setopt(m->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(m->curl, CURLOPT_PROTOCOLS_STR, "smtp");
    curl_easy_setopt(m->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(m->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_NONE);
    curl_easy_setopt(m->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(m->curl, CURLOPT_TIMEOUT_MS, (long)ALL_MS);
    curl_easy_setopt(m->curl, CURLOPT_FORBID_REUSE, 1L);
}

/* 0: taken; else the relay's answer, or -1: none. */
static long hand_over(struct mail *m, const struct message_letter *l, const char *letter, size_t size) {
    char url[HOST_MAX + 64];
    const struct message_relay *r = &m->relay;
    struct reading reading = {letter, size};
    struct curl_slist *addresses = NULL, *to = curl_slist_append(NULL, l->to);
    long code = -1;
    bool v6 = strchr(r->host, ':');
    /* A path is what is said in EHLO; without one libcurl asks for this machine's name. */
    snprintf(url, sizeof url, "smtp://%s%s%s:%u/cloison", v6 ? "[" : "", r->host, v6 ? "]" : "", r->port);
    if (to && resolve(r->host, (uint16_t)r->port, &addresses)) {
        curl_easy_reset(m->curl);
        set_relay(m, url);
        curl_easy_setopt(m->curl, CURLOPT_RESOLVE, addresses);
        curl_easy_setopt(m->curl, CURLOPT_MAIL_FROM, r->from);
        curl_easy_setopt(m->curl, CURLOPT_MAIL_RCPT, to);
        curl_easy_setopt(m->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(m->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(m->curl, CURLOPT_READDATA, &reading);
        CURLcode result = curl_easy_perform(m->curl);
        if (result == CURLE_OK)
            code = 0;
        else if (curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &code) != CURLE_OK || code == 0)
            code = -1;
        curl_easy_reset(m->curl);
    }
    curl_slist_free_all(addresses);
    curl_slist_free_all(to);
    return code;
}

bool mail_send(struct mail *m, const struct message_letter *l, const char *text) {
    size_t size = 0;
    char *letter = mail_compose(l, m->relay.from, text, (uint64_t)time(NULL) * 1000, &size);
    long code = letter ? -1 : 1;
    for (int n = 0; letter && n < TRIES && code != 0; n++) {
        if (n) clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = PAUSE_S * n}, NULL);
        code = hand_over(m, l, letter, size);
        if (code >= 500 && code < 600) break; /* it will not, however often it is asked */
    }
    if (code) courier_log("notice %" PRIu32 ": the mail relay answers %ld", l->number, code);
    free(letter);
    return code == 0;
}
