/*
 * A rotation from its wish to its end, in a child that dies at every single write and sync of it: whatever moment, the next start finds
 * exactly the old or exactly the new, with every record, and goes on from there. What a start does is played here as worker/main.c does it.
 */
#include "store_tamper.h"

#include "../../worker/backup/backup.h"
#include "../../worker/crm/ulid.h"
#include "../../worker/documents/sweep.h"
#include "../../worker/functions.h"
#include "../../worker/journal/journal.h"
#include "../../worker/keys/capsule_state.h"
#include "../../worker/provider/lines.h"
#include "../../worker/provider/witness.h"
#include "../../worker/rotation/rotation.h"
#include "../../worker/rules/rules.h"
#include "../../worker/support/support.h"
#include "../../worker/tenant.h"
#include "../../worker/uplink.h"
#include "../../worker/web/account.h"
#include "../../worker/web/connection.h"
#include "../../worker/web/fields.h"
#include "../../worker/web/login.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { RECORDS = 300, DEAD = 9, DONE = 7, STOPPED = 8 };

struct tenant self;
static struct counter_page counters;
static char dir[] = "/tmp/rotation-test-XXXXXX";
static const uint8_t salt[32] = "salt", stretched[KEY_BYTES] = "stretched password", kit[KEY_BYTES] = "kit";
static uint8_t user[ID_BYTES] = "administrator";

/* ---- the machine stops before the call after the `allowed`th; < 0: it does not. Or the disk fails from there on. ---- */

static long allowed = -1, made;
static bool disk_fails;
static bool stops(void) {
    made++;
    if (allowed < 0 || made <= allowed) return false;
    if (!disk_fails) _exit(DEAD);
    errno = EIO;
    return true;
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return stops() ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at); }
ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at) {
    return stops() ? -1 : syscall(SYS_pwritev, fd, v, count, (unsigned long)at, 0UL);
}
ssize_t write(int fd, const void *bytes, size_t size) { return stops() ? -1 : syscall(SYS_write, fd, bytes, size); }
int fdatasync(int fd) { return stops() ? -1 : (int)syscall(SYS_fdatasync, fd); }

/* ---- what web/ does, played ---- */

struct exchange {
    int status;
    json_t *body;
};
enum store_result exchange_commit(void) { return store_commit(self.store); }
uint64_t clock_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
uint64_t clock_ms(void) { return clock_us() / 1000; }
void respond_json(struct exchange *x, int status, json_t *body) {
    x->status = status;
    x->body = body;
}
void respond_empty(struct exchange *x, int status) { x->status = status; }
void respond_problem(struct exchange *x, int status, const char *type, const char *detail, const char *field, unsigned long line) {
    (void)type, (void)detail, (void)field, (void)line;
    x->status = status;
}
void answer_errno(struct exchange *x, int error) { x->status = 1000 + error; }
void answer_failure(struct exchange *x, enum store_result result) { x->status = 2000 + (int)result; }

void backup_key_changed(void) {}
json_t *json_time(uint64_t seconds) { return json_integer((json_int_t)seconds); }
json_t *journal_id(const uint8_t id[ID_BYTES]) {
    char text[ULID_TEXT + 1];
    ulid_text(id, text);
    return json_string(text);
}
static unsigned told[JOURNAL_ACTS];
enum store_result journal_add(enum journal_act act, const uint8_t who[ID_BYTES], json_t *about) {
    (void)who;
    json_decref(about);
    told[act]++;
    return STORE_OK;
}
enum store_result journal_first(enum journal_act act, const uint8_t who[ID_BYTES], json_t *about) { return journal_add(act, who, about); }
void journal_tell(enum journal_act act, const uint8_t who[ID_BYTES], json_t *about) { (void)journal_add(act, who, about); }

void journal_unsealed(void) {}
bool witness_keep(void) { return true; }
void support_unsealed(void) {}
void lines_unsealed(void) {}
void uplink_state(void) {}
void account_unsealed(void) {}
void functions_load(void) {}
void functions_forget(void) {}
bool function_on(enum function f) { return (void)f, true; }
void sweep_unsealed(void) {}
void rules_unsealed(void) {}

static json_t *ask(enum http_method method, const char *id, int expected) {
    struct exchange x = {0};
    struct session session = {0};
    struct request r = {.session = &session};
    for (const struct route *route = rotation_routes; route->pattern; route++) {
        if (route->method != method) continue;
        assert_int_equal(route->rights, RIGHT_ADMIN);
        if (id) r.segment[0] = (struct slice){id, strlen(id)};
        route->handle(&x, &r);
    }
    assert_int_equal(x.status, expected);
    return x.body;
}

static const char *text_of(json_t *body, const char *name) { return json_string_value(json_object_get(body, name)); }

static void assert_state(const char *state, const char *why) {
    json_t *body = ask(HTTP_GET, NULL, 200);
    assert_string_equal(text_of(body, "state"), state);
    if (why)
        assert_string_equal(text_of(body, "reason"), why);
    else
        assert_true(json_is_null(json_object_get(body, "reason")));
    json_decref(body);
}

/* ---- a worker's start, unsealing and end ---- */

static void start(void) {
    static const char *const names[] = {"data.mdb", "data-2.mdb"};
    self.counters = &counters;
    self.profile = (struct message_start){.quota_bytes = 8 * MIB, .enrol_hash = "a code"};
    static struct event_base *base; /* one for all lives, as a process has: rotation.c's timer belongs to it */
    if (!base) base = event_base_new();
    self.base = base;
    self.capsule = capsule_open(open("capsule", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    assert_non_null(self.capsule);
    unsigned used = capsule_data_file(self.capsule);
    assert_int_equal(store_clear_spare(names[!used]), 0);
    self.store = store_open(names[used], self.profile.quota_bytes);
    self.second = store_prepare(names[!used], self.profile.quota_bytes);
    assert_true(self.base && self.store && self.second);
    self.profile.enrolled = capsule_enrolled(self.capsule);
    self.tmk = calloc(1, KEY_BYTES);
}

static void unseal(void) {
    uint8_t tmk[KEY_BYTES];
    memcpy(tmk, self.tmk, sizeof tmk);
    memset(self.tmk, 0, KEY_BYTES);
    assert_int_equal(tenant_unseal(tmk, SLOT_PASSWORD), 0);
    /* All is open: another key, as of a kit's record that was planted meanwhile, is not taken for this one's. */
    const uint8_t planted[KEY_BYTES] = {7};
    assert_int_equal(tenant_unseal(planted, SLOT_SELF_SUFFICIENT), EIO);
    assert_int_equal(tenant_unseal(tmk, SLOT_PASSWORD), 0);
    assert_memory_equal(self.tmk, tmk, KEY_BYTES);
}

static void open_by_password(void) {
    struct slot slot;
    uint8_t locator[ID_BYTES], by_kit[KEY_BYTES];
    capsule_login_locator(self.capsule, "anna", locator);
    assert_true(capsule_open_password(self.capsule, locator, stretched, &slot, self.tmk));
    assert_true(capsule_open_secret(self.capsule, kit, &slot, by_kit));
    assert_memory_equal(self.tmk, by_kit, KEY_BYTES);
    unseal();
}

static void end(void) {
    store_close(self.store);
    store_close(self.second);
    keyring_free(self.keys);
    capsule_close(self.capsule);
    free(self.tmk);
    self = (struct tenant){0};
}

static void shell(const char *command) { assert_int_equal(system(command), 0); }

static void enrolled(void) {
    uint8_t *summary = calloc(1, 100);
    shell("rm -rf ./*");
    start();
    struct slot password = {.rights = RIGHT_ALL}, recovery = {.rights = RIGHT_ALL};
    memcpy(password.owner, user, ID_BYTES);
    memcpy(recovery.owner, user, ID_BYTES);
    capsule_login_locator(self.capsule, "anna", password.locator);
    assert_int_equal(capsule_enrol(self.capsule, &password, salt, stretched, &recovery, kit, self.tmk), 0);
    unseal();
    for (unsigned i = 0; i < RECORDS; i++) {
        struct index_key key = {.letter = (char)('A' + i % 26), .size = 8};
        memset(key.bytes, (int)i, 8);
        id_of(i, key.id);
        assert_int_equal(put_number(self.store, STORE_COMPANIES, i, 0, 100 + i, NULL), STORE_OK);
        assert_int_equal(index_put(self.store, STORE_COMPANIES, &key, summary, 100), STORE_OK);
    }
    assert_int_equal(store_commit(self.store), STORE_OK);
    free(summary);
}

static void assert_everything(void) {
    for (unsigned i = 0; i < RECORDS; i++)
        assert_number(self.store, STORE_COMPANIES, i, 1, 100 + i);
    assert_int_equal(store_count(self.store, STORE_COMPANIES), RECORDS);
    assert_int_equal(check_all(self.store, 1000, NULL), 0);
}

/* The loop until nothing is wanted any more; false: it stopped. */
static bool run(void) {
    while (capsule_rotation_wanted(self.capsule)) {
        event_base_loop(self.base, EVLOOP_ONCE);
        rotation_turn();
        json_t *body = ask(HTTP_GET, NULL, 200);
        bool stopped = strcmp(text_of(body, "state"), "stopped") == 0;
        json_decref(body);
        if (stopped) return false;
    }
    return true;
}

static void rotates(void **state) {
    (void)state;
    uint8_t first[KEY_BYTES], second[KEY_BYTES];
    enrolled();
    memcpy(first, self.tmk, KEY_BYTES);
    uint64_t commits = store_commits(self.store);
    assert_state("idle", NULL);
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_state("waiting", NULL);
    assert_true(run());
    assert_state("idle", NULL);
    assert_true(told[JOURNAL_rotation_wanted] == 1 && told[JOURNAL_key_changed] == 1);
    assert_memory_not_equal(self.tmk, first, KEY_BYTES);
    assert_int_equal(capsule_data_file(self.capsule), 1);
    assert_int_equal(store_commits(self.store), commits + 1);
    assert_everything();
    json_t *body = ask(HTTP_GET, NULL, 200), *kept = json_object_get(body, "kept");
    assert_int_equal(json_array_size(kept), 1);
    char id[32];
    snprintf(id, sizeof id, "%s", text_of(json_array_get(kept, 0), "id"));
    json_decref(body);

    /* Again at once, back into the first file; the second kept key joins the first. */
    memcpy(second, self.tmk, KEY_BYTES);
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_true(run());
    assert_int_equal(capsule_data_file(self.capsule), 0);
    assert_memory_not_equal(self.tmk, first, KEY_BYTES);
    assert_memory_not_equal(self.tmk, second, KEY_BYTES);
    assert_everything();
    ask(HTTP_DELETE, id, 204);
    ask(HTTP_DELETE, id, 404);
    assert_int_equal(told[JOURNAL_key_dropped], 1);
    body = ask(HTTP_GET, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(body, "kept")), 1);
    json_decref(body);
    assert_int_equal(store_commit(self.store), STORE_OK);

    end();
    start();
    open_by_password();
    assert_everything();
    struct stat st;
    assert_int_equal(stat("data-2.mdb", &st), 0);
    assert_true(st.st_size <= 8192); /* emptied */
    end();
}

static bool lies_in(const char *path, const struct pair *p) {
    static char bytes[16 * MIB];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) fclose(file);
    return memmem(bytes, size, p->value, p->size);
}

/* S10: what was erased lies in the file's free pages, sealed, until a rotation; then in no file, once the worker has started anew */
static void what_was_erased_goes_with_a_rotation(void **state) {
    (void)state;
    uint8_t id[ID_BYTES];
    const struct pair *gone = NULL;
    enrolled();
    end();
    struct dump before = tamper_dump("data.mdb");
    start();
    open_by_password();
    id_of(RECORDS - 1, id);
    assert_int_equal(store_delete(self.store, STORE_COMPANIES, id, STORE_ANY), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    end();
    struct dump after = tamper_dump("data.mdb");
    for (size_t i = 0; i < before.count; i++)
        if (!dump_find(&after, before.pair[i].key)) gone = &before.pair[i];
    assert_non_null(gone);
    assert_true(gone->size > 100 && lies_in("data.mdb", gone));
    start();
    open_by_password();
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_true(run());
    assert_false(lies_in("data-2.mdb", gone));
    end();
    start();
    assert_false(lies_in("data.mdb", gone) || lies_in("data-2.mdb", gone));
    end();
    dump_free(&before);
    dump_free(&after);
}

/* Dies at the n-th call; the next start is in one of two states, and once the new one was seen never in the old one again. */
static void dies_at_every_call(void **state) {
    (void)state;
    bool seen_new = false, over = false;
    unsigned old = 0, new = 0;
    enrolled();
    assert_int_equal(capsule_want_rotation(self.capsule, true), 0);
    uint8_t before[KEY_BYTES];
    memcpy(before, self.tmk, KEY_BYTES);
    end();
    shell("rm -rf saved && mkdir saved && cp capsule data.mdb saved");
    for (long calls = 0; !over; calls++) {
        shell("rm -f data* capsule && cp saved/* .");
        pid_t pid = fork();
        if (pid == 0) {
            start();
            made = 0;
            allowed = calls;
            open_by_password();
            json_decref(ask(HTTP_POST, NULL, 202)); /* without the wait after an unsealing */
            _exit(run() ? DONE : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == DEAD || WEXITSTATUS(status) == DONE));
        over = WEXITSTATUS(status) == DONE;

        start();
        open_by_password();
        bool rotated = capsule_data_file(self.capsule) == 1;
        assert_int_equal(memcmp(self.tmk, before, KEY_BYTES) != 0, rotated);
        assert_int_equal(capsule_rotation_wanted(self.capsule) != 0, !rotated);
        assert_everything();
        assert_true(rotated || !seen_new);
        assert_true(rotated || !over);
        seen_new |= rotated;
        new += rotated;
        old += !rotated;
        /* It goes on, or another one does, from what was left; for every seventh, since each takes its time. */
        if (calls % 7 == 0 || (rotated && new < 5)) {
            json_decref(ask(HTTP_POST, NULL, 202));
            assert_true(run());
            assert_int_equal(capsule_data_file(self.capsule), !rotated);
            assert_everything();
        }
        end();
    }
    print_message("%u deaths before the change, %u after it\n", old, new);
    assert_true(old > 20 && new > 2);
}

/* The disk fails from the n-th call on: the rotation stops and all is as it was, or the process ends where it cannot know. */
static void disk_fails_at_every_call(void **state) {
    (void)state;
    unsigned stopped = 0, ended = 0;
    bool over = false;
    for (long calls = 0; !over; calls += 3) {
        shell("rm -f data* capsule && cp saved/* .");
        pid_t pid = fork();
        if (pid == 0) {
            start();
            disk_fails = true;
            made = 0;
            allowed = calls;
            open_by_password();
            json_decref(ask(HTTP_POST, NULL, 202));
            if (run()) _exit(DONE);
            allowed = -1;
            assert_everything();
            assert_int_equal(put_number(self.store, STORE_COMPANIES, RECORDS, 0, 10, NULL), STORE_OK);
            _exit(store_commit(self.store) == STORE_OK ? STOPPED : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        int left = WEXITSTATUS(status);
        assert_true(left == STOPPED || left == DONE || left == EIO);
        over = left == DONE;
        stopped += left == STOPPED;
        ended += left == EIO;
        start();
        open_by_password();
        assert_int_equal(store_count(self.store, STORE_COMPANIES), RECORDS + (left == STOPPED));
        assert_int_equal(check_all(self.store, 1000, NULL), 0);
        end();
    }
    print_message("stopped %u times, ended %u times\n", stopped, ended);
    assert_true(ended > 0); /* where it cannot know what the disk holds */
    assert_true(stopped > 5);
}

/* A quota under what is used: the rotation stops and says so; with more room it is done. */
static void full(void **state) {
    (void)state;
    enrolled();
    for (unsigned i = 0; i < 700; i++)
        assert_int_equal(put_number(self.store, STORE_CONTACTS, i, 0, 2000, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    self.profile.quota_bytes = STORE_MAP_MIN;
    assert_int_equal(store_resize(self.store, self.profile.quota_bytes), STORE_OK);
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_false(run());
    assert_state("stopped", "full");
    assert_everything();
    self.profile.quota_bytes = 8 * MIB;
    assert_int_equal(store_resize(self.store, self.profile.quota_bytes), STORE_OK);
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_state("waiting", NULL);
    assert_true(run());
    assert_everything();
    assert_int_equal(store_count(self.store, STORE_CONTACTS), 700);
    end();
}

static bool opens(void) {
    struct slot slot;
    uint8_t locator[ID_BYTES], tmk[KEY_BYTES];
    capsule_login_locator(self.capsule, "anna", locator);
    return capsule_open_password(self.capsule, locator, stretched, &slot, tmk) && tenant_unseal(tmk, SLOT_PASSWORD) == 0;
}

/* The file of before a rotation, with today's capsule, in any place: it opens under its retired key, is sealed anew at once, and opens no
 * more once that key is dropped. Where today's file is there as well, in either place, it goes before. */
static void older_files(void **state) {
    (void)state;
    static const struct {
        const char *files;
        bool older;
    } day[] = {
        {"cp old/data.mdb data.mdb; rm -f data-2.mdb", true},              /* as the copy was */
        {"cp old/data.mdb data-2.mdb; rm -f data.mdb", true},              /* where the capsule looks */
        {"cp old/data.mdb data.mdb; cp old/data.mdb data-2.mdb", true},    /* twice */
        {"cp old/data.mdb data.mdb; cp junk data-2.mdb", true},            /* beside an empty one */
        {"cp old/data.mdb data-2.mdb; cp new/data-2.mdb data.mdb", false}, /* today's in the wrong place */
        {"cp old/data.mdb data.mdb; cp new/data-2.mdb data-2.mdb", false}, /* nothing is wrong */
    };
    uint8_t old_key[KEY_BYTES], new_key[KEY_BYTES];
    enrolled();
    memcpy(old_key, self.tmk, KEY_BYTES);
    shell("rm -rf old && mkdir old && cp data.mdb old && : > junk");
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_true(run());
    assert_int_equal(put_number(self.store, STORE_COMPANIES, RECORDS, 0, 10, NULL), STORE_OK);
    assert_int_equal(store_commit(self.store), STORE_OK);
    memcpy(new_key, self.tmk, KEY_BYTES);
    end();
    shell("rm -rf new && mkdir new && cp capsule data-2.mdb new");
    for (size_t i = 0; i < sizeof day / sizeof *day; i++) {
        shell("cp new/capsule . && rm -f data*");
        shell(day[i].files);
        memset(told, 0, sizeof told);
        start();
        if (i % 2 == 0) { /* on another machine, where nobody knows yet that it has enrolled */
            self.profile.enrolled = 0;
            memset(self.profile.enrol_hash, 0, sizeof self.profile.enrol_hash);
        }
        assert_true(opens());
        assert_memory_equal(self.tmk, new_key, KEY_BYTES); /* of the capsule */
        assert_int_equal(told[JOURNAL_older_file], day[i].older);
        assert_int_equal(store_count(self.store, STORE_COMPANIES), RECORDS + !day[i].older);
        if (day[i].older) {
            json_t *body = ask(HTTP_GET, NULL, 200);
            ask(HTTP_DELETE, text_of(json_array_get(json_object_get(body, "kept"), 0), "id"), 409); /* the only key to it */
            json_decref(body);
            assert_true(capsule_rotation_wanted(self.capsule) > 0);
            assert_true(run());
            assert_everything();
            assert_int_equal(told[JOURNAL_key_changed], 1);
        }
        assert_int_equal(check_all(self.store, 1000, NULL), 0);
        end();
        start();
        open_by_password();
        assert_int_equal(told[JOURNAL_older_file], day[i].older); /* that was once */
        assert_int_equal(store_count(self.store, STORE_COMPANIES), RECORDS + !day[i].older);
        end();
    }

    shell("cp new/capsule . && rm -f data* && cp new/data-2.mdb .");
    start();
    assert_true(opens());
    json_t *body = ask(HTTP_GET, NULL, 200);
    ask(HTTP_DELETE, text_of(json_array_get(json_object_get(body, "kept"), 0), "id"), 204);
    json_decref(body);
    end();
    for (size_t i = 0; i < 4; i++) {
        shell("rm -f data*");
        shell(day[i].files);
        start();
        assert_false(opens());
        assert_null(self.keys);
        end();
    }
}

/* Killed at any moment after an older file was put back: it opens again, with all that is in it. */
static void dies_with_an_older_file(void **state) {
    (void)state;
    enrolled();
    shell("rm -rf saved && mkdir saved && cp data.mdb saved");
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_true(run());
    end();
    shell("cp capsule saved");
    bool over = false;
    unsigned died = 0;
    for (long calls = 0; !over; calls += calls < 20 ? 1 : 13) {
        shell("rm -f data* capsule && cp saved/* .");
        pid_t pid = fork();
        if (pid == 0) {
            start();
            made = 0;
            allowed = calls;
            if (!opens()) _exit(1);
            _exit(run() ? DONE : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == DEAD || WEXITSTATUS(status) == DONE));
        over = WEXITSTATUS(status) == DONE;
        died += !over;
        start();
        assert_true(opens());
        assert_everything();
        end();
    }
    assert_true(died > 25);
}

/* Neither key nor capsule of before a rotation opens anything of after it, and nothing is destroyed on the way. */
static void capsules_of_other_days(void **state) {
    (void)state;
    uint8_t old_key[KEY_BYTES];
    enrolled();
    memcpy(old_key, self.tmk, KEY_BYTES);
    shell("rm -rf old && mkdir old && cp capsule data.mdb old");
    json_decref(ask(HTTP_POST, NULL, 202));
    assert_true(run());
    end();
    shell("rm -rf new && mkdir new && cp capsule data.mdb data-2.mdb new");

    /* The key of before, out of an old process, with today's file. */
    start();
    self.keys = keyring_new(old_key);
    assert_int_equal(store_unseal(self.store, self.keys, capsule_tenant_id(self.capsule)), STORE_BROKEN);
    assert_false(capsule_trust(self.capsule, old_key));
    end();

    /* The capsule of before: with both of today's files, with the right one alone, and with the right one in the other's place. */
    for (int i = 0; i < 3; i++) {
        shell("cp old/capsule . && rm -f data* && cp new/data* .");
        if (i == 1) shell("rm -f data.mdb");
        if (i == 2) shell("mv data-2.mdb data.mdb");
        start();
        assert_false(opens());
        assert_null(self.keys);
        end();
        shell(i == 2 ? "cmp data.mdb new/data-2.mdb" : "cmp data-2.mdb new/data-2.mdb");
        shell(i == 2 ? "rm -f data-2.mdb && mv data.mdb data-2.mdb && cp new/capsule ." : "cp new/capsule .");
        start();
        open_by_password();
        assert_everything();
        end();
    }
}

/* Asked for before a stop: the next unsealing takes it up, and nobody has to ask again. */
static void a_wish_outlives_a_stop(void **state) {
    (void)state;
    enrolled();
    assert_int_equal(capsule_want_rotation(self.capsule, true), 0);
    end();
    start();
    open_by_password();
    for (int i = 0; i < 100000 && capsule_rotation_wanted(self.capsule); i++) {
        event_base_loop(self.base, EVLOOP_ONCE);
        rotation_turn();
    }
    assert_int_equal(capsule_rotation_wanted(self.capsule), 0);
    assert_int_equal(capsule_data_file(self.capsule), 1);
    assert_everything();
    end();
}

int main(void) {
    if (!keys_prepare() || !mkdtemp(dir) || chdir(dir) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotates),
        cmocka_unit_test(what_was_erased_goes_with_a_rotation),
        cmocka_unit_test(dies_at_every_call),
        cmocka_unit_test(disk_fails_at_every_call),
        cmocka_unit_test(full),
        cmocka_unit_test(capsules_of_other_days),
        cmocka_unit_test(older_files),
        cmocka_unit_test(dies_with_an_older_file),
        cmocka_unit_test(a_wish_outlives_a_stop),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    shell("rm -rf ./*");
    rmdir(dir);
    return failed;
}
