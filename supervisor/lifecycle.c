#include "lifecycle.h"

#include <stdlib.h>

/* Where a cell leads; what has an arrow is decided when it is reached. */
enum to {
    STAY,
    WAITING,
    STARTING,
    SEALED,
    SERVING,
    DRAINING,
    KILLED,       /* an end that was asked for */
    CRASH_KILLED, /* an end that was not: backs off afterwards */
    REST,         /* -> SUSPENDED, WAITING or STOPPED */
    GONE,         /* of a killed one: -> BACK_OFF after a crash, else REST */
    BACK_OFF,     /* -> SUSPENDED or THROTTLED */
};

enum note { NO_NOTE, WANTED, NOT_WANTED, HELD_BACK, RELEASED };

struct cell {
    enum to to;
    enum life_action act;
    enum note note; /* what to remember */
};

// clang-format off
#define DO(WHAT) LIFE_DO_##WHAT
static const struct cell table[LIFE_STATES][LIFE_EVENTS] = {
    [LIFE_STOPPED] = {
        [LIFE_WANT]    = {WAITING, DO(QUEUE), NO_NOTE},
        [LIFE_ORDER]   = {WAITING, DO(QUEUE), NO_NOTE},
        [LIFE_SUSPEND] = {REST, DO(NOTHING), HELD_BACK},
    },
    [LIFE_WAITING] = {
        [LIFE_ROOM]    = {STARTING, DO(SPAWN), NO_NOTE},
        [LIFE_STOP]    = {REST, DO(UNQUEUE), NO_NOTE},
        [LIFE_SUSPEND] = {REST, DO(UNQUEUE), HELD_BACK},
        [LIFE_TIME]    = {REST, DO(UNQUEUE), NO_NOTE},
    },
    [LIFE_STARTING] = {
        [LIFE_READY]   = {SEALED, DO(SERVE), NO_NOTE},
        [LIFE_STOP]    = {KILLED, DO(KILL), NOT_WANTED},
        [LIFE_SUSPEND] = {KILLED, DO(KILL), HELD_BACK},
        [LIFE_FAIL]    = {CRASH_KILLED, DO(KILL), NO_NOTE},
        [LIFE_TIME]    = {CRASH_KILLED, DO(KILL), NO_NOTE},
        [LIFE_EXIT]    = {BACK_OFF, DO(NOTHING), NO_NOTE},
    },
    [LIFE_SEALED] = {
        [LIFE_SAYS_SERVING] = {SERVING, DO(NOTHING), NO_NOTE},
        [LIFE_STOP]    = {DRAINING, DO(DRAIN), NOT_WANTED},
        [LIFE_SUSPEND] = {DRAINING, DO(DRAIN), HELD_BACK},
        [LIFE_FAIL]    = {CRASH_KILLED, DO(KILL), WANTED},
        [LIFE_EXIT]    = {BACK_OFF, DO(NOTHING), WANTED},
    },
    [LIFE_SERVING] = {
        [LIFE_SAYS_SEALED] = {SEALED, DO(NOTHING), NO_NOTE},
        [LIFE_STOP]    = {DRAINING, DO(DRAIN), NOT_WANTED},
        [LIFE_SUSPEND] = {DRAINING, DO(DRAIN), HELD_BACK},
        [LIFE_FAIL]    = {CRASH_KILLED, DO(KILL), WANTED},
        [LIFE_EXIT]    = {BACK_OFF, DO(NOTHING), WANTED},
    },
    [LIFE_DRAINING] = {
        [LIFE_WANT]    = {STAY, DO(NOTHING), WANTED},
        [LIFE_ORDER]   = {STAY, DO(NOTHING), WANTED},
        [LIFE_STOP]    = {STAY, DO(NOTHING), NOT_WANTED},
        [LIFE_SUSPEND] = {STAY, DO(NOTHING), HELD_BACK},
        [LIFE_RESUME]  = {STAY, DO(NOTHING), RELEASED},
        [LIFE_FAIL]    = {CRASH_KILLED, DO(KILL), NO_NOTE},
        [LIFE_TIME]    = {KILLED, DO(KILL), NO_NOTE},
        [LIFE_EXIT]    = {REST, DO(NOTHING), NO_NOTE},
    },
    [LIFE_KILLED] = {
        [LIFE_WANT]    = {STAY, DO(NOTHING), WANTED},
        [LIFE_ORDER]   = {STAY, DO(NOTHING), WANTED},
        [LIFE_STOP]    = {STAY, DO(NOTHING), NOT_WANTED},
        [LIFE_SUSPEND] = {STAY, DO(NOTHING), HELD_BACK},
        [LIFE_RESUME]  = {STAY, DO(NOTHING), RELEASED},
        [LIFE_EXIT]    = {GONE, DO(NOTHING), NO_NOTE},
    },
    [LIFE_THROTTLED] = {
        [LIFE_WANT]    = {STAY, DO(REFUSE), WANTED},
        [LIFE_ORDER]   = {WAITING, DO(QUEUE), NO_NOTE},
        [LIFE_STOP]    = {STAY, DO(NOTHING), NOT_WANTED},
        [LIFE_SUSPEND] = {REST, DO(NOTHING), HELD_BACK},
        [LIFE_TIME]    = {REST, DO(NOTHING), NO_NOTE},
    },
    [LIFE_SUSPENDED] = {
        [LIFE_WANT]    = {STAY, DO(REFUSE), NO_NOTE},
        [LIFE_ORDER]   = {STAY, DO(REFUSE), NO_NOTE},
        [LIFE_RESUME]  = {REST, DO(NOTHING), RELEASED},
    },
};
#undef DO
// clang-format on

void life_begin(struct life *life, bool suspended, uint64_t generation) {
    *life = (struct life){.state = suspended ? LIFE_SUSPENDED : LIFE_STOPPED, .suspended = suspended, .generation = generation};
}

uint64_t backoff(uint32_t failures, uint64_t first, uint64_t last) {
    uint64_t wait = first;
    while (failures-- > 1 && wait < last)
        wait *= 2;
    return wait < last ? wait : last;
}

static void remember(struct life *life, enum note note) {
    switch (note) {
    case NO_NOTE:
        break;
    case WANTED:
        life->wanted = true;
        break;
    case NOT_WANTED:
        life->wanted = false;
        break;
    case HELD_BACK:
        life->suspended = true;
        life->wanted = false;
        break;
    case RELEASED:
        life->suspended = false;
        break;
    }
}

/* Enters a state; deadline: how long it may last, 0 = for ever. */
static void enter(struct life *life, enum life_state state, uint64_t now, uint64_t lasts) {
    life->state = state;
    life->deadline = lasts ? now + lasts : 0;
}

static enum life_action rest(struct life *life, enum life_action act, uint64_t now) {
    bool again = life->wanted && !life->suspended;
    life->wanted = false;
    if (life->suspended)
        enter(life, LIFE_SUSPENDED, now, 0);
    else if (again)
        enter(life, LIFE_WAITING, now, HELD_MS);
    else
        enter(life, LIFE_STOPPED, now, 0);
    return again ? LIFE_DO_QUEUE : act;
}

static void crash(struct life *life) {
    life->failures++;
    life->crashes++;
}

static enum life_action back_off(struct life *life, uint64_t now) {
    life->crashed = false;
    if (life->suspended) return rest(life, LIFE_DO_NOTHING, now);
    enter(life, LIFE_THROTTLED, now, backoff(life->failures, BACKOFF_FIRST_MS, BACKOFF_LAST_MS));
    return LIFE_DO_NOTHING;
}

static void start(struct life *life, uint64_t now) {
    enter(life, LIFE_STARTING, now, START_MS);
    life->generation++;
    life->starts++;
    life->ready_at = 0;
    life->wanted = false;
}

static void kill_it(struct life *life, bool crashed, uint64_t now) {
    if (crashed) crash(life);
    life->crashed = crashed;
    enter(life, LIFE_KILLED, now, 0);
}

static enum life_action go(struct life *life, const struct cell *cell, uint64_t now) {
    switch (cell->to) {
    case STAY:
        break;
    case WAITING:
        enter(life, LIFE_WAITING, now, HELD_MS);
        break;
    case STARTING:
        start(life, now);
        break;
    case SEALED:
        if (life->state == LIFE_STARTING) life->ready_at = now ? now : 1;
        enter(life, LIFE_SEALED, now, 0);
        break;
    case SERVING:
        enter(life, LIFE_SERVING, now, 0);
        break;
    case DRAINING:
        enter(life, LIFE_DRAINING, now, DRAIN_MS);
        break;
    case KILLED:
        kill_it(life, false, now);
        break;
    case CRASH_KILLED:
        kill_it(life, true, now);
        break;
    case REST:
        return rest(life, cell->act, now);
    case GONE:
        return life->crashed ? back_off(life, now) : rest(life, cell->act, now);
    case BACK_OFF:
        crash(life);
        return back_off(life, now);
    }
    return cell->act;
}

enum life_action life_step(struct life *life, enum life_event event, uint64_t now) {
    if ((unsigned)life->state >= LIFE_STATES || (unsigned)event >= LIFE_EVENTS) abort(); /* our own table, not a child's fault */
    if (event == LIFE_TIME && (!life->deadline || now < life->deadline)) return LIFE_DO_NOTHING;
    const struct cell *cell = &table[life->state][event];
    if (life_ready(life) && now - life->ready_at >= LIFE_WELL_MS) life->failures = 0;
    remember(life, cell->note);
    return go(life, cell, now);
}

bool life_alive(const struct life *life) { return life->state >= LIFE_STARTING && life->state <= LIFE_KILLED; }
bool life_ready(const struct life *life) { return life->state == LIFE_SEALED || life->state == LIFE_SERVING; }

static const struct {
    const char *name;
    enum tenant_state shown;
    enum no_worker_reason reason;
} rows[LIFE_STATES] = {
    [LIFE_STOPPED] = {"stopped", TENANT_STOPPED, NO_WORKER_STOPPED},
    [LIFE_WAITING] = {"waiting", TENANT_STARTING, NO_WORKER_STOPPED},
    [LIFE_STARTING] = {"starting", TENANT_STARTING, NO_WORKER_STOPPED},
    [LIFE_SEALED] = {"sealed", TENANT_SEALED, 0},
    [LIFE_SERVING] = {"serving", TENANT_SERVING, 0},
    [LIFE_DRAINING] = {"draining", TENANT_DRAINING, NO_WORKER_STOPPED},
    [LIFE_KILLED] = {"killed", TENANT_DRAINING, NO_WORKER_STOPPED},
    [LIFE_THROTTLED] = {"throttled", TENANT_THROTTLED, NO_WORKER_THROTTLED},
    [LIFE_SUSPENDED] = {"suspended", TENANT_SUSPENDED, NO_WORKER_SUSPENDED},
};

const char *life_state_name(enum life_state state) { return rows[state].name; }
enum tenant_state life_shown(const struct life *life) { return rows[life->state].shown; }

enum no_worker_reason life_reason(const struct life *life) {
    bool held = life->state == LIFE_DRAINING || life->state == LIFE_KILLED;
    if (held && life->suspended) return NO_WORKER_SUSPENDED;
    if (held && life->crashed) return NO_WORKER_THROTTLED;
    return rows[life->state].reason;
}
