/*
 * Records together with their index entries, in the tenant's store: one change is the record, its place under its letter and its summary,
 * or nothing of it. An archived record has no place: no list, letter or count of letters knows it. What is written waits for the store's
 * commit.
 */
#pragma once

#include "record.h"

/* Reads a record into r (to be freed with record_free()). STORE_BROKEN when what is stored is no record. */
enum store_result catalog_get(enum kind kind, const uint8_t id[ID_BYTES], struct record *r);

/* Stores r, whose kind, id and fields are set, as a new record: fills in version, created and modified. The stored bytes are added to out.
 * STORE_CONFLICT: the id exists. */
enum store_result catalog_add(struct record *r, struct text *out);

/* Stores r instead of old: kind and id are the same, r has fields; fills in the rest. */
enum store_result catalog_change(const struct record *old, struct record *r, struct text *out);

/* The same with the same fields: out of the lists from now on, until the next change. When it was modified stays. */
enum store_result catalog_archive(const struct record *old, struct record *r, struct text *out);

enum store_result catalog_remove(const struct record *old);
