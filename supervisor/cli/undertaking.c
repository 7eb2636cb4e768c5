/* cloison undertaking: what a member of staff undertakes, and who did. */
#include "client.h"
#include "show.h"
#include "table.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *day(const json_t *object, const char *key, char out[32]) {
    json_t *value = json_object_get(object, key);
    return json_is_number(value) ? table_time((int64_t)json_number_value(value), out) : "-";
}

static bool speaks_french(void) {
    const char *language = getenv("LC_ALL");
    if (!language || !*language) language = getenv("LC_MESSAGES");
    if (!language || !*language) language = getenv("LANG");
    return language && strncmp(language, "fr", 2) == 0;
}

int cli_undertaking_show(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    char from[32], until[32];
    if (argc) return cli_usage("undertaking show: %s: nothing more is wanted", argv[0]);
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = "/v1/undertaking"}, &answer);
    if (status != CLI_DONE) return status;
    const json_t *yours = json_object_get(answer.json, "yours");
    if (cli->json) {
        cli_print_json(answer.json);
    } else {
        printf("%s\n", show_text(json_object_get(answer.json, "text"), speaks_french() ? "fr" : "en"));
        printf("version %lld; yours: %s", (long long)show_number(answer.json, "version"), show_text(yours, "state"));
        if (show_number(yours, "version"))
            printf(", version %lld, signed %s, until %s (UTC)", (long long)show_number(yours, "version"), day(yours, "signed", from),
                   day(yours, "until", until));
        putchar('\n');
    }
    client_free(&answer);
    return CLI_DONE;
}

/* The name that goes into the record: what passwd calls the person, up to the first comma. */
static void own_name(char *out, size_t room) {
    const struct passwd *me = getpwuid(getuid());
    if (!me) return;
    const char *name = me->pw_gecos && *me->pw_gecos && *me->pw_gecos != ',' ? me->pw_gecos : me->pw_name;
    snprintf(out, room, "%.*s", (int)strcspn(name, ","), name);
}

/* VERSION [--until DAY] [--name TEXT] */
static int read_arguments(int argc, char **argv, json_t *body) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--until") == 0 || strcmp(argv[i], "--name") == 0) {
            if (i + 1 == argc) return cli_usage("undertaking sign: %s: a value is wanted", argv[i]);
            json_object_set_new(body, argv[i] + 2, json_string(argv[i + 1]));
            i++;
        } else if (json_object_get(body, "version") || !*argv[i] || strspn(argv[i], "0123456789") != strlen(argv[i]) ||
                   strlen(argv[i]) > 9) {
            return cli_usage("undertaking sign: %s: one VERSION, a number, is wanted", argv[i]);
        } else {
            json_object_set_new(body, "version", json_integer(strtoll(argv[i], NULL, 10)));
        }
    }
    return json_object_get(body, "version") ? CLI_DONE : cli_usage("undertaking sign: the VERSION that you have read is wanted");
}

int cli_undertaking_sign(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    char name[TABLE_CELL_MAX * 3] = "", until[32];
    json_t *body = json_object();
    int status = read_arguments(argc, argv, body);
    own_name(name, sizeof name);
    if (status == CLI_DONE && *name && !json_object_get(body, "name")) json_object_set_new(body, "name", json_string(name));
    if (status == CLI_DONE) status = client_say(cli, "POST", "/v1/undertaking", body, &answer);
    json_decref(body);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        printf("signed, in force until %s (UTC)\n", day(answer.json, "until", until));
    client_free(&answer);
    return CLI_DONE;
}

int cli_undertaking_end(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("undertaking end: %s: nothing more is wanted", argv[0]);
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "DELETE", .path = "/v1/undertaking"}, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json) cli_print_json(answer.json);
    client_free(&answer);
    return CLI_DONE;
}

static void print_items(const json_t *items) {
    static const char *const heads[] = {">LINE", "TIME (UTC)", ">UID", "NAME", "ACT", ">VERSION", "UNTIL (UTC)", "HASH"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *o;
    json_array_foreach(items, i, o) {
        char time[32], until[32];
        table_cell(table, "%lld", (long long)show_number(o, "count"));
        table_cell(table, "%s", day(o, "time", time));
        table_cell(table, "%lld", (long long)show_number(o, "uid"));
        table_cell(table, "%s", show_text(o, "name"));
        table_cell(table, "%s", show_text(o, "act"));
        if (show_number(o, "version"))
            table_cell(table, "%lld", (long long)show_number(o, "version"));
        else
            table_cell(table, "-");
        table_cell(table, "%s", day(o, "until", until));
        table_cell(table, "%.12s", show_text(o, "hash"));
    }
    table_print(table, "\n");
    table_free(table);
}

int cli_undertaking_list(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    if (argc) return cli_usage("undertaking list: %s: nothing more is wanted", argv[0]);
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "GET", .path = "/v1/undertakings"}, &answer);
    if (status != CLI_DONE) return status;
    bool sound = json_is_true(json_object_get(answer.json, "sound"));
    if (cli->json) {
        cli_print_json(answer.json);
    } else {
        print_items(json_object_get(answer.json, "items"));
        printf("\n%s; every line is kept until %lld years after the last contract that its person acted under\n",
               sound ? "the chain is sound" : "THE CHAIN IS BROKEN", (long long)show_number(answer.json, "kept_years_after_contract"));
    }
    client_free(&answer);
    return sound ? CLI_DONE : CLI_REFUSED;
}
