/*
 * The ends of the provider's records (undertakings, requests, notices with their texts) in its ledger, whose end the tenants keep sealed: a
 * record that was cut or exchanged no longer has the end that the ledger names. A line `record`, whose NOTE is the record's name, how many
 * lines it has, and the hash of the last.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ANCHORS = 3, ANCHORS_WHY_MAX = 512 };

struct anchors {
    uint64_t count[ANCHORS]; /* lines of each record that the newest file of the ledger knows of */
    uint64_t files, again_ms;
};

struct supervisor;

/* At the start, before anything is appended to one. false with why: a record is not what the ledger says it was. */
bool anchors_check(const struct supervisor *house, char why[ANCHORS_WHY_MAX]);

/* A line for each record that has grown since, and for all once the ledger has begun a new file: after an act, and now and then. */
void anchors_keep(struct supervisor *house, uint64_t now_ms);
