/*
 * json_tree.h - a JSON answer of tlsmode-mapd as indented lines for people.
 */
#ifndef TLSMODE_CTL_JSON_TREE_H
#define TLSMODE_CTL_JSON_TREE_H

#include <jansson.h>

struct ctl;
struct sbuf;

/* Prints every member of VALUE (an object) as "name  value" lines, nested ones INDENT deeper. */
void json_tree_print(const json_t *value, int indent);

/* Asks MAP for KEY and reads the answer as JSON. NULL: printed why; *CODE is the exit code then. The caller owns it. */
json_t *json_tree_ask(struct ctl *ctl, const char *map, const char *key, int *code);

/* What -V says of jansson (io/proc.h). */
void json_tree_library(struct sbuf *out);

#endif
