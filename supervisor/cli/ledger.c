/* cloison ledger: what the provider did, and whether the record is whole. */
#include "../../policy/hex.h"
#include "../../policy/ledger_check.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_FILES_MAX = 512, HEADS_MAX = 64 };

static int get(const struct cli *cli, const char *path, struct client_answer *answer) {
    return client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = path}, answer);
}

static void print_lines(const json_t *lines) {
    static const char *const heads[] = {">LINE", "TIME (UTC)", ">UID", "WHAT", "TENANT", "RESULT", ">TIMES", "HASH"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) {
        char text[32];
        table_cell(table, "%lld", (long long)show_number(line, "count"));
        table_cell(table, "%s", table_time((int64_t)json_number_value(json_object_get(line, "time")), text));
        if (json_is_integer(json_object_get(line, "uid")))
            table_cell(table, "%lld", (long long)show_number(line, "uid"));
        else
            table_cell(table, "-");
        table_cell(table, "%s", show_text(line, "verb"));
        table_cell(table, "%s", show_text(line, "tenant"));
        table_cell(table, "%s", show_text(line, "result"));
        table_cell(table, "%lld", (long long)show_number(line, "times"));
        table_cell(table, "%.12s", show_text(line, "hash"));
    }
    table_print(table, "\n");
    table_free(table);
}

int cli_ledger_list(const struct cli *cli, int argc, char **argv) {
    char path[128] = "/v1/ledger", mark = '?';
    struct client_answer answer;
    for (int i = 0; i < argc; i += 2) {
        bool known = strcmp(argv[i], "--from") == 0 || strcmp(argv[i], "--limit") == 0;
        if (!known) return cli_usage("ledger list: %s: there is no such option", argv[i]);
        if (i + 1 == argc || !*argv[i + 1] || strspn(argv[i + 1], "0123456789") != strlen(argv[i + 1]) || strlen(argv[i + 1]) > 18)
            return cli_usage("ledger list: %s: a number is wanted", argv[i]);
        size_t used = strlen(path);
        if (used > sizeof path - 40) return cli_usage("ledger list: too many options");
        snprintf(path + used, sizeof path - used, "%c%s=%s", mark, argv[i] + 2, argv[i + 1]);
        mark = '&';
    }
    int status = get(cli, path, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        print_lines(json_object_get(answer.json, "lines"));
    client_free(&answer);
    return CLI_DONE;
}

/* ---- verifying ---- */

/* A copy's files, the oldest first. */
struct copy {
    char path[COPY_FILES_MAX][PATH_MAX];
    size_t files;
    struct ledger_check check;
    const char *head[HEADS_MAX]; /* COUNT:HASH that must be among its lines */
    bool found[HEADS_MAX];
    size_t heads;
};

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* FILE, or DIR with `ledger` and `ledger-NUMBER`, whose numbers sort as text. */
static bool copy_list(struct copy *c, const char *where) {
    struct stat st;
    if (stat(where, &st) == 0 && S_ISREG(st.st_mode)) {
        snprintf(c->path[c->files++], PATH_MAX, "%s", where);
        return true;
    }
    DIR *directory = opendir(where);
    if (!directory) return false;
    for (struct dirent *e; (e = readdir(directory)) && c->files < COPY_FILES_MAX - 1;)
        if (strncmp(e->d_name, "ledger-", 7) == 0 && strspn(e->d_name + 7, "0123456789") == strlen(e->d_name + 7))
            snprintf(c->path[c->files++], PATH_MAX, "%s/%s", where, e->d_name);
    closedir(directory);
    qsort(c->path, c->files, PATH_MAX, by_name);
    snprintf(c->path[c->files++], PATH_MAX, "%s/ledger", where);
    return true;
}

static void copy_line(struct copy *c, const struct ledger_line *line) {
    char text[2 * LEDGER_HASH + 24];
    int size = snprintf(text, sizeof text, "%llu:", (unsigned long long)line->count);
    hex_write(line->hash, LEDGER_HASH, text + size);
    text[size + 2 * LEDGER_HASH] = '\0';
    for (size_t i = 0; i < c->heads; i++)
        c->found[i] = c->found[i] || strcmp(c->head[i], text) == 0;
}

/* One file to its end. false: broken there, or unreadable. */
static bool copy_walk(struct copy *c, const char *path) {
    static char line[LEDGER_LINE_MAX + 1];
    FILE *in = fopen(path, "re");
    bool fine = in;
    while (fine && fgets(line, sizeof line, in)) {
        struct ledger_line is;
        size_t used;
        fine = ledger_check_next(&c->check, line, strlen(line), &used, &is) == LEDGER_LINE && line[used] == '\0';
        if (fine) copy_line(c, &is);
    }
    fine = fine && !ferror(in);
    if (in) fclose(in);
    return fine;
}

static int copy_told(const struct cli *cli, const struct copy *c, bool sound) {
    char head[2 * LEDGER_HASH + 1] = "";
    hex_write(c->check.chain.hash, LEDGER_HASH, head);
    for (size_t i = 0; i < c->heads; i++)
        if (!c->found[i]) fprintf(stderr, "cloison: no line of the copy is %s: it was shortened or rewritten\n", c->head[i]);
    for (size_t i = 0; i < c->heads; i++)
        sound = sound && c->found[i];
    if (cli->json) {
        json_t *o = json_pack("{s:b, s:I, s:I, s:I, s:s}", "sound", sound, "first", (json_int_t)c->check.first, "lines",
                              (json_int_t)c->check.chain.count, "tenants", (json_int_t)c->check.own_count, "head", head);
        cli_print_json(o);
        json_decref(o);
    } else if (sound) {
        printf("sound: lines %llu to %llu, chains of %zu tenants, head %s\n", (unsigned long long)c->check.first,
               (unsigned long long)c->check.chain.count, c->check.own_count, head);
    } else {
        printf("BROKEN after line %llu\n", (unsigned long long)c->check.chain.count);
    }
    return sound ? CLI_DONE : CLI_REFUSED;
}

/* FILE|DIR [--head COUNT:HASH]...: reads a copy, asks nobody. */
static int verify_copy(const struct cli *cli, int argc, char **argv) {
    static struct copy c;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--head") != 0 || i + 1 == argc || c.heads == HEADS_MAX)
            return cli_usage("ledger verify: %s: after FILE or DIR, --head COUNT:HASH is wanted", argv[i]);
        c.head[c.heads++] = argv[i + 1];
    }
    if (!copy_list(&c, argv[0])) {
        fprintf(stderr, "cloison: %s: %s\n", argv[0], strerror(errno));
        return CLI_REFUSED;
    }
    bool sound = true;
    for (size_t i = 0; sound && i < c.files; i++)
        sound = copy_walk(&c, c.path[i]);
    int status = copy_told(cli, &c, sound);
    ledger_check_free(&c.check);
    return status;
}

int cli_ledger_verify(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return verify_copy(cli, argc, argv);
    int status = get(cli, "/v1/ledger/verify", &answer);
    if (status != CLI_DONE) return status;
    bool sound = json_is_true(json_object_get(answer.json, "sound"));
    if (cli->json)
        cli_print_json(answer.json);
    else if (sound)
        printf("sound: %lld lines, head %s\n", (long long)show_number(answer.json, "lines"), show_text(answer.json, "head"));
    else
        printf("BROKEN at line %lld: damaged, missing, or it does not follow from the one before\n",
               (long long)show_number(answer.json, "broken_at"));
    client_free(&answer);
    return sound ? CLI_DONE : CLI_REFUSED;
}
