/* What goes in the background, and what must not: uploads that are over, whoever still wants to go on with them, and an erasure that did
 * not come about. The store, the records and the routes are the real ones. */
#include "worker_fixture.h"

#include "../../policy/hex.h"
#include "../../worker/crm/catalog.h"
#include "../../worker/crm/crm.h"
#include "../../worker/crm/ulid.h"
#include "../../worker/documents/entry.h"
#include "../../worker/documents/sweep.h"
#include "../../worker/subject/subject.h"

#include <time.h>

enum { CHUNKS = 40 /* more than the sweep takes in one turn */ };

static int fresh(void **state) {
    (void)state;
    fixture_new(&files, 64 * MIB);
    self.store = files.s;
    self.keys = files.keys;
    return 0;
}

/* An upload of the fixture's session that lacks its last byte alone. */
static struct upload begun(uint8_t id, uint64_t expires) {
    static const uint8_t chunk[CONTENT_CHUNK];
    struct upload u = {.content = {.id = {id}, .size = (uint64_t)CHUNKS * CONTENT_CHUNK + 1}, .expires = expires, .makes = 1, .name = "x"};
    memcpy(u.user, "who switches it", ID_BYTES);
    ulid_new(u.document);
    digest_begin(&u.digest);
    for (uint32_t n = 0; n < CHUNKS; n++) {
        assert_int_equal(content_put(&u.content, n, chunk, sizeof chunk), STORE_OK);
        digest_add(&u.digest, chunk, sizeof chunk);
        u.offset += sizeof chunk;
    }
    assert_int_equal(upload_save(&u), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    return u;
}

static bool has_chunk(const struct upload *u, uint32_t n) {
    const uint8_t *bytes;
    size_t size;
    return content_get(&u->content, n, &bytes, &size) == STORE_OK;
}

static bool is_there(const struct upload *u) {
    struct upload same;
    return upload_load(u->content.id, &same) == STORE_OK;
}

/* Turns of the loop, until this upload has lost its first chunk, or all of it. */
static void sweep_until_gone(const struct upload *u, bool wholly) {
    for (int i = 0; i < 5000; i++) {
        if (wholly ? !is_there(u) : !has_chunk(u, 0)) return;
        event_base_loop(self.base, EVLOOP_NONBLOCK);
        sweep_turn();
        usleep(500);
    }
    fail_msg("not swept");
}

/* The last byte comes. */
static int go_on(const struct upload *u) {
    char target[64] = "/api/v1/uploads/", offset[24];
    static struct http_request_head head;
    static struct exchange x;
    char allow[ALLOW_MAX];
    hex_write(u->content.id, CONTENT_ID, target + strlen(target));
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)u->offset);
    head = (struct http_request_head){.method = HTTP_PATCH, .path = {target, strlen(target)}, .header_count = 3};
    head.header[0] = (struct http_header){{"tus-resumable", 13}, {"1.0.0", 5}};
    head.header[1] = (struct http_header){{"content-type", 12}, {"application/offset+octet-stream", 31}};
    head.header[2] = (struct http_header){{"upload-offset", 13}, {offset, strlen(offset)}};
    x = (struct exchange){.connection = &client, .head = head};
    x.session = (struct session){.user = "who switches it", .kind = SLOT_SESSION, .rights = RIGHT_ALL};
    x.request = (struct request){.head = &x.head, .session = &x.session};
    assert_int_equal(route_find(&x.request, &x.route, allow), ROUTE_FOUND);
    x.route->handle(&x, &x.request);
    if (x.piece && x.piece(&x, x.sink, (const uint8_t *)"!", 1)) x.end(&x, x.sink);
    if (x.sink_release) x.sink_release(x.sink);
    return turn_ends(&x, STORE_OK);
}

/* S14: what is published keeps its bytes: an upload whose chunks are on their way out is over, whatever its entry says */
static void nobody_goes_on_with_what_goes(void **state) {
    (void)state;
    struct upload u = begun(1, (uint64_t)time(NULL) + 1000), expired = begun(2, (uint64_t)time(NULL) - 1);
    assert_int_equal(go_on(&expired), 404);
    sweep_content(&u.content);
    assert_int_equal(go_on(&u), 404); /* at once, too */
    sweep_until_gone(&u, false);
    assert_true(is_there(&u) && has_chunk(&u, CHUNKS - 1));
    assert_int_equal(go_on(&u), 404);
    sweep_until_gone(&u, true);
    assert_int_equal(store_count(self.store, STORE_DOCUMENTS), 0);
}

static void an_upload_goes_on_until_then(void **state) {
    (void)state;
    struct upload u = begun(1, (uint64_t)time(NULL) + 1000), marker = begun(9, (uint64_t)time(NULL) - 1);
    sweep_uploads();
    sweep_until_gone(&marker, true);
    assert_int_equal(go_on(&u), 204);
    assert_int_equal(store_count(self.store, STORE_DOCUMENTS), 1);
    assert_true(has_chunk(&u, 0) && has_chunk(&u, CHUNKS));
}

static void make(enum kind kind, json_t *fields, uint8_t id[ID_BYTES]) {
    struct record r = {.kind = kind, .fields = fields};
    struct text out = {0};
    ulid_new(r.id);
    memcpy(id, r.id, ID_BYTES);
    assert_int_equal(catalog_add(&r, &out), STORE_OK);
    text_free(&out);
    record_free(&r);
    assert_int_equal(store_commit(self.store), STORE_OK);
}

/* S10: an upload to a document of the person's goes with it, and not before it has gone */
static void an_erasure_takes_uploads_once_it_is_on_the_disk(void **state) {
    (void)state;
    uint8_t contact[ID_BYTES];
    char link[SUBJECT_LINK + 1], path[96] = "/api/v1/contacts/";
    make(KIND_CONTACT, json_pack("{s:s}", "family_name", "Dupont"), contact);
    subject_link(contact, link);
    ulid_text(contact, path + strlen(path));
    strcat(path, "/erasure");
    struct upload u = begun(1, (uint64_t)time(NULL) + 1000), marker = begun(9, (uint64_t)time(NULL) - 1);
    u.makes = 0;
    make(KIND_DOCUMENT, json_pack("{s:s, s:[s]}", "name", "of the person", "links", link), u.document);
    assert_int_equal(upload_save(&u), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    struct exchange *x = ask_as(SLOT_SESSION, HTTP_POST, path, "{\"mode\":\"erase\"}");
    assert_true(store_dirty(self.store));
    store_lose(self.store, STORE_FULL); /* as when the disk is full */
    assert_int_equal(turn_ends(x, STORE_FULL), 507);
    assert_int_equal(store_count(self.store, STORE_DOCUMENTS), 1);
    sweep_until_gone(&marker, true);
    assert_true(is_there(&u) && has_chunk(&u, 0));
    assert_int_equal(call(HTTP_POST, path, "{\"mode\":\"erase\"}", SLOT_SESSION), 200);
    assert_int_equal(store_count(self.store, STORE_DOCUMENTS), 0);
    sweep_until_gone(&u, true);
    assert_false(has_chunk(&u, 0) || has_chunk(&u, CHUNKS - 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_goes_on_with_what_goes, fresh, worker_done),
        cmocka_unit_test_setup_teardown(an_upload_goes_on_until_then, fresh, worker_done),
        cmocka_unit_test_setup_teardown(an_erasure_takes_uploads_once_it_is_on_the_disk, fresh, worker_done),
    };
    return worker_start() && crm_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
