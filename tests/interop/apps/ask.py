# SPDX-License-Identifier: Apache-2.0
"""An os-ken application that asks the switch everything it can and writes to ASK_OUT whether all answers decoded:
"all N", or what was missing or refused.  ASK_VERSION: 10, 13, 14 or 15."""
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3, ofproto_v1_4, ofproto_v1_5

VERSION = os.environ.get("ASK_VERSION", "13")
OFPROTO = {"10": ofproto_v1_0, "13": ofproto_v1_3, "14": ofproto_v1_4, "15": ofproto_v1_5}[VERSION]


class Ask(app_manager.OSKenApp):
    OFP_VERSIONS = [OFPROTO.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.answers = {}               # xid -> message

    def questions(self, dp):
        p, ofp = dp.ofproto_parser, dp.ofproto
        if VERSION == "10":
            m = p.OFPMatch()
            return [p.OFPDescStatsRequest(dp, 0), p.OFPFlowStatsRequest(dp, 0, m, 0xff, ofp.OFPP_NONE),
                    p.OFPAggregateStatsRequest(dp, 0, m, 0xff, ofp.OFPP_NONE), p.OFPTableStatsRequest(dp, 0),
                    p.OFPPortStatsRequest(dp, 0, ofp.OFPP_NONE),
                    p.OFPQueueStatsRequest(dp, 0, ofp.OFPP_ALL, ofp.OFPQ_ALL), p.OFPFeaturesRequest(dp),
                    p.OFPGetConfigRequest(dp), p.OFPBarrierRequest(dp)]
        ask = [p.OFPDescStatsRequest(dp, 0), p.OFPFlowStatsRequest(dp), p.OFPAggregateStatsRequest(
            dp, 0, ofp.OFPTT_ALL, ofp.OFPP_ANY, ofp.OFPG_ANY, 0, 0, p.OFPMatch()), p.OFPTableStatsRequest(dp, 0),
            p.OFPPortStatsRequest(dp, 0, ofp.OFPP_ANY), p.OFPQueueStatsRequest(dp, 0, ofp.OFPP_ANY, ofp.OFPQ_ALL),
            p.OFPGroupStatsRequest(dp, 0, ofp.OFPG_ALL), p.OFPGroupDescStatsRequest(dp, 0),
            p.OFPGroupFeaturesStatsRequest(dp, 0), p.OFPMeterStatsRequest(dp, 0, ofp.OFPM_ALL),
            p.OFPMeterFeaturesStatsRequest(dp, 0), p.OFPTableFeaturesStatsRequest(dp, 0), p.OFPPortDescStatsRequest(dp, 0),
            p.OFPFeaturesRequest(dp), p.OFPGetConfigRequest(dp), p.OFPGetAsyncRequest(dp), p.OFPBarrierRequest(dp),
            *([p.OFPRoleRequest(dp, ofp.OFPCR_ROLE_NOCHANGE, 0)] if VERSION != "15" else
              [p.OFPRoleRequest(dp, ofp.OFPCR_ROLE_NOCHANGE, 0, 0)])]
        if VERSION == "13":
            ask += [p.OFPMeterConfigStatsRequest(dp, 0, ofp.OFPM_ALL), p.OFPQueueGetConfigRequest(dp, ofp.OFPP_ANY)]
        else:
            ask += [p.OFPTableDescStatsRequest(dp, 0), p.OFPQueueDescStatsRequest(dp, 0, ofp.OFPP_ANY, ofp.OFPQ_ALL)]
        if VERSION == "15":
            ask[1] = p.OFPFlowDescStatsRequest(dp)
            ask += [p.OFPFlowStatsRequest(dp), p.OFPMeterDescStatsRequest(dp, 0, ofp.OFPM_ALL),
                    p.OFPBundleFeaturesStatsRequest(dp, 0)]
            # os-ken 2.5 reads 24 bytes of features where 1.5 has 16.
            ask = [q for q in ask if not isinstance(q, p.OFPMeterFeaturesStatsRequest)]
            if os.environ.get("WEFT_INTEROP_SWITCH") == "ovs":
                del ask[-3], ask[-1]    # It lacks flow statistics and bundle features.
        return ask

    def setup(self, dp):
        """Something to be asked about."""
        p, ofp = dp.ofproto_parser, dp.ofproto
        if VERSION == "10":
            dp.send_msg(p.OFPFlowMod(dp, p.OFPMatch(in_port=1, dl_type=0x800), 5, ofp.OFPFC_ADD, 100, 200, 9,
                                     actions=[p.OFPActionOutput(2), p.OFPActionSetDlDst(b"\2\0\0\0\0\5")]))
            return
        out = [p.OFPActionOutput(2)]
        if VERSION != "15":             # os-ken cannot make buckets of 1.5.
            dp.send_msg(p.OFPGroupMod(dp, ofp.OFPGC_ADD, ofp.OFPGT_ALL, 7, [p.OFPBucket(0, ofp.OFPP_ANY, ofp.OFPG_ANY, out)]))
        dp.send_msg(p.OFPMeterMod(dp, ofp.OFPMC_ADD, ofp.OFPMF_KBPS, 3, [p.OFPMeterBandDrop(1000, 100)]))
        apply = p.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, [p.OFPActionSetField(eth_dst="02:00:00:00:00:07"),
                                                                  out[0] if VERSION == "15" else p.OFPActionGroup(7)])
        first = [] if VERSION == "15" else [p.OFPInstructionMeter(3)]
        dp.send_msg(p.OFPFlowMod(dp, match=p.OFPMatch(in_port=1, eth_type=0x86dd, ipv6_dst=("fd00::", "ffff::")),
                                 instructions=first + [apply, p.OFPInstructionWriteMetadata(1, 1),
                                                       p.OFPInstructionGotoTable(9)]))

    @set_ev_cls(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def joined(self, ev):
        hub.spawn(self.ask, ev.datapath)

    def ask(self, dp):
        send, seen = dp.send_msg, self.answers
        ofproto_handler = dp.ofp_brick.send_event_to_observers

        def note(event, state=None):
            msg = getattr(event, "msg", None)
            if msg is not None and msg.xid is not None:
                seen.setdefault(msg.xid, []).append(type(msg).__name__)
            return ofproto_handler(event, state)
        dp.ofp_brick.send_event_to_observers = note
        self.setup(dp)
        asked = {}
        for q in self.questions(dp):
            send(q)
            asked[q.xid] = type(q).__name__
        for _ in range(100):
            if set(asked) <= set(seen):
                break
            hub.sleep(0.05)
        bad = [f"{name}: {seen.get(xid, 'no answer')}" for xid, name in asked.items()
               if not any("Reply" in a or a == "OFPSwitchFeatures" for a in seen.get(xid, []))]
        bad += [f"an error for {xid}" for xid, names in seen.items() if "OFPErrorMsg" in names]
        path = os.environ["ASK_OUT"]
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write("\n".join(bad) if bad else f"all {len(asked)}")
        os.rename(path + ".new", path)
