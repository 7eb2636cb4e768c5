/* The tenant's register of processing (GDPR article 30, C4): what is done with its data, by its own switches and rules. */
#include "../policy/register.h"

#include "crm/answer.h"
#include "crm/text.h"
#include "functions.h"
#include "rules/rules.h"
#include "tenant.h"
#include "web/fields.h"
#include "web/login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put(void *argument, const char *bytes, size_t size) { text_add(argument, bytes, size); }

static void day_of(uint64_t seconds, char out[16]) {
    time_t t = (time_t)seconds;
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(out, 16, "%Y-%m-%d", &utc);
}

/* "companies: archive, 365 days from modified", a rule that is on a line, behind the term that the table says. */
static void term_text(const struct register_writer *w, enum function f, const struct rule_list *rules, struct text *out) {
    text_string(out, register_word(w, function_table[f].term));
    for (size_t i = 0; f == FUNCTION_retention && i < rules->count; i++) {
        const struct rule *rule = &rules->rule[i];
        char line[128];
        if (!rule->enabled) continue;
        snprintf(line, sizeof line, w->english ? " [%s: %s, %u days from " : " [%s : %s, %u jours depuis ", kind_table[rule->kind].plural,
                 rule_actions[rule->action], rule->after_days);
        text_string(out, line);
        text_string(out, rule->date);
        text_char(out, ']');
    }
    text_add(out, "", 1);
}

static void write_row(struct register_writer *w, enum function f, const struct rule_list *rules) {
    const struct function_row *row = &function_table[f];
    struct text term = {0};
    char state[64], day[16] = "";
    term_text(w, f, rules, &term);
    day_of(function_since(f), day);
    if (f == FUNCTION_NONE)
        snprintf(state, sizeof state, "%s", register_word(w, (struct both){"toujours", "always"}));
    else if (function_on(f))
        snprintf(state, sizeof state, "%s %s", register_word(w, (struct both){"activé depuis le", "on since"}), day);
    else
        snprintf(state, sizeof state, "%s", register_word(w, (struct both){"désactivé : n’a pas lieu", "off: does not take place"}));
    const struct register_cell cells[] = {{{"Traitement", "Processing"}, register_word(w, row->title)},
                                          {{"État", "State"}, state},
                                          {{"Finalité", "Purpose"}, register_word(w, row->purpose)},
                                          {{"Personnes et données", "Persons and data"}, register_word(w, row->data)},
                                          {{"Destinataires", "Recipients"}, register_word(w, row->recipients)},
                                          {{"Durée de conservation", "Term"}, term.failed ? "" : term.data},
                                          {{"Base légale", "Legal basis"}, register_word(w, basis_table[row->basis])}};
    register_row(w, cells, sizeof cells / sizeof *cells);
    text_free(&term);
}

static void write_register(struct register_writer *w, const struct rule_list *rules) {
    char today[16];
    day_of((uint64_t)time(NULL), today);
    const struct register_cell head[] = {{{"Responsable du traitement", "Controller"}, self.profile.host[0]},
                                         {{"Date", "Date"}, today},
                                         {{"Mesures de sécurité", "Security measures"}, register_word(w, register_measures)}};
    register_begin(w, (struct both){"Registre des activités de traitement", "Register of processing activities"}, head,
                   sizeof head / sizeof *head);
    for (int f = FUNCTION_NONE; f < FUNCTION_COUNT; f++)
        write_row(w, (enum function)f, rules);
    register_end(w);
}

static json_t *both(struct both text) { return json_pack("{s:s, s:s}", "fr", text.fr, "en", text.en); }

static json_t *register_json(const struct rule_list *rules) {
    const struct function_row *base = &function_table[FUNCTION_NONE];
    json_t *functions = json_array(), *items = json_array();
    int failed = 0;
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        failed |= json_array_append_new(functions, function_json((enum function)f));
    for (size_t i = 0; i < rules->count; i++)
        failed |= json_array_append_new(items, rule_shown(&rules->rule[i]));
    json_t *body = json_pack("{s:s, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o, s:o}, s:o, s:o}", "controller", self.profile.host[0], "date",
                             json_time((uint64_t)time(NULL)), "measures", both(register_measures), "records", "title", both(base->title),
                             "purpose", both(base->purpose), "data", both(base->data), "recipients", both(base->recipients), "term",
                             both(base->term), "basis", both(basis_table[base->basis]), "functions", functions, "rules", items);
    if (!failed) return body;
    json_decref(body);
    return NULL;
}

static void answer_register(struct exchange *x, const char *format, bool english, const struct rule_list *rules) {
    bool html = strcmp(format, "html") == 0;
    struct text out = {0};
    struct register_writer w = {.form = html ? REGISTER_HTML : REGISTER_CSV, .english = english, .put = put, .argument = &out};
    if (strcmp(format, "json") == 0) {
        json_t *body = register_json(rules);
        if (body)
            respond_json(x, 200, body);
        else
            answer_errno(x, ENOMEM);
        return;
    }
    write_register(&w, rules);
    if (!html) respond_header(x, "Content-Disposition", "attachment; filename=\"register.csv\"");
    if (out.failed)
        answer_errno(x, ENOMEM);
    else
        respond_bytes(x, 200, html ? "text/html; charset=utf-8" : "text/csv; charset=utf-8; header=present", out.data, out.size);
    text_free(&out);
}

static void get_register(struct exchange *x, struct request *r) {
    static const char *const known[] = {"format", "lang", NULL};
    char format[8], lang[8];
    struct rule_list *rules;
    if (!query_known(x, r, known) || !query_text(x, r, "format", format, sizeof format) || !query_text(x, r, "lang", lang, sizeof lang))
        return;
    if (strcmp(format, "html") != 0 && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0) {
        answer_parameter(x, "format", "expected html, csv or json");
        return;
    }
    if (lang[0] && strcmp(lang, "fr") != 0 && strcmp(lang, "en") != 0) {
        answer_parameter(x, "lang", "expected fr or en");
        return;
    }
    enum store_result result = rules_load(&rules);
    if (result == STORE_OK)
        answer_register(x, format, strcmp(lang, "en") == 0, rules);
    else
        answer_failure(x, result);
    free(rules);
}

const struct route register_routes[] = {
    {HTTP_GET, "/api/v1/register", RIGHT_ADMIN, ROUTE_NO_BODY, get_register},
    {0},
};
