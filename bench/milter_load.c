/*
 * bench_milter_load - hands messages to a milter as fast as it takes them, and prints one line of JSON.
 *
 *     bench_milter_load [-c CONNECTIONS] [-s SECONDS | -n MESSAGES] [-f FORMAT] [-k KEYS] [-t TRANSPORT] PLACE
 *
 * The MTA's side of the milter protocol, version 6, as Postfix speaks it: everything is offered, what the milter does
 * not want is not sent, a step without a reply is not waited for, and what needs no reply yet waits in the buffer.
 * FORMAT is the sender's domain and holds one "%" where the number of the key goes, seven digits: KEYS numbers in turn.
 * TRANSPORT is the macro {rcpt_mailer} of the one recipient. Every connection has one message under way; a delay is
 * from its MAIL FROM to the reply to its end.
 *
 * What was negotiated is printed too, so that two milters can be seen to have asked for the same. Measures and prints;
 * never a test that passes or fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmilter/mfapi.h> /* for mfdef.h: the numbers of the protocol; nothing of the library is called */
#include <libmilter/mfdef.h>

#include "hist.h"
#include "place.h"

#define BUFFER 65536
#define SCRIPT_MAX 8192
#define FLIGHTS_MAX 32
#define DIGITS_MAX 32
#define DIGITS 7
#define EVENTS 512
#define GRACE_NS 20000000000 /* for the last replies after the end */
#define STAGES 7             /* of macros: SMFIM_CONNECT to SMFIM_EOH */
#define RESET_SIZE 5         /* octets of the packet that ends the message before */
#define MACROS_SIZE 256

#define VERSION 6
#define ACTIONS 0x1ff  /* up to SMFIF_SETSYMLIST: all there are */
#define STEPS 0x1fffff /* up to SMFIP_HDR_LEADSPC: what may be left out, every NR_, SKIP, rejected recipients */

/* What the milter asked for. */
struct agreed {
	uint32_t version, actions, steps;
	char macros[STAGES][MACROS_SIZE]; /* "" by default */
};

/* One message as octets, cut where a reply is waited for; the numbers of the sender's domain are written into a copy.
 */
struct milter_script {
	char bytes[SCRIPT_MAX];
	size_t len;
	size_t digits_at[DIGITS_MAX];
	int digits;
	size_t flight_end[FLIGHTS_MAX];
	int flights;
};

struct milter_client {
	int fd, flight; /* the one that was sent last */
	unsigned key;
	int64_t began_ns;
	size_t head_len, skip; /* of the reply being read: octets of its head, octets of its data still to come */
	unsigned char head[5];
};

struct milter_load {
	const char *place, *format, *transport;
	int connections;
	double seconds;
	uint64_t limit; /* messages; 0: as time allows */
	unsigned keys, next_key;

	struct agreed agreed;
	struct milter_script greeting, message;
	struct milter_client *clients;
	int ep;
	int64_t began_ns, until_ns;
	uint64_t begun, done, accepted, refused, edits;
	struct hist delays;
};

/* ---- packets ---- */

static void put(struct milter_script *s, const char *bytes, size_t len)
{
	if (s->len + len > sizeof(s->bytes)) {
		fputs("bench_milter_load: message too long\n", stderr);
		exit(64);
	}
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

static void put_u32(struct milter_script *s, uint32_t value)
{
	value = htonl(value);
	put(s, (const char *)&value, sizeof(value));
}

/* TEXT, "%" as the number of the sender's domain. */
static void put_text(struct milter_script *s, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text != '%') {
			put(s, text, 1);
		} else if (s->digits < DIGITS_MAX) {
			s->digits_at[s->digits++] = s->len;
			put(s, "0000000", DIGITS);
		}
	}
}

static void put_string(struct milter_script *s, const char *text)
{
	put_text(s, text);
	put(s, "", 1);
}

/* Begins a packet; where its length goes. */
static size_t begin_packet(struct milter_script *s, char command)
{
	size_t at = s->len;

	put_u32(s, 0);
	put(s, &command, 1);
	return at;
}

static void end_packet(struct milter_script *s, size_t at)
{
	uint32_t len = htonl((uint32_t)(s->len - at - 4));

	memcpy(s->bytes + at, &len, sizeof(len));
}

static void end_flight(struct milter_script *s)
{
	s->flight_end[s->flights++] = s->len;
}

/* ---- a message ---- */

static const struct milter_step {
	char command;
	uint32_t leave_out, no_reply;
	int stage; /* of its macros */
	const char *macros;
} steps[] = {
    {SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN, SMFIM_CONNECT, "j {daemon_name} {daemon_addr} v"},
    {SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, SMFIM_HELO, "{tls_version} {cipher} {cipher_bits}"},
    {SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL, SMFIM_ENVFROM, "{auth_type} {auth_authen} {mail_addr} {mail_mailer}"},
    {SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, SMFIM_ENVRCPT, "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"},
    {SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA, SMFIM_DATA, "i"},
    {SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR, -1, ""},
    {SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, SMFIM_EOH, "i"},
    {SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY, -1, ""},
    {SMFIC_BODYEOB, 0, 0, SMFIM_EOM, "i"},
};

static const char *macro_value(const struct milter_load *l, const char *name)
{
	static char address[200];
	const struct {
		const char *name, *value;
	} known[] = {
	    {"i", "4F9xQ%zXk"},
	    {"{mail_addr}", address},
	    {"{auth_authen}", address},
	    {"{auth_type}", "PLAIN"},
	    {"{mail_mailer}", "smtp"},
	    {"{rcpt_addr}", "receiver@elsewhere.test"},
	    {"{rcpt_host}", "elsewhere.test"},
	    {"{rcpt_mailer}", l->transport},
	    {"j", "mta.bench.test"},
	    {"v", "Postfix 3.7.11"},
	    {"{daemon_name}", "mta.bench.test"},
	    {"{daemon_addr}", "192.0.2.1"},
	};

	snprintf(address, sizeof(address), "someone@%s", l->format);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	return NULL; /* as those of TLS on a connection in the clear */
}

static void put_macros(const struct milter_load *l, struct milter_script *s, const struct milter_step *step)
{
	const char *wanted = step->stage < 0 ? "" : l->agreed.macros[step->stage];
	char names[MACROS_SIZE], *rest = names;
	size_t at;

	snprintf(names, sizeof(names), "%s", wanted[0] != '\0' ? wanted : step->macros);
	if (names[0] == '\0')
		return;
	at = begin_packet(s, SMFIC_MACRO);
	put(s, &step->command, 1);
	for (char *name; (name = strsep(&rest, " ,"));) {
		const char *value = macro_value(l, name);

		if (value) {
			put_string(s, name);
			put_string(s, value);
		}
	}
	end_packet(s, at);
}

/* One packet of a step with up to two strings; NULL none. */
static void put_step(const struct milter_load *l, struct milter_script *s, char command, const char *first,
		     const char *second)
{
	const struct milter_step *step = steps;
	size_t at;

	while (step->command != command)
		step++;
	if ((l->agreed.steps & step->leave_out) != 0)
		return;
	put_macros(l, s, step);
	at = begin_packet(s, command);
	if (first)
		put_string(s, first);
	if (second)
		put_string(s, second);
	end_packet(s, at);
	if ((l->agreed.steps & step->no_reply) == 0)
		end_flight(s);
}

static void put_headers(const struct milter_load *l, struct milter_script *s)
{
	char from[200], id[200];
	const char *const fields[][2] = {
	    {"Received", "from client.bench.test (client.bench.test [192.0.2.7])\n\t(using TLSv1.3 with cipher "
			 "TLS_AES_256_GCM_SHA384 (256/256 bits))\n\tby mta.bench.test (Postfix) with ESMTPSA id "
			 "4F9xQ%zXk\n\tfor <receiver@elsewhere.test>; Tue, 14 May 2024 10:00:00 +0200 (CEST)"},
	    {"DKIM-Signature", "v=1; a=rsa-sha256; c=relaxed/simple; d=bench.test; s=mail;\n\tt=1715673600; "
			       "h=Date:From:To:Subject;\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\t"
			       "b=bXkgc2lnbmF0dXJlIGlzIGxvbmdlciB0aGFuIHRoaXMgbGluZSBpcyBhbmQgbm9ib2R5IGNhcmVz"},
	    {"Message-ID", id},
	    {"Date", "Tue, 14 May 2024 10:00:00 +0200"},
	    {"MIME-Version", "1.0"},
	    {"User-Agent", "Mozilla Thunderbird"},
	    {"Content-Language", "en-GB"},
	    {"To", "A Receiver <receiver@elsewhere.test>"},
	    {"From", from},
	    {"Subject", "=?UTF-8?Q?=C3=9Cber_a_message_like_many_others?="},
	    {"Content-Type", "text/plain; charset=UTF-8; format=flowed"},
	    {"Content-Transfer-Encoding", "8bit"},
	};

	snprintf(from, sizeof(from), "\"Some One\" <someone@%s>", l->format);
	snprintf(id, sizeof(id), "<0b5c3a1e-7d1f-4a55-9f7e-2f0f8f6c2f11@%s>", l->format);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		put_step(l, s, SMFIC_HEADER, fields[i][0], fields[i][1]);
}

/* What is said once on a connection. */
static void make_greeting(const struct milter_load *l, struct milter_script *s)
{
	/* "4": a family, then the port (bench: "02") and the address */
	put_step(l, s, SMFIC_CONNECT, "client.bench.test", "402192.0.2.7");
	put_step(l, s, SMFIC_HELO, "client.bench.test", NULL);
}

static void make_message(const struct milter_load *l, struct milter_script *s)
{
	char sender[200];

	snprintf(sender, sizeof(sender), "<someone@%s>", l->format);
	end_packet(s, begin_packet(s, SMFIC_ABORT)); /* Postfix resets after every message; it leaves with the next */
	put_step(l, s, SMFIC_MAIL, sender, "SIZE=2000");
	put_step(l, s, SMFIC_RCPT, "<receiver@elsewhere.test>", NULL);
	put_step(l, s, SMFIC_DATA, NULL, NULL);
	put_headers(l, s);
	put_step(l, s, SMFIC_EOH, NULL, NULL);
	put_step(l, s, SMFIC_BODY, "A body of one line.\r\n", NULL);
	put_step(l, s, SMFIC_BODYEOB, NULL, NULL);
}

/* ---- negotiation: blocking ---- */

static void send_all(int fd, const char *bytes, size_t len)
{
	if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

static void receive_all(int fd, void *to, size_t len)
{
	ssize_t n = len > 0 ? recv(fd, to, len, MSG_WAITALL) : 0; /* it would wait for no octets, too */

	if (n != (ssize_t)len) {
		if (n >= 0)
			errno = ECONNRESET;
		die("recv");
	}
}

static uint32_t read_u32(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return ntohl(value);
}

static size_t receive_packet(int fd, char *command, char *data, size_t size)
{
	char head[5];
	size_t len;

	receive_all(fd, head, sizeof(head));
	len = read_u32(head) - 1;
	*command = head[4];
	if (len >= size) {
		errno = EMSGSIZE;
		die("negotiation");
	}
	receive_all(fd, data, len);
	data[len] = '\0';
	return len;
}

static void negotiate(int fd, struct agreed *out)
{
	struct milter_script offer = {0};
	char data[4096], command;
	size_t at = begin_packet(&offer, SMFIC_OPTNEG), len;

	put_u32(&offer, VERSION);
	put_u32(&offer, ACTIONS);
	put_u32(&offer, STEPS);
	end_packet(&offer, at);
	send_all(fd, offer.bytes, offer.len);
	len = receive_packet(fd, &command, data, sizeof(data));
	if (command != SMFIC_OPTNEG || len < 12) {
		fputs("bench_milter_load: the milter does not negotiate\n", stderr);
		exit(1);
	}
	memset(out, 0, sizeof(*out));
	out->version = read_u32(data);
	out->actions = read_u32(data + 4);
	out->steps = read_u32(data + 8);
	for (at = 12; at + 4 < len; at += 4 + strlen(data + at + 4) + 1)
		if (read_u32(data + at) < STAGES)
			snprintf(out->macros[read_u32(data + at)], MACROS_SIZE, "%.*s", MACROS_SIZE - 1, data + at + 4);
}

/* The replies to the greeting. */
static void greet(const struct milter_load *l, int fd)
{
	char data[4096], command;

	send_all(fd, l->greeting.bytes, l->greeting.len);
	for (int i = 0; i < l->greeting.flights; i++)
		receive_packet(fd, &command, data, sizeof(data));
}

/* ---- messages ---- */

static void send_octets(struct milter_load *l, const struct milter_client *c, size_t begin, size_t end)
{
	const struct milter_script *s = &l->message;
	static char out[SCRIPT_MAX];

	memcpy(out, s->bytes + begin, end - begin);
	for (int i = 0; i < s->digits; i++) {
		unsigned key = c->key;

		if (s->digits_at[i] < begin || s->digits_at[i] >= end)
			continue;
		for (int d = DIGITS - 1; d >= 0; d--, key /= 10)
			out[s->digits_at[i] - begin + (size_t)d] = (char)('0' + key % 10);
	}
	send_all(c->fd, out, end - begin);
}

static void begin_message(struct milter_load *l, struct milter_client *c, int64_t now)
{
	bool first = c->began_ns == 0;

	c->key = l->next_key;
	l->next_key = l->next_key + 1 == l->keys ? 0 : l->next_key + 1;
	c->began_ns = now;
	c->flight = 0;
	l->begun++;
	send_octets(l, c, first ? RESET_SIZE : 0, l->message.flight_end[0]);
}

static void next_flight(struct milter_load *l, struct milter_client *c)
{
	c->flight++;
	send_octets(l, c, l->message.flight_end[c->flight - 1], l->message.flight_end[c->flight]);
}

static bool over(const struct milter_load *l, int64_t now)
{
	return l->limit ? l->begun >= l->limit : now >= l->until_ns;
}

static bool is_edit(char command)
{
	return strchr("+-2behimq", command);
}

static void take_reply(struct milter_load *l, struct milter_client *c, char command)
{
	bool accepted = command == SMFIR_CONTINUE || command == SMFIR_ACCEPT,
	     last = c->flight + 1 == l->message.flights;
	int64_t now;

	if (command == SMFIR_PROGRESS)
		return;
	if (is_edit(command)) {
		l->edits++;
		return;
	}
	if (!last && command != SMFIR_CONTINUE) {
		fprintf(stderr, "bench_milter_load: \"%c\" before the end of a message\n", command);
		exit(1);
	}
	if (!last) {
		next_flight(l, c);
		return;
	}
	now = now_ns();
	hist_add(&l->delays, (uint64_t)(now - c->began_ns));
	l->done++;
	l->accepted += accepted;
	l->refused += !accepted;
	if (!over(l, now))
		begin_message(l, c, now);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes LEN octets that have arrived. */
static void take_octets(struct milter_load *l, struct milter_client *c, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t take = smaller(sizeof(c->head) - c->head_len, len);

		memcpy(c->head + c->head_len, bytes, take);
		c->head_len += take;
		bytes += take;
		len -= take;
		if (c->head_len < sizeof(c->head))
			return;
		if (take > 0)
			c->skip = read_u32((const char *)c->head) - 1;
		take = smaller(c->skip, len);
		c->skip -= take;
		bytes += take;
		len -= take;
		if (c->skip > 0)
			return;
		c->head_len = 0;
		take_reply(l, c, (char)c->head[4]);
	}
}

static void on_readable(struct milter_load *l, struct milter_client *c)
{
	static char buffer[BUFFER];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);

	if (n <= 0) {
		if (n == 0)
			errno = ECONNRESET;
		die("recv");
	}
	take_octets(l, c, buffer, (size_t)n);
}

/* ---- the run ---- */

static void open_clients(struct milter_load *l)
{
	l->clients = calloc((size_t)l->connections, sizeof(*l->clients));
	l->ep = epoll_create1(0);
	if (!l->clients)
		die("calloc");
	for (int i = 0; i < l->connections; i++) {
		struct milter_client *c = &l->clients[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		c->fd = place_connect(l->place);
		negotiate(c->fd, &l->agreed);
		if (i == 0) {
			make_greeting(l, &l->greeting);
			make_message(l, &l->message);
		}
		greet(l, c->fd);
		epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &e);
	}
}

static void wait_and_take(struct milter_load *l)
{
	struct epoll_event got[EVENTS];
	int n = epoll_wait(l->ep, got, EVENTS, 100);

	for (int i = 0; i < n; i++)
		on_readable(l, got[i].data.ptr);
}

static void run(struct milter_load *l)
{
	int64_t end_ns;

	l->began_ns = now_ns();
	l->until_ns = l->began_ns + (int64_t)(l->seconds * 1e9);
	for (int i = 0; i < l->connections; i++)
		begin_message(l, &l->clients[i], now_ns());
	while (!over(l, now_ns()))
		wait_and_take(l);
	end_ns = now_ns();
	while (l->done < l->begun && now_ns() - end_ns < GRACE_NS)
		wait_and_take(l);
	l->seconds = (double)(now_ns() - l->began_ns) / 1e9;
}

static void report(const struct milter_load *l)
{
	printf(
	    "{\"connections\":%d,\"seconds\":%.3f,\"messages\":%llu,\"per_s\":%.1f,\"accepted\":%llu,\"refused\":%llu,"
	    "\"edits\":%llu",
	    l->connections, l->seconds, (unsigned long long)l->done, (double)l->done / l->seconds,
	    (unsigned long long)l->accepted, (unsigned long long)l->refused, (unsigned long long)l->edits);
	hist_print_json(&l->delays, stdout);
	printf(",\"agreed\":\"version=%u actions=0x%x steps=0x%x", l->agreed.version, l->agreed.actions,
	       l->agreed.steps);
	for (int i = 0; i < STAGES; i++)
		if (l->agreed.macros[i][0] != '\0')
			printf(" macros%d=%s", i, l->agreed.macros[i]);
	puts("\"}");
}

static void quit(const struct milter_load *l)
{
	static const char packet[] = {0, 0, 0, 1, SMFIC_QUIT};

	for (int i = 0; i < l->connections; i++)
		send_all(l->clients[i].fd, packet, sizeof(packet));
}

static void usage(void)
{
	fputs("usage: bench_milter_load [-c CONNECTIONS] [-s SECONDS | -n MESSAGES] [-f FORMAT] [-k KEYS] [-t "
	      "TRANSPORT]\n"
	      "                         PLACE\n",
	      stderr);
	exit(64);
}

static void read_options(struct milter_load *l, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "c:s:n:f:k:t:")) != -1;) {
		switch (c) {
		case 'c':
			l->connections = atoi(optarg);
			break;
		case 's':
			l->seconds = atof(optarg);
			break;
		case 'n':
			l->limit = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			l->format = optarg;
			break;
		case 'k':
			l->keys = (unsigned)atoi(optarg);
			break;
		case 't':
			l->transport = optarg;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || l->connections < 1 || l->keys < 1 || strlen(l->format) > 100)
		usage();
	l->place = argv[optind];
}

int main(int argc, char **argv)
{
	static struct milter_load l = {
	    .format = "s%.bench.test", .transport = "smtp-enforced", .connections = 1, .seconds = 1, .keys = 1000};

	read_options(&l, argc, argv);
	open_clients(&l);
	run(&l);
	report(&l);
	quit(&l);
	return 0;
}
