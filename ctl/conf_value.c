/* SPDX-License-Identifier: Apache-2.0 */
/* Option values between their two spellings: the text of an option table, the JSON of a document. */
#include "ctl/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
scalar_text(const json_t *v, char *buf, size_t len)
{
	int n;

	switch (json_typeof(v)) {
	case JSON_STRING: n = snprintf(buf, len, "%s", json_string_value(v)); break;
	case JSON_INTEGER: n = snprintf(buf, len, "%lld", (long long)json_integer_value(v)); break;
	case JSON_TRUE: n = snprintf(buf, len, "true"); break;
	case JSON_FALSE: n = snprintf(buf, len, "false"); break;
	default: return -EINVAL;
	}
	return n < 0 || (size_t)n >= len ? -EINVAL : n;
}

int
conf_value_to_text(const json_t *v, char *buf, size_t len)
{
	size_t used = 0;

	if (!json_is_array(v)) {
		int n = scalar_text(v, buf, len);

		return MIN_OF(n, 0);
	}
	*buf = '\0';
	for (size_t i = 0; i < json_array_size(v); i++) {
		int n;

		if (i && used + 1 < len)
			buf[used++] = ',';
		n = scalar_text(json_array_get(v, i), buf + used, len - used);
		if (n < 0)
			return n;
		used += n;
	}
	return 0;
}

/* "10,20-29": numbers where they are numbers, text where they are ranges or addresses. */
static json_t *
list_of(char *text, bool numbers)
{
	json_t *list = json_array();
	char *save = NULL;

	for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		bool number = numbers && s[strspn(s, "0123456789")] == '\0';

		json_array_append_new(list, number ? json_integer(atoll(s)) : json_string(s));
	}
	return list;
}

json_t *
conf_value_of(const struct opt_desc *d, const void *conf)
{
	char text[CONF_TEXT_MAX];

	if (!opt_get(d, conf, text, sizeof text))
		return NULL;
	switch (d->kind) {
	case OPT_BOOL:
		return json_boolean(!strcmp(text, "true"));
	case OPT_U16:
	case OPT_U32:
	case OPT_U32_WORD:
	case OPT_RATE:
		/* A word that stands for a number stays a word. */
		if (text[strspn(text, "0123456789")])
			return json_string(text);
		return json_integer(atoll(text));
	case OPT_IP_LIST:
	case OPT_VLAN_SET:
		return list_of(text, true);
	case OPT_MAC_LIST:
	case OPT_PREFIX_LIST:
	case OPT_STR_LIST:
	case OPT_MAP:
	case OPT_IP_KEY_LIST:
		return list_of(text, false);
	default:
		return json_string(text);
	}
}
