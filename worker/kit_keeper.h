/* Keeps the record of the self-sufficient kit (keys/kit_record.h) in a data file as the capsule says. */
#pragma once

#include "store/store.h"

/* Gives the unsealed file `s`, sealed under `tmk`, the record of the kit that there is, made anew so that what was damaged or planted goes,
 * or none where there is none. Part of the next commit. */
enum store_result kit_keep(struct store *s, const uint8_t tmk[KEY_BYTES]);
