/* Documents: the header fields of uploads and downloads, a record's versions, chunks in the store and what an attacker's hands on them do.
 */
#include "store_tamper.h"

#include "../../worker/crm/crm.h"
#include "../../worker/documents/content.h"
#include "../../worker/documents/entry.h"
#include "../../worker/documents/headers.h"
#include "../../worker/documents/versions.h"
#include "../../worker/tenant.h"

struct tenant self;

static struct slice text_of(const char *s) { return (struct slice){s, strlen(s)}; }

/* ---- header fields ---- */

static void ranges(void **state) {
    static const struct {
        const char *value;
        uint64_t size;
        enum range range;
        uint64_t from, length;
    } rows[] = {
        {"bytes=0-0", 10, RANGE_PART, 0, 1},
        {"bytes=0-9", 10, RANGE_PART, 0, 10},
        {"bytes=3-", 10, RANGE_PART, 3, 7},
        {"Bytes=3-4", 10, RANGE_PART, 3, 2},
        {"bytes=9-100", 10, RANGE_PART, 9, 1},
        {"bytes=-3", 10, RANGE_PART, 7, 3},
        {"bytes=-100", 10, RANGE_PART, 0, 10},
        {"bytes=10-", 10, RANGE_BEYOND, 0, 0},
        {"bytes=0-", 0, RANGE_BEYOND, 0, 0},
        {"bytes=-0", 10, RANGE_BEYOND, 0, 0},
        {"bytes=-5", 0, RANGE_BEYOND, 0, 0},
        {"bytes=4-3", 10, RANGE_NONE, 0, 0},
        {"bytes=0-1,3-4", 10, RANGE_NONE, 0, 0},
        {"bytes=-", 10, RANGE_NONE, 0, 0},
        {"bytes=", 10, RANGE_NONE, 0, 0},
        {"bytes=a-b", 10, RANGE_NONE, 0, 0},
        {"bytes=+1-2", 10, RANGE_NONE, 0, 0},
        {"bytes= 1-2", 10, RANGE_NONE, 0, 0},
        {"lines=0-1", 10, RANGE_NONE, 0, 0},
        {"bytes=0-99999999999999999999", 10, RANGE_NONE, 0, 0},
        {"", 10, RANGE_NONE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t from = 0, length = 0;
        if (range_read(text_of(rows[i].value), rows[i].size, &from, &length) != rows[i].range) fail_msg("%s", rows[i].value);
        if (rows[i].range != RANGE_PART) continue;
        assert_int_equal(from, rows[i].from);
        assert_int_equal(length, rows[i].length);
    }
}

static void metadata(void **state) {
    char out[8];
    (void)state;
    assert_int_equal(metadata_read(text_of("filename YWJj,filetype dA=="), "filename", out, sizeof out), 1);
    assert_string_equal(out, "abc");
    assert_int_equal(metadata_read(text_of("filename YWJj,filetype dA=="), "filetype", out, sizeof out), 1);
    assert_string_equal(out, "t");
    assert_int_equal(metadata_read(text_of("filename"), "filename", out, sizeof out), 1);
    assert_string_equal(out, "");
    assert_int_equal(metadata_read(text_of("name YWJj"), "filename", out, sizeof out), 0);
    assert_int_equal(metadata_read(text_of("filename YWJjZGVm"), "filename", out, sizeof out), 1); /* 6 and the NUL */
    static const char *const bad[] = {"filename YWJj,filename YWJj",
                                      "filename YWJ",
                                      "filename YWJ*",
                                      "filename =WJj",
                                      "filename YWJjZGVmZ2g=",
                                      "filename YQpi" /* a line break */,
                                      "filename /w==" /* no UTF-8 */,
                                      "filename YQBi" /* NUL */};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (metadata_read(text_of(bad[i]), "filename", out, sizeof out) != -1) fail_msg("%s", bad[i]);
}

static void neutral(void **state) {
    char out[DISPOSITION_MAX], kept[UPLOAD_TYPE];
    (void)state;
    assert_string_equal(type_served("application/pdf"), "application/pdf");
    assert_string_equal(type_served("Text/Plain; charset=utf-8"), "text/plain");
    assert_string_equal(type_served("text/html"), "application/octet-stream");
    assert_string_equal(type_served("image/svg+xml"), "application/octet-stream");
    assert_string_equal(type_served("application/xhtml+xml"), "application/octet-stream");
    struct slice value = text_of("text/html");
    type_keep(&value, kept, sizeof kept);
    assert_string_equal(kept, "text/html");
    value = text_of("nonsense");
    type_keep(&value, kept, sizeof kept);
    assert_string_equal(kept, "application/octet-stream");
    type_keep(NULL, kept, sizeof kept);
    assert_string_equal(kept, "application/octet-stream");
    disposition_write("a \"b\"\\é.pdf", out);
    assert_string_equal(out, "attachment; filename=\"a__b____.pdf\"; filename*=UTF-8''a%20%22b%22%5C%C3%A9.pdf");
    char name[255 * 4 + 1] = "";
    for (int i = 0; i < 255; i++)
        memcpy(name + 4 * i, "\xf0\x9f\x93\x84", 5);
    disposition_write(name, out);
    assert_true(strlen(out) < DISPOSITION_MAX);
    assert_string_equal(out + strlen(out) - 12, "%F0%9F%93%84"); /* cut between characters */
}

static void digests(void **state) {
    uint8_t bytes[1000], out[DIGEST_BYTES], expected[DIGEST_BYTES], back[3];
    char text[DIGEST_BASE64 + 1];
    struct digest d, kept;
    size_t size;
    (void)state;
    value_of(1, 1, sizeof bytes, bytes);
    digest_begin(&d);
    digest_add(&d, bytes, 333);
    memcpy(&kept, &d, sizeof d);
    digest_add(&kept, bytes + 333, 667);
    digest_end(&kept, out);
    sha256(bytes, sizeof bytes, expected);
    assert_memory_equal(out, expected, sizeof out);
    base64_write((const uint8_t *)"ab", 2, text);
    assert_string_equal(text, "YWI=");
    assert_true(base64_read(text, 4, back, 2, &size) && size == 2 && memcmp(back, "ab", 2) == 0);
    assert_false(base64_read(text, 4, back, 1, &size));
}

/* ---- versions ---- */

static void add_version(json_t *fields, uint8_t id, uint64_t size) {
    char hash[65];
    memset(hash, 'a', 64);
    hash[64] = 0;
    struct version v = {.content = {.id = {id}, .size = size}, .type = "text/plain", .sha256 = hash};
    assert_true(version_add(fields, &v));
}

static void versions(void **state) {
    struct version v;
    json_t *fields = json_pack("{s:s}", "name", "x");
    (void)state;
    assert_false(version_find(fields, 0, &v));
    add_version(fields, 1, 10);
    add_version(fields, 2, 20);
    add_version(fields, 3, 30);
    assert_true(version_find(fields, 0, &v) && v.number == 3 && v.content.size == 30);
    assert_int_equal(json_integer_value(json_object_get(fields, "size")), 30);
    assert_true(version_remove(fields, 3));
    assert_true(version_find(fields, 0, &v) && v.number == 2 && v.content.id[0] == 2);
    assert_int_equal(json_integer_value(json_object_get(fields, "size")), 20);
    assert_true(version_remove(fields, 1));
    assert_false(version_remove(fields, 1));
    assert_false(version_find(fields, 1, &v));
    assert_true(version_remove(fields, 2));
    assert_null(json_object_get(fields, "content"));
    assert_null(json_object_get(fields, "versions"));
    json_decref(fields);
}

/* ---- chunks ---- */

static struct fixture f;
static uint8_t bytes[CONTENT_CHUNK];

static int store_up(void **state) {
    (void)state;
    fixture_new(&f, 64 * MIB);
    self.store = f.s;
    self.keys = f.keys;
    return 0;
}
static int store_down(void **state) {
    (void)state;
    fixture_end(&f);
    return 0;
}

static void reopen(void) {
    store_close(f.s);
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
}

/* Three chunks, the last one short. */
static struct content three(uint8_t id) { return (struct content){.id = {id}, .size = 2 * CONTENT_CHUNK + 100}; }

static void write_content(const struct content *c) {
    for (uint32_t n = 0; n < content_chunks(c); n++) {
        size_t size = content_chunk_size(c, n);
        value_of(c->id[0] * 100u + n, 1, size, bytes);
        assert_int_equal(content_put(c, n, bytes, size), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
}

static enum store_result read_chunk(const struct content *c, uint32_t n) {
    const uint8_t *got;
    size_t size;
    enum store_result result = content_get(c, n, &got, &size);
    if (result != STORE_OK) return result;
    assert_int_equal(size, content_chunk_size(c, n));
    value_of(c->id[0] * 100u + n, 1, size, bytes);
    assert_memory_equal(got, bytes, size);
    return STORE_OK;
}

/* A full chunk is what Padmé leaves as it is, in 32 pages of the file with LMDB's head. */
static void fits_pages(void **state) {
    (void)state;
    struct content c = three(1);
    assert_int_equal(content_chunks(&c), 3);
    write_content(&c);
    store_close(f.s);
    f.s = NULL;
    struct dump d = tamper_dump(f.path);
    size_t full = 0;
    for (size_t i = 0; i < d.count; i++)
        full += d.pair[i].size == 63 * 2048 + 48;
    assert_int_equal(full, 2);
    assert_true(63 * 2048 + 48 + 16 <= 32 * 4096 && 63 * 2048 + 48 + 16 > 31 * 4096);
    dump_free(&d);
}

static void chunks_come_back(void **state) {
    (void)state;
    struct content c = three(1), none = {.id = {9}};
    write_content(&c);
    assert_int_equal(content_chunks(&none), 0);
    reopen();
    for (uint32_t n = 0; n < 3; n++)
        assert_int_equal(read_chunk(&c, n), STORE_OK);
    for (uint32_t n = 0; n < 3; n++)
        assert_int_equal(content_delete(&c, n), STORE_OK);
    assert_int_equal(content_delete(&c, 0), STORE_OK);
    assert_int_equal(read_chunk(&c, 0), STORE_BROKEN);
}

static uint8_t *file_bytes(size_t *size) {
    FILE *in = fopen(f.path, "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    *size = (size_t)ftell(in);
    rewind(in);
    uint8_t *all = malloc(*size);
    assert_int_equal(fread(all, 1, *size, in), *size);
    fclose(in);
    return all;
}

/* The pair of `d`, a dump of the file as it is or was, in which a chunk lies: the one that goes when the chunk is deleted. The file is left
 * as it was. */
static struct pair *chunk_of(struct dump *d, const struct content *c, uint32_t n) {
    size_t size;
    uint8_t *whole = file_bytes(&size);
    struct dump before = tamper_dump(f.path);
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
    assert_int_equal(content_delete(c, n), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    struct dump after = tamper_dump(f.path);
    struct pair *found = NULL;
    for (size_t i = 0; i < before.count; i++)
        for (size_t j = 0; !dump_find(&after, before.pair[i].key) && j < d->count; j++)
            if (memcmp(before.pair[i].key, d->pair[j].key, 17) == 0) found = &d->pair[j];
    assert_non_null(found);
    FILE *out = fopen(f.path, "r+b");
    assert_int_equal(fwrite(whole, 1, size, out), size);
    fclose(out);
    free(whole);
    dump_free(&before);
    dump_free(&after);
    return found;
}

/* S14: every chunk of both contents under the key of every other: none of it opens. */
static void swapped(void **state) {
    (void)state;
    struct content both[] = {three(1), three(2)};
    write_content(&both[0]);
    write_content(&both[1]);
    store_close(f.s);
    struct dump d = tamper_dump(f.path);
    struct pair *place[6];
    for (uint32_t i = 0; i < 6; i++)
        place[i] = chunk_of(&d, &both[i / 3], i % 3);
    for (uint32_t to = 0; to < 6; to++)
        for (uint32_t from = 0; from < 6; from++) {
            if (from == to) continue;
            tamper_set(f.path, place[to]->key, place[from]->value, place[from]->size);
            fixture_open(&f, 64 * MIB);
            self.store = f.s;
            assert_int_equal(read_chunk(&both[to / 3], to % 3), STORE_BROKEN);
            assert_int_equal(read_chunk(&both[from / 3], from % 3), STORE_OK);
            store_close(f.s);
            tamper_set(f.path, place[to]->key, place[to]->value, place[to]->size);
        }
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
    dump_free(&d);
}

/* Cut: a chunk is gone, or the size that a record tells is another: nothing passes for the content. */
static void truncated(void **state) {
    (void)state;
    struct content c = three(1), shorter = c, longer = c;
    write_content(&c);
    shorter.size = CONTENT_CHUNK;
    longer.size = 3 * CONTENT_CHUNK;
    assert_int_equal(read_chunk(&shorter, 0), STORE_BROKEN);
    assert_int_equal(read_chunk(&longer, 0), STORE_BROKEN);
    store_close(f.s);
    struct dump d = tamper_dump(f.path);
    tamper_set(f.path, chunk_of(&d, &c, 2)->key, NULL, 0);
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
    assert_int_equal(read_chunk(&c, 1), STORE_OK);
    assert_int_equal(read_chunk(&c, 2), STORE_BROKEN);
    struct store_check check = {0};
    while (!check.done)
        assert_int_equal(store_check_step(f.s, &check, 64), STORE_OK);
    assert_true(check.found > 0);
    dump_free(&d);
}

/* The chunk as it was while the upload waited with half of it, put back: too short for what the record tells; and the check finds it. */
static void replayed(void **state) {
    (void)state;
    struct content c = {.id = {1}, .size = CONTENT_CHUNK};
    value_of(100, 1, CONTENT_CHUNK, bytes);
    assert_int_equal(content_put(&c, 0, bytes, 1000), STORE_OK);
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    struct dump old = tamper_dump(f.path);
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
    write_content(&c);
    assert_int_equal(read_chunk(&c, 0), STORE_OK);
    store_close(f.s);
    struct pair *half = chunk_of(&old, &c, 0);
    assert_true(half->size < 2000);
    tamper_set(f.path, half->key, half->value, half->size);
    fixture_open(&f, 64 * MIB);
    self.store = f.s;
    assert_int_equal(read_chunk(&c, 0), STORE_BROKEN);
    struct store_check check = {0};
    while (!check.done)
        assert_int_equal(store_check_step(f.s, &check, 64), STORE_OK);
    assert_true(check.found > 0);
    dump_free(&old);
}

/* ---- quiet changes, entries ---- */

static void quiet(void **state) {
    (void)state;
    struct content c = three(1);
    uint64_t drops = store_drops(f.s), commits = store_commits(f.s);
    assert_int_equal(content_put(&c, 0, bytes, CONTENT_CHUNK), STORE_OK);
    assert_true(store_pending(f.s) && !store_dirty(f.s));
    assert_int_equal(store_resize(f.s, 32 * MIB), STORE_INVALID);
    assert_int_equal(store_commit(f.s), STORE_OK);
    assert_true(!store_pending(f.s) && store_commits(f.s) == commits + 1);
    assert_int_equal(content_put(&c, 1, bytes, CONTENT_CHUNK), STORE_OK);
    assert_int_equal(put_number(f.s, STORE_CONTACTS, 1, 0, 10, NULL), STORE_OK);
    assert_true(store_dirty(f.s));
    store_abort(f.s);
    assert_int_equal(store_drops(f.s), drops + 1);
    assert_false(store_pending(f.s));
    store_abort(f.s);
    assert_int_equal(store_drops(f.s), drops + 1);
}

static bool count_upload(void *argument, const struct upload *u) {
    unsigned *seen = argument;
    assert_int_equal(u->offset, u->content.id[0]);
    (*seen)++;
    return true;
}

static void entries(void **state) {
    struct upload u = {.makes = 1, .name = "x"}, back;
    struct kept k = {.content = three(7)}, same;
    unsigned seen = 0;
    bool more;
    (void)state;
    for (uint8_t i = 1; i <= 5; i++) {
        u.content = three(i);
        u.offset = i;
        assert_int_equal(upload_save(&u), STORE_OK);
    }
    assert_int_equal(kept_save(&k), STORE_OK);
    assert_int_equal(upload_count(), 5);
    assert_int_equal(upload_load(three(3).id, &back), STORE_OK);
    assert_int_equal(back.offset, 3);
    assert_int_equal(upload_load(three(7).id, &back), STORE_MISSING);
    assert_int_equal(kept_load(three(7).id, &same), STORE_OK);
    assert_int_equal(upload_walk(NULL, 3, count_upload, &seen, &more), STORE_OK);
    assert_true(seen == 3 && more);
    assert_int_equal(upload_walk(three(3).id, 3, count_upload, &seen, &more), STORE_OK);
    assert_true(seen == 5 && !more);
    assert_int_equal(upload_forget(three(3).id), STORE_OK);
    assert_int_equal(upload_forget(three(3).id), STORE_MISSING);
    assert_int_equal(upload_count(), 4);
    assert_int_equal(store_commit(f.s), STORE_OK);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_up, store_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),     cmocka_unit_test(metadata), cmocka_unit_test(neutral),
        cmocka_unit_test(digests),    cmocka_unit_test(versions), WITH_STORE(fits_pages),
        WITH_STORE(chunks_come_back), WITH_STORE(swapped),        WITH_STORE(truncated),
        WITH_STORE(replayed),         WITH_STORE(quiet),          WITH_STORE(entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
