/* Backups: asked for, listed, checked, drilled and restored; and checked on a copy, without a key and without the house. */
#include "../../policy/hex.h"
#include "../../policy/names.h"
#include "../backup/catalog.h"
#include "../backup/give.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 128 };

/* Options: --archive, --snapshot N, --source N, --from DESTINATION, as far as `allowed` names them. argv[0] is the NAME. */
static int body_of(const char *verb, const char *allowed, int argc, char **argv, json_t *body, char **name) {
    static const struct {
        char letter;
        const char *option, *member;
    } options[] = {
        {'a', "--archive", "archive"}, {'n', "--snapshot", "snapshot"}, {'s', "--source", "source"}, {'f', "--from", "destination"}};
    *name = NULL;
    for (int i = 0; i < argc; i++) {
        size_t o = 0;
        while (o < 4 && (strcmp(argv[i], options[o].option) != 0 || !strchr(allowed, options[o].letter)))
            o++;
        if (o == 4 && argv[i][0] == '-') return cli_usage("backup %s: %s: there is no such option", verb, argv[i]);
        if (o == 4 && *name) return cli_usage("backup %s: %s: one NAME is wanted", verb, argv[i]);
        if (o == 4) {
            *name = argv[i];
            continue;
        }
        if (o == 0) {
            json_object_set_new(body, "archive", json_true());
            continue;
        }
        if (++i == argc) return cli_usage("backup %s: %s: a value is wanted", verb, argv[i - 1]);
        char *end;
        json_int_t number = strtoll(argv[i], &end, 10);
        if (o != 3 && (*end || number < 1)) return cli_usage("backup %s: %s: a number is wanted", verb, argv[i]);
        json_object_set_new(body, options[o].member, o == 3 ? json_string(argv[i]) : json_integer(number));
    }
    if (!*name || !name_is_tenant(*name)) return cli_usage("backup %s: the NAME of a tenant is wanted", verb);
    return CLI_DONE;
}

static int ask(const struct cli *cli, const char *verb, const char *allowed, int argc, char **argv, struct client_answer *answer) {
    char path[PATH_ROOM], *name;
    json_t *body = json_object();
    int status = body_of(verb, allowed, argc, argv, body, &name);
    if (status == CLI_DONE) {
        snprintf(path, sizeof path, "/v1/tenants/%s/backup-%s", name, verb);
        status = client_say(cli, "POST", path, body, answer);
    }
    json_decref(body);
    return status;
}

static int simple(const struct cli *cli, const char *verb, const char *allowed, int argc, char **argv) {
    struct client_answer answer;
    int status = ask(cli, verb, allowed, argc, argv, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_backup_now(const struct cli *cli, int argc, char **argv) { return simple(cli, "now", "a", argc, argv); }
int cli_backup_drill(const struct cli *cli, int argc, char **argv) { return simple(cli, "drill", "an", argc, argv); }

int cli_backup_restore(const struct cli *cli, int argc, char **argv) {
    bool from = false;
    for (int i = 0; i < argc; i++)
        from = from || strcmp(argv[i], "--from") == 0;
    if (!from) return cli_usage("backup restore: --from DESTINATION is wanted");
    return simple(cli, "restore", "ansf", argc, argv);
}

static void print_list(const json_t *items) {
    static const char *const heads[] = {">NUMBER", "TAKEN", "KEPT UNTIL", ">BYTES", ">CHUNKS", "AT DESTINATION", "HASH"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *row;
    json_array_foreach(items, i, row) {
        char taken[32], until[32], bytes[16];
        table_cell(table, "%" PRIi64, show_number(row, "number"));
        table_cell(table, "%s", table_time(show_number(row, "taken"), taken));
        table_cell(table, "%s", table_time(show_number(row, "keep_until"), until));
        table_cell(table, "%s", table_bytes((uint64_t)show_number(row, "bytes"), bytes));
        table_cell(table, "%" PRIi64, show_number(row, "chunks"));
        table_cell(table, "%s", json_is_true(json_object_get(row, "sent")) ? "yes" : "not yet");
        table_cell(table, "%.16s", show_text(row, "hash"));
    }
    table_print(table, "\n");
    table_free(table);
}

int cli_backup_list(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    int status = ask(cli, "list", "a", argc, argv, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        print_list(json_object_get(answer.json, "items"));
    client_free(&answer);
    return CLI_DONE;
}

/* ---- on a copy ---- */

static enum backup_result look(void *packs, const struct pack *p) { return give_pack(*(int *)packs, p, -1, NULL, NULL); }

/* NUMBER:HASH as `backup list` shows them. */
static bool read_newest(const char *text, uint64_t *number, uint8_t hash[BACKUP_HASH]) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !errno && *number && *end == ':' && strlen(end + 1) == 2 * BACKUP_HASH && hex_read(end + 1, BACKUP_HASH, hash);
}

static void print_verdict(const struct cli *cli, enum backup_result result, const struct catalog_verdict *v) {
    char hash[2 * BACKUP_HASH + 1] = "", pack[PACK_NAME + 1] = "";
    hex_write(v->hash, BACKUP_HASH, hash);
    if (v->wrong_is_pack) pack_name(v->wrong_pack, pack);
    if (cli->json) {
        json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:s}", "result", backup_result_word(result), "snapshots",
                                 (json_int_t)v->snapshots, "oldest", (json_int_t)v->oldest, "newest", (json_int_t)v->newest, "hash", hash,
                                 "packs", (json_int_t)v->packs, "bytes", (json_int_t)v->pack_bytes, "wrong_snapshot",
                                 (json_int_t)v->wrong_number, "wrong_pack", pack);
        cli_print_json(json);
        json_decref(json);
    }
    if (result != BACKUP_DONE)
        fprintf(stderr, "cloison: snapshot %" PRIu64 "%s%s: %s\n", v->wrong_number, *pack ? ", pack " : "", pack,
                backup_result_meaning(result));
    else if (!cli->json)
        printf("%" PRIu64 " snapshots, %" PRIu64 " to %" PRIu64 ", in %" PRIu64 " packs of %" PRIu64
               " bytes: every byte is as it was written.\n"
               "newest %" PRIu64 ":%s\n",
               v->snapshots, v->oldest, v->newest, v->packs, v->pack_bytes, v->newest, hash);
}

static int verify_copy(const struct cli *cli, const char *folder, const char *known) {
    struct catalog_verdict verdict;
    uint64_t newest = 0;
    uint8_t hash[BACKUP_HASH] = {0};
    if (known && !read_newest(known, &newest, hash)) return cli_usage("backup verify: --newest: NUMBER:HASH is wanted");
    int base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int manifests = base < 0 ? -1 : openat(base, "manifests", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int packs = base < 0 ? -1 : openat(base, "packs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = CLI_REFUSED;
    if (manifests < 0 || packs < 0) {
        fprintf(stderr, "cloison: %s: %s: a directory with manifests and packs is wanted\n", folder, strerror(errno));
    } else {
        enum backup_result result = catalog_check(manifests, newest, hash, look, &packs, &verdict);
        print_verdict(cli, result, &verdict);
        if (result == BACKUP_DONE) status = CLI_DONE;
    }
    for (int i = 0; i < 3; i++)
        if ((int[]){base, manifests, packs}[i] >= 0) close((int[]){base, manifests, packs}[i]);
    return status;
}

/* A directory is a copy, with a slash in it; else NAME. */
int cli_backup_verify(const struct cli *cli, int argc, char **argv) {
    if (argc >= 1 && strchr(argv[0], '/')) {
        bool known = argc == 3 && strcmp(argv[1], "--newest") == 0;
        if (argc != 1 && !known) return cli_usage("backup verify DIRECTORY: only --newest NUMBER:HASH may be given");
        return verify_copy(cli, argv[0], known ? argv[2] : NULL);
    }
    return simple(cli, "verify", "a", argc, argv);
}
