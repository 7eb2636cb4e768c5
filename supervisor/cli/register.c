/* The provider's register of processing, as a processor (GDPR article 30(2), S8): of functions.def and of what the provider entered itself.
 */
#include "../../policy/register.h"
#include "client.h"
#include "show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 4096 };

static void put(void *argument, const char *bytes, size_t size) { fwrite(bytes, 1, size, argument); }

/* What may be done for any customer that has switched it on; which of them are on, the provider does not know. */
static const char *categories(const struct register_writer *w) {
    static char text[TEXT_MAX];
    size_t used = 0;
    for (int f = FUNCTION_NONE; f < FUNCTION_COUNT && used < sizeof text; f++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", f ? "; " : "", register_word(w, function_table[f].title));
    return text;
}

static const char *proxy(const struct register_writer *w, const json_t *tenant) {
    bool sees = strcmp(show_text(tenant, "tls"), "passthrough") != 0;
    return register_word(w, sees ? (struct both){"oui, à la demande du client", "yes, as the customer asked"} : (struct both){"non", "no"});
}

static void write_tenant(struct register_writer *w, const json_t *t) {
    const char *title = json_string_value(json_object_get(t, "title"));
    const struct register_cell cells[] = {
        {{"Client (responsable du traitement)", "Customer (controller)"}, title && *title ? title : show_text(t, "name")},
        {{"Nom", "Name"}, show_text(t, "name")},
        {{"Modules", "Modules"}, show_text(t, "modules")},
        {{"Lieu du traitement", "Place of processing"}, show_text(t, "region")},
        {{"Catégories de traitements", "Categories of processing"}, categories(w)},
        {{"Le mandataire de l’hébergeur voit le trafic en clair", "The provider’s proxy sees the traffic in clear"}, proxy(w, t)},
        {{"Mesures de sécurité", "Security measures"}, register_word(w, register_measures)}};
    register_row(w, cells, sizeof cells / sizeof *cells);
}

static void write_register(struct register_writer *w, const json_t *tenants) {
    char today[16];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(today, sizeof today, "%Y-%m-%d", &utc);
    const struct register_cell head[] = {
        {{"Date", "Date"}, today},
        {{"Données", "Data"},
         register_word(w, (struct both){"L’hébergeur ne peut lire aucune donnée de ses clients ; il garde leur copie scellée.",
                                        "The provider cannot read any of its customers’ data; it keeps their sealed copy."})}};
    size_t i;
    json_t *t;
    register_begin(w,
                   (struct both){"Registre des traitements effectués pour le compte des clients", "Register of processing for customers"},
                   head, sizeof head / sizeof *head);
    json_array_foreach(tenants, i, t) write_tenant(w, t);
    register_end(w);
}

static json_t *both(struct both text) { return json_pack("{s:s, s:s}", "fr", text.fr, "en", text.en); }

static void print_json(const json_t *tenants) {
    static const char *const members[] = {"name", "title", "modules", "region", "tls"};
    json_t *list = json_array(), *kinds = json_array(), *t;
    size_t i;
    json_array_foreach(tenants, i, t) {
        json_t *row = json_object();
        for (size_t m = 0; m < sizeof members / sizeof *members; m++)
            json_object_set(row, members[m], json_object_get(t, members[m]));
        json_array_append_new(list, row);
    }
    for (int f = FUNCTION_NONE; f < FUNCTION_COUNT; f++) {
        const struct function_row *row = &function_table[f];
        json_array_append_new(kinds, json_pack("{s:s, s:o, s:o, s:o, s:o}", "function", row->name, "title", both(row->title), "purpose",
                                               both(row->purpose), "data", both(row->data), "term", both(row->term)));
    }
    json_t *all = json_pack("{s:o, s:o, s:o}", "customers", list, "categories", kinds, "measures", both(register_measures));
    cli_print_json(all);
    json_decref(all);
}

int cli_register(const struct cli *cli, int argc, char **argv) {
    const char *format = cli->json ? "json" : "html", *lang = "fr";
    struct client_answer answer;
    for (int i = 0; i < argc; i += 2) {
        bool is_format = strcmp(argv[i], "--format") == 0;
        if (!is_format && strcmp(argv[i], "--lang") != 0) return cli_usage("register: %s: expected --format or --lang", argv[i]);
        if (i + 1 == argc) return cli_usage("register: %s: which?", argv[i]);
        *(is_format ? &format : &lang) = argv[i + 1];
    }
    bool html = strcmp(format, "html") == 0, json = strcmp(format, "json") == 0, english = strcmp(lang, "en") == 0;
    if (!html && !json && strcmp(format, "csv") != 0) return cli_usage("register: --format %s: expected html, csv or json", format);
    if (!english && strcmp(lang, "fr") != 0) return cli_usage("register: --lang %s: expected fr or en", lang);
    int status = show_get(cli, "/v1/tenants", &answer);
    if (status != CLI_DONE) return status;
    struct register_writer w = {.form = html ? REGISTER_HTML : REGISTER_CSV, .english = english, .put = put, .argument = stdout};
    const json_t *tenants = json_object_get(answer.json, "tenants");
    if (json)
        print_json(tenants);
    else
        write_register(&w, tenants);
    client_free(&answer);
    return CLI_DONE;
}
