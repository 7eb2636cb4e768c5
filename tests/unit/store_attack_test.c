/* What somebody with the disk can do to the file of a stopped store. No content that comes back is ever altered or foreign; what went
 * missing is found by the check, or LMDB ends the process (which the supervisor starts again). */
#include "store_tamper.h"

#include "../../worker/store/seal.h"

#include <signal.h>
#include <sys/wait.h>

enum { RECORDS = 600, GONE = 60, FLIPS = 2400, PAGE = 4096 };

static size_t size_for(uint64_t number) { return number % 50 == 7 ? 9000 : 80 + number * 13 % 500; }

static struct index_key entry_for(uint64_t number) {
    struct index_key k = {.letter = (char)('A' + number % 26), .size = 12};
    for (int i = 0; i < 12; i++)
        k.bytes[i] = (uint8_t)('a' + mix(number * 31 + (uint64_t)i) % 26);
    id_of(number, k.id);
    return k;
}

static size_t summary_for(uint64_t number, uint8_t *out) { return value_of(number, 77, 40 + number % 60, out); }

static void add(struct store *s, uint64_t number) {
    struct index_key k = entry_for(number);
    uint8_t summary[128];
    assert_int_equal(put_number(s, STORE_CONTACTS, number, 0, size_for(number), NULL), STORE_OK);
    assert_int_equal(index_put(s, STORE_CONTACTS, &k, summary, summary_for(number, summary)), STORE_OK);
}

/* Records in two tables, an index of three levels' worth of pages, freed pages. */
static void victim(struct fixture *f) {
    uint8_t id[ID_BYTES];
    fixture_new(f, 64 * MIB);
    for (uint64_t i = 0; i < RECORDS; i++) {
        add(f->s, i);
        if (i % 10 == 0) assert_int_equal(put_number(f->s, STORE_USERS, i, 0, size_for(i), NULL), STORE_OK);
        if (i % 50 == 49) assert_int_equal(store_commit(f->s), STORE_OK);
    }
    for (uint64_t i = RECORDS; i < RECORDS + GONE; i++)
        add(f->s, i);
    assert_int_equal(store_commit(f->s), STORE_OK);
    for (uint64_t i = RECORDS; i < RECORDS + GONE; i++) {
        struct index_key k = entry_for(i);
        id_of(i, id);
        assert_int_equal(store_delete(f->s, STORE_CONTACTS, id, STORE_ANY), STORE_OK);
        assert_int_equal(index_delete(f->s, STORE_CONTACTS, &k), STORE_OK);
        if (i % 20 == 19) assert_int_equal(store_commit(f->s), STORE_OK);
    }
    assert_int_equal(store_commit(f->s), STORE_OK);
    store_close(f->s);
    f->s = NULL;
}

/* What a reader of a tampered file saw; a child's exit status. */
enum seen { SEEN_ALL = 0, SEEN_LOSS = 10, SEEN_REFUSED = 11, SEEN_ALTERED = 20, SEEN_UNNOTICED = 21 };

struct reading {
    size_t listed, lost;
    bool altered;
};

static bool listed(void *argument, const struct index_key *key, const uint8_t *summary, size_t size) {
    struct reading *r = argument;
    static struct index_key known[RECORDS];
    uint8_t expected[128];
    uint64_t number = 0;

    if (known[0].size == 0)
        for (uint64_t i = 0; i < RECORDS; i++)
            known[i] = entry_for(i);
    while (number < RECORDS && memcmp(known[number].id, key->id, ID_BYTES) != 0)
        number++;
    struct index_key k = known[number % RECORDS];
    r->altered = r->altered || number == RECORDS || k.letter != key->letter || k.size != key->size ||
                 memcmp(k.bytes, key->bytes, k.size) != 0 || size != summary_for(number, expected) || memcmp(summary, expected, size) != 0;
    r->listed++;
    return true;
}

static void read_record(struct store *s, enum store_table t, uint64_t number, struct reading *r) {
    uint8_t expected[9000];
    const uint8_t *value;
    size_t size;
    uint64_t version;

    if (get_number(s, t, number, &value, &size, &version) != STORE_OK) {
        r->lost++;
        return;
    }
    value_of(number, 1, size_for(number), expected);
    r->altered = r->altered || version != 1 || size != size_for(number) || memcmp(value, expected, size) != 0;
}

/* Reads all there should be; then holds the check's word against what was seen. */
static enum seen read_all(struct fixture *f) {
    struct reading r = {0};
    struct store_check check = {0};
    const uint8_t *value;
    size_t size;

    f->s = store_open(f->path, 64 * MIB);
    if (!f->s) return SEEN_REFUSED;
    if (store_unseal(f->s, f->keys, f->tenant) != STORE_OK) return SEEN_REFUSED;
    for (uint64_t i = 0; i < RECORDS; i++)
        read_record(f->s, STORE_CONTACTS, i, &r);
    for (uint64_t i = 0; i < RECORDS; i += 10)
        read_record(f->s, STORE_USERS, i, &r);
    for (uint64_t i = RECORDS; i < RECORDS + GONE; i++)
        r.altered = r.altered || get_number(f->s, STORE_CONTACTS, i, &value, &size, NULL) == STORE_OK;
    enum store_result list = index_list(f->s, STORE_CONTACTS, 0, NULL, false, SIZE_MAX, listed, &r, NULL);
    if (r.altered || (list == STORE_OK && r.listed != RECORDS)) return SEEN_ALTERED;
    bool loss = r.lost > 0 || list != STORE_OK;
    while (!check.done)
        if (store_check_step(f->s, &check, 100) != STORE_OK) return SEEN_LOSS;
    if (loss && check.found == 0) return SEEN_UNNOTICED;
    return check.found > 0 ? SEEN_LOSS : SEEN_ALL;
}

/* And writes on, which a damaged page must not turn into altered content either. */
static enum seen write_on(struct fixture *f) {
    enum seen seen = read_all(f);
    struct reading r = {0};
    if (seen == SEEN_REFUSED || seen == SEEN_ALTERED || seen == SEEN_UNNOTICED) return seen;
    for (uint64_t i = 5000; i < 5040; i++)
        if (put_number(f->s, STORE_COMPANIES, i, 0, size_for(i), NULL) != STORE_OK) break;
    if (store_commit(f->s) != STORE_OK) return SEEN_LOSS;
    for (uint64_t i = 0; i < RECORDS; i++)
        read_record(f->s, STORE_CONTACTS, i, &r);
    for (uint64_t i = 5000; i < 5040; i++)
        read_record(f->s, STORE_COMPANIES, i, &r);
    return r.altered ? SEEN_ALTERED : seen;
}

static int in_child(struct fixture *f, enum seen (*act)(struct fixture *)) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);                                                         /* LMDB's assertions, a sanitizer's report of LMDB's fault */
        static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE}; /* cmocka would go on with the next test */
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
            signal(fatal[i], SIG_DFL);
        alarm(20);
        _exit((int)act(f));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* A page's type by its header, as LMDB lays it out; overflow pages after the first have none. */
enum page_type { META, BRANCH, LEAF, OVERFLOW, FREE, PAGE_TYPES };
static void classify(const uint8_t *file, size_t pages, uint8_t *type) {
    for (size_t p = 0; p < pages; p++) {
        const uint8_t *page = file + p * PAGE;
        uint64_t flags = get_le(page + 10, 2), number = get_le(page, 8);
        type[p] = p < 2 ? META : number != p ? FREE : flags & 1 ? BRANCH : flags & 2 ? LEAF : flags & 4 ? OVERFLOW : FREE;
        if (type[p] != OVERFLOW) continue;
        uint64_t run = get_le(page + 12, 4);
        for (uint64_t i = 1; i < run && p + 1 < pages; i++)
            type[++p] = OVERFLOW;
    }
}

static uint8_t *slurp(const char *path, size_t *size) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    *size = (size_t)st.st_size;
    close(fd);
    return bytes;
}

static void spill(const char *path, const uint8_t *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

struct tally {
    unsigned intact, lost, refused, died;
};

static void judge(int status, struct tally *t, const char *what, size_t where) {
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == SIGALRM) fail_msg("%s at %zu: it hangs", what, where);
        t->died++;
        return;
    }
    int code = WEXITSTATUS(status);
    if (code == SEEN_ALTERED) fail_msg("%s at %zu: altered or foreign content came back", what, where);
    if (code == SEEN_UNNOTICED) fail_msg("%s at %zu: the check did not notice a loss", what, where);
    t->intact += code == SEEN_ALL;
    t->lost += code == SEEN_LOSS;
    t->refused += code == SEEN_REFUSED;
    t->died += code != SEEN_ALL && code != SEEN_LOSS && code != SEEN_REFUSED; /* a sanitizer ended it */
}

/* S4: no content comes back altered, moved or another tenant's */
static void flipped_bits(void **state) {
    struct fixture f;
    struct tally total = {0};
    unsigned hit[PAGE_TYPES] = {0};
    uint64_t seed = 20260101;
    size_t size;
    (void)state;
    victim(&f);
    assert_int_equal(in_child(&f, read_all), 0); /* untouched: all is there */
    uint8_t *file = slurp(f.path, &size), *type = malloc(size / PAGE);
    classify(file, size / PAGE, type);
    for (unsigned i = 0; i < FLIPS; i++) {
        size_t at;
        do { /* each type of page in turn; one in four in the head of its page, where LMDB's own figures are */
            at = (seed = mix(seed)) % size;
            if (seed >> 60 < 4) at = at / PAGE * PAGE + at % 64;
        } while (type[at / PAGE] != i % PAGE_TYPES);
        hit[type[at / PAGE]]++;
        uint8_t bad = file[at] ^ (uint8_t)(1 << (seed >> 50 & 7));
        int fd = open(f.path, O_RDWR);
        assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
        judge(in_child(&f, i % 8 == 5 ? write_on : read_all), &total, "flip", at);
        if (i % 8 == 5) {
            spill(f.path, file, size);
        } else {
            assert_int_equal(pwrite(fd, file + at, 1, (off_t)at), 1);
        }
        close(fd);
    }
    print_message("flips: meta %u, branch %u, leaf %u, overflow %u, free %u; intact %u, loss found %u, refused %u, process ended %u\n",
                  hit[META], hit[BRANCH], hit[LEAF], hit[OVERFLOW], hit[FREE], total.intact, total.lost, total.refused, total.died);
    assert_true(total.lost > FLIPS / 10);
    free(file);
    free(type);
    fixture_end(&f);
}

/* Blind damage of whole stretches, as a failing disk does it. */
static void scrambled_pages(void **state) {
    struct fixture f;
    struct tally total = {0};
    size_t size;
    (void)state;
    victim(&f);
    uint8_t *file = slurp(f.path, &size), *bad = malloc(size);
    for (unsigned i = 0; i < 150; i++) {
        size_t page = mix(i) % (size / PAGE), other = mix(i + 1000) % (size / PAGE);
        memcpy(bad, file, size);
        if (i % 3 == 0) memset(bad + page * PAGE, 0, PAGE);
        if (i % 3 == 1) memcpy(bad + page * PAGE, file + other * PAGE, PAGE);
        if (i % 3 == 2)
            for (size_t j = 0; j < PAGE; j++)
                bad[page * PAGE + j] = (uint8_t)mix(i * 5000 + j);
        spill(f.path, bad, size);
        judge(in_child(&f, read_all), &total, "page", page);
    }
    free(file);
    free(bad);
    fixture_end(&f);
}

static void truncations(void **state) {
    struct fixture f;
    struct tally total = {0};
    size_t size;
    (void)state;
    victim(&f);
    uint8_t *file = slurp(f.path, &size);
    for (size_t i = 1; i < 60; i++) {
        spill(f.path, file, size);
        assert_int_equal(truncate(f.path, (off_t)(mix(i) % size)), 0);
        judge(in_child(&f, read_all), &total, "truncation", i);
    }
    spill(f.path, file, size);
    assert_int_equal(truncate(f.path, 0), 0); /* an empty file is a new one: only who remembers the commit counter knows */
    fixture_open(&f, 64 * MIB);
    assert_int_equal(store_commits(f.s), 0);
    free(file);
    fixture_end(&f);
}

/* Each value of the file put in another's place, within a table and across tables, kinds and the state. */
static void swapped_values(void **state) {
    struct fixture f;
    struct tally total = {0};
    (void)state;
    victim(&f);
    struct dump d = tamper_dump(f.path);
    for (unsigned i = 0; i < 250; i++) {
        const struct pair *a = &d.pair[mix(i) % d.count], *b = &d.pair[mix(i + 7777) % d.count];
        if (i < 40) a = dump_nth(&d, SPACE_NODES + STORE_CONTACTS, i), b = dump_nth(&d, SPACE_NODES + STORE_CONTACTS, i % 7);
        if (i >= 40 && i < 60) a = dump_nth(&d, STORE_USERS, i - 40), b = dump_nth(&d, STORE_CONTACTS, i);
        if (i == 60) a = dump_nth(&d, SPACE_META, 1);
        if (a == b) continue;
        tamper_set(f.path, a->key, b->value, b->size);
        tamper_set(f.path, b->key, a->value, a->size);
        int status = in_child(&f, read_all);
        judge(status, &total, "swap", i);
        assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != SEEN_ALL);
        tamper_set(f.path, a->key, a->value, a->size);
        tamper_set(f.path, b->key, b->value, b->size);
    }
    assert_int_equal(in_child(&f, read_all), 0);
    dump_free(&d);
    fixture_end(&f);
}

/* Another tenant's values; even one that uses the same key by mistake. */
static void swapped_tenants(void **state) {
    struct fixture f, other;
    struct tally total = {0};
    (void)state;
    victim(&f);
    for (int same_key = 0; same_key < 2; same_key++) {
        fixture_new(&other, 64 * MIB);
        store_close(other.s);
        unlink(other.path);
        keyring_free(other.keys);
        other.keys = fixture_keys(same_key ? 1 : 9);
        memset(other.tenant, 0x66, sizeof other.tenant);
        fixture_open(&other, 64 * MIB);
        for (uint64_t i = 0; i < RECORDS; i++)
            add(other.s, i);
        assert_int_equal(store_commit(other.s), STORE_OK);
        store_close(other.s);
        other.s = NULL;
        struct dump ours = tamper_dump(f.path), theirs = tamper_dump(other.path);
        for (unsigned i = 0; i < 60; i++) {
            uint8_t space = i % 3 == 0 ? SPACE_META : i % 3 == 1 ? STORE_CONTACTS : SPACE_NODES + STORE_CONTACTS;
            const struct pair *a = dump_nth(&ours, space, i % 3 == 0 ? 1 : i), *b = dump_nth(&theirs, space, i % 3 == 0 ? 1 : i);
            const struct pair *twin = dump_find(&theirs, a->key); /* with the same key the very same name */
            if (twin) b = twin;
            assert_non_null(b);
            tamper_set(f.path, a->key, b->value, b->size);
            int status = in_child(&f, read_all);
            judge(status, &total, "tenant", i);
            assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != SEEN_ALL);
            tamper_set(f.path, a->key, a->value, a->size);
        }
        dump_free(&ours);
        dump_free(&theirs);
        fixture_end(&other);
    }
    assert_int_equal(in_child(&f, read_all), 0);
    fixture_end(&f);
}

/* An older index node or state under today's others is refused where it is read; a wholly older file shows by its commit counter. */
static void older_parts(void **state) {
    struct fixture f;
    size_t size;
    bool more;
    struct reading r = {0};
    (void)state;
    victim(&f);
    struct dump before = tamper_dump(f.path);
    uint8_t *old_file = slurp(f.path, &size);
    fixture_open(&f, 64 * MIB);
    uint64_t commits = store_commits(f.s);
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct index_key k = entry_for(i);
        assert_int_equal(index_put(f.s, STORE_CONTACTS, &k, "new", 3), STORE_OK);
    }
    assert_int_equal(store_commit(f.s), STORE_OK);
    store_close(f.s);
    struct dump after = tamper_dump(f.path);
    unsigned tried = 0;
    for (size_t i = 0; i < before.count; i++) {
        const struct pair *old = &before.pair[i], *now = dump_find(&after, old->key);
        bool node = old->key[0] == SPACE_NODES + STORE_CONTACTS, sealed_state = old->key[0] == SPACE_META && old->key[1] == 's';
        if (!now || (!node && !sealed_state) || (now->size == old->size && memcmp(now->value, old->value, old->size) == 0)) continue;
        tamper_set(f.path, old->key, old->value, old->size);
        f.s = store_open(f.path, 64 * MIB);
        assert_non_null(f.s);
        assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_OK);
        assert_int_equal(index_list(f.s, STORE_CONTACTS, 0, NULL, false, 0, listed, &r, &more) == STORE_OK &&
                             index_list(f.s, STORE_CONTACTS, 0, NULL, false, SIZE_MAX, listed, &r, &more) == STORE_OK,
                         false);
        assert_true(check_all(f.s, 100, NULL) > 0);
        store_close(f.s);
        tamper_set(f.path, now->key, now->value, now->size);
        tried++;
    }
    assert_true(tried > 20);
    spill(f.path, old_file, size);
    fixture_open(&f, 64 * MIB);
    assert_int_equal(store_commits(f.s), commits); /* one less than was seen */
    assert_int_equal(check_all(f.s, 100, NULL), 0);
    dump_free(&before);
    dump_free(&after);
    free(old_file);
    fixture_end(&f);
}

/* The state gone: not taken for a new file while anything is left. */
static void missing_state(void **state) {
    struct fixture f;
    (void)state;
    victim(&f);
    struct dump d = tamper_dump(f.path);
    tamper_set(f.path, dump_nth(&d, SPACE_META, 1)->key, NULL, 0);
    f.s = store_open(f.path, 64 * MIB);
    assert_non_null(f.s);
    assert_int_equal(store_unseal(f.s, f.keys, f.tenant), STORE_BROKEN);
    store_close(f.s);
    tamper_set(f.path, dump_nth(&d, SPACE_META, 0)->key, NULL, 0); /* the format */
    f.s = store_open(f.path, 64 * MIB);
    assert_null(f.s);
    assert_int_equal(errno, EPROTO);
    dump_free(&d);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits),   cmocka_unit_test(scrambled_pages), cmocka_unit_test(truncations),
        cmocka_unit_test(swapped_values), cmocka_unit_test(swapped_tenants), cmocka_unit_test(older_parts),
        cmocka_unit_test(missing_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
