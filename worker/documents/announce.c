#include "announce.h"

#include "../crm/answer.h"
#include "../tenant.h"
#include "versions.h"

#include <string.h>
#include <time.h>

/* What it may take in the file at most: chunks of 32 pages, and LMDB's tree above them. */
static uint64_t room_of(uint64_t size) { return size + size / 32 + (1 << 20); }

bool upload_announce(struct exchange *x, const struct request *r, uint64_t size, const json_t *document, struct upload *u) {
    if (size > CONTENT_MAX) {
        respond_problem(x, 413, "too-large", "A document is at most 2 GiB.", NULL, 0);
        return false;
    }
    if (size > CONTENT_CHUNK && store_bytes(self.store) + room_of(size) > self.profile.quota_bytes) {
        answer_store(x, STORE_FULL);
        return false;
    }
    if (document && version_count(document) >= VERSIONS_MAX) {
        respond_problem(x, 409, "too-many-versions", "A document has at most 100 versions; remove some.", NULL, 0);
        return false;
    }
    *u = (struct upload){.content.size = size, .expires = (uint64_t)time(NULL) + UPLOAD_SECONDS};
    random_bytes(u->content.id, CONTENT_ID);
    memcpy(u->user, r->session->user, ID_BYTES);
    digest_begin(&u->digest);
    return true;
}
