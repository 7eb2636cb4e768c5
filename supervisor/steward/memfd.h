/* Bytes for another process, in a memfd that nobody can change any more. */
#pragma once

#include <stddef.h>

/* -1 with errno. */
int memfd_of(const char *name, const void *bytes, size_t size);
