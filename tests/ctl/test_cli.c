/* SPDX-License-Identifier: Apache-2.0 */
/* What weftctl prints and what it refuses.  golden/NAME.json is an answer of the daemon, NAME.txt what it
 * looks like; WEFT_GOLDEN_UPDATE=1 writes the latter anew, to be read before it is committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/cli.h"

static char *
read_file(const char *name)
{
	char path[500], *text = xcalloc(1, 1 << 16);
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", GOLDEN_DIR, name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("no file %s", path);
	if (fread(text, 1, (1 << 16) - 1, f) == 0)
		fail_msg("%s is empty", path);
	fclose(f);
	return text;
}

static json_t *
read_json(const char *name)
{
	char file[100], *text;
	json_error_t e;
	json_t *v;

	snprintf(file, sizeof file, "%s.json", name);
	text = read_file(file);
	v = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	if (!v)
		fail_msg("%s: %d: %s", file, e.line, e.text);
	free(text);
	return v;
}

/* No line is longer than the width, ends in a blank, or holds a control character. */
static void
check_lines(const char *name, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (text_width(line) > CLI_WIDTH)
			fail_msg("%s: %u columns: %s", name, text_width(line), line);
		if (len && line[len - 1] == ' ')
			fail_msg("%s: blank at the end: '%s'", name, line);
		for (size_t i = 0; i < len; i++)
			assert_true((unsigned char)line[i] >= 0x20);
		free(line);
		assert_int_equal(text[len], '\n');
		text += len + 1;
	}
}

static void
compare(const char *name, const char *got)
{
	char file[100], path[500], *want;
	FILE *f;

	check_lines(name, got);
	snprintf(file, sizeof file, "%s.txt", name);
	if (getenv("WEFT_GOLDEN_UPDATE")) {
		snprintf(path, sizeof path, "%s/%s", GOLDEN_DIR, file);
		f = fopen(path, "we");
		assert_non_null(f);
		fputs(got, f);
		fclose(f);
		return;
	}
	want = read_file(file);
	assert_string_equal(got, want);
	free(want);
}

typedef void print_fn(struct out *, const json_t *);

static char *
printed(print_fn *print, const json_t *v, bool utf8, bool color)
{
	struct out o = { .utf8 = utf8, .color = color };
	char *text;
	size_t len;

	o.f = open_memstream(&text, &len);
	print(&o, v);
	fclose(o.f);
	return text;
}

static void
check(const char *name, print_fn *print)
{
	json_t *v = read_json(name);
	char *text = printed(print, v, true, false);

	compare(name, text);
	free(text);
	json_decref(v);
}

static void
answers_look_as_they_should(void **state)
{
	(void)state;
	check("show", cli_print_show);
	check("show-empty", cli_print_show);
	check("bridges", cli_print_bridges);
	check("ports", cli_print_ports);
	check("tunnels", cli_print_tunnels);
	check("refused", cli_print_refused);
	check("refused-none", cli_print_refused);
	check("vlans", cli_print_vlans);
	check("version", cli_print_version);
	check("controllers", cli_print_controllers);
	check("groups", cli_print_groups);
	check("trace", cli_print_trace);
	check("changes", cli_print_changes);
	check("changes-none", cli_print_changes);
	check("macs", cli_print_macs);
	check("flow", cli_print_flow);
	check("flow-drop", cli_print_flow);
}

static void
counters_look_as_they_should(void **state)
{
	json_t *now = read_json("stats"), *before = read_json("stats-before");
	struct out o = { .utf8 = true };
	char *text;
	size_t len;

	(void)state;
	o.f = open_memstream(&text, &len);
	cli_print_stats(&o, now, NULL);
	fclose(o.f);
	compare("stats", text);
	free(text);
	o.f = open_memstream(&text, &len);
	cli_print_stats(&o, now, before);
	fclose(o.f);
	compare("stats-rates", text);
	free(text);
	json_decref(now);
	json_decref(before);
}

static void
without_utf8_all_is_ascii(void **state)
{
	json_t *v = read_json("show");
	char *text = printed(cli_print_show, v, false, false);

	(void)state;
	compare("show-ascii", text);
	for (const char *s = text; *s; s++)
		assert_true((unsigned char)*s < 0x80);
	free(text);
	json_decref(v);
}

static void
colours_change_nothing_but_colours(void **state)
{
	json_t *v = read_json("show");
	char *plain = printed(cli_print_show, v, true, false), *color = printed(cli_print_show, v, true, true);
	char *to = color;

	(void)state;
	assert_non_null(strstr(color, "\033[1;31mDOWN\033[0m"));
	for (const char *s = color; *s; s++) {
		if (*s == '\033')
			s = strchr(s, 'm');
		else
			*to++ = *s;
	}
	*to = '\0';
	assert_string_equal(color, plain);
	free(plain);
	free(color);
	json_decref(v);
}

static void
text_of_others_cannot_command_the_terminal(void **state)
{
	json_t *v = json_pack("{s:[{s:s, s:s, s:s}]}", "ports", "name", "a\033[2Jb", "bridge", "\xc2\x9b" "31m", "vlan",
			      "x\ny\x7f");
	char *text = printed(cli_print_vlans, v, true, true);

	(void)state;
	for (const char *s = text; *s; s++)
		assert_false(*s == 0x7f || (*s == '\033' && s[1] == '[' && s[2] == '2' && s[3] == 'J'));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_null(strstr(text, "x\ny"));
	free(text);
	json_decref(v);
}

/* Members that are missing, or of another kind: printed as nothing, never a crash. */
static void
odd_answers_are_printed_somehow(void **state)
{
	static print_fn *const prints[] = {
		cli_print_show, cli_print_bridges, cli_print_ports, cli_print_tunnels, cli_print_vlans, cli_print_version,
		cli_print_changes, cli_print_macs, cli_print_flow, cli_print_flushed,
		cli_print_controllers, cli_print_groups, cli_print_trace, cli_print_refused,
	};
	static const char *const answers[] = {
		"{}", "[]", "{\"bridges\":7,\"ports\":[1,{}],\"tunnels\":[{}],\"changes\":[[],{}],\"macs\":[{}],\"refused\":[{},5]}",
		"{\"bridges\":[{\"ports\":[{\"name\":5,\"tunnel\":{\"remotes\":[{},3]}}]}],\"lcores\":{},\"depends\":[3,null]}",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(prints); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(answers); j++) {
			json_t *v = json_loads(answers[j], 0, NULL);

			free(printed(prints[i], v, true, true));
			json_decref(v);
		}
}

static void
numbers_are_short_and_right(void **state)
{
	(void)state;
	assert_string_equal(num_count(0).s, "0");
	assert_string_equal(num_count(1000).s, "1,000");
	assert_string_equal(num_count(999999999).s, "999,999,999");
	assert_string_equal(num_count(1234567890).s, "1.23 G");
	assert_string_equal(num_count(UINT64_MAX).s, "18.4 E");
	assert_string_equal(num_bytes(999).s, "999 B");
	assert_string_equal(num_bytes(1000).s, "1.00 kB");
	assert_string_equal(num_bytes(99950000).s, "100 MB");
	assert_string_equal(num_bits(12.4).s, "12 bit/s");
	assert_string_equal(num_bits(1.25e9).s, "1.25 Gbit/s");
	assert_string_equal(num_memory(128 << 20).s, "128 MiB");
	assert_string_equal(num_percent(1, 0).s, "-");
	assert_string_equal(num_percent(1, 3).s, "33.3 %");
	assert_string_equal(num_seconds(59).s, "59 s");
	assert_string_equal(num_seconds(187).s, "3 min");
	assert_string_equal(num_seconds(7500).s, "2 h 5 min");
	assert_string_equal(num_seconds(4 * 86400 + 3 * 3600).s, "4 d 3 h");
	assert_string_equal(num_us(850).s, "850 us");
	assert_string_equal(num_us(1200000).s, "1.2 s");
}

/* --- The command line --------------------------------------------------------------------------------------- */

/* Parses words; the parameters as sorted JSON, or the message.  Caller frees. */
static char *
parse(const char *line)
{
	char *copy = xstrdup(line), *words[32], *save = NULL, *err, *text;
	const struct cli_cmd *cmd;
	json_t *params = NULL;
	int n = 0, used = 0;
	size_t len;
	FILE *f = open_memstream(&err, &len);

	for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
		words[n++] = s;
	cmd = cli_find(n, words, &used, f);
	if (cmd)
		params = cli_params(cmd, n - used, words + used, f);
	fclose(f);
	free(copy);
	if (!params) {
		assert_true(*err);
		return err;
	}
	assert_string_equal(err, "");
	free(err);
	text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(params);
	return text;
}

static void
good_lines_become_parameters(void **state)
{
	static const char *const cases[][2] = {
		{ "show", "{}" },
		{ "show br0", "{\"bridge\":\"br0\"}" },
		{ "bridge add br0", "{\"bridge\":\"br0\"}" },
		{ "bridge add br0 mac-age=60", "{\"bridge\":\"br0\",\"options\":{\"mac-age\":\"60\"}}" },
		{ "port add br0 vm1 type=vhost-user tag=10",
		  "{\"bridge\":\"br0\",\"options\":{\"tag\":\"10\",\"type\":\"vhost-user\"},\"port\":\"vm1\"}" },
		{ "port set vm1 tag= devargs=a=b", "{\"options\":{\"devargs\":\"a=b\",\"tag\":null},\"port\":\"vm1\"}" },
		{ "port del --generation 7 vm1", "{\"generation\":\"7\",\"port\":\"vm1\"}" },
		{ "vlan set vm1 trunk 10,20", "{\"mode\":\"trunk\",\"port\":\"vm1\",\"tag\":\"10,20\"}" },
		{ "mac flush br0 --port=vm1", "{\"bridge\":\"br0\",\"port\":\"vm1\"}" },
		{ "controller set br0 tcp:1.2.3.4 ssl:h:1 --fail-mode secure",
		  "{\"bridge\":\"br0\",\"fail-mode\":\"secure\",\"targets\":[\"tcp:1.2.3.4\",\"ssl:h:1\"]}" },
		{ "controller del br0", "{\"bridge\":\"br0\"}" },
		{ "controller show", "{}" },
		{ "flow table dump br0 3 tcp,nw_dst=1.2.3.4",
		  "{\"bridge\":\"br0\",\"match\":\"tcp,nw_dst=1.2.3.4\",\"table\":\"3\"}" },
		{ "flow add br0 --file f --bundle", "{\"bridge\":\"br0\",\"bundle\":true,\"file\":\"f\"}" },
		{ "flow del br0", "{\"bridge\":\"br0\"}" },
		{ "flow dump", "{}" },
		{ "trace br0 7 --pcap x.pcap --in-port vm1",
		  "{\"bridge\":\"br0\",\"flow\":\"7\",\"in-port\":\"vm1\",\"pcap\":\"x.pcap\"}" },
		{ "stats --watch", "{\"watch\":\"2\"}" },
		{ "stats --watch 5 drops", "{\"watch\":\"5\",\"what\":\"drops\"}" },
		{ "stats --watch drops", "{\"watch\":\"2\",\"what\":\"drops\"}" },
		{ "apply - --dry-run", "{\"dry-run\":true,\"file\":\"-\"}" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char *got = parse(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
		free(got);
	}
}

static void
bad_lines_are_refused_with_the_nearest_spelling(void **state)
{
	static const char *const cases[][2] = {
		{ "", "no command" },
		{ "shwo", "did you mean 'show'?" },
		{ "xyzzy", "one of: show, bridge, port" },
		{ "bridge", "bridge needs one of: add, del, set, list" },
		{ "bridge ad br0", "did you mean 'bridge add'?" },
		{ "bridge frobnicate", "one of: add" },
		{ "controller set br0", "TARGET is missing" },
		{ "flow", "flow needs one of: table, add, mod, del, dump, flush" },
		{ "flow table", "flow table needs one of: dump" },
		{ "flow table dmup br0", "did you mean 'flow table dump'?" },
		{ "controller", "controller needs one of: set, del, show" },
		{ "bridge add", "BRIDGE is missing" },
		{ "show br0 br1", "unexpected word 'br1'" },
		{ "port add br0 vm1", "type=... is missing" },
		{ "port add br0 vm1 type=", "option 'type' has no value" },
		{ "port add br0 vm1 type=patch tag 10", "'tag' is no option: options are written NAME=VALUE" },
		{ "port set vm1", "no option is given" },
		{ "port set vm1 tag=1 tag=2", "there twice" },
		{ "vlan set vm1 acess 10", "did you mean 'access'?" },
		{ "mac flush br0 --prot vm1", "did you mean '--port'?" },
		{ "mac flush br0 --port", "needs a value" },
		{ "mac flush br0 --vlan ten", "'ten' is not a number" },
		{ "mac flush br0 --port a --port b", "there twice" },
		{ "apply x --dry-run=yes", "takes no value" },
		{ "stats dorps", "did you mean 'drops'?" },
		{ "completion zsh", "unknown SHELL" },
		{ "port set vm1 \xff=1", "UTF-8" },
		{ "show \xff", "UTF-8" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char *got = parse(cases[i][0]);

		if (!strstr(got, cases[i][1]))
			fail_msg("'%s' is not in: %s", cases[i][1], got);
		free(got);
	}
}

static void
every_command_has_help_with_an_example_that_parses(void **state)
{
	(void)state;
	for (const struct cli_cmd *c = cli_cmds; c->name; c++) {
		struct out o = { .utf8 = true };
		char *text, *got, *example;
		size_t len;

		o.f = open_memstream(&text, &len);
		cli_help_command(&o, c);
		fclose(o.f);
		check_lines(c->name, text);
		assert_non_null(strstr(text, "example:"));
		free(text);
		/* "source <(weftctl ...)" and "weftctl export > file" are for a shell. */
		example = strstr(c->example, "weftctl ");
		assert_non_null(example);
		if (example != c->example || strchr(example, '>'))
			continue;
		got = parse(example + strlen("weftctl "));
		if (*got != '{')
			fail_msg("%s: %s", c->example, got);
		free(got);
	}
}

static void
the_list_of_commands_fits_the_screen(void **state)
{
	struct out o = { .utf8 = true };
	char *text;
	size_t len;

	(void)state;
	o.f = open_memstream(&text, &len);
	cli_help(&o);
	fclose(o.f);
	check_lines("--help", text);
	free(text);
}

static void
expect_completions(const char *line, const char *want)
{
	char *copy = xstrdup(line), *words[32], *save = NULL, *text;
	struct cli c = { .fd = -1, .socket = "/proc/nonexistent", .quiet = true };
	static char empty[] = "";
	int n = 0;
	size_t len;

	for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
		words[n++] = s;
	if (!*line || line[strlen(line) - 1] == ' ')
		words[n++] = empty;
	c.out.f = open_memstream(&text, &len);
	cli_complete(&c, n, words);
	fclose(c.out.f);
	if (!strstr(text, want) || (!*want && *text))
		fail_msg("'%s' is not among the completions of '%s':\n%s", want, line, text);
	free(text);
	free(copy);
}

static void
words_are_completed_from_the_tables(void **state)
{
	(void)state;
	expect_completions("", "bridge \nport \n");
	expect_completions("bri", "bridge \n");
	expect_completions("port ", "add \ndel \nset \nlist \n");
	expect_completions("port add br0 vm1 ", "type=\n");
	expect_completions("port add br0 vm1 type=vh", "type=vhost-user \n");
	expect_completions("port add br0 vm1 type=vhost-user m", "mode=\n");
	expect_completions("port add br0 vm1 type=vhost-user mode=s", "mode=server \n");
	expect_completions("port add br0 vm1 type=vhost-user protected=", "protected=true \nprotected=false \n");
	expect_completions("tunnel add br0 vx0 type=", "type=vxlan \n");
	expect_completions("tunnel add br0 vx0 type=vxlan rem", "remote=\n");
	expect_completions("bridge add br0 mac-", "mac-limit=\nmac-age=\n");
	expect_completions("vlan set vm1 nat", "native-tagged \nnative-untagged \n");
	expect_completions("flow dump --p", "--port \n");
	expect_completions("stats d", "drops \n");
	expect_completions("apply ", "@files\n");
	expect_completions("--run-dir /tmp/x port a", "add \n");
	expect_completions("xyzzy ", "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_look_as_they_should),
		cmocka_unit_test(counters_look_as_they_should),
		cmocka_unit_test(without_utf8_all_is_ascii),
		cmocka_unit_test(colours_change_nothing_but_colours),
		cmocka_unit_test(text_of_others_cannot_command_the_terminal),
		cmocka_unit_test(odd_answers_are_printed_somehow),
		cmocka_unit_test(numbers_are_short_and_right),
		cmocka_unit_test(good_lines_become_parameters),
		cmocka_unit_test(bad_lines_are_refused_with_the_nearest_spelling),
		cmocka_unit_test(every_command_has_help_with_an_example_that_parses),
		cmocka_unit_test(the_list_of_commands_fits_the_screen),
		cmocka_unit_test(words_are_completed_from_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
