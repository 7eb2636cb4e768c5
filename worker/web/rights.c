#include "rights.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ACTS = RIGHT_READ | RIGHT_WRITE | RIGHT_IMPORT | RIGHT_EXPORT, NAME_MAX_BYTES = 32 };
const char rights_expected[] = "Expected a list of rights, each once: read, write, import, export, for all kinds or as in contacts.read, "
                               "and admin.";
const char roles_expected[] = "Expected administrator, member or reader.";

static const struct {
    uint32_t right;
    const char *name;
} right_names[] = {
    {RIGHT_READ, "read"}, {RIGHT_WRITE, "write"}, {RIGHT_IMPORT, "import"}, {RIGHT_EXPORT, "export"}, {RIGHT_ADMIN, "admin"}};
enum { RIGHTS = sizeof right_names / sizeof *right_names };

static const char *const kind_words[] = {
#define RIGHTS_KIND(symbol, word) word,
#include "rights.def"
#undef RIGHTS_KIND
};

static const struct {
    const char *name;
    uint32_t rights;
} roles[] = {
#define RIGHTS_ROLE(word, rights) {word, rights},
#include "rights.def"
#undef RIGHTS_ROLE
};
enum { ROLES = sizeof roles / sizeof *roles };

uint32_t rights_expand(uint32_t rights) {
    uint32_t acts = rights & ACTS;
    for (int kind = 0; kind < RIGHTS_KINDS; kind++)
        rights |= RIGHT_OF(kind, acts);
    return rights;
}

/* The rights one by one: those for all kinds (kind = -1), then each kind's. false at the end. */
struct walk {
    int kind;
    size_t next;
    uint32_t right;
    char name[NAME_MAX_BYTES];
};

static bool next_right(struct walk *w) {
    if (w->next == RIGHTS) {
        w->kind++;
        w->next = 0;
    }
    if (w->kind == RIGHTS_KINDS) return false;
    uint32_t act = right_names[w->next].right;
    const char *name = right_names[w->next++].name;
    if (w->kind >= 0 && !(act & ACTS)) return next_right(w);
    w->right = w->kind < 0 ? act : RIGHT_OF(w->kind, act);
    snprintf(w->name, sizeof w->name, "%s%s%s", w->kind < 0 ? "" : kind_words[w->kind], w->kind < 0 ? "" : ".", name);
    return true;
}

json_t *rights_names(uint32_t rights) {
    json_t *names = json_array();
    uint32_t said = 0;
    for (struct walk w = {.kind = -1}; names && next_right(&w);) {
        if (!(rights & w.right) || said & w.right) continue;
        said |= rights_expand(w.right);
        if (json_array_append_new(names, json_string(w.name)) == 0) continue;
        json_decref(names);
        names = NULL;
    }
    return names;
}

static uint32_t right_of_name(const char *name) {
    for (struct walk w = {.kind = -1}; next_right(&w);)
        if (strcmp(w.name, name) == 0) return w.right;
    return 0;
}

bool rights_parse(json_t *names, uint32_t *rights) {
    size_t i;
    json_t *name;
    *rights = 0;
    if (!json_is_array(names)) return false;
    json_array_foreach(names, i, name) {
        uint32_t right = json_is_string(name) ? right_of_name(json_string_value(name)) : 0;
        if (!right || *rights & right) return false;
        *rights |= right;
    }
    return *rights != 0;
}

const char *rights_role(uint32_t rights) {
    for (size_t i = 0; i < ROLES; i++)
        if (roles[i].rights == rights) return roles[i].name;
    return NULL;
}

bool rights_of_role(json_t *name, uint32_t *rights) {
    for (size_t i = 0; json_is_string(name) && i < ROLES; i++)
        if (strcmp(json_string_value(name), roles[i].name) == 0) {
            *rights = roles[i].rights;
            return true;
        }
    return false;
}
