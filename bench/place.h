/*
 * place.h - where a server is: a path, or ADDRESS:PORT (IPv4). For the load generators; ends the program on failure.
 */
#ifndef TLSMODE_BENCH_PLACE_H
#define TLSMODE_BENCH_PLACE_H

void die(const char *what) __attribute__((noreturn)); /* says errno and ends with 1 */
int place_connect(const char *place);
int place_listen(const char *place);

#endif
