/*
 * What no document holds any more goes: the contents of deleted documents and versions, uploads that nobody went on with. Some chunks a
 * turn of the loop, so that others are served in between; it works on a full store too. What a stop interrupts is found again by a walk
 * over all contents after the next unsealing.
 */
#pragma once

#include "content.h"

void sweep_unsealed(void);
/* A content whose document no longer has it, or an upload that is over. It is looked at once what made it so is committed. */
void sweep_content(const struct content *c);
/* A document went: the uploads to it are over. Looked at once that is committed, as well. */
void sweep_uploads(void);
/* An upload was left: what is quiet is committed at the end of this turn. */
void sweep_commit(void);
/* At the end of each turn of the loop. */
void sweep_turn(void);

/* Whether its chunks are on their way out: it is over, whatever its entry says. */
bool sweep_takes(const uint8_t id[CONTENT_ID]);

/* receive.c: this upload is being received now. */
bool upload_is_live(const uint8_t id[CONTENT_ID]);
