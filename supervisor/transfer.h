/* A tenant's contract goes to another provider, by merger or sale (S13): the tenant gets a notice first, and nothing happens before that
 * has been delivered and its period has run. Two people: whoever had the notice published does not carry it out. */
#pragma once

#include "../policy/messages.h"

#include <stdbool.h>

struct tenant;

/* S13: a contract is transferred only after its notice was delivered and the period has run, and by a second person */
enum transfer_step { TRANSFER_ANNOUNCED, TRANSFER_MAY, TRANSFER_WAITS /* *why */, TRANSFER_FAILED /* errno */ };

/* uid wants it, now (Unix time, ms). ANNOUNCED: the notice is published. MAY: transfer_do() may follow. */
enum transfer_step transfer_want(struct tenant *tenant, const char *entity, uint32_t uid, uint64_t now_ms, enum transfer_result *why);
/* Enters the entity in the registry. false: not written. */
bool transfer_do(struct tenant *tenant, const char *entity);
