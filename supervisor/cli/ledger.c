/* cloison ledger: what the provider did, and whether the record is whole. */
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int cli_ledger_verify(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("ledger verify: %s: nothing more is wanted", argv[0]);
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
