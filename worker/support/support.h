/*
 * Messages to the provider's support (S7). A user writes one on purpose; it is sealed here to the support duty's key, so that nobody else
 * at the provider can read it, and goes up as bytes. What was written, its answer, and how the trace at the provider stands lie sealed in
 * STORE_SUPPORT. A message that did not arrive is sealed and sent again by and by.
 *
 *   GET    /api/v1/support         200 {available, warning, items: [message]}   any session; text and answer only of one's own
 *   POST   /api/v1/support {text}  201 message        function `support`; 409 no-support, 429, 503
 *   DELETE /api/v1/support/{id}    204                one's own or an administrator, once nothing of it is kept at the provider; else 409
 *
 * message is {id, at, by, state, until, text, answer, answered}: state is sending, kept, answered, closed, removed (nothing of it is kept
 * at the provider) or refused (too many are kept already); until is when the provider removes it.
 */
#pragma once

#include "../../policy/messages.h"
#include "../web/session.h"

#include <jansson.h>

/* The support's certificate; -1: there is no support. Takes fd. */
void support_key_take(int fd, uint64_t bytes);
/* How a message stands at the provider; fd: the sealed answer, or -1. Takes fd. */
void support_told(const struct message_support *message, int fd);
/* All messages, the newest first, as this session may see them. A new value; NULL: *result says why. */
json_t *support_json(const struct session *asker, enum store_result *result);
/* The store has its keys: asks how all stand, and sends what has not arrived. */
void support_unsealed(void);
