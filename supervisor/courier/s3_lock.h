/* Object lock (C8): a store that has it refuses, whoever asks, to remove or shorten before its date what was put with one. It keeps
 * versions then: what is deleted by its key is only hidden, what is deleted by its version is gone. */
#pragma once

#include "s3_call.h"

/* How a store spells the date. */
void s3_lock_date(uint64_t until_ms, char text[S3_DATE_MAX + 1]);

/* Whether the answer, of a HEAD, says that what lies there is locked to that date and by nobody to be shortened. */
bool s3_lock_holds(const struct s3_answer *answer, uint64_t until_ms);

/* Extends the lock of what lies there already; it is never shortened. UNLOCKED: the store does not. */
enum destination_result s3_lock_extend(struct s3 *s3, const char *url, uint64_t until_ms);

/* Removes every version of the key. LOCKED: one's date has not come. */
enum destination_result s3_lock_remove(struct s3 *s3, const char *url);
