#!/bin/sh
# Includes go downward only: base < core < io < programs; inside core, left never includes right (HACKING).
echo 1..2
cd "$srcdir/src" || exit 1
bad=$(grep -En '^#include "' -r base core io mapd milter ctl | awk -F'[:"/]' '
	BEGIN { rank["base"] = 1; rank["core"] = 2; rank["io"] = 3; rank["mapd"] = rank["milter"] = rank["ctl"] = 4 }
	{ split($0, part, "\""); split(part[2], to, "/"); split($0, from, "/")
	  if (part[2] == "config.h") next
	  if (!(to[1] in rank) || rank[to[1]] > rank[from[1]] || (rank[to[1]] == 4 && to[1] != from[1])) print from[1] "/" $2 " includes " part[2] }')
if [ -z "$bad" ]; then echo "ok 1 - shelves link downward"; else echo "not ok 1 - shelves: $bad"; fi
# the order inside core; files of one line may include each other only leftward or within the group named on one line
order='mode:1 domain:1 hdr:1 rr:1 netstring:1 sockmap:1 nexthop:1 sentinel:1 postconf:1 postconf_expand:1 postfix_version:1 lookup_table:1
sts_record:2 sts_policy:2 dane:2 from:2 setting:2 settings:2 rkeys:2 settings_entry:2 settings_closest:2 sts_mx:2 tag:2 refusal:2
facts:3 plan_host:4 facts_text:4 text_reader:4 facts_text_take:4 plan:4 reason:4 decide:4 guard:4 match_names:4 answer:5 explain:6
doctor_facts:3 wiring:4 doctor:6 doctor_rules:6 doctor_ask:6 doctor_filter:6 doctor_find:6 doctor_maps:6
doctor_milter:6 doctor_route:6 doctor_sockets:6 doctor_strict:6 doctor_values:6 doctor_world:6'
bad=$(grep -En '^#include "core/' core/* | awk -v order="$order" '
	BEGIN { n = split(order, o, /[ \n]+/); for (i = 1; i <= n; i++) { split(o[i], p, ":"); rank[p[1]] = p[2] } }
	{ split($0, q, "\""); from = $0; sub(/^core\//, "", from); sub(/\.[ch]:.*/, "", from)
	  to = q[2]; sub(/^core\//, "", to); sub(/\.h$/, "", to)
	  if (!(from in rank)) { print from " has no place in the order"; next }
	  if (!(to in rank) || rank[to] > rank[from]) print from " includes " to }')
if [ -z "$bad" ]; then echo "ok 2 - the order inside core holds"; else echo "not ok 2 - core: $bad"; fi
