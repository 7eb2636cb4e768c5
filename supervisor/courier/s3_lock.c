#include "s3_lock.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 256, URL_MAX = 3 * S3_VERSION_MAX + PATH_BYTES_MAX + BUCKET_MAX + DESTINATION_KEY_MAX + 64, VERSIONS_MAX = 64 };

void s3_lock_date(uint64_t until_ms, char text[S3_DATE_MAX + 1]) {
    time_t seconds = (time_t)(until_ms / 1000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(text, S3_DATE_MAX + 1, "%Y-%m-%dT%H:%M:%SZ", &tm)) text[0] = '\0';
}

/* Text of one width, so that it compares as dates do: up to the seconds, whatever fraction follows. */
bool s3_lock_holds(const struct s3_answer *a, uint64_t until_ms) {
    enum { SECONDS = sizeof "2026-01-01T00:00:00" - 1 };
    char wanted[S3_DATE_MAX + 1];
    s3_lock_date(until_ms, wanted);
    return strcmp(a->lock_mode, "COMPLIANCE") == 0 && strlen(a->lock_until) > SECONDS && strlen(wanted) > SECONDS &&
           strchr("Z.", a->lock_until[SECONDS]) && strncmp(a->lock_until, wanted, SECONDS) >= 0;
}

static enum destination_result head(struct s3 *s, const char *url, struct s3_answer *answer) {
    struct s3_request request = {.method = S3_HEAD, .url = url};
    enum destination_result result = s3_call(s, &request, answer);
    if (result != DESTINATION_DONE) return result;
    return answer->status == 200 ? DESTINATION_DONE : answer->status == 404 ? DESTINATION_ABSENT : DESTINATION_REFUSED;
}

/* The wish in a file of memory, with the sums that stores want of it. */
static bool make_body(uint64_t until_ms, struct s3_request *r) {
    char text[BODY_MAX], date[S3_DATE_MAX + 1];
    uint8_t sum[EVP_MAX_MD_SIZE];
    s3_lock_date(until_ms, date);
    r->size =
        (uint64_t)snprintf(text, sizeof text, "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>", date);
    r->fd = memfd_create("retention", MFD_CLOEXEC);
    if (r->fd < 0 || write(r->fd, text, r->size) != (ssize_t)r->size) return false;
    if (EVP_Digest(text, r->size, sum, NULL, EVP_sha256(), NULL) != 1) return false;
    s3_hash_text(sum, r->hash);
    return EVP_Digest(text, r->size, sum, NULL, EVP_md5(), NULL) == 1 && EVP_EncodeBlock((uint8_t *)r->md5, sum, 16) == S3_MD5_TEXT - 1;
}

enum destination_result s3_lock_extend(struct s3 *s, const char *url, uint64_t until_ms) {
    char retention[URL_MAX], *version;
    struct s3_answer answer;
    enum destination_result result = head(s, url, &answer);
    if (result != DESTINATION_DONE || s3_lock_holds(&answer, until_ms)) return result;
    struct s3_request request = {.method = S3_PUT, .url = retention};
    if (!(version = curl_easy_escape(NULL, answer.version, 0))) return DESTINATION_LOCAL;
    /* The version is said: not every store finds the newest by itself. */
    snprintf(retention, sizeof retention, "%s?retention=%s%s", url, version[0] ? "&versionId=" : "", version);
    curl_free(version);
    result = make_body(until_ms, &request) ? s3_call(s, &request, &answer) : DESTINATION_LOCAL;
    if (request.fd >= 0) close(request.fd);
    if (result != DESTINATION_DONE) return result;
    if (answer.status != 200 && answer.status != 204) return DESTINATION_UNLOCKED;
    result = head(s, url, &answer);
    return result != DESTINATION_DONE || s3_lock_holds(&answer, until_ms) ? result : DESTINATION_UNLOCKED;
}

static enum destination_result remove_version(struct s3 *s, const char *url, const char *version) {
    char one[URL_MAX], *escaped = curl_easy_escape(NULL, version, 0);
    struct s3_answer answer;
    struct s3_request request = {.method = S3_DELETE, .url = one};
    if (!escaped) return DESTINATION_LOCAL;
    snprintf(one, sizeof one, "%s?versionId=%s", url, escaped);
    curl_free(escaped);
    enum destination_result result = s3_call(s, &request, &answer);
    if (result != DESTINATION_DONE) return result;
    return answer.status == 204 || answer.status == 200 ? DESTINATION_DONE
           : answer.status == 403                       ? DESTINATION_LOCKED
                                                        : DESTINATION_REFUSED;
}

enum destination_result s3_lock_remove(struct s3 *s, const char *url) {
    struct s3_answer answer;
    for (int removed = 0; removed < VERSIONS_MAX; removed++) {
        enum destination_result result = head(s, url, &answer);
        if (result == DESTINATION_ABSENT && removed) return DESTINATION_DONE;
        if (result == DESTINATION_DONE && !answer.version[0]) result = DESTINATION_UNLOCKED; /* no versions, no lock */
        if (result == DESTINATION_DONE) result = remove_version(s, url, answer.version);
        if (result != DESTINATION_DONE) return result;
    }
    return DESTINATION_LIED;
}
