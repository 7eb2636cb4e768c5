#include "s3_call.h"

#include "../../policy/hex.h"
#include "backend.h"
#include "resolve.h"
#include "s3_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
enum {
    CA_MAX = 4 << 20,
    PIECE = 256 << 10,
    SLOWEST = 16384, /* bytes a second: a transfer that takes longer over all is broken off */
    SLACK_MS = 60000,
    ERROR_MAX = 65536, /* bytes of an answer that is an error */
};

struct s3_patience s3_patience = {.connect_ms = 10000, .stall_s = 30, .tries = 5, .pause_ms = 500};

void s3_hash_text(const uint8_t sha256[DESTINATION_HASH], char text[S3_HASH_TEXT]) {
    hex_write(sha256, DESTINATION_HASH, text);
    text[S3_HASH_TEXT - 1] = '\0';
}

/* ---- open ---- */

/* A whole file of at most `most` bytes. NULL: not to be had. */
static char *read_all(int fd, size_t most, size_t *size) {
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size > most) return NULL;
    char *bytes = malloc((size_t)st.st_size + 1);
    ssize_t n = bytes ? pread(fd, bytes, (size_t)st.st_size, 0) : -1;
    if (n == st.st_size) {
        *size = (size_t)n;
        return bytes;
    }
    free(bytes);
    return NULL;
}

static bool read_credentials(struct s3 *s, int fd) {
    struct credentials c;
    size_t size;
    char *text = read_all(fd, CREDENTIALS_MAX, &size);
    bool fine = text && credentials_parse(text, size, &c);
    if (fine) snprintf(s->userpwd, sizeof s->userpwd, "%s:%s", c.id, c.secret);
    if (text) explicit_bzero(text, size);
    explicit_bzero(&c, sizeof c);
    free(text);
    return fine;
}

static bool read_authorities(struct s3 *s, const char *path) {
    if (strncmp(s->endpoint, "https:", 6) != 0) return true;
    int fd = open(path[0] ? path : AUTHORITIES, O_RDONLY | O_CLOEXEC);
    s->ca = read_all(fd, CA_MAX, &s->ca_size);
    if (fd >= 0) close(fd);
    return s->ca;
}

static bool read_endpoint(struct s3 *s) {
    CURLU *url = curl_url();
    char *host = NULL, *port = NULL;
    bool fine = url && curl_url_set(url, CURLUPART_URL, s->endpoint, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (fine) {
        size_t size = strlen(host);
        bool bracketed = host[0] == '[' && size > 2;
        fine = size - (bracketed ? 2 : 0) <= HOST_MAX;
        if (fine) snprintf(s->host, sizeof s->host, "%.*s", (int)(size - (bracketed ? 2 : 0)), host + bracketed);
        s->port = (uint16_t)strtoul(port, NULL, 10);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return fine;
}

struct s3 *s3_open(const struct message_destination *is, int credentials, enum destination_result *why) {
    struct s3 *s = calloc(1, sizeof *s);
    *why = DESTINATION_LOCAL;
    if (!s) return NULL;
    memcpy(s->endpoint, is->endpoint, sizeof s->endpoint);
    memcpy(s->bucket, is->bucket, sizeof s->bucket);
    s->locks = is->object_lock;
    snprintf(s->sigv4, sizeof s->sigv4, "aws:amz:%s:s3", is->signing_region);
    *why = DESTINATION_REFUSED;
    if (read_endpoint(s) && read_credentials(s, credentials) && read_authorities(s, is->ca)) {
        *why = DESTINATION_LOCAL;
        if ((s->curl = curl_easy_init())) {
            *why = DESTINATION_DONE;
            return s;
        }
    }
    free(s->ca);
    explicit_bzero(s->userpwd, sizeof s->userpwd);
    free(s);
    return NULL;
}

uint16_t s3_port(const struct s3 *s) { return s->port; }

/* ---- one try ---- */

struct attempt {
    struct s3 *s3;
    struct s3_request *request;
    struct s3_answer *answer;
    uint64_t sent;
    EVP_MD_CTX *hash; /* put, get to a file */
    bool too_much, local;
    int error; /* local: errno of then */
};

/* The value of a header, without blanks around it; false: another header, or longer than room. */
static bool header(const char *line, size_t size, const char *name, char *value, size_t room) {
    size_t length = strlen(name);
    if (size <= length || strncasecmp(line, name, length) != 0 || line[length] != ':') return false;
    const char *from = line + length + 1, *end = line + size;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && strchr(" \t\r\n", end[-1]))
        end--;
    if ((size_t)(end - from) >= room) return false;
    memcpy(value, from, (size_t)(end - from));
    value[end - from] = '\0';
    return true;
}

static size_t on_header(char *line, size_t one, size_t size, void *context) {
    struct s3_answer *answer = ((struct attempt *)context)->answer;
    (void)one;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
        answer->etag[0] = answer->hash[0] = answer->lock_mode[0] = answer->lock_until[0] = answer->version[0] = '\0'; /* after a 100 */
    header(line, size, "ETag", answer->etag, sizeof answer->etag);
    header(line, size, "x-amz-meta-sha256", answer->hash, sizeof answer->hash);
    header(line, size, "x-amz-object-lock-mode", answer->lock_mode, sizeof answer->lock_mode);
    header(line, size, "x-amz-object-lock-retain-until-date", answer->lock_until, sizeof answer->lock_until);
    header(line, size, "x-amz-version-id", answer->version, sizeof answer->version);
    return size;
}

/* C7, C8: a store is not believed: what comes back is held against what was put */
/* Before the last piece goes: without it the store keeps nothing. Not every store holds the bytes against the hash. */
static bool is_as_said(struct attempt *a) {
    uint8_t hash[DESTINATION_HASH];
    char text[S3_HASH_TEXT];
    if (EVP_DigestFinal_ex(a->hash, hash, NULL) != 1 || EVP_DigestInit_ex(a->hash, EVP_sha256(), NULL) != 1) return false;
    s3_hash_text(hash, text);
    if (strcmp(text, a->request->hash) == 0) return true;
    errno = EBADMSG;
    return false;
}

static size_t on_upload(char *to, size_t one, size_t room, void *context) {
    struct attempt *a = context;
    uint64_t left = a->request->size - a->sent;
    (void)one;
    if (left < room) room = (size_t)left;
    ssize_t n = room ? pread(a->request->fd, to, room, (off_t)(a->request->offset + a->sent)) : 0;
    if (n > 0) EVP_DigestUpdate(a->hash, to, (size_t)n);
    if (n < 0 || (n == 0 && room) || (n > 0 && a->sent + (uint64_t)n == a->request->size && !is_as_said(a))) {
        a->local = true;
        a->error = errno;
        return CURL_READFUNC_ABORT;
    }
    a->sent += (uint64_t)n;
    return (size_t)n;
}

static int on_seek(void *context, curl_off_t offset, int origin) {
    struct attempt *a = context;
    if (origin != SEEK_SET || offset != 0 || EVP_DigestInit_ex(a->hash, EVP_sha256(), NULL) != 1) return CURL_SEEKFUNC_FAIL;
    a->sent = 0;
    return CURL_SEEKFUNC_OK;
}

static bool write_file(struct attempt *a, const char *bytes, size_t size) {
    EVP_DigestUpdate(a->hash, bytes, size);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(a->request->fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* An error's body is looked at, never kept as what was asked for. */
static void note_error(struct s3_answer *answer, const char *bytes, size_t size) {
    size_t used = strlen(answer->body), room = S3_ERROR_BYTES - used;
    if (size > room) size = room;
    for (size_t i = 0; i < size; i++)
        answer->body[used + i] = bytes[i] ? bytes[i] : ' ';
}

static void note_local(struct attempt *a, bool fine) {
    a->local = !fine;
    a->error = fine ? 0 : errno;
}

static size_t on_download(char *bytes, size_t one, size_t size, void *context) {
    struct attempt *a = context;
    struct s3_answer *answer = a->answer;
    (void)one;
    curl_easy_getinfo(a->s3->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    bool wanted = answer->status == 200 && a->request->method == S3_GET;
    if (size > (wanted ? a->request->size : ERROR_MAX) - answer->received) {
        a->too_much = true;
        return 0;
    }
    if (!wanted)
        note_error(answer, bytes, size);
    else if (a->request->to_file)
        note_local(a, write_file(a, bytes, size));
    else
        memcpy(a->s3->body + answer->received, bytes, size);
    answer->received += size;
    return a->local ? 0 : size;
}

static struct curl_slist *add(struct curl_slist *list, const char *line, bool *fine) {
    struct curl_slist *longer = curl_slist_append(list, line);
    if (!longer) *fine = false;
    return longer ? longer : list;
}

static struct curl_slist *add_text(struct curl_slist *list, const char *name, const char *value, bool *fine) {
    char line[64 + S3_HASH_TEXT];
    snprintf(line, sizeof line, "%s%s", name, value);
    return add(list, line, fine);
}

/* Signed too. libcurl 7.88 does not say the hash of the body by itself. */
static struct curl_slist *headers(const struct s3_request *r, bool *fine) {
    struct curl_slist *list = NULL;
    *fine = true;
    list = add_text(list, "x-amz-content-sha256: ", r->method == S3_PUT ? r->hash : S3_HASH_OF_NOTHING, fine);
    if (r->method != S3_PUT) return list;
    if (!r->md5[0]) list = add_text(list, "x-amz-meta-sha256: ", r->hash, fine);
    list = add(list, "Content-Type: application/octet-stream", fine);
    if (r->only_new) list = add(list, "If-None-Match: *", fine);
    if (r->md5[0]) list = add_text(list, "Content-MD5: ", r->md5, fine);
    if (!r->until_ms) return list;
    char date[S3_DATE_MAX + 1];
    s3_lock_date(r->until_ms, date);
    list = add(list, "x-amz-object-lock-mode: COMPLIANCE", fine);
    return add_text(list, "x-amz-object-lock-retain-until-date: ", date, fine);
}

static void set_connection(struct s3 *s, const struct s3_request *r) {
    CURL *c = s->curl;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https"); /* the configuration takes http of this machine alone */
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    struct curl_blob ca = {.data = s->ca, .len = s->ca_size, .flags = CURL_BLOB_NOCOPY};
    if (s->ca) curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, s3_patience.connect_ms);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, s3_patience.stall_s);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(r->size / SLOWEST * 1000 + SLACK_MS));
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)PIECE);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)PIECE);
    curl_easy_setopt(c, CURLOPT_AWS_SIGV4, s->sigv4);
    curl_easy_setopt(c, CURLOPT_USERPWD, s->userpwd);
}

static void set_request(struct attempt *a) {
    CURL *c = a->s3->curl;
    const struct s3_request *r = a->request;
    curl_easy_setopt(c, CURLOPT_URL, r->url);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_download);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    switch (r->method) {
    case S3_GET:
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
        break;
    case S3_HEAD:
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        break;
    case S3_DELETE:
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    case S3_PUT:
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->size);
        if (r->size < PIECE) curl_easy_setopt(c, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L); /* not every store says 100 */
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(c, CURLOPT_READDATA, a);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, a);
        break;
    }
}

static CURLcode perform(struct attempt *a, struct curl_slist *lines) {
    CURL *c = a->s3->curl;
    struct curl_slist *addresses;
    if (!resolve(a->s3->host, a->s3->port, &addresses)) return CURLE_COULDNT_RESOLVE_HOST;
    curl_easy_reset(c); /* connections stay */
    set_connection(a->s3, a->request);
    set_request(a);
    curl_easy_setopt(c, CURLOPT_RESOLVE, addresses);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, lines);
    CURLcode code = curl_easy_perform(c);
    curl_off_t length = -1;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->answer->status);
    curl_easy_getinfo(c, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    a->answer->length = length > 0 ? (uint64_t)length : 0;
    curl_easy_reset(c);
    curl_slist_free_all(addresses);
    return code;
}

enum verdict { ANSWERED, AGAIN, NEVER };

static enum verdict judge(const struct attempt *a, CURLcode code) {
    if (a->local || a->too_much || code == CURLE_OUT_OF_MEMORY) return NEVER;
    /* A store that refuses early may close before all is sent: its answer counts. */
    if (code == CURLE_SEND_ERROR && a->answer->status >= 400 && a->answer->status < 500) code = CURLE_OK;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) return NEVER;
    if (code != CURLE_OK) return AGAIN;
    long s = a->answer->status;
    return (s >= 500 && s != 501) || s == 429 || s == 408 || s == 409 ? AGAIN : ANSWERED;
}

static enum destination_result told_by(const struct attempt *a, CURLcode code) {
    if (a->local || code == CURLE_OUT_OF_MEMORY) return DESTINATION_LOCAL;
    if (a->too_much) return DESTINATION_LIED;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) return DESTINATION_REFUSED; /* it is somebody else */
    return code == CURLE_OK ? DESTINATION_DONE : DESTINATION_UNREACHABLE;
}

/* What an earlier try wrote is gone before the next. */
static bool rewind_file(const struct s3_request *r, off_t start) {
    return !r->to_file || (lseek(r->fd, start, SEEK_SET) == start && ftruncate(r->fd, start) == 0);
}

static void pause_before(int again) {
    long ms = s3_patience.pause_ms << (again > 10 ? 10 : again);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static enum destination_result tries(struct attempt *a, struct curl_slist *lines) {
    off_t start = a->request->to_file ? lseek(a->request->fd, 0, SEEK_CUR) : 0;
    for (int n = 1;; n++) {
        *a->answer = (struct s3_answer){0};
        a->sent = 0;
        a->request->tries = n;
        if (start < 0 || !rewind_file(a->request, start)) return DESTINATION_LOCAL;
        if (a->hash && EVP_DigestInit_ex(a->hash, EVP_sha256(), NULL) != 1) return DESTINATION_LOCAL;
        CURLcode code = perform(a, lines);
        enum verdict verdict = judge(a, code);
        if (verdict == ANSWERED) return DESTINATION_DONE;
        if (verdict == NEVER || n == s3_patience.tries) return told_by(a, code);
        pause_before(n - 1);
    }
}

enum destination_result s3_call(struct s3 *s, struct s3_request *r, struct s3_answer *answer) {
    struct attempt a = {.s3 = s, .request = r, .answer = answer};
    bool fine;
    struct curl_slist *lines = headers(r, &fine);
    free(s->body);
    s->body = NULL;
    if (r->method == S3_PUT || r->to_file) fine = fine && (a.hash = EVP_MD_CTX_new());
    if (r->method == S3_GET && !r->to_file) fine = fine && (s->body = malloc((size_t)r->size));
    enum destination_result result = fine ? tries(&a, lines) : DESTINATION_LOCAL;
    if (r->to_file && result == DESTINATION_DONE) EVP_DigestFinal_ex(a.hash, r->got, NULL);
    EVP_MD_CTX_free(a.hash);
    curl_slist_free_all(lines);
    if (a.local) errno = a.error;
    return result;
}
