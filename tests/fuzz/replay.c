/*
 * replay.c - runs a fuzz target over its kept corpus, without libFuzzer: one TAP line for each file.
 *
 * The program is called replay_NAME; it reads $srcdir/tests/fuzz/corpus/NAME, or the files named on its command line.
 */
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)

static char current[600]; /* the TAP line if this file is the one that fails */

static void on_abort(int sig)
{
	(void)sig;
	if (write(STDOUT_FILENO, current, strlen(current)) < 0)
		_exit(1);
}

static bool replay(int number, const char *path)
{
	static uint8_t whole[INPUT_MAX];
	FILE *in = fopen(path, "rb");
	uint8_t *exact;
	size_t size;

	if (!in)
		return false;
	size = fread(whole, 1, sizeof(whole), in);
	fclose(in);
	exact = malloc(size > 0 ? size : 1); /* no octet too many: a sanitizer sees reading past the end */
	memcpy(exact, whole, size);
	snprintf(current, sizeof(current), "not ok %d - %s\n", number, path);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return true;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_folder(const char *name)
{
	const char *srcdir = getenv("srcdir");
	struct dirent **entry;
	char path[500];
	int count;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
	count = scandir(path, &entry, is_input, alphasort);
	if (count <= 0) {
		printf("1..1\nnot ok 1 - no corpus in %s\n", path);
		return 1;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s/%s", srcdir ? srcdir : ".", name,
			 entry[i]->d_name);
		printf("%s %d - %s/%s\n", replay(i + 1, path) ? "ok" : "not ok", i + 1, name, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = strstr(slash ? slash : argv[0], "replay_");

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, on_abort);
	if (argc == 1)
		return replay_folder(name ? name + strlen("replay_") : "");
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++)
		printf("%s %d - %s\n", replay(i, argv[i]) ? "ok" : "not ok", i, argv[i]);
	return 0;
}
