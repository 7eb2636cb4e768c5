/*
 * The router (H2, H3): takes connections, finds out whose they are, and gives them away. It holds no TLS key, opens no file, connects
 * nowhere, and sees of a connection only what is in clear on the wire anyway: a PROXY header and a ClientHello.
 *
 * The steps of its life, in their order. Each returns 0, or -1 with errno: then the process ends, fail closed.
 */
#pragma once

struct router;

/* Everything that needs a system call which the wall forbids. channel: the supervisor's, non-blocking. NULL with errno. */
struct router *router_open(int channel);

/* Namespaces, an empty root, no capability, Landlock, seccomp: nothing can be opened or reached afterwards. */
int router_seal(struct router *router);

/* Tells the supervisor so, with the layers that hold. */
int router_ready(struct router *router);

/* Obeys the supervisor until it is gone (0) or says what it may not (-1, EPROTO). */
int router_work(struct router *router);
