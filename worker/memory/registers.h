/*
 * Clears the vector and floating-point registers of the calling thread. Copies of strings go through them and their last pieces stay: while
 * the thread waits the kernel keeps them in memory of its own, where ptrace and a core's notes show them, arena or not (S4). Called before
 * every wait. The control words become what a process begins with.
 */
#pragma once

/* S4: plaintext and keys do not stay in the registers of a thread that waits */
void registers_clear(void);
