#include "names.h"

#include "limits.h"

#include <stdint.h>
#include <string.h>

static bool lower(char c) { return c >= 'a' && c <= 'z'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }

/* One name of [a-z][a-z0-9-]* without a hyphen at its end, in s[0..size). */
static bool is_word(const char *s, size_t size) {
    if (size == 0 || size > TENANT_NAME_MAX || !lower(s[0]) || s[size - 1] == '-') return false;
    for (size_t i = 1; i < size; i++)
        if (!lower(s[i]) && !digit(s[i]) && s[i] != '-') return false;
    return true;
}

bool name_is_tenant(const char *s) { return is_word(s, strlen(s)); }

bool name_is_region(const char *s) {
    size_t size = strlen(s);
    return size > 0 && size <= TENANT_REGION_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

bool name_is_modules(const char *s) {
    if (!*s) return true;
    if (strlen(s) > TENANT_MODULES_MAX) return false;
    for (;;) {
        size_t size = strcspn(s, ",");
        if (!is_word(s, size)) return false;
        if (!s[size]) return true;
        s += size + 1;
    }
}

/* RFC 1123, section 2.1: letters, digits and inner hyphens, 1..63. */
static bool is_label(const char *s, size_t size) {
    if (size == 0 || size > 63 || s[0] == '-' || s[size - 1] == '-') return false;
    for (size_t i = 0; i < size; i++)
        if (!lower(s[i]) && !digit(s[i]) && s[i] != '-') return false;
    return true;
}

bool name_is_host(const char *s) {
    if (strlen(s) > HOST_MAX) return false;
    const char *last = s;
    size_t labels = 0;
    for (;;) {
        size_t size = strcspn(s, ".");
        if (!is_label(s, size)) return false;
        labels++;
        last = s;
        if (!s[size]) break;
        s += size + 1;
    }
    return labels >= 2 && !digit(last[0]); /* no top-level domain begins with a digit; an IPv4 address does */
}

bool name_is_mail_address(const char *s) {
    static const char local[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-";
    size_t size = strspn(s, local);
    return size >= 1 && size <= 64 && s[0] != '.' && s[0] != '-' && s[size - 1] != '.' && s[size] == '@' && strlen(s) <= MAIL_ADDRESS_MAX &&
           name_is_host(s + size + 1);
}

bool text_is_utf8(const void *bytes, size_t size) {
    const uint8_t *p = bytes, *end = p + size;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80) continue;
        int more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
        if (!more || end - p < more) return false;
        /* The second byte rules out overlong forms, surrogates and what is above U+10FFFF (RFC 3629, section 4). */
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (p[0] < low || p[0] > high) return false;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xc0) != 0x80) return false;
        p += more;
    }
    return true;
}

static bool is_line_of_text(const char *s, size_t most) {
    size_t size = strlen(s);
    if (size > most || !text_is_utf8(s, size)) return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)s[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (uint8_t)s[i + 1] < 0xa0)) return false; /* C0, DEL, C1 */
    }
    return true;
}

bool name_is_title(const char *s) { return is_line_of_text(s, TENANT_TITLE_MAX); }
bool name_is_note(const char *s) { return is_line_of_text(s, NOTE_MAX); }
