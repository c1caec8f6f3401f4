/*
 * mode.c - the names of the TLS modes.
 */
#include "core/mode.h"

#include <stddef.h>

const struct name_code mode_names[] = {
    {"opportunistic", MODE_OPPORTUNISTIC},
    {"enforced", MODE_ENFORCED},
    {"verified", MODE_VERIFIED},
    {NULL, 0},
};
