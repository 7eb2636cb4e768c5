/* Letters to the mail relay of the configuration (SMTP, RFC 5321, by libcurl). What is in one is fixed: a template and a notice, the
 * provider's own words. */
#pragma once

#include "../../policy/messages.h"

#include <stdbool.h>
#include <stddef.h>

struct mail;

/* Before the wall. NULL: no memory. */
struct mail *mail_open(const struct message_relay *relay);
uint16_t mail_port(const struct mail *mail);

/* The whole letter, with CRLF: header, template, text. A new string; NULL: no memory. id_ms and domain make its Message-ID; pure. */
char *mail_compose(const struct message_letter *letter, const char *from, const char *text, uint64_t now_ms, size_t *size);

/* Hands it to the relay; blocks, bounded in time. true: the relay took it. text: bytes of letter->bytes. */
bool mail_send(struct mail *mail, const struct message_letter *letter, const char *text);
