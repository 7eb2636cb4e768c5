#include "undertaking.h"

#include "../../policy/hex.h"
#include "../../policy/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool undertaking_day(const char *text, uint64_t *ms) {
    if (strspn(text, "0123456789-") != 10 || text[10] || text[4] != '-' || text[7] != '-') return false;
    struct tm wanted = {.tm_year = (int)strtol(text, NULL, 10) - 1900,
                        .tm_mon = (int)strtol(text + 5, NULL, 10) - 1,
                        .tm_mday = (int)strtol(text + 8, NULL, 10)};
    struct tm made = wanted;
    time_t at = timegm(&made);
    *ms = (uint64_t)at * 1000;
    return at >= 0 && made.tm_mday == wanted.tm_mday && made.tm_mon == wanted.tm_mon && made.tm_year == wanted.tm_year;
}

static bool take(const char *key, json_t *value, int unused, struct message_act *act, struct act_problem *problem) {
    (void)unused;
    const char *text = json_string_value(value);
    if (strcmp(key, "version") == 0) {
        act->set |= ACT_NUMBER;
        act->number = (uint64_t)json_integer_value(value);
        return json_is_integer(value) || act_wrong(problem, "version", "the number of the text that was read");
    }
    if (strcmp(key, "name") == 0) {
        if (!text || !*text || strlen(text) > TENANT_TITLE_MAX || !name_is_title(text))
            return act_wrong(problem, "name", "the person's name: up to 128 bytes of text without control characters");
        act->set |= ACT_TITLE;
        memcpy(act->title, text, strlen(text) + 1);
        return true;
    }
    if (strcmp(key, "until") == 0) {
        if (!text || !undertaking_day(text, &act->until_ms)) return act_wrong(problem, "until", "a day: YYYY-MM-DD");
        act->set |= ACT_UNTIL;
        act->until_ms += UNDERTAKING_DAY_MS; /* that day still counts */
        return true;
    }
    return act_wrong(problem, key, "none of version, name, until");
}

bool undertaking_read_body(const char *body, size_t size, struct message_act *act, struct act_problem *problem) {
    bool fine = act_members(body, size, take, 0, act, problem);
    return fine && (act->set & ACT_NUMBER || act_wrong(problem, "version", "required: the version of the text that was read"));
}

const char *undertaking_advice(enum undertaking_state state) {
    switch (state) {
    case UNDERTAKING_EXPIRED:
        return "your undertaking has expired: read `cloison undertaking show`, then `cloison undertaking sign VERSION`";
    case UNDERTAKING_ENDED:
        return "you have ended your undertaking: read `cloison undertaking show`, then `cloison undertaking sign VERSION`";
    case UNDERTAKING_OTHER_TEXT:
        return "the text of the undertaking is another one now: read `cloison undertaking show`, then `cloison undertaking sign VERSION`";
    case UNDERTAKING_FUTURE:
        return "your undertaking was signed at a time that has not come yet: the clock of the machine was set back";
    default:
        return "no duty works without an undertaking: read `cloison undertaking show`, then `cloison undertaking sign VERSION`";
    }
}

/* ---- answers ---- */

static json_t *seconds(uint64_t ms) { return ms ? json_real((double)ms / 1000) : json_null(); }

static json_t *show(const struct message_answer *answer) {
    enum undertaking_state state = answer->detail < UNDERTAKING_STATES ? (enum undertaking_state)answer->detail : UNDERTAKING_MISSING;
    return json_pack("{s:i, s:{s:s, s:s}, s:{s:s, s:o, s:o, s:o}}", "version", UNDERTAKING_VERSION, "text", "fr",
                     undertaking_text(UNDERTAKING_VERSION, "fr"), "en", undertaking_text(UNDERTAKING_VERSION, "en"), "yours", "state",
                     undertaking_words[state], "version", answer->number ? json_integer((json_int_t)answer->number) : json_null(), "signed",
                     seconds(answer->since_ms), "until", seconds(answer->until_ms));
}

static json_t *item(const struct record_line *line) {
    struct undertaking u;
    char name[TENANT_TITLE_MAX + 1] = "-", hash[CHAIN_HASH_HEX + 1] = "";
    if (!undertaking_read(line, &u, name)) return NULL;
    hex_write(line->hash, LEDGER_HASH, hash);
    json_t *o = json_pack("{s:I, s:f, s:I, s:s, s:s}", "count", (json_int_t)line->count, "time", (double)line->time_ms / 1000, "uid",
                          (json_int_t)u.uid, "act", line->word, "hash", hash);
    if (u.ended) return o;
    json_object_set_new(o, "version", json_integer(u.version));
    json_object_set_new(o, "until", seconds(u.until_ms));
    json_object_set_new(o, "name", strcmp(name, "-") ? json_string(name) : json_null());
    return o;
}

json_t *undertaking_items(int fd) {
    struct stat st;
    struct ledger_chain chain = {0};
    if (fd < 0 || fstat(fd, &st) < 0) return NULL;
    size_t size = (size_t)st.st_size, at = 0, used;
    char *bytes = malloc(size + 1);
    if (!bytes || pread(fd, bytes, size, 0) != (ssize_t)size) {
        free(bytes);
        return NULL;
    }
    json_t *items = json_array();
    struct record_line line;
    enum ledger_verdict verdict;
    while ((verdict = record_next(&chain, bytes + at, size - at, &used, &line)) == LEDGER_LINE) {
        json_array_append_new(items, item(&line));
        at += used;
    }
    free(bytes);
    return json_pack("{s:b, s:i, s:o}", "sound", verdict == LEDGER_MORE && at == size, "kept_years_after_contract", UNDERTAKING_KEPT_YEARS,
                     "items", items);
}

void undertaking_answer(struct steward *steward, struct staff_request *r, const struct message_answer *answer) {
    json_t *items;
    switch (r->verb) {
    case VERB_undertaking_show:
        staff_json(r, 200, show(answer));
        return;
    case VERB_undertaking_sign:
        staff_json(r, 200, json_pack("{s:i, s:o}", "version", UNDERTAKING_VERSION, "until", seconds(answer->until_ms)));
        return;
    case VERB_undertaking_list:
        items = undertaking_items(steward->record[STEWARD_UNDERTAKINGS]);
        if (items)
            staff_json(r, 200, items);
        else
            staff_problem(r, 500, "unreadable", NULL, "the record cannot be read");
        return;
    default:
        staff_json(r, 200, json_pack("{s:s}", "done", verb_table[r->verb].name));
    }
}
