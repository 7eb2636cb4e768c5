/*
 * What takes two people (C1): STATE_DIR/requests, see record.h, and what it says of each request now (policy/request.h). It outlives a
 * restart. A verb that takes two asks by requests_ask(); when another has agreed, acts.c performs it at once, or the verb finds its
 * agreed request by request_about() and ends it by requests_end(). Each step stands in the ledger before it is done.
 */
#pragma once

#include "../policy/request.h"
#include "record.h"

struct supervisor;
struct requests;
struct ledger_tenant;

/* NULL with error. */
struct requests *requests_open(const char *state_dir, char error[RECORD_ERROR_MAX]);
void requests_close(struct requests *requests);
const struct request_book *requests_book(const struct requests *requests);

/* Enters one; wanted: kind, tenant, name, asked_by and what its kind has; its end, if the term does not begin now. The rest is filled in.
 * NULL with errno: not recorded. */
struct request *requests_ask(struct requests *requests, const struct request *wanted, uint64_t now_ms, uint64_t counted_ms);
/* Moves one on: agreed, withdrawn, done, failed, expired. false with errno. */
bool requests_end(struct requests *requests, struct request *request, uint32_t uid, enum request_state state, uint64_t now_ms);

/* What the ledger says a request is about: while it is held, no tenant, so that its tenant does not read it. note: of NOTE_MAX + 1 bytes,
 * must outlive the result. */
struct ledger_tenant requests_about(const struct request *request, uint64_t now_ms, uint64_t counted_ms, char *note);

/* The open one of that kind about that tenant; NULL = none. */
const struct request *requests_open_about(const struct requests *requests, enum request_kind kind, uint32_t tenant, uint64_t now_ms);

/* Ends those whose term is over, and tells tenants of disclosures whose hold is over: now and then. */
void requests_tick(struct supervisor *house, uint64_t now_ms);

const struct heads *requests_heads(const struct requests *requests);
/* For reading only, with pread(). */
int requests_reader(const struct requests *requests);
