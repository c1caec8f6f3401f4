/*
 * scenario.h - one running case: its world, its clock, its last question. The language is told in run_case.c.
 */
#ifndef TLSMODE_TESTS_SCENARIO_H
#define TLSMODE_TESTS_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/answer.h"
#include "core/settings.h"
#include "lib/drive.h"

#define JOBS_MAX 12

struct known {
	char key[NEXTHOP_SIZE + 40]; /* node and next hop */
	struct drive_job job;
};

struct scenario {
	const char *file;
	unsigned line_number;
	char error[1200];
	char title[200];
	int64_t now;
	char node[20];
	struct world world;
	struct drive drive;
	struct settings *settings;
	bool dane, report;
	char min_tls[8];
	struct known *known[JOBS_MAX];
	size_t known_count;
	/* the last question */
	struct drive_job *job;
	enum mode mode;
	bool tlsrpt;
	struct verdict verdict;
	char reply[SOCKMAP_REPLY_MAX + 1];
	int64_t until;
};

/* The case has failed, unless it has already. */
void scenario_wrong(struct scenario *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "+N" from now, or a time. */
int64_t scenario_time(const struct scenario *s, const char *text);
/* The first word of *ARGS, cut off. */
char *scenario_word(char **args);

/* Commands. ARGS is what stands behind the command and may be written to. scenario_acts.c: */
void cmd_title(struct scenario *s, char *args);
void cmd_clock(struct scenario *s, char *args);
void cmd_dns(struct scenario *s, char *args);
void cmd_https(struct scenario *s, char *args);
void cmd_redis(struct scenario *s, char *args);
void cmd_rcpt(struct scenario *s, char *args);
void cmd_except(struct scenario *s, char *args);
void cmd_conf(struct scenario *s, char *args);
void cmd_node(struct scenario *s, char *args);
void cmd_restart(struct scenario *s, char *args);
void cmd_ask(struct scenario *s, char *args);
void cmd_refresh(struct scenario *s, char *args);
void cmd_late(struct scenario *s, char *args);
void cmd_elsewhere(struct scenario *s, char *args);
/* scenario_expect.c, about the last question: */
void cmd_reply(struct scenario *s, char *args);
void cmd_reply_begins(struct scenario *s, char *args);
void cmd_row(struct scenario *s, char *args);
void cmd_reasons(struct scenario *s, char *args);
void cmd_asked(struct scenario *s, char *args);
void cmd_asked_not(struct scenario *s, char *args);
void cmd_fetches(struct scenario *s, char *args);
void cmd_gave_up(struct scenario *s, char *args);
void cmd_until(struct scenario *s, char *args);
void cmd_policy(struct scenario *s, char *args);
void cmd_refresh_at(struct scenario *s, char *args);

#endif
