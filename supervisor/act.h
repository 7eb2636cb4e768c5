/* One act of a member of staff while it is done: for acts.c and the files that do some of its verbs. */
#pragma once

#include "../policy/duties.h"
#include "../policy/messages.h"
#include "../policy/person.h"

#include <stdbool.h>
#include <stdint.h>

struct notice;
struct request;
struct supervisor;
struct tenant;

struct act {
    struct supervisor *house;
    struct person who;
    const struct message_act *said;
    enum verb verb;
    struct tenant *tenant;       /* NULL = there is none of that name */
    struct request *request;     /* that it is about, once it is known; NULL = none */
    const struct notice *notice; /* that it published */
    int fd;                      /* the act's own, -1 = none */
};

/* Each answers the person; one answer an act. */
void act_answer(const struct act *a, enum act_result result, uint32_t detail);
void act_fail(const struct act *a, enum act_result result); /* and records that it failed */

/* A line of the ledger about this act. false: it cannot take it, so nothing may be done. */
bool act_record(const struct act *a, const char *result);
/* After an act that is done or failed: never stops anything. */
void act_record_outcome(const struct act *a, const char *result);

/* Hands it on to the tenant's errands. false: too many wait, and the person was told. */
bool act_take_errand(struct act *a);

/* ---- acts_request.c: what takes two people ---- */

void act_reset(struct act *a);
void act_destroy(struct act *a);
void act_disclosure(struct act *a);
void act_transfer(struct act *a);
void act_cite(struct act *a);
void act_request_approve(struct act *a);
void act_request_withdraw(struct act *a);
void act_contract_end(struct act *a); /* and what needs but one (S14) */
void act_contract_resume(struct act *a);
void act_certificate(struct act *a);
/* Before anything is recorded: finds the request that is spoken of, and whether this person may. ACT_DONE = go on. */
enum act_result act_find_request(struct act *a, uint32_t *detail);
/* Of a new disclosure: 0 = fine, else the enum act_field that is not. */
uint32_t act_bad_disclosure(const struct act *a);
/* The same of a citation. */
uint32_t act_bad_citation(const struct act *a);
/* The request that a disclosure's fields make; for its note, too. */
struct request act_disclosure_of(const struct act *a);
