/*
 * Every content that has chunks in the store has one entry here (the index of STORE_CHUNKS): an upload that is under way, with all that is
 * needed to go on, or a kept content, with the document whose version it is. What is in no document and is no upload is found by this list
 * alone, and goes (sweep.h).
 */
#pragma once

#include "../keys/digest.h"
#include "content.h"

enum {
    UPLOADS_MAX = 64,           /* under way at once */
    UPLOAD_SECONDS = 24 * 3600, /* that one waits to go on */
    UPLOAD_NAME = 256,
    UPLOAD_TYPE = 128, /* both with their NUL */
};

/* An upload under way. */
struct upload {
    struct content content;
    uint64_t offset;  /* bytes taken, all of them in chunks */
    uint64_t expires; /* Unix seconds */
    uint8_t document[ID_BYTES];
    uint8_t user[ID_BYTES];
    struct digest digest;   /* of the bytes taken */
    uint8_t makes;          /* the document comes with it; else it is there and gets another version */
    char type[UPLOAD_TYPE]; /* as the client called it */
    char name[UPLOAD_NAME]; /* of a document that comes with it */
};

/* STORE_MISSING: no such upload. */
enum store_result upload_load(const uint8_t id[CONTENT_ID], struct upload *u);
enum store_result upload_save(const struct upload *u);
enum store_result upload_forget(const uint8_t id[CONTENT_ID]);
/* How many there are. */
uint64_t upload_count(void);

/* A kept content. */
struct kept {
    struct content content;
    uint8_t document[ID_BYTES];
};
enum store_result kept_load(const uint8_t id[CONTENT_ID], struct kept *k);
enum store_result kept_save(const struct kept *k);
enum store_result kept_forget(const uint8_t id[CONTENT_ID]);

/* Walks up to `limit` entries behind `after` (NULL = from the start). each returns false to stop; it may call store_get, and nothing else
 * of the store. *more: others follow. */
enum store_result upload_walk(const uint8_t *after, size_t limit, bool (*each)(void *, const struct upload *), void *argument, bool *more);
enum store_result kept_walk(const uint8_t *after, size_t limit, bool (*each)(void *, const struct kept *), void *argument, bool *more);
