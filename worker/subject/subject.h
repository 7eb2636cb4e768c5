/*
 * The rights of a person about whom records are kept (S10; GDPR, articles 15 to 18), as the tenant's administrators exercise them. None of
 * it is a processing function that could be off: a controller must be able to do it.
 *
 *   GET  /api/v1/contacts/{id}/package       a tar archive of all about the person: person.json, person.html, every version of the
 * documents that link to the contact                                                       admin PUT  /api/v1/contacts/{id}/restriction
 * {restricted}: read-only from here on, and in no list or export unless asked for  admin POST /api/v1/contacts/{id}/erasure       {mode:
 * erase | anonymise, dry_run, rotate}: what goes, or with dry_run would      admin, logged in
 *
 * A document that links to this contact alone goes; one that links to others too loses the link. The journal has ids, and keeps them.
 */
#pragma once

#include "../crm/catalog.h"

enum { SUBJECT_DOCUMENTS = 1000 };

/* The documents that link to a contact, at most SUBJECT_DOCUMENTS. */
struct subject_documents {
    uint8_t (*id)[ID_BYTES]; /* owned */
    size_t count;
    bool more; /* there are others */
};
enum store_result subject_documents(const uint8_t contact[ID_BYTES], struct subject_documents *found);
void subject_documents_free(struct subject_documents *found);

/* The text of a link to a contact: contacts/ID. */
enum { SUBJECT_LINK = 9 + 26 };
void subject_link(const uint8_t contact[ID_BYTES], char link[SUBJECT_LINK + 1]);
