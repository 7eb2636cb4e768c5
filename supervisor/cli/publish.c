/* cloison publish: aggregates that single nobody out, with the rule they follow (S12). */
#include "client.h"
#include "show.h"
#include "table.h"

static void print_cells(const json_t *cells) {
    static const char *const heads[] = {"NUMBER", ">AT LEAST", ">TENANTS", "MEANING"};
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    size_t i;
    json_t *cell;
    json_array_foreach(cells, i, cell) {
        table_cell(table, "%s", show_text(cell, "number"));
        table_cell(table, "%lld", (long long)show_number(cell, "at_least"));
        table_cell(table, "%lld", (long long)show_number(cell, "tenants"));
        table_cell(table, "%s", show_text(cell, "meaning"));
    }
    table_print(table, "\n");
    table_free(table);
}

static void print_all(const json_t *publication) {
    char from[32], until[32];
    table_time(show_number(publication, "from"), from);
    table_time(show_number(publication, "until"), until);
    printf("From %s to %s (UTC), %lld tenants or more\n\n", from, until, (long long)show_number(publication, "tenants"));
    print_cells(json_object_get(publication, "cells"));
    printf("\n%s\n", show_text(publication, "rule"));
}

int cli_publish(const struct cli *cli, int argc, char **argv) {
    struct client_answer answer;
    (void)argv;
    if (argc) return cli_usage("publish: nothing follows it");
    int status = client_ask(cli, &(struct client_call){.socket = "control", .method = "POST", .path = "/v1/publication"}, &answer);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        print_all(answer.json);
    client_free(&answer);
    return CLI_DONE;
}
