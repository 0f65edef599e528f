/* SPDX-License-Identifier: Apache-2.0 */
/* Why a packet was dropped.  Each reason is a counter per port, with a name and a sentence; a packet
 * causes no log line. */
#ifndef DATAPATH_DROP_H
#define DATAPATH_DROP_H

/* DROP(symbol, "name", "what it means and what to do") */
#define DP_DROP_REASONS(DROP) \
	DROP(NONE, "none", "not dropped") \
	DROP(RX_MALFORMED, "rx-malformed", "frame shorter than its Ethernet header, tags included") \
	DROP(RX_TOO_BIG, "rx-too-big", "frame longer than the port's buffers; turn GSO off at the sender") \
	DROP(RX_BAD_CHAIN, "rx-bad-chain", "the guest's descriptors make no sense: a loop, no memory of its own, no or too many bytes") \
	DROP(RX_BAD_OFFLOAD, "rx-bad-offload", "the guest's virtio header contradicts its frame") \
	DROP(RX_RATE, "rx-rate", "above the port's receive rate limit") \
	DROP(SPOOF_MAC, "spoof-mac", "source address is not among the port's allowed MACs") \
	DROP(SPOOF_IP, "spoof-ip", "source address is not among the port's allowed IPs") \
	DROP(SPOOF_ARP, "spoof-arp", "ARP or neighbour discovery for an address that is not the port's") \
	DROP(NO_BRIDGE, "no-bridge", "the port belongs to no bridge") \
	DROP(VLAN, "vlan", "tag not allowed by the port's VLAN mode") \
	DROP(RESERVED, "reserved-mac", "link-local multicast 01:80:c2:00:00:0x is not forwarded") \
	DROP(SRC_MULTICAST, "src-multicast", "source address is a group address or zero") \
	DROP(SRC_STATIC, "src-static", "source address is a static entry of another port") \
	DROP(SAME_PORT, "same-port", "destination is on the port the frame came from") \
	DROP(SPLIT_HORIZON, "split-horizon", "came out of a tunnel, and would have to go into another one") \
	DROP(PROTECTED, "protected", "from a protected port to a protected port") \
	DROP(MAC_LIMIT, "mac-limit", "new source address above the port's MAC limit") \
	DROP(NO_DEST, "no-dest", "no port is left to send it to") \
	DROP(UPCALL_BUDGET, "upcall-budget", "the port sent new flows faster than its budget") \
	DROP(UPCALL_FULL, "upcall-full", "no room for a new cached flow") \
	DROP(PATCH_LOOP, "patch-loop", "patch ports form a loop") \
	DROP(NO_MEMORY, "no-memory", "out of packet buffers") \
	DROP(TX_QUEUE_FULL, "tx-queue-full", "the receiver does not keep up") \
	DROP(TX_DOWN, "tx-down", "the output port is down") \
	DROP(TX_TOO_BIG, "tx-too-big", "frame longer than the output port's MTU") \
	DROP(TX_ERROR, "tx-error", "the kernel or driver refused the frame") \
	DROP(TX_RATE, "tx-rate", "above the port's transmit rate limit") \
	DROP(TX_SEGMENT, "tx-segment", "a long frame that the port cannot take, and that cannot be cut") \
	DROP(TUN_OUTER_SHORT, "tun-outer-short", "truncated outer headers or lengths that disagree") \
	DROP(TUN_OUTER_FRAGMENT, "tun-outer-fragment", "outer packet is an IP fragment") \
	DROP(TUN_OUTER_CSUM, "tun-outer-csum", "outer checksum is wrong") \
	DROP(TUN_OUTER_SOURCE, "tun-outer-source", "outer source is no unicast address, or our own") \
	DROP(TUN_OUTER_OPTIONS, "tun-outer-options", "outer IPv6 extension headers") \
	DROP(TUN_HEADER, "tun-header", "the tunnel's own header is malformed") \
	DROP(TUN_PAYLOAD, "tun-payload", "the tunnel carries something else than an Ethernet frame") \
	DROP(TUN_INCOMPLETE, "tun-incomplete", "pieces of an STT frame or a fragmented packet are missing, or there were too many at a time") \
	DROP(TUN_OVERLAP, "tun-overlap", "a piece of an STT frame or a fragmented packet came twice, contradicts others, or is too small") \
	DROP(TUN_CONTROL, "tun-control", "a message for the tunnel's endpoint, of a protocol that is not spoken here") \
	DROP(TUN_CONTROL_RATE, "tun-control-rate", "BFD packets faster than any session asks for them") \
	DROP(TUN_OPTION, "tun-option", "a critical option that is not known here") \
	DROP(TUN_UNKNOWN_KEY, "tun-unknown-key", "no tunnel has this VNI, VSID or key") \
	DROP(TUN_UNKNOWN_REMOTE, "tun-unknown-remote", "the VNI, VSID or key is known, but not from this remote") \
	DROP(TUN_NEW_REMOTE, "tun-new-remote", "from a remote not heard of before, faster than those are learned, or above max-remotes") \
	DROP(TUN_INNER_VLAN, "tun-inner-vlan", "tagged frame inside a tunnel that carries none") \
	DROP(TUN_INNER_SHORT, "tun-inner-short", "no whole Ethernet header inside the tunnel") \
	DROP(TUN_ECN, "tun-ecn", "congestion marked outside, not ECN-capable inside (RFC 6040)") \
	DROP(TUN_TOO_BIG, "tun-too-big", "does not fit the underlay MTU once encapsulated") \
	DROP(TUN_NO_ROUTE, "tun-no-route", "no route, or the interface of the route is unusable") \
	DROP(TUN_NEIGH_WAIT, "tun-neigh-wait", "next hop not resolved, and enough packets wait for it") \
	DROP(TUN_NEIGH_FAILED, "tun-neigh-failed", "the next hop did not answer in time") \
	DROP(TUN_NO_HEADROOM, "tun-no-headroom", "no room in front of the packet for outer headers") \
	DROP(RECURSION, "recursion", "too many translation steps for one packet") \
	DROP(OF_RULE, "of-rule", "an OpenFlow rule says so: it has no output") \
	DROP(OF_MISS, "of-miss", "no OpenFlow rule matched, and the bridge drops what misses") \
	DROP(OF_SECURE, "of-secure", "fail-mode is secure and no controller has given rules yet") \
	DROP(OF_PORT, "of-port", "OpenFlow port settings (no-recv, no-fwd, down) forbid it") \
	DROP(OF_TTL, "of-ttl", "the TTL ran out") \
	DROP(OF_GROUP, "of-group", "no live bucket, or the group is gone") \
	DROP(OF_FRAG, "of-frag", "IP fragment, and the bridge is set to drop those") \
	DROP(OF_ACTION, "of-action", "an OpenFlow action does not fit the packet") \
	DROP(METER, "meter", "above the rate of an OpenFlow meter") \
	DROP(PUNT_FULL, "punt-full", "for the controller, faster than the control thread takes packets")

enum dp_drop {
#define DROP(sym, name, text) DROP_##sym,
	DP_DROP_REASONS(DROP)
#undef DROP
	DP_N_DROPS
};

struct dp_drop_info {
	const char *name, *text;
};
extern const struct dp_drop_info dp_drop_info[DP_N_DROPS];

#endif
