/*
 * drive.c - the planner's loop over a script. Checks on the way what every driver relies on: no question twice at once,
 * never ready without an end, never idle while not ready.
 */
#include "lib/drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void fail(struct drive *d, const char *what, const char *more)
{
	if (d->error[0] == '\0')
		snprintf(d->error, sizeof(d->error), "%s%s%s", what, more[0] ? ": " : "", more);
}

static void question_text(char out[QUESTION_SIZE], const struct ask *a)
{
	if (a->kind == ASK_SHARED)
		snprintf(out, QUESTION_SIZE, "shared");
	else if (a->kind == ASK_POLICY)
		snprintf(out, QUESTION_SIZE, "policy %s", a->name);
	else
		snprintf(out, QUESTION_SIZE, "%s %s", names_name(rr_type_names, (int)a->type), a->name);
}

static void start(struct drive *d, struct drive_job *job, const struct ask *a)
{
	char text[QUESTION_SIZE], other[QUESTION_SIZE];

	question_text(text, a);
	for (size_t i = 0; i < job->waiting_count; i++) {
		question_text(other, &job->waiting[i]);
		if (job->waiting[i].kind == a->kind && strcmp(text, other) == 0)
			fail(d, "asked again while on its way", text);
	}
	if (job->waiting_count == sizeof(job->waiting) / sizeof(job->waiting[0]) || d->asked_count == DRIVE_QUESTIONS) {
		fail(d, "too many questions", text);
		return;
	}
	job->waiting[job->waiting_count++] = *a;
	memcpy(d->asked[d->asked_count++], text, sizeof(text));
}

/* The script can answer A now. */
static bool comes(struct drive *d, const struct ask *a)
{
	const struct world_https *h;
	const struct world_dns *dns;
	char text[QUESTION_SIZE];

	if (a->kind == ASK_SHARED)
		return !d->unread;
	if (a->kind == ASK_POLICY) {
		h = world_find_https(d->world, a->name);
		if (!h)
			fail(d, "no https line for", a->name);
		return h && !h->never;
	}
	dns = world_find_dns(d->world, a->name, a->type);
	question_text(text, a);
	if (!dns)
		fail(d, "no dns line for", text);
	return dns && !dns->never;
}

static size_t pick(struct drive *d, size_t count)
{
	if (d->order == 0)
		return 0;
	if (d->order == 1)
		return count - 1;
	d->seed = d->seed * 1664525 + 1013904223 + d->order;
	return (d->seed >> 16) % count;
}

static void hash_key(char *out, size_t size, const char *kind, const struct facts *f)
{
	snprintf(out, size, "%s %s", kind, strcmp(kind, "sts") == 0 ? f->nexthop.domain : f->nexthop.key);
}

static bool unreachable(const struct world *w)
{
	return w->redis_away || w->redis_slow;
}

static void give_shared(struct drive *d, struct drive_job *job, int64_t now)
{
	struct text_field field[FACTS_TEXT_FIELDS_MAX];
	char key[400];
	const char *line, *reason;

	hash_key(key, sizeof(key), "sts", &job->facts);
	line = unreachable(d->world) ? NULL : world_hash(d->world, key, now);
	if (line)
		facts_text_take_sts(&job->facts, field, world_fields(line, field), now, &reason);
	hash_key(key, sizeof(key), "dane", &job->facts);
	line = unreachable(d->world) ? NULL : world_hash(d->world, key, now);
	if (line)
		facts_text_take_dane(&job->facts, field, world_fields(line, field), now, &reason);
}

static bool of_fetch(const struct ask *a)
{
	return a->kind == ASK_POLICY || a->kind == ASK_POLICY_A || a->kind == ASK_POLICY_AAAA;
}

static void drop_fetch(struct drive_job *job)
{
	size_t kept = 0;

	for (size_t i = 0; i < job->waiting_count; i++)
		if (!of_fetch(&job->waiting[i]))
			job->waiting[kept++] = job->waiting[i];
	job->waiting_count = kept;
}

static void give(struct drive *d, struct drive_job *job, const struct ask *a, int64_t now)
{
	if (a->kind == ASK_SHARED && d->world->redis_slow) {
		d->unread = true; /* nor does it ever come to be read */
		if (plan_take_unread(&job->facts, now))
			job->waiting[job->waiting_count++] = *a;
	} else if (a->kind == ASK_SHARED) {
		give_shared(d, job, now);
		plan_take_shared(&job->facts, d->world->redis_away);
	} else if (a->kind == ASK_POLICY) {
		plan_take_policy(&job->facts, &world_find_https(d->world, a->name)->result, now);
	} else {
		plan_take_answer(&job->facts, a, &world_find_dns(d->world, a->name, a->type)->answer, now);
	}
}

/* Lets one answer come; false when none can. */
static bool step(struct drive *d, struct drive_job *job, int64_t now)
{
	size_t can[PLAN_ASKS_MAX * 2], count = 0, i;
	struct ask a;

	for (i = 0; i < job->waiting_count; i++)
		if (comes(d, &job->waiting[i]))
			can[count++] = i;
	if (count == 0 || d->error[0] != '\0')
		return false;
	i = can[pick(d, count)];
	a = job->waiting[i];
	memmove(&job->waiting[i], &job->waiting[i + 1], (job->waiting_count - i - 1) * sizeof(a));
	job->waiting_count--;
	give(d, job, &a, now);
	return true;
}

/* Nothing comes any more, and the facts do not decide: sts.timeout when only the fetch is missing, else the deadline.
 */
static void give_up(struct drive_job *job, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < job->waiting_count; i++)
		if (of_fetch(&job->waiting[i]))
			job->waiting[kept++] = job->waiting[i];
	if (kept == job->waiting_count)
		facts_policy_overdue(&job->facts);
	else
		facts_timeout(&job->facts, now);
	job->waiting_count = kept;
}

static const char *line_of(const struct text_fields *t, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < t->count; i++)
		len +=
		    (size_t)snprintf(out + len, size - len, "%s%.*s=%.*s", i > 0 ? "|" : "", (int)t->field[i].name_len,
				     t->field[i].name, (int)t->field[i].value_len, t->field[i].value);
	return out;
}

static void share(struct drive *d, struct drive_job *job, int64_t now)
{
	const struct facts *f = &job->facts;
	size_t size = 100000;
	char *line = xmalloc(size);
	struct text_fields text;
	char key[400];

	if (!unreachable(d->world) && facts_text_sts(f, now, &text)) {
		hash_key(key, sizeof(key), "sts", f);
		world_set_hash(d->world, key, line_of(&text, line, size), now + facts_text_sts_ttl(f, now));
		facts_text_fini(&text);
	}
	if (!unreachable(d->world) && facts_text_dane(f, now, &text)) {
		hash_key(key, sizeof(key), "dane", f);
		world_set_hash(d->world, key, line_of(&text, line, size), now + facts_text_dane_ttl(f, now));
		facts_text_fini(&text);
	}
	free(line);
}

static void ask_all(struct drive *d, struct drive_job *job, int64_t now, struct plan *p)
{
	plan_next(&job->facts, now, p);
	for (size_t i = 0; i < p->count; i++)
		start(d, job, &p->ask[i]);
	if (p->idle != (job->waiting_count == 0))
		fail(d, "idle is not what is on its way", "");
	if (p->idle && !p->ready)
		fail(d, "nothing to wait for, and not ready", "");
}

static void run(struct drive *d, struct drive_job *job, int64_t now, drive_ready_fn *on_ready, void *arg)
{
	static struct plan p;
	bool told = !on_ready;

	for (;;) {
		ask_all(d, job, now, &p);
		if (p.ready && !told)
			on_ready(job, arg);
		told = told || p.ready;
		if (d->error[0] != '\0')
			return;
		if (step(d, job, now))
			continue;
		if (p.ready)
			break;
		give_up(job, now);
		d->gave_up++;
	}
	share(d, job, now);
}

void drive_round(struct drive *d, struct drive_job *job, int64_t now, drive_ready_fn *on_ready, void *arg)
{
	d->unread = false;
	facts_begin(&job->facts, now);
	run(d, job, now, on_ready, arg);
}

void drive_late(struct drive *d, struct drive_job *job, int64_t now)
{
	run(d, job, now, NULL, NULL);
}

void drive_elsewhere(struct drive *d, struct drive_job *job, int64_t now)
{
	drop_fetch(job);
	give_shared(d, job, now);
	plan_policy_elsewhere(&job->facts);
	run(d, job, now, NULL, NULL);
}
