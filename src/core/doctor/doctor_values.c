/*
 * doctor_values.c - the rules that demand a value: a parameter, the services it is demanded of, the words that may
 * stand there.
 */
#include <stdio.h>
#include <string.h>

#include "core/doctor/doctor_rules.h"

/* WORDS is a list parted by spaces. */
static bool is_among(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = words; len > 0 && (p = strstr(p, value)); p++)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static bool is_met(const struct value_demand *demand, const char *value)
{
	if (demand->refused)
		return !is_among(demand->refused, value);
	return !demand->allowed ? value[0] == '\0' : is_among(demand->allowed, value);
}

static void check_value(struct doctor *d, const struct value_demand *demand, const struct route *r)
{
	char value[300], where[200];
	struct doctor_finding *finding;

	doctor_value(d, r->service, demand->parameter, value, sizeof(value));
	if (is_met(demand, value))
		return;
	if (demand->own)
		snprintf(where, sizeof(where), "%s/%s/%s", r->service->name, r->service->type, demand->parameter);
	else
		doctor_where(d, r->service, demand->parameter, where, sizeof(where));
	finding =
	    doctor_find(d, where, "%s of %s is %s.", demand->parameter, r->name, value[0] != '\0' ? value : "empty");
	if (demand->own)
		doctor_mend_service(d, finding, r->service, demand->parameter, demand->good);
	else
		doctor_mend_where(d, finding, r->service, demand->parameter, demand->good);
}

void doctor_check_values(struct doctor *d)
{
	for (const struct value_demand *demand = d->rule->demand; demand->parameter; demand++) {
		if ((demand->dane_only && !d->f->conf.dane) || !doctor_at_least(d, demand->since_minor, 0))
			continue;
		for (size_t i = 0; i < d->wiring.routes; i++) {
			const struct route *r = &d->wiring.route[i];

			if (doctor_is_smtp(r->service) && (demand->modes & (1u << r->mode)) != 0)
				check_value(d, demand, r);
		}
	}
}
