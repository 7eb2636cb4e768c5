/* A worker wants its tenant's own lines of the ledger (S10, S11). The steward finds them; here pass numbers and an fd. Tenants take turns:
 * one question is with the steward at a time, and a worker has one, so that no worker keeps the steward from anybody. */
#pragma once

#include "../policy/messages.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct tenant;

/* Its turn comes; every question is answered, also with nothing. false: it has not had the answer to the last one. */
bool lines_want(struct tenant *tenant, const struct message_own *wanted);

/* The steward's answer: `bytes` in the caller's fd; -1: not to be had. false: nobody asked. */
bool lines_found(struct supervisor *house, const struct message_head *of, uint64_t bytes, int fd);

/* Every TICK_MS: a steward that keeps an answer back is started anew, and those who wait get nothing. */
void lines_tick(struct supervisor *house, uint64_t now);

/* The steward is another, which knows of no question: those who wait get nothing. */
void lines_lost(struct supervisor *house);
