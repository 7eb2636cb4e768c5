#include "undertaking.h"

#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const undertaking_words[UNDERTAKING_STATES] = {"in-force", "missing", "ended", "expired", "other-text", "signed-in-the-future"};

/* S1: no duty works for a person without an undertaking in force */
enum undertaking_state undertaking_judge(const struct undertaking *u, uint32_t current, uint64_t now_ms) {
    if (!u) return UNDERTAKING_MISSING;
    if (u->ended) return UNDERTAKING_ENDED;
    if (u->version != current) return UNDERTAKING_OTHER_TEXT;
    if (u->signed_ms > now_ms) return UNDERTAKING_FUTURE;
    return now_ms < u->until_ms ? UNDERTAKING_IN_FORCE : UNDERTAKING_EXPIRED;
}

uint64_t undertaking_until(uint64_t now_ms, uint64_t wanted_ms) {
    if (wanted_ms == 0) return now_ms + UNDERTAKING_TERM_DAYS * UNDERTAKING_DAY_MS;
    return wanted_ms > now_ms && wanted_ms <= now_ms + UNDERTAKING_TERM_MAX_DAYS * UNDERTAKING_DAY_MS ? wanted_ms : 0;
}

bool undertaking_fields(const struct undertaking *u, const char *name, char *out, size_t room) {
    int size = snprintf(out, room, "%" PRIu32 "\t%" PRIu64 "\t%s\t%s", u->version, u->until_ms, UNDERTAKING_HASH, *name ? name : "-");
    return size > 0 && (size_t)size < room;
}

bool undertaking_read(const struct record_line *line, struct undertaking *u, char *name) {
    char text[TENANT_TITLE_MAX + 1], hash[CHAIN_HASH_HEX + 1];
    uint64_t version;
    *u = (struct undertaking){.uid = line->uid, .signed_ms = line->time_ms, .ended = strcmp(line->word, "ended") == 0};
    if (u->ended) return line->fields == 0;
    if (strcmp(line->word, "signed") != 0 || line->fields != 4) return false;
    if (!chain_number(line->field[0], UINT32_MAX, &version) || !chain_number(line->field[1], UINT64_MAX, &u->until_ms)) return false;
    if (!chain_text(line->field[2], hash, CHAIN_HASH_HEX) || !chain_text(line->field[3], text, TENANT_TITLE_MAX) || !name_is_title(text))
        return false;
    u->version = (uint32_t)version;
    if (name) memcpy(name, text, sizeof text);
    return true;
}
