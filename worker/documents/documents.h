/*
 * Documents (S14): their contents, versions, uploads and downloads. A document's record is one of crm/'s: name, folder, tags, links.
 *
 *   GET    /api/v1/documents/{id}/content                the newest version: ranges (RFC 9110), Repr-Digest (RFC 9530)
 *   PUT    /api/v1/documents/{id}/content                another version, in one go
 *   GET    /api/v1/documents/{id}/versions/{number}      that version
 *   DELETE /api/v1/documents/{id}/versions/{number}
 *   POST   /api/v1/uploads                               tus 1.0.0: creation, creation-with-upload, expiration, termination
 *   GET, PATCH, DELETE /api/v1/uploads/{id}
 *
 * tus rather than the IETF's draft of resumable uploads: it is finished, clients for it are in use in every language, and it needs no 1xx
 * answers, which browsers' fetch() does not show.
 */
#pragma once

#include "../crm/record.h"

/* The record is going: so do its contents. */
void document_removed(const struct record *r);
