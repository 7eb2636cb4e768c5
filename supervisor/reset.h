/*
 * Emptying a tenant: one that has lost every credential, which two people must want (requests.h), or one whose contract has ended
 * (leaving.h). A durable mark in the registry, then the worker ends, the listed copies of its capsule are destroyed, what a drill left
 * goes, a child under the tenant's uid empties its directory, and the row is as before enrolment, or says that the tenant is gone. The mark
 * goes last: whatever ends us in between, the next start goes on from there, so that a tenant is whole or reset, never half.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tenant;

/* Sets the mark and begins. false with errno: the registry was not written and nothing has changed. */
bool reset_begin(struct tenant *tenant, bool destroying);

/* Does the next step that can be done, if a reset goes on. Often. */
void reset_step(struct tenant *tenant, uint64_t now);

/* A child has ended; true: it was the one that empties this tenant's directory. */
bool reset_child(struct tenant *tenant, pid_t pid, int status);
