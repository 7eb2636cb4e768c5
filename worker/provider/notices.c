#include "notices.h"

#include "../../policy/hex.h"
#include "../journal/journal.h"
#include "../keys/keys.h"
#include "../tenant.h"
#include "../uplink.h"
#include "../web/fields.h"
#include "../web/http.h"
#include "../web/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FEED_MAX = 20, TIME_ROOM = 24 };

static struct {
    struct message_notice is;
    int text;
    bool asked;         /* the supervisor was told of an acknowledgement and has not answered */
} notices[NOTICES_MAX]; /* by rising number */
static size_t known;

void notices_take(const struct message_notice *notice, int fd) {
    size_t i = 0;
    while (i < known && notices[i].is.number != notice->number)
        i++;
    if (i == NOTICES_MAX) {
        close(fd);
        return;
    }
    if (i == known)
        known++;
    else
        close(notices[i].text);
    notices[i].is = *notice;
    notices[i].text = fd;
    notices[i].asked = false;
}

void notices_forget(uint64_t number) {
    size_t i = 0;
    while (i < known && notices[i].is.number != number)
        i++;
    if (i == known) return;
    close(notices[i].text);
    memmove(&notices[i], &notices[i + 1], (--known - i) * sizeof *notices);
}

static bool is_public(size_t i) { return notice_table[notices[i].is.kind].by == NOTICE_BY_DOCUMENT; }

/* The one that the path names; known: there is none. */
static size_t find(struct slice number) {
    uint64_t n = 0;
    for (size_t i = 0; i < number.size && i < 11; i++) {
        if (number.data[i] < '0' || number.data[i] > '9' || (i == 0 && number.data[i] == '0')) return known;
        n = n * 10 + (uint64_t)(number.data[i] - '0');
    }
    size_t i = 0;
    while (i < known && notices[i].is.number != n)
        i++;
    return i;
}

static void not_found(struct exchange *x) { respond_problem(x, 404, "not-found", "There is no such notice.", NULL, 0); }

/* The text with a NUL behind it; NULL: out of memory. */
static char *text_of(size_t i) {
    size_t size = notices[i].is.bytes;
    char *text = malloc(size + 1);
    if (!text || pread(notices[i].text, text, size, 0) != (ssize_t)size) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

static json_t *time_json(uint64_t ms) { return ms ? json_time(ms / 1000) : json_null(); }

static json_t *notice_json(size_t i) {
    const struct message_notice *n = &notices[i].is;
    const struct notice_row *row = &notice_table[n->kind];
    const struct notice_trace trace = {.acknowledged_ms = n->acknowledged_ms, .mailed_ms = n->mailed_ms};
    uint64_t delivered = notice_delivered(&trace, (uint64_t)time(NULL) * 1000);
    return json_pack("{s:i, s:s, s:{s:s, s:s}, s:o, s:o, s:o, s:o, s:o, s:s?}", "number", (int)n->number, "kind", row->name, "title", "fr",
                     row->fr, "en", row->en, "published", time_json(n->published_ms), "effective", time_json(n->effective_ms),
                     "acknowledged", time_json(n->acknowledged_ms), "delivered", time_json(delivered), "in_force",
                     time_json(notice_in_force(n->effective_ms, delivered, n->period_days)), "to", n->entity[0] ? n->entity : NULL);
}

json_t *notices_json(void) {
    json_t *items = json_array();
    for (size_t i = known; items && i > 0; i--)
        if (json_array_append_new(items, notice_json(i - 1)) != 0) {
            json_decref(items);
            items = NULL;
        }
    return items;
}

static void get_notices(struct exchange *x, struct request *r) {
    (void)r;
    answer_items(x, notices_json());
}

static void get_notice(struct exchange *x, struct request *r) {
    size_t i = find(r->segment[0]);
    if (i == known) {
        not_found(x);
        return;
    }
    char *text = text_of(i);
    json_t *body = text ? notice_json(i) : NULL;
    if (body && json_object_set_new(body, "text", json_string(text)) == 0)
        respond_json(x, 200, body);
    else
        answer_failure(x, STORE_MEMORY);
    free(text);
}

static void get_text(struct exchange *x, struct request *r) {
    size_t i = find(r->segment[0]);
    if (i == known || !is_public(i)) {
        not_found(x);
        return;
    }
    char *text = text_of(i);
    if (text)
        respond_bytes(x, 200, "text/plain; charset=utf-8", text, notices[i].is.bytes);
    else
        answer_failure(x, STORE_MEMORY);
    free(text);
}

/* C11: the tenant's own journal keeps what was acknowledged, by its hash and day */
/* NULL: out of memory. */
static json_t *journal_of(size_t i) {
    uint8_t hash[32];
    char hex[2 * sizeof hash + 1] = "", *text = text_of(i);
    if (!text) return NULL;
    sha256(text, notices[i].is.bytes, hash);
    free(text);
    hex_write(hash, sizeof hash, hex);
    return json_pack("{s:i, s:s, s:o}", "notice", (int)notices[i].is.number, "sha256", hex, "effective",
                     time_json(notices[i].is.effective_ms));
}

/* On the disk here first; the supervisor's own record answers with the notice anew. */
static void acknowledge(struct exchange *x, struct request *r) {
    size_t i = find(r->segment[0]);
    if (i == known) {
        not_found(x);
        return;
    }
    if (!notices[i].is.acknowledged_ms && !notices[i].asked) {
        enum store_result result = journal_first(JOURNAL_notice_acknowledged, r->session->user, journal_of(i));
        if (result != STORE_OK) {
            answer_failure(x, result);
            return;
        }
        notices[i].asked = true;
        uplink_notice_read(notices[i].is.number);
    }
    respond_empty(x, 204);
}

/* ---- the feed ---- */

static const char *moment(uint64_t ms, char out[TIME_ROOM]) {
    struct tm tm;
    time_t t = (time_t)(ms / 1000);
    if (!gmtime_r(&t, &tm) || !strftime(out, TIME_ROOM, "%Y-%m-%dT%H:%M:%SZ", &tm)) out[0] = '\0';
    return out;
}

static void add_entry(struct evbuffer *out, size_t i, const char *base) {
    const struct message_notice *n = &notices[i].is;
    const struct notice_row *row = &notice_table[n->kind];
    char published[TIME_ROOM], effective[TIME_ROOM];
    moment(n->published_ms, published);
    moment(n->effective_ms, effective);
    /* Titles of the table and times: nothing in them needs an escape. */
    evbuffer_add_printf(out,
                        "<entry><id>%s/api/v1/notices/%u</id><title>%s / %s</title><updated>%s</updated><published>%s</published>"
                        "<category term=\"%s\"/><summary>Prend effet le / takes effect on: %s, au plus tôt / at the earliest</summary>"
                        "<content type=\"text/plain\" src=\"%s/api/v1/notices/%u/text\"/></entry>\n",
                        base, n->number, row->fr, row->en, published, published, row->name, effective, base, n->number);
}

/* C11: an Atom feed that needs no session, of what is said to everybody */
static void get_feed(struct exchange *x, struct request *r) {
    char base[HOST_MAX + 32], updated[TIME_ROOM];
    struct evbuffer *out = evbuffer_new();
    uint64_t last = 0;
    (void)r;
    if (!out) {
        answer_failure(x, STORE_MEMORY);
        return;
    }
    /* The tenant's own name, whatever a client calls it: ids must not change. */
    int used = snprintf(base, sizeof base, "https://%s", self.profile.host[0]);
    if (self.profile.https_port != 443) snprintf(base + used, sizeof base - (size_t)used, ":%u", self.profile.https_port);
    for (size_t i = 0; i < known; i++)
        if (is_public(i)) last = notices[i].is.published_ms;
    evbuffer_add_printf(
        out,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>%s/api/v1/notices.atom</id>"
        "<title>Avis de l’hébergeur / Notices of the provider</title><updated>%s</updated>"
        "<author><name>Hébergeur / Provider</name></author><link rel=\"self\" href=\"%s/api/v1/notices.atom\"/>\n",
        base, moment(last, updated), base);
    for (size_t i = known, entries = 0; i > 0 && entries < FEED_MAX; i--)
        if (is_public(i - 1)) {
            add_entry(out, i - 1, base);
            entries++;
        }
    evbuffer_add_printf(out, "</feed>\n");
    respond_buffer(x, 200, "application/atom+xml; charset=utf-8", out);
    evbuffer_free(out);
}

const struct route notice_routes[] = {
    {HTTP_GET, "/api/v1/notices", 0, ROUTE_NO_BODY, get_notices, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/notices.atom", 0, ROUTE_PUBLIC | ROUTE_NO_BODY, get_feed, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/notices/{}", 0, ROUTE_NO_BODY, get_notice, FUNCTION_NONE},
    {HTTP_GET, "/api/v1/notices/{}/text", 0, ROUTE_PUBLIC | ROUTE_NO_BODY, get_text, FUNCTION_NONE},
    {HTTP_POST, "/api/v1/notices/{}/acknowledge", RIGHT_ADMIN, ROUTE_NO_BODY | ROUTE_PERSON, acknowledge, FUNCTION_NONE},
    {0},
};
