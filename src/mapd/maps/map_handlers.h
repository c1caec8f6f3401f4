/*
 * map_handlers.h - what the maps of the table in maps.c do, each from its own file.
 */
#ifndef TLSMODE_MAPD_MAP_HANDLERS_H
#define TLSMODE_MAPD_MAP_HANDLERS_H

#include "mapd/maps/map.h"

/* map_policy.c */
extern const struct map_handler map_policy; /* next hop -> the answer of smtp_tls_policy_maps for the mode of the row */
extern const struct map_handler map_sts;    /* next hop -> MTA-STS alone, for Sendmail */
extern const struct map_handler map_refusal; /* host and reason of a refusal -> its code */

/* map_sender.c */
extern const struct map_handler map_transport; /* sender -> transport */
extern const struct map_handler map_mode;      /* sender or its domain -> mode */

/* map_explain.c */
extern const struct map_handler map_explain; /* "[mode ]domain" or "sender recipient" -> JSON */

/* status.c */
extern const struct map_handler map_status; /* "all" -> JSON */

#endif
