/* What the provider's own words must look like. Pure checks: true = fine. Strings are NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool name_is_tenant(const char *s);  /* [a-z][a-z0-9-]{0,31}, no trailing hyphen */
bool name_is_host(const char *s);    /* RFC 1123 labels, lower case, at least two labels, not an address, <= HOST_MAX */
bool name_is_region(const char *s);  /* [a-z0-9-]{1,32} */
bool name_is_modules(const char *s); /* "" or names like a tenant's, separated by commas */
/* LOCAL@HOST in ASCII, RFC 5321 without quotes, the host in lower case, <= MAIL_ADDRESS_MAX: nothing in it can end a header or a command.
 */
bool name_is_mail_address(const char *s);
bool name_is_title(const char *s); /* valid UTF-8 without control characters, <= TENANT_TITLE_MAX; "" is fine */

bool name_is_note(const char *s); /* the same, <= NOTE_MAX */

/* Valid UTF-8 by RFC 3629: no surrogates, no overlong form. */
bool text_is_utf8(const void *bytes, size_t size);
