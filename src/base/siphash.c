/*
 * siphash.c - see siphash.h.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* Eight octets, least significant first. */
static inline uint64_t load(const unsigned char *p)
{
	uint64_t m;

	memcpy(&m, p, sizeof(m));
	return le64toh(m);
}

/* The last LEN (less than eight) octets, likewise. */
static inline uint64_t load_rest(const unsigned char *p, size_t len)
{
	unsigned char rest[8] = {0};

	memcpy(rest, p, len);
	return load(rest);
}

uint64_t siphash13(const uint64_t key[2], const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t left = len;
	struct sip s = {
	    key[0] ^ 0x736f6d6570736575ULL,
	    key[1] ^ 0x646f72616e646f6dULL,
	    key[0] ^ 0x6c7967656e657261ULL,
	    key[1] ^ 0x7465646279746573ULL,
	};

	for (; left >= 8; p += 8, left -= 8)
		sip_word(&s, load(p));
	sip_word(&s, (uint64_t)len << 56 |
			 (len < 8 || left == 0 ? load_rest(p, left) : load(p + left - 8) >> (8 - left) * 8));
	s.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void siphash_make_key(uint64_t key[2])
{
	struct timespec now;

	if (getrandom(key, 2 * sizeof(key[0]), 0) == 2 * sizeof(key[0]))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now); /* a kernel without getrandom: better than a constant */
	key[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ULL;
	key[1] = (uint64_t)(uintptr_t)key ^ (uint64_t)now.tv_sec;
}
