/*
 * event_log.h - what libevent has to say goes to our log, not to standard error, where it may be waited for.
 */
#ifndef TLSMODE_IO_EVENT_LOG_H
#define TLSMODE_IO_EVENT_LOG_H

/* From here on. Called by the mains of both daemons, once there is a log. */
void event_log_take(void);

#endif
