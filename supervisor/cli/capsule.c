/* Copies of key capsules: where they lie, how old they are. */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 128 };

static void print_copies(const json_t *copies) {
    static const char *const heads[] = {"PLACE", "REGION", "WRITTEN", "STATE"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *copy;
    json_array_foreach(copies, i, copy) {
        char written[32];
        int64_t at = show_number(copy, "written");
        table_cell(table, "%s", show_text(copy, "place"));
        table_cell(table, "%s", json_is_string(json_object_get(copy, "region")) ? show_text(copy, "region") : "-");
        table_cell(table, "%s", at ? table_time(at, written) : "-");
        table_cell(table, "%s",
                   json_is_true(json_object_get(copy, "excluded")) ? "excluded"
                   : json_is_true(json_object_get(copy, "stale"))  ? "stale"
                                                                   : "current");
    }
    table_print(table, "\n");
    table_free(table);
}

int cli_capsule_list(const struct cli *cli, int argc, char **argv) {
    char path[PATH_ROOM];
    struct client_answer answer;
    if (argc != 1) return cli_usage("capsule list: one NAME is wanted");
    if (!name_is_tenant(argv[0])) return cli_usage("capsule list: %s is not the name of a tenant", argv[0]);
    snprintf(path, sizeof path, "/v1/tenants/%s", argv[0]);
    int status = show_get(cli, path, &answer);
    if (status != CLI_DONE) return status;
    json_t *copies = json_object_get(answer.json, "capsule_copies");
    if (cli->json)
        cli_print_json(copies);
    else
        print_copies(copies);
    client_free(&answer);
    return CLI_DONE;
}

/* NAME PLACE */
static int change(const struct cli *cli, const char *verb, int argc, char **argv) {
    char path[PATH_ROOM], body[PATH_ROOM];
    struct client_answer answer;
    if (argc != 2) return cli_usage("capsule %s: NAME and PLACE are wanted", verb);
    for (int i = 0; i < 2; i++)
        if (!name_is_tenant(argv[i])) return cli_usage("capsule %s: %s is not a name", verb, argv[i]);
    snprintf(path, sizeof path, "/v1/tenants/%s/capsule-%s", argv[0], verb);
    snprintf(body, sizeof body, "{\"place\": \"%s\"}", argv[1]);
    struct client_call call = {
        .socket = "control", .method = "POST", .path = path, .type = "application/json", .body = body, .size = strlen(body)};
    int status = client_ask(cli, &call, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_capsule_copy(const struct cli *cli, int argc, char **argv) { return change(cli, "copy", argc, argv); }
int cli_capsule_forget(const struct cli *cli, int argc, char **argv) { return change(cli, "forget", argc, argv); }
