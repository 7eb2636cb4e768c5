/* A message to the support as it lies in STORE_SUPPORT: JSON. */
#pragma once

#include "../../policy/messages.h"
#include "../store/store.h"

#include <jansson.h>

enum { SUPPORT_RECORDS_MAX = 200 };

/* All of them: an array of {id (as ULID), at, by, state, until, reply, text?, answer?, answered?}; times in Unix seconds, reply in hex,
 * state as enum support_state. NULL with *result; the caller frees. */
json_t *support_records(enum store_result *result);

/* Of one of them; borrowed. NULL: none has that number. */
json_t *support_by_reference(json_t *records, uint64_t reference);

uint64_t support_reference(const json_t *record); /* the number it goes up with */
bool support_id(const json_t *record, uint8_t id[ID_BYTES]);
enum support_state support_state(const json_t *record);

/* Part of the next commit. */
enum store_result support_save(const json_t *record);
enum store_result support_delete(const json_t *record);
