#include "input.h"

#include "exchange.h"

#include <stdlib.h>
#include <string.h>

static char *spare; /* INPUT_ROOM bytes, so that most requests allocate none */

bool input_ready(struct connection *c) {
    if (c->in_room == INPUT_ROOM) return true;
    char *big = spare ? spare : malloc(INPUT_ROOM);
    spare = NULL;
    if (!big) return false;
    if (c->in) memcpy(big, c->in, c->in_end);
    free(c->in);
    c->in = big;
    c->in_room = INPUT_ROOM;
    return true;
}

void input_give_back(struct connection *c) {
    if (c->in_room == INPUT_ROOM && !spare)
        spare = c->in;
    else
        free(c->in);
    c->in = NULL;
    c->in_room = c->in_head = c->in_next = c->in_end = c->in_looked = 0;
}

void input_shrink(struct connection *c) {
    if (c->exchange || !c->in) return;
    size_t left = c->in_end - c->in_head;
    if (left == 0) {
        input_give_back(c);
        return;
    }
    if (c->in_room != INPUT_ROOM || left > INPUT_ROOM / 2) return;
    exchange_make_room(c);
    char *small = malloc(left);
    if (!small) return;
    memcpy(small, c->in, left);
    size_t looked = c->in_looked;
    input_give_back(c);
    c->in = small;
    c->in_room = c->in_end = left;
    c->in_looked = looked;
}
