/*
 * A folder of manifests, and what can be said of a backup without a key (C7, C8): every manifest is whole, each holds the hash of the one
 * before, none is missing in between, the newest is the one that is expected, and every pack that one of them names is byte for byte the
 * one that was written. The oldest ones may be gone: retention takes them.
 */
#pragma once

#include "manifest.h"

#include <stddef.h>

/* The numbers that are there, rising; the caller frees. false with errno. Other names are passed over. */
bool catalog_list(int manifests, uint64_t **numbers, size_t *count);

/* BACKUP_ABSENT, BACKUP_DAMAGED (also: it says another number than its name), BACKUP_MEMORY. *m is the caller's to free on BACKUP_DONE. */
enum backup_result catalog_load(int manifests, uint64_t number, struct manifest *m);

/* Its head and its hash alone, as they stand there, for a list: nothing is checked, nothing is to be freed. */
bool catalog_head(int manifests, uint64_t number, struct manifest *m);

/* What a check found. */
struct catalog_verdict {
    uint64_t snapshots;         /* manifests that were looked at and are right */
    uint64_t oldest, newest;    /* their numbers; 0 = none */
    uint8_t hash[BACKUP_HASH];  /* of the newest */
    uint64_t packs, pack_bytes; /* different ones, all right */
    uint64_t wrong_number;      /* the manifest that is wrong, or names the pack that is; 0 = none */
    bool wrong_is_pack;
    uint8_t wrong_pack[BACKUP_HASH];
};

/* Looks at one pack, e.g. give_pack(). */
typedef enum backup_result catalog_look(void *context, const struct pack *pack);

/* newest: the number and hash that are known from elsewhere; 0 = unknown. look NULL: the manifests alone. BACKUP_DONE, or the first thing
 * that is wrong. A folder without a manifest is BACKUP_ABSENT. */
enum backup_result catalog_check(int manifests, uint64_t newest, const uint8_t hash[BACKUP_HASH], catalog_look *look, void *context,
                                 struct catalog_verdict *verdict);
