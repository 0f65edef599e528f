/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can see and steer of the fake OpenFlow agent. */
#ifndef TESTS_CTL_FAKE_AGENT_H
#define TESTS_CTL_FAKE_AGENT_H

#include "ofproto/agent.h"

struct of_agent {
	struct of_agent_ops ops;
	struct fake_agent_bridge {
		bool set;
		unsigned n_sets;
		char name[32];
		unsigned n_controllers;
		char controllers[OF_MAX_CONTROLLERS][OF_TARGET_MAX + 1];
		struct of_agent_conf conf;      /* Its pointers: NULL or not is all that may be asked. */
	} bridge[OFP_MAX_BRIDGES];
	char log[4000];                 /* "add 3;del 3;mod 4;" : of_agent_port_changed(). */
	unsigned n_punts;
	unsigned n_taps;                /* Open ones. */
};

extern struct of_agent *fake_agent;     /* The last one created and not destroyed. */

/* Hands a message to every open tap. */
void fake_agent_say(const struct of_msg *);

#endif
