/* cloison request, cloison disclosure: what takes two people. */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_ROOM = 128 };

static const char *moment(const json_t *object, const char *key, char out[32]) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? table_time((int64_t)json_number_value(value), out) : "-";
}

static void print_requests(const json_t *items) {
    static const char *const heads[] = {">NUMBER", "KIND", "TENANT", "STATE", ">ASKED BY", "ASKED (UTC)", "UNTIL (UTC)", ">ENDED BY"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        char asked[32], until[32];
        table_cell(table, "%lld", (long long)show_number(o, "number"));
        table_cell(table, "%s", show_text(o, "kind"));
        table_cell(table, "%s", show_text(o, "tenant"));
        table_cell(table, "%s", show_text(o, "state"));
        table_cell(table, "%lld", (long long)show_number(o, "asked_by"));
        table_cell(table, "%s", moment(o, "asked", asked));
        table_cell(table, "%s", moment(o, "until", until));
        if (show_number(o, "ended_by"))
            table_cell(table, "%lld", (long long)show_number(o, "ended_by"));
        else
            table_cell(table, "-");
    }
    table_print(table, "\n");
    table_free(table);
}

static void print_disclosures(const json_t *items) {
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        char asked[32], hold[32];
        printf("%lld  %s  %s  asked %s by %lld\n    ground: %s; recipient: %s; reason: %s\n", (long long)show_number(o, "number"),
               show_text(o, "tenant"), show_text(o, "state"), moment(o, "asked", asked), (long long)show_number(o, "asked_by"),
               show_text(o, "ground"), show_text(o, "recipient"), show_text(o, "reason"));
        if (json_is_number(json_object_get(o, "hold_until"))) printf("    the tenant is told on %s (UTC)\n", moment(o, "hold_until", hold));
    }
}

/* kind: only those; NULL = all. */
static int list(const struct cli *cli, const char *kind, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("list: %s: nothing more is wanted", argv[0]);
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = "/v1/requests"}, &answer);
    if (status != CLI_DONE) return status;
    json_t *items = json_array(), *o;
    size_t i;
    json_array_foreach(json_object_get(answer.json, "items"), i, o) if (!kind || strcmp(show_text(o, "kind"), kind) == 0)
        json_array_append(items, o);
    if (cli->json)
        cli_print_json(items);
    else if (kind)
        print_disclosures(items);
    else
        print_requests(items);
    json_decref(items);
    client_free(&answer);
    return CLI_DONE;
}

int cli_request_list(const struct cli *cli, int argc, char **argv) { return list(cli, NULL, argc, argv); }
int cli_disclosure_list(const struct cli *cli, int argc, char **argv) { return list(cli, "disclosure", argc, argv); }

/* NUMBER */
static int step(const struct cli *cli, const char *verb, int argc, char **argv, struct client_answer *answer) {
    char path[PATH_ROOM];
    *answer = (struct client_answer){0};
    if (argc != 1) return cli_usage("%s: one NUMBER is wanted, see `cloison request list`", verb);
    if (!*argv[0] || strspn(argv[0], "0123456789") != strlen(argv[0]) || strlen(argv[0]) > 18)
        return cli_usage("%s: %s is not the number of a request", verb, argv[0]);
    snprintf(path, sizeof path, "/v1/requests/%s/%s", argv[0], verb);
    return client_ask(cli, &(struct client_call){.socket = "control", .method = "POST", .path = path}, answer);
}

/* What comes back goes to stdout: an enrolment code, or the package of a disclosure. */
int cli_request_approve(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    int status = step(cli, "approve", argc, argv, &answer);
    if (status != CLI_DONE) return status;
    const char *code = json_string_value(json_object_get(answer.json, "enrolment_code"));
    if (code && !cli->json)
        puts(code);
    else if (cli->json || json_object_get(answer.json, "disclosure") || json_object_get(answer.json, "citation"))
        cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

int cli_request_withdraw(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    int status = step(cli, "withdraw", argc, argv, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

static json_t *words_of(const char *text) {
    json_t *list = json_array();
    while (*text) {
        size_t size = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return list;
}

/* NAME and options. */
static int read_disclosure(int argc, char **argv, json_t *body, char **name) {
    static const char *const options[] = {"--ground", "--reason", "--recipient", "--scope", "--hold-until"};
    static const char *const members[] = {"ground", "reason", "recipient", "scope", "hold_until"};
    *name = NULL;
    for (int i = 0; i < argc; i++) {
        size_t which = 0;
        while (which < 5 && strcmp(options[which], argv[i]) != 0)
            which++;
        if (which == 5 && (argv[i][0] == '-' || *name)) return cli_usage("disclosure request: %s: there is no such option", argv[i]);
        if (which == 5) {
            *name = argv[i];
            continue;
        }
        if (++i == argc) return cli_usage("disclosure request: %s: a value is wanted", options[which]);
        json_object_set_new(body, members[which], which == 3 ? words_of(argv[i]) : json_string(argv[i]));
    }
    if (!*name || !name_is_tenant(*name)) return cli_usage("disclosure request: the NAME of a tenant is wanted");
    if (!json_object_get(body, "scope")) json_object_set_new(body, "scope", words_of("registry"));
    for (size_t m = 0; m < 3; m++)
        if (!json_object_get(body, members[m])) return cli_usage("disclosure request: %s is wanted", options[m]);
    return CLI_DONE;
}

int cli_disclosure_request(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    char *name, path[PATH_ROOM];
    json_t *body = json_object();
    int status = read_disclosure(argc, argv, body, &name);
    if (status == CLI_DONE) {
        snprintf(path, sizeof path, "/v1/tenants/%s/disclosure", name);
        status = client_say(cli, "POST", path, body, &answer);
    }
    json_decref(body);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        fprintf(stderr, "Nothing has been given: an auditor must agree within three days by `cloison disclosure approve %lld`.\n",
                (long long)show_number(answer.json, "number"));
    client_free(&answer);
    return CLI_DONE;
}
