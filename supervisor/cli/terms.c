/* cloison terms, cloison tenant transfer: notices of change, and who has them. */
#include "../../policy/limits.h"
#include "../../policy/names.h"
#include "../../policy/notices.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 256 };

/* FILE, or stdin for "-". false: the reason is on stderr. */
static bool read_text(const char *file, char text[NOTICE_BYTES + 1], size_t *size) {
    FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    if (!in) {
        fprintf(stderr, "cloison: %s: %s\n", file, strerror(errno));
        return false;
    }
    *size = fread(text, 1, NOTICE_BYTES + 1, in);
    bool fine = !ferror(in) && notice_text_is_fine(text, *size);
    if (!fine) fprintf(stderr, "cloison: %s: 1 to %d bytes of UTF-8 without control characters are wanted\n", file, NOTICE_BYTES);
    if (in != stdin) fclose(in);
    return fine;
}

/* FILE --kind K --effective DATE, in any order. */
static int publish_arguments(int argc, char **argv, const char **file, char path[PATH_ROOM]) {
    const char *kind = NULL, *day = NULL;
    *file = NULL;
    for (int i = 0; i < argc; i++) {
        const char **option = strcmp(argv[i], "--kind") == 0 ? &kind : strcmp(argv[i], "--effective") == 0 ? &day : NULL;
        if (option && ++i == argc) return cli_usage("terms publish: %s: a value is wanted", argv[i - 1]);
        if (!option && (*file || strncmp(argv[i], "--", 2) == 0)) return cli_usage("terms publish: %s: one FILE is wanted", argv[i]);
        *(option ? option : file) = argv[i];
    }
    if (!*file || !kind || !day) return cli_usage("terms publish: FILE, --kind KIND and --effective DATE are wanted");
    enum notice_kind found = notice_find(kind, strlen(kind));
    if (!found || notice_table[found].by != NOTICE_BY_DOCUMENT) return cli_usage("terms publish: --kind: terms, privacy or subprocessors");
    if (strlen(day) != 10 || strspn(day, "0123456789-") != 10) return cli_usage("terms publish: --effective: a day like 2027-01-31");
    snprintf(path, PATH_ROOM, "/v1/notices?kind=%s&effective=%s", kind, day);
    return CLI_DONE;
}

int cli_terms_publish(const struct cli *cli, int argc, char **argv) {
    static char text[NOTICE_BYTES + 1];
    char path[PATH_ROOM];
    const char *file = NULL;
    struct client_answer answer;
    struct client_call call = {.socket = "control", .method = "POST", .path = path, .type = "text/plain", .body = text};
    int status = publish_arguments(argc, argv, &file, path);
    if (status != CLI_DONE || !file) return status;
    if (!read_text(file, text, &call.size)) return CLI_REFUSED;
    status = client_ask(cli, &call, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        printf("notice %lld\n", (long long)show_number(answer.json, "number"));
    client_free(&answer);
    return CLI_DONE;
}

static void print_notices(const json_t *items) {
    static const char *const heads[] = {">NOTICE", "KIND", "PUBLISHED (UTC)", "EFFECTIVE (UTC)", "FOR", ">DELIVERED", ">OF"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        char text[32];
        table_cell(table, "%lld", (long long)show_number(item, "number"));
        table_cell(table, "%s", show_text(item, "kind"));
        table_cell(table, "%s", table_time(show_number(item, "published"), text));
        table_cell(table, "%s", table_time(show_number(item, "effective"), text));
        table_cell(table, "%s", json_is_string(json_object_get(item, "tenant")) ? show_text(item, "tenant") : "all");
        table_cell(table, "%lld", (long long)show_number(item, "delivered"));
        table_cell(table, "%lld", (long long)show_number(item, "tenants"));
    }
    table_print(table, "\n");
    table_free(table);
}

int cli_terms_list(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("terms list: %s: nothing more is wanted", argv[0]);
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = "/v1/notices"}, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        print_notices(json_object_get(answer.json, "items"));
    client_free(&answer);
    return CLI_DONE;
}

int cli_transfer(const struct cli *cli, int argc, char **argv) {
    char path[PATH_ROOM];
    struct client_answer answer;
    if (argc != 3 || strcmp(argv[1], "--to") != 0) return cli_usage("tenant transfer: NAME --to ENTITY is wanted");
    if (!name_is_tenant(argv[0])) return cli_usage("tenant transfer: %s is not the name of a tenant", argv[0]);
    json_t *body = json_pack("{s:s}", "to", argv[2]);
    if (!body) return cli_usage("tenant transfer: --to: text in UTF-8 is wanted");
    snprintf(path, sizeof path, "/v1/tenants/%s/transfer", argv[0]);
    int status = client_say(cli, "POST", path, body, &answer);
    json_decref(body);
    if (status != CLI_DONE) return status;
    if (json_object_get(answer.json, "pending") && !cli->json)
        fprintf(stderr,
                "Nothing has changed yet: %s has its notice. When it is delivered and the period has run, another registrar may ask "
                "for the same, or agree by `cloison request approve %lld`.\n",
                argv[0], (long long)show_number(answer.json, "number"));
    else if (cli->json)
        cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}
