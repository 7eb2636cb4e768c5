/* cloison reference list: what may be published about each tenant, and nothing else may (C10). */
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

/* Names with commas between; "-" for none. */
static void cell(struct table *table, const json_t *list) {
    char text[256] = "";
    size_t i;
    json_t *name;
    json_array_foreach(list, i, name) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "", json_string_value(name));
    }
    table_cell(table, "%s", text[0] ? text : "-");
}

int cli_references(const struct cli *cli, int argc, char **argv) {
    static const char *const heads[] = {"NAME", "MODULES", "FURTHER CONSENT"};
    struct client_answer answer;
    size_t i;
    json_t *t;
    if (argc) return cli_usage("reference list: %s: nothing more is wanted", argv[0]);
    int status = show_get(cli, "/v1/tenants", &answer);
    if (status != CLI_DONE) return status;
    json_t *all = json_array();
    struct table *table = table_new(heads, sizeof heads / sizeof *heads);
    json_array_foreach(json_object_get(answer.json, "tenants"), i, t) {
        const char *title = show_text(t, "title");
        title = *title ? title : show_text(t, "name");
        json_array_append_new(all, json_pack("{s:s, s:O, s:O}", "name", title, "modules", json_object_get(t, "modules"), "references",
                                             json_object_get(t, "references")));
        table_cell(table, "%s", title);
        table_cell(table, "%s", *show_text(t, "modules") ? show_text(t, "modules") : "-");
        cell(table, json_object_get(t, "references"));
    }
    if (cli->json)
        cli_print_json(all);
    else
        table_print(table, "\n");
    table_free(table);
    json_decref(all);
    client_free(&answer);
    return CLI_DONE;
}
