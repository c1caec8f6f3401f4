/*
 * commands.h - the commands of the control tool: a row of the table in main.c each.
 */
#ifndef TLSMODE_CTL_COMMANDS_H
#define TLSMODE_CTL_COMMANDS_H

#include "ctl/ctl.h"

/* ARGS are the words behind the command's own; their number was checked against the table. The exit code is returned.
 */
int cmd_query(struct ctl *ctl, int argc, char **args);
int cmd_explain(struct ctl *ctl, int argc, char **args);
int cmd_domain_list(struct ctl *ctl, int argc, char **args);
int cmd_domain_get(struct ctl *ctl, int argc, char **args);
int cmd_domain_set(struct ctl *ctl, int argc, char **args);
int cmd_domain_unset(struct ctl *ctl, int argc, char **args);
int cmd_settings_accept(struct ctl *ctl, int argc, char **args);
int cmd_cache_show(struct ctl *ctl, int argc, char **args);
int cmd_cache_refresh(struct ctl *ctl, int argc, char **args);
int cmd_cache_forget(struct ctl *ctl, int argc, char **args);
int cmd_doctor(struct ctl *ctl, int argc, char **args);
int cmd_status(struct ctl *ctl, int argc, char **args);

#endif
