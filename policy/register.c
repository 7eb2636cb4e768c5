#include "register.h"

#include <string.h>

const struct both register_measures = {
    "Un processus isolé par client, sans réseau ; données, documents et index scellés (XAES-256-GCM) avec une clé que seuls les "
    "utilisateurs "
    "du client ouvrent ; TLS terminé chez le client ; aucun accès du personnel de l’hébergeur aux données ; journal chaîné du client et "
    "registre chaîné de l’hébergeur.",
    "One isolated process a customer, without a network; data, documents and indexes sealed (XAES-256-GCM) under a key that only the "
    "customer’s users open; TLS ends with the customer; the provider’s staff has no access to the data; a chained journal of the "
    "customer’s "
    "and a chained ledger of the provider’s."};

const char *register_word(const struct register_writer *w, struct both text) { return w->english ? text.en : text.fr; }

static void put(struct register_writer *w, const char *text) { w->put(w->argument, text, strlen(text)); }

static void put_escaped(struct register_writer *w, const char *text) {
    static const char marks[] = "&<>\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    while (*text) {
        size_t plain = strcspn(text, marks);
        w->put(w->argument, text, plain);
        text += plain;
        if (*text) put(w, names[strchr(marks, *text++) - marks]);
    }
}

static void put_list(struct register_writer *w, const struct register_cell *cell, size_t cells) {
    put(w, "<dl>\n");
    for (size_t i = 0; i < cells; i++) {
        put(w, "<dt>");
        put_escaped(w, register_word(w, cell[i].label));
        put(w, "</dt><dd>");
        put_escaped(w, cell[i].value);
        put(w, "</dd>\n");
    }
    put(w, "</dl>\n");
}

void register_begin(struct register_writer *w, struct both title, const struct register_cell *head, size_t cells) {
    w->any = false;
    if (w->form != REGISTER_HTML) return;
    put(w, w->english ? "<!DOCTYPE html>\n<html lang=\"en\">\n" : "<!DOCTYPE html>\n<html lang=\"fr\">\n");
    put(w, "<head>\n<meta charset=\"utf-8\">\n<title>");
    put_escaped(w, register_word(w, title));
    put(w, "</title>\n</head>\n<body>\n<h1>");
    put_escaped(w, register_word(w, title));
    put(w, "</h1>\n");
    put_list(w, head, cells);
}

static void put_line(struct register_writer *w, const struct register_cell *cell, size_t cells, bool labels) {
    for (size_t i = 0; i < cells; i++) {
        const char *text = labels ? register_word(w, cell[i].label) : cell[i].value;
        if (i) put(w, ",");
        csv_cell(w->put, w->argument, text, strlen(text));
    }
    put(w, "\r\n");
}

void register_row(struct register_writer *w, const struct register_cell *cell, size_t cells) {
    if (w->form == REGISTER_CSV) {
        if (!w->any) put_line(w, cell, cells, true);
        put_line(w, cell, cells, false);
    } else {
        put(w, "<section>\n<h2>");
        put_escaped(w, cell[0].value);
        put(w, "</h2>\n");
        put_list(w, cell + 1, cells - 1);
        put(w, "</section>\n");
    }
    w->any = true;
}

void register_end(struct register_writer *w) {
    if (w->form == REGISTER_HTML) put(w, "</body>\n</html>\n");
}
