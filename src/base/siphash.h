/*
 * siphash.h - SipHash-1-3, for hash tables of names that come from strangers.
 *
 * J.-P. Aumasson, D. J. Bernstein, 2012; one round per word and three at the end are enough for a hash table.
 */
#ifndef TLSMODE_BASE_SIPHASH_H
#define TLSMODE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *bytes, size_t len);
void siphash_make_key(uint64_t key[2]); /* at random */

#endif
