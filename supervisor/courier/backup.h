/*
 * Backups and archives on their way between the spool and a destination (C7, C8). One job a tenant at a time; the supervisor sees to that.
 *
 * The spool: DESTINATION/NUMBER/KIND/ (its name; 16 hex digits; `backup`, `archive`) with packs/ (those that are not at the destination
 * yet), manifests/ (all that there are: the catalogue), `table` and `sent`, the number of the newest that is at the destination;
 * from-NUMBER for another machine's, while it is read. There:
 * t/NUMBER/KIND/packs/HASH and t/NUMBER/KIND/manifests/NUMBER; packs first, so that a manifest which is there is whole, and none is ever
 * replaced.
 */
#pragma once

#include "../../policy/messages.h"

struct courier;

/* COURIER_JOB: takes fd over, sets it to -1. */
void backup_job(struct courier *courier, const union message *message, int *fd);
