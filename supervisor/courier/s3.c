/* An S3-compatible store: what destination.h promises, made of requests (s3_call.h). */
#include "backend.h"
#include "s3_call.h"
#include "s3_list.h"
#include "s3_lock.h"
#include "stream.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { URL_ROOM = 3 * (S3_TOKEN_MAX + DESTINATION_KEY_MAX) + 1024 };

/* What an answer means where nothing else was expected. */
static enum destination_result told_by_status(const struct s3_answer *a) {
    switch (a->status) {
    case 404:
        return strstr(a->body, "NoSuchBucket") ? DESTINATION_REFUSED : DESTINATION_ABSENT;
    case 412:
        return DESTINATION_EXISTS;
    case 413:
    case 507:
        return DESTINATION_FULL;
    case 301:
    case 307:
    case 308:
    case 400:
    case 401:
    case 403:
    case 405:
        return strstr(a->body, "QuotaExceeded") ? DESTINATION_FULL : DESTINATION_REFUSED;
    default:
        return a->status >= 500 || a->status == 429 || a->status == 408 || a->status == 409 ? DESTINATION_UNREACHABLE : DESTINATION_LIED;
    }
}

static void url_of(const struct s3 *s, const char *key, char url[URL_ROOM]) {
    snprintf(url, URL_ROOM, "%s/%s/%s", s->endpoint, s->bucket, key); /* a key's bytes need no escaping */
}

/* ---- put ---- */

/* Whether what lies under the key is what was put: by its length, and by the hash that was put with it. */
/* C7, C8: a store is not believed: what lies there is held against what was put */
static enum destination_result compare(struct s3 *s, const struct s3_request *put, const char *etag) {
    struct s3_answer answer;
    struct s3_request head = {.method = S3_HEAD, .url = put->url};
    enum destination_result result = s3_call(s, &head, &answer);
    if (result != DESTINATION_DONE) return result;
    if (answer.status == 404) return DESTINATION_LIED;
    if (answer.status != 200) return told_by_status(&answer);
    if (answer.length != put->size || strcmp(answer.hash, put->hash) != 0) return DESTINATION_LIED;
    if (etag[0] && strcmp(etag, answer.etag) != 0) return DESTINATION_LIED;
    /* C8: what the store was to lock is locked, as it says itself, or it is no place for archives */
    return put->until_ms && !s3_lock_holds(&answer, put->until_ms) ? DESTINATION_UNLOCKED : DESTINATION_DONE;
}

static enum destination_result exists(struct s3 *s, const char *url) {
    struct s3_answer answer;
    struct s3_request head = {.method = S3_HEAD, .url = url};
    enum destination_result result = s3_call(s, &head, &answer);
    if (result != DESTINATION_DONE) return result;
    return answer.status == 200 ? DESTINATION_EXISTS : answer.status == 404 ? DESTINATION_ABSENT : told_by_status(&answer);
}

static enum destination_result put(void *self, const char *key, int fd, uint64_t offset, uint64_t size,
                                   const uint8_t sha256[DESTINATION_HASH], bool only_new, uint64_t until_ms) {
    struct s3 *s = self;
    struct s3_answer answer;
    char url[URL_ROOM];
    struct s3_request request = {
        .method = S3_PUT, .url = url, .fd = fd, .offset = offset, .size = size, .only_new = only_new, .until_ms = until_ms};
    url_of(s, key, url);
    s3_hash_text(sha256, request.hash);
    if (size == 0 && strcmp(request.hash, S3_HASH_OF_NOTHING) != 0) return DESTINATION_LOCAL;
    /* Not every store knows If-None-Match; and nothing large is sent only to be refused. */
    enum destination_result result = only_new ? exists(s, url) : DESTINATION_ABSENT;
    if (result != DESTINATION_ABSENT) return result;
    result = s3_call(s, &request, &answer);
    if (result != DESTINATION_DONE) return result;
    /* 412 after a try whose answer was lost: it may be ours that lies there. */
    if (answer.status == 412 && request.tries > 1 && compare(s, &request, "") == DESTINATION_DONE) return DESTINATION_DONE;
    if (until_ms && (answer.status == 400 || answer.status == 501)) return DESTINATION_UNLOCKED; /* the bucket was made without it */
    if (answer.status != 200 && answer.status != 201) return told_by_status(&answer);
    return compare(s, &request, answer.etag);
}

/* ---- get, size, delete ---- */

static enum destination_result get(void *self, const char *key, int fd, uint64_t most, uint64_t *size, uint8_t sha256[DESTINATION_HASH]) {
    struct s3 *s = self;
    struct s3_answer answer;
    char url[URL_ROOM], hash[S3_HASH_TEXT];
    struct s3_request request = {.method = S3_GET, .url = url, .to_file = true, .fd = fd, .size = most, .got = sha256};
    url_of(s, key, url);
    enum destination_result result = s3_call(s, &request, &answer);
    if (result != DESTINATION_DONE) return result;
    if (answer.status != 200) return told_by_status(&answer);
    s3_hash_text(sha256, hash);
    if (answer.hash[0] && strcmp(answer.hash, hash) != 0) return DESTINATION_LIED;
    *size = answer.received;
    return DESTINATION_DONE;
}

static enum destination_result size_of(void *self, const char *key, uint64_t *size) {
    struct s3_answer answer;
    char url[URL_ROOM];
    struct s3_request head = {.method = S3_HEAD, .url = url};
    url_of(self, key, url);
    enum destination_result result = s3_call(self, &head, &answer);
    if (result != DESTINATION_DONE) return result;
    *size = answer.length;
    return answer.status == 200 ? DESTINATION_DONE : told_by_status(&answer);
}

static enum destination_result remove_key(void *self, const char *key) {
    struct s3_answer answer;
    char url[URL_ROOM];
    struct s3_request request = {.method = S3_DELETE, .url = url};
    url_of(self, key, url);
    if (((struct s3 *)self)->locks) return s3_lock_remove(self, url);
    enum destination_result result = s3_call(self, &request, &answer);
    if (result != DESTINATION_DONE) return result;
    return answer.status == 204 || answer.status == 200 ? DESTINATION_DONE : told_by_status(&answer);
}

static enum destination_result hold(void *self, const char *key, uint64_t until_ms) {
    char url[URL_ROOM];
    url_of(self, key, url);
    return s3_lock_extend(self, url, until_ms);
}

/* ---- list ---- */

/* The parameters stand in the order of their names: libcurl signs them as they are. */
static bool list_url(const struct s3 *s, const char *prefix, const char *token, char url[URL_ROOM]) {
    char *escaped_prefix = curl_easy_escape(NULL, prefix, 0), *escaped_token = curl_easy_escape(NULL, token, 0);
    bool fine = escaped_prefix && escaped_token;
    if (fine)
        snprintf(url, URL_ROOM, "%s/%s?%s%s%slist-type=2&max-keys=%d&prefix=%s", s->endpoint, s->bucket,
                 token[0] ? "continuation-token=" : "", escaped_token, token[0] ? "&" : "", S3_PAGE_KEYS, escaped_prefix);
    curl_free(escaped_prefix);
    curl_free(escaped_token);
    return fine;
}

static enum destination_result read_page(struct s3 *s, const char *prefix, const char *token, struct s3_page *page) {
    struct s3_answer answer;
    char url[URL_ROOM];
    struct s3_request request = {.method = S3_GET, .url = url, .size = S3_PAGE_BYTES};
    if (!list_url(s, prefix, token, url)) return DESTINATION_LOCAL;
    enum destination_result result = s3_call(s, &request, &answer);
    if (result != DESTINATION_DONE) return result;
    if (answer.status == 404) return DESTINATION_REFUSED; /* no such bucket */
    if (answer.status != 200) return told_by_status(&answer);
    return s3_list_parse(s->body, answer.received, page) ? DESTINATION_DONE : DESTINATION_LIED;
}

/* Keys must rise strictly, or a store could list for ever, or twice. */
static enum destination_result visit_page(const struct s3_page *page, const char *prefix, char last[DESTINATION_KEY_MAX + 1],
                                          destination_visit *visit, void *context, bool *ended) {
    for (size_t i = 0; i < page->count && !*ended; i++) {
        const char *key = page->row[i].key;
        if (strcmp(key, last) <= 0 || strncmp(key, prefix, strlen(prefix)) != 0) return DESTINATION_LIED;
        snprintf(last, DESTINATION_KEY_MAX + 1, "%s", key);
        *ended = !visit(context, key, page->row[i].size);
    }
    return DESTINATION_DONE;
}

static enum destination_result list(void *self, const char *prefix, destination_visit *visit, void *context) {
    char last[DESTINATION_KEY_MAX + 1] = "", token[S3_TOKEN_MAX + 1] = "";
    struct s3_page *page = calloc(1, sizeof *page);
    enum destination_result result = page ? DESTINATION_DONE : DESTINATION_LOCAL;
    uint64_t pages = 0, keys = 0;
    for (bool ended = false; result == DESTINATION_DONE && !ended;) {
        result = read_page(self, prefix, token, page);
        if (result == DESTINATION_DONE) result = visit_page(page, prefix, last, visit, context, &ended);
        if (result != DESTINATION_DONE || !page->truncated) break;
        keys += page->count;
        if (++pages > S3_PAGES_MAX + keys / S3_PAGE_LEAST) result = DESTINATION_LIED;
        memcpy(token, page->token, sizeof token);
    }
    free(page);
    return result;
}

const struct backend backend_s3 = {put, get, size_of, list, remove_key, hold};
