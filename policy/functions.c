#include "functions.h"

#include <string.h>

#define BOTH(FRENCH, ENGLISH)                                                                                                              \
    { FRENCH, ENGLISH }

const struct function_row function_table[FUNCTION_COUNT] = {
    /* What needs no function: the records themselves, which users write and read. */
    {.name = "",
     .needed = "",
     .enforced = "",
     .basis = BASIS_contract,
     .title = BOTH("Tenue des fiches", "Keeping of records"),
     .purpose = BOTH("Tenir les fiches de vos sociétés et contacts, et administrer qui y accède.",
                     "Keep the records of your companies and contacts, and administer who has access."),
     .data = BOTH(
         "Les sociétés et personnes de contact que vos utilisateurs inscrivent ; les identifiants et droits de vos utilisateurs, et le "
         "journal de leurs actes.",
         "The companies and contact persons your users enter; your users’ logins and rights, and the journal of their acts."),
     .recipients = BOTH("Les utilisateurs de cet espace, selon leurs droits.", "The users of this space, according to their rights."),
     .term = BOTH("Jusqu’à ce qu’un utilisateur ou une règle les supprime, au plus tard à la fin du contrat.",
                  "Until a user or a rule deletes them, at the latest until the contract ends."),
     .meaning = BOTH("", "")},
#define FUNCTION(NAME, VERSION, SWITCH, ONCE, NEEDED, ENFORCED, BASIS, TITLE, PURPOSE, DATA, RECIPIENTS, TERM, MEANING)                    \
    {#NAME, VERSION, WHO_##SWITCH, WHO_##ONCE, NEEDED, ENFORCED, BASIS_##BASIS, TITLE, PURPOSE, DATA, RECIPIENTS, TERM, MEANING},
#include "functions.def"
#undef FUNCTION
};

const struct both basis_table[BASIS_COUNT] = {
#define BASIS(NAME, FRENCH, ENGLISH) {FRENCH, ENGLISH},
#include "functions.def"
#undef BASIS
};

#define FUNCTION(NAME, ...) _Static_assert(sizeof #NAME - 1 <= FUNCTION_NAME_MAX, "the name of a function is part of its setting's id");
#include "functions.def"
#undef FUNCTION

const char *const who_names[] = {[WHO_NOBODY] = "nobody", [WHO_USER] = "user", [WHO_ADMINISTRATOR] = "administrator"};

enum function function_find(const char *name, size_t size) {
    for (int f = FUNCTION_NONE + 1; f < FUNCTION_COUNT; f++)
        if (strlen(function_table[f].name) == size && memcmp(function_table[f].name, name, size) == 0) return (enum function)f;
    return FUNCTION_NONE;
}
