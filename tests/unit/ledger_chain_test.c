/* The chains of the ledger (S11): one for each tenant inside the central one, over a rotation of the file, and found when tampered with. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "../../policy/hex.h"
#include "../../policy/ledger_check.h"
#include "../../supervisor/ledger.h"
#include "../../supervisor/steward/ledger_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], error[LEDGER_ERROR_MAX];
static struct ledger *ledger;
static const struct ledger_tenant acme = {1, "acme", 0, NULL}, bois = {2, "bois", 0, NULL}, nobody = {0, "", 0, NULL};

static int make(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/ledger_chain_test.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    ledger = ledger_open(directory, 1, error);
    return ledger ? 0 : -1;
}

static int clean(void **state) {
    (void)state;
    char command[96];
    ledger_close(ledger);
    ledger = NULL;
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void close_it(void) {
    ledger_close(ledger);
    ledger = NULL;
}

static void reopen(void) {
    close_it();
    ledger = ledger_open(directory, 5, error);
    if (!ledger) fail_msg("%s", error);
}

static void act(struct ledger_tenant about) { assert_int_equal(ledger_act(ledger, 2, 501, VERB_start, about, "done"), 0); }

static void rotate(void) {
    uint64_t files = ledger_files(ledger);
    ledger_rotate_at(ledger, 1);
    while (ledger_files(ledger) == files) { /* it grows to four times what the last rotation wrote */
        act(nobody);
        ledger_tick(ledger, 3);
    }
    ledger_rotate_at(ledger, 1 << 30);
}

static char text[1 << 20];

/* All files, the oldest first, as one text. */
static size_t whole(void) {
    size_t size = 0, files = 0;
    while (ledger_reader(ledger, files) >= 0)
        files++;
    while (files-- > 0)
        size += (size_t)ledger_files_read(ledger_reader(ledger, files), text + size, sizeof text - size, 0);
    return size;
}

/* Lines that verify from the first one; own[t] = the lines of tenant t. */
static uint64_t verify(const char *bytes, size_t size, uint64_t own[3]) {
    struct ledger_check check = {0};
    struct ledger_line line;
    size_t at = 0, used;
    own[1] = own[2] = 0;
    while (ledger_check_next(&check, bytes + at, size - at, &used, &line) == LEDGER_LINE) {
        at += used;
        if (line.own_count) own[line.tenant] = line.own_count;
    }
    ledger_check_free(&check);
    return at == size ? check.chain.count : 0;
}

static void a_rotation_breaks_no_chain(void **state) {
    (void)state;
    uint64_t own[3];
    act(acme);
    act(bois);
    rotate();
    act(bois);
    struct ledger_own before = ledger_own(ledger, 1);
    assert_int_equal(before.count, 2); /* its act, and the line that carries it over */
    rotate();
    reopen();
    assert_int_equal(ledger_own(ledger, 1).count, 3);
    assert_int_equal(ledger_own(ledger, 2).count, 4);
    assert_int_equal(ledger_own(ledger, 3).count, 0);
    act(acme);
    uint64_t count;
    uint8_t hash[LEDGER_HASH];
    ledger_head(ledger, &count, hash);
    assert_int_equal(verify(text, whole(), own), count);
    assert_int_equal(own[1], 4);
    assert_int_equal(own[2], 4);
    assert_true(ledger_reader(ledger, 2) >= 0 && ledger_reader(ledger, 3) < 0);
}

/* A tenant's lines alone, found from the last one backwards through all files. */
static void a_tenant_reads_its_own_lines(void **state) {
    (void)state;
    struct ledger_files files = {0};
    for (int round = 0; round < 3; round++) {
        act(acme);
        act(bois);
        if (round < 2) rotate();
    }
    for (size_t i = 0; ledger_reader(ledger, i) >= 0; i++)
        assert_true(ledger_files_take(&files, i, ledger_reader(ledger, i)));
    struct ledger_own end = ledger_own(ledger, 1), own = {0};
    struct ledger_line first;
    size_t size, at = 0;
    char *mine = ledger_files_own(&files, 1, end.at, 1, 1000, &size);
    assert_non_null(mine);
    while (at < size) {
        struct ledger_line line;
        const char *newline = memchr(mine + at, '\n', size - at);
        assert_true(ledger_line_parse(mine + at, (size_t)(newline - mine) - at, &line));
        assert_string_equal(line.name, "acme");
        assert_true(ledger_own_next(&own, &line));
        at = (size_t)(newline - mine) + 1;
    }
    free(mine);
    assert_int_equal(own.count, 5); /* three acts, two that carried it over */
    assert_memory_equal(own.hash, end.hash, LEDGER_HASH);
    mine = ledger_files_own(&files, 1, end.at, 4, 1000, &size);
    assert_int_equal(mine[size - 1], '\n');
    const char *fourth = memchr(mine, '\n', size);
    assert_ptr_equal(memchr(fourth + 1, '\n', size), mine + size - 1); /* and the fifth */
    free(mine);
    free(ledger_files_own(&files, 2, end.at, 1, 1000, &size)); /* not that tenant's */
    assert_int_equal(size, 0);
    free(ledger_files_own(&files, 1, end.at + 1000, 1, 1000, &size));
    assert_int_equal(size, 0);
    files.count--; /* the oldest file is gone: what is there is given nevertheless */
    mine = ledger_files_own(&files, 1, end.at, 1, 1000, &size);
    assert_true(ledger_line_parse(mine, (size_t)((char *)memchr(mine, '\n', size) - mine), &first));
    assert_true(first.own_count > 1 && strcmp(first.verb, "carried") == 0);
    free(mine);
}

static void name_of_older(char name[160]) {
    DIR *d = opendir(directory);
    name[0] = '\0';
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, "ledger-", 7) == 0) snprintf(name, 160, "%s/%.60s", directory, e->d_name);
    closedir(d);
}

/* The file before must be there and end where this one begins. */
static void a_missing_older_file_is_refused(void **state) {
    (void)state;
    char older[160], aside[96];
    snprintf(aside, sizeof aside, "%s/aside", directory);
    act(acme);
    rotate();
    act(acme);
    close_it();
    name_of_older(older);
    assert_int_equal(rename(older, aside), 0);
    assert_null(ledger_open(directory, 5, error));
    assert_non_null(strstr(error, "the file before it"));
    assert_int_equal(rename(aside, older), 0);
    assert_int_equal(truncate(older, 300), 0);
    assert_null(ledger_open(directory, 5, error));
}

/* A crash between the two names leaves the old file under both: it goes on, and rotates later. */
static void a_crash_between_the_names(void **state) {
    (void)state;
    char here[96], named[96];
    act(acme);
    close_it();
    snprintf(here, sizeof here, "%s/ledger", directory);
    snprintf(named, sizeof named, "%s/ledger-%020d", directory, 1);
    assert_int_equal(link(here, named), 0);
    ledger = ledger_open(directory, 5, error);
    assert_non_null(ledger);
    rotate();
    act(acme);
    reopen();
    assert_int_equal(ledger_own(ledger, 1).count, 3);
}

/* The end of line `which` of all, from 0. */
static size_t line_at(const char *bytes, size_t size, size_t which) {
    size_t at = 0;
    for (; which > 0 && at < size; which--)
        at = (size_t)((const char *)memchr(bytes + at, '\n', size - at) - bytes) + 1;
    return at;
}

/* Writes every line anew after a change, as somebody would who can write the file: the central chain is sound again. */
static size_t sign_again(const char *from, size_t size, char *to, uint64_t left_out) {
    struct ledger_chain chain = {0};
    struct ledger_own own[3] = {{0}};
    size_t out = 0;
    for (size_t at = 0; at < size;) {
        struct ledger_line line;
        size_t end = (size_t)((const char *)memchr(from + at, '\n', size - at) - from);
        assert_true(ledger_line_parse(from + at, end - at, &line));
        at = end + 1;
        if (line.count == left_out) continue;
        line.count = chain.count + 1;
        memcpy(line.previous, chain.hash, LEDGER_HASH);
        if (line.own_count) {
            struct ledger_own *o = &own[line.tenant];
            line.own_count = o->count + 1;
            line.own_last = o->at;
            memcpy(line.own_previous, o->hash, LEDGER_HASH);
        }
        out += ledger_line_format(&line, to + out);
        chain.count = line.count;
        memcpy(chain.hash, line.hash, LEDGER_HASH);
        if (line.own_count) assert_true(ledger_own_next(&own[line.tenant], &line));
    }
    return out;
}

/* Edited, cut, reordered: the walk stops. Signed again with all hashes computed anew: the walk does not, but the head that a tenant has
 * sealed is no line of it any more. */
/* S11: a ledger signed again with all hashes computed anew has no line that a tenant has sealed */
static void tampering_is_found(void **state) {
    (void)state;
    static char copy[1 << 16];
    uint64_t own[3];
    for (int i = 0; i < 4; i++) {
        act(acme);
        act(bois);
    }
    size_t size = whole();
    const struct ledger_own sealed[] = {ledger_own(ledger, 2), ledger_own(ledger, 1)}; /* by whose line it is: odd ones are acme's */
    assert_int_equal(verify(text, size, own), 8);
    for (size_t i = 0; i < size; i += 11) {
        memcpy(copy, text, size);
        copy[i] ^= 2;
        assert_int_not_equal(verify(copy, size, own), 8);
    }
    for (size_t which = 1; which < 7; which++) { /* left out, or exchanged with the next */
        size_t a = line_at(text, size, which), b = line_at(text, size, which + 1), c = line_at(text, size, which + 2);
        memcpy(copy, text, a);
        memcpy(copy + a, text + b, size - b);
        assert_int_equal(verify(copy, size - (b - a), own), 0);
        memcpy(copy + a, text + b, c - b);
        memcpy(copy + a + (c - b), text + a, b - a);
        memcpy(copy + c, text + c, size - c);
        assert_int_equal(verify(copy, size, own), 0);
    }
    for (uint64_t which = 1; which <= 8; which++) {
        size_t less = sign_again(text, size, copy, which);
        assert_int_equal(verify(copy, less, own), 7); /* sound to look at */
        char hex[2 * LEDGER_HASH + 1] = "";
        hex_write(sealed[which % 2].hash, LEDGER_HASH, hex);
        assert_null(memmem(copy, less, hex, 2 * LEDGER_HASH));
    }
}

/* Each of its three links alone. */
static void a_line_of_a_tenant_follows_in_every_link(void **state) {
    (void)state;
    const struct ledger_own end = {.count = 4, .at = 9, .hash = {7}};
    const struct ledger_line next = {.count = 12, .own_count = 5, .own_last = 9, .own_previous = {7}, .hash = {8}};
    for (int wrong = 0; wrong < 4; wrong++) {
        struct ledger_own own = end;
        struct ledger_line line = next;
        line.own_count += wrong == 1;
        line.own_last -= wrong == 2;
        line.own_previous[0] ^= wrong == 3;
        assert_int_equal(ledger_own_next(&own, &line), wrong == 0);
        assert_int_equal(own.count, wrong ? 4 : 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rotation_breaks_no_chain, make, clean),
        cmocka_unit_test_setup_teardown(a_tenant_reads_its_own_lines, make, clean),
        cmocka_unit_test_setup_teardown(a_missing_older_file_is_refused, make, clean),
        cmocka_unit_test_setup_teardown(a_crash_between_the_names, make, clean),
        cmocka_unit_test(a_line_of_a_tenant_follows_in_every_link),
        cmocka_unit_test_setup_teardown(tampering_is_found, make, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
