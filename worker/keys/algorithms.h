/* What OpenSSL can do in this process. */
#pragma once

#include <stdbool.h>

/*
 * Initialises libcrypto without a configuration file and has it make its tables of algorithms. They are public and large (0.2 MiB): call
 * this before the arena is mapped, and before anything else of OpenSSL. Of the ciphers only those are there that some part of the worker
 * uses: a new one must be added here before it can be fetched. Harmless when repeated. false: out of memory.
 */
bool algorithms_open(void);
