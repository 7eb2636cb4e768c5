/* cloison reference: what may be published about each tenant, and nothing else may (C10). */
#include "../../policy/names.h"
#include "client.h"
#include "show.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
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

/* NAME --use USE --where TEXT, in any order. */
static int cite_arguments(int argc, char **argv, const char **name, json_t **body) {
    const char *use = NULL, *where = NULL;
    *name = NULL;
    for (int i = 0; i < argc; i++) {
        const char **option = strcmp(argv[i], "--use") == 0 ? &use : strcmp(argv[i], "--where") == 0 ? &where : NULL;
        if (option && ++i == argc) return cli_usage("reference cite: %s: a value is wanted", argv[i - 1]);
        if (!option && (*name || argv[i][0] == '-')) return cli_usage("reference cite: %s: one NAME is wanted", argv[i]);
        *(option ? option : name) = argv[i];
    }
    if (!*name || !use || !where) return cli_usage("reference cite: NAME, --use USE and --where TEXT are wanted");
    if (!name_is_tenant(*name)) return cli_usage("reference cite: %s is not the name of a tenant", *name);
    *body = json_pack("{s:s, s:s}", "use", use, "where", where);
    return *body ? CLI_DONE : cli_usage("the arguments are not UTF-8");
}

int cli_cite(const struct cli *cli, int argc, char **argv) {
    char path[128];
    const char *name;
    json_t *body = NULL;
    struct client_answer answer;
    int status = cite_arguments(argc, argv, &name, &body);
    if (status == CLI_DONE) {
        snprintf(path, sizeof path, "/v1/tenants/%s/cite", name);
        status = client_say(cli, "POST", path, body, &answer);
    }
    json_decref(body);
    if (status != CLI_DONE) return status;
    if (cli->json)
        cli_print_json(answer.json);
    else
        fprintf(stderr, "Nothing may be published yet: an auditor must agree within three days by `cloison request approve %lld`.\n",
                (long long)show_number(answer.json, "number"));
    client_free(&answer);
    return CLI_DONE;
}
