/*
 * Notices of change, the provider's own words (S7, S13, C11): they come down as sealed memfds, and what goes up is the number of one that
 * an administrator has acknowledged. The feed and the texts of documents are there without a session, also of a sealed tenant, since they
 * say the same to everybody; a notice to this tenant alone is not in them.
 *
 *   GET  /api/v1/notices                    {items: [notice]}, the newest first                       any session
 *   GET  /api/v1/notices/{n}                notice with its text                                      any session
 *   POST /api/v1/notices/{n}/acknowledge    204; the notice counts as delivered from here on          admin
 *   GET  /api/v1/notices.atom               Atom (RFC 4287)                                           public
 *   GET  /api/v1/notices/{n}/text           text/plain, of a document                                 public
 *
 * notice is {number, kind, title {fr, en}, published, effective, acknowledged, delivered, in_force, to}: times, or null while it has not
 * come about; in_force is the later of what the notice says and the end of the notice period after its delivery.
 */
#pragma once

#include "../../policy/messages.h"

#include <jansson.h>

/* A new one, or one whose trace has changed; fd, its text, is taken over. */
void notices_take(const struct message_notice *notice, int fd);
/* It is not kept any more. */
void notices_forget(uint64_t number);
/* All, the newest first, without their texts. A new value; NULL: out of memory. */
json_t *notices_json(void);
