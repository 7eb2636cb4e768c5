/* A stored record as one vCard, lines folded at 75 bytes between characters, CRLF. */
#pragma once

#include "field.h"
#include "text.h"

enum vcard_version { VCARD_3 = 3, VCARD_4 = 4 };

/* What vCard has no property for (custom; sector, siren and vat as X- properties) is not lost in csv and json. false: out of memory. */
bool vcard_write(enum kind kind, enum vcard_version version, const json_t *stored, struct text *out);
