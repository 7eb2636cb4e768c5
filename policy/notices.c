#include "notices.h"

#include "names.h"

#include <string.h>

const struct notice_row notice_table[NOTICE_KINDS] = {
    {"", NOTICE_BY_ACT, "", ""},
#define NOTICE(NAME, BY, FRENCH, ENGLISH) {#NAME, NOTICE_BY_##BY, FRENCH, ENGLISH},
#include "notices.def"
#undef NOTICE
};

enum notice_kind notice_find(const char *name, size_t size) {
    for (int i = NOTICE_NONE + 1; i < NOTICE_KINDS; i++)
        if (strlen(notice_table[i].name) == size && memcmp(notice_table[i].name, name, size) == 0) return (enum notice_kind)i;
    return NOTICE_NONE;
}

uint64_t notice_delivered(const struct notice_trace *t, uint64_t now_ms) {
    uint64_t by_mail = t->mailed_ms ? t->mailed_ms + NOTICE_MAIL_DAYS * NOTICE_DAY_MS : 0;
    if (by_mail > now_ms) by_mail = 0;
    if (!t->acknowledged_ms || !by_mail) return t->acknowledged_ms ? t->acknowledged_ms : by_mail;
    return t->acknowledged_ms < by_mail ? t->acknowledged_ms : by_mail;
}

static bool has_run(uint64_t from, uint64_t to, uint64_t days) { return to >= from && to - from >= days * NOTICE_DAY_MS; }

/* S13, C11: no clock that is set ends a notice period */
bool notice_has_run(const struct notice_trace *t, uint32_t period_days, uint64_t counted_ms) {
    return (t->acknowledged_ms && has_run(t->acknowledged_counted, counted_ms, period_days)) ||
           (t->mailed_ms && has_run(t->mailed_counted, counted_ms, (uint64_t)period_days + NOTICE_MAIL_DAYS));
}

/* S13, C11: a change is in force for a tenant after its delivery and the notice period, whatever day it names */
uint64_t notice_in_force(uint64_t effective_ms, uint64_t delivered_ms, uint32_t period_days) {
    if (!delivered_ms) return 0;
    uint64_t after = delivered_ms + period_days * NOTICE_DAY_MS;
    return after > effective_ms ? after : effective_ms;
}

bool notice_text_is_fine(const char *text, size_t size) {
    if (size == 0 || size > NOTICE_BYTES || !text_is_utf8(text, size)) return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)text[i], next = i + 1 < size ? (uint8_t)text[i + 1] : 0;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c == 0xc2 && next < 0xa0)) return false;
        if (c == 0xef && next == 0xbf && i + 2 < size && (uint8_t)text[i + 2] >= 0xbe) return false; /* U+FFFE, U+FFFF */
    }
    return true;
}
