/*
 * What a user or a credential may, as bits (C2). Each of the acts read, write, import and export is a right for all kinds of records,
 * those of later versions too ("read"), and one for each kind ("contacts.read"); none includes another act. "admin" is the tenant's
 * administration and includes no act: but an administrator gives rights, to himself too.
 *
 * Users and slots keep what was given; whoever compares two sets expands both first.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum right { RIGHT_READ = 1, RIGHT_WRITE = 2, RIGHT_IMPORT = 4, RIGHT_EXPORT = 8, RIGHT_ADMIN = 16, RIGHT_ALL = 31 };

enum rights_kind {
#define RIGHTS_KIND(symbol, word) RIGHTS_##symbol,
#include "rights.def"
#undef RIGHTS_KIND
    RIGHTS_KINDS
};
_Static_assert(RIGHTS_KINDS <= 6, "a bit for each act of each kind");

/* The right to one act on one kind. */
#define RIGHT_OF(kind, act) ((uint32_t)(act) << (8 + 4 * (kind)))

/* With what rights for all kinds mean for each. */
uint32_t rights_expand(uint32_t rights);

/* The names of rights, as the API speaks them: "read", "admin", "contacts.read"; of an expanded set those that say it shortest. A new
 * array; NULL: out of memory. */
json_t *rights_names(uint32_t rights);
/* false: not an array of such names, each once, or an empty one. */
bool rights_parse(json_t *names, uint32_t *rights);
extern const char rights_expected[]; /* what to say then */

/* The name of the role that has exactly these rights; NULL: none. */
const char *rights_role(uint32_t rights);
/* false: not the name of a role. */
bool rights_of_role(json_t *name, uint32_t *rights);
extern const char roles_expected[];
