/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what only the daemon knows of itself, for the reference pages: methods and drop reasons, as JSON. */
#include <stdio.h>

#include "ctl/cmd.h"
#include "datapath/drop.h"

static const char *const kinds[] = {
	[CTL_STR] = "text", [CTL_TEXTS] = "list of texts", [CTL_U32] = "number", [CTL_U64] = "number", [CTL_BOOL] = "boolean", [CTL_MAC] = "address",
	[CTL_OPTIONS] = "object of options", [CTL_DOCUMENT] = "configuration",
};

static json_t *
method_json(const struct ctl_method *m)
{
	json_t *obj = json_object(), *params = json_array();

	ctl_set_str(obj, "name", m->name);
	ctl_set_str(obj, "help", m->help);
	ctl_set_str(obj, "example", m->example);
	for (const struct ctl_param *p = m->params; p->name; p++) {
		json_t *row = json_object();

		ctl_set_str(row, "name", p->name);
		ctl_set_str(row, "kind", kinds[p->kind]);
		ctl_set_str(row, "help", p->help);
		json_object_set_new(row, "required", json_boolean(p->required));
		json_array_append_new(params, row);
	}
	json_object_set_new(obj, "params", params);
	return obj;
}

int
main(void)
{
	json_t *all = json_object(), *methods = json_array(), *drops = json_array();
	const struct ctl_method *m;

	for (unsigned i = 0; (m = ctl_method_at(i)); i++)
		json_array_append_new(methods, method_json(m));
	for (unsigned i = DROP_NONE + 1; i < DP_N_DROPS; i++) {
		json_t *row = json_object();

		ctl_set_str(row, "name", dp_drop_info[i].name);
		ctl_set_str(row, "text", dp_drop_info[i].text);
		json_array_append_new(drops, row);
	}
	json_object_set_new(all, "methods", methods);
	json_object_set_new(all, "drops", drops);
	json_dumpf(all, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(all);
	return 0;
}
