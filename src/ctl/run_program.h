/*
 * run_program.h - runs another program and takes what it prints.
 */
#ifndef TLSMODE_CTL_RUN_PROGRAM_H
#define TLSMODE_CTL_RUN_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#define RUN_OUT_MAX (64u << 20) /* octets of standard output that are kept */
#define RUN_ERR_MAX (64u << 10)
#define RUN_NOT_FOUND 127 /* status: there is no such program */
#define RUN_LATE (-1)     /* status: killed at the deadline, or by a signal */

struct run_result {
	int status;
	char *out; /* heap, NUL-terminated */
	size_t out_len;
	char *err; /* heap, NUL-terminated */
	size_t err_len;
};

/* Runs ARGV (found in PATH, /usr/sbin and /sbin) with no input, in the C locale. Waits at most TIMEOUT_S. End the
 * result with run_result_fini(). */
void run_program(struct run_result *out, char *const *argv, unsigned timeout_s);
void run_result_fini(struct run_result *r);

#endif
