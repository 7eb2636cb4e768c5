/* The undertakings of the provider's staff (S1, C1): STATE_DIR/undertakings, see record.h, and what it says of each uid now. */
#pragma once

#include "../policy/undertaking.h"
#include "record.h"

struct undertakings;

/* NULL with error. */
struct undertakings *undertakings_open(const char *state_dir, char error[RECORD_ERROR_MAX]);
void undertakings_close(struct undertakings *undertakings);

/* The last one of that uid; NULL = none. Valid until the next change. */
const struct undertaking *undertakings_of(const struct undertakings *undertakings, uint32_t uid);
enum undertaking_state undertakings_judge(const struct undertakings *undertakings, uint32_t uid, uint64_t now_ms);

/* The person signs the text to be signed now, until until_ms, under a name of its own; or ends its own. false with errno: not recorded. */
bool undertakings_sign(struct undertakings *undertakings, uint32_t uid, uint64_t now_ms, uint64_t until_ms, const char *name);
bool undertakings_end(struct undertakings *undertakings, uint32_t uid, uint64_t now_ms);

const struct heads *undertakings_heads(const struct undertakings *undertakings);
/* For reading only, with pread(). */
int undertakings_reader(const struct undertakings *undertakings);
