# SPDX-License-Identifier: Apache-2.0
"""A learning switch for os-ken, the way its users write it: one class per version of the protocol, rules from the second
packet of a pair on, buffers where the switch gives them.  LEARNING_VERSION says which (10, 13 or 14)."""
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ether_types, ethernet, packet
from os_ken.ofproto import ofproto_v1_0, ofproto_v1_3, ofproto_v1_4

VERSION = os.environ.get("LEARNING_VERSION", "13")


class Learning10(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_0.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.where = {}

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        p, ofp = dp.ofproto_parser, dp.ofproto
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        if eth.ethertype == ether_types.ETH_TYPE_LLDP:
            return
        table = self.where.setdefault(dp.id, {})
        table[eth.src] = msg.in_port
        out = table.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [p.OFPActionOutput(out)]
        if out != ofp.OFPP_FLOOD:
            match = p.OFPMatch(in_port=msg.in_port, dl_dst=eth.dst, dl_src=eth.src)
            dp.send_msg(p.OFPFlowMod(datapath=dp, match=match, cookie=0, command=ofp.OFPFC_ADD, idle_timeout=0,
                                     hard_timeout=0, priority=ofp.OFP_DEFAULT_PRIORITY, flags=ofp.OFPFF_SEND_FLOW_REM,
                                     actions=actions))
        data = msg.data if msg.buffer_id == ofp.OFP_NO_BUFFER else None
        dp.send_msg(p.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, in_port=msg.in_port, actions=actions, data=data))

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, ev):
        self.logger.info("port %s: reason %s", ev.msg.desc.port_no, ev.msg.reason)


class Learning13(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.where = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def features(self, ev):
        dp = ev.msg.datapath
        p, ofp = dp.ofproto_parser, dp.ofproto
        self.add(dp, 0, p.OFPMatch(), [p.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)])

    @staticmethod
    def add(dp, priority, match, actions, buffer_id=None):
        p, ofp = dp.ofproto_parser, dp.ofproto
        inst = [p.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, actions)]
        more = {} if buffer_id is None else {"buffer_id": buffer_id}
        dp.send_msg(p.OFPFlowMod(datapath=dp, priority=priority, match=match, instructions=inst, **more))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        p, ofp = dp.ofproto_parser, dp.ofproto
        assert len(msg.data) == msg.total_len, "the frame is cut"
        in_port = msg.match["in_port"]
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        if eth.ethertype == ether_types.ETH_TYPE_LLDP:
            return
        table = self.where.setdefault(dp.id, {})
        table[eth.src] = in_port
        out = table.get(eth.dst, ofp.OFPP_FLOOD)
        actions = [p.OFPActionOutput(out)]
        if out != ofp.OFPP_FLOOD:
            match = p.OFPMatch(in_port=in_port, eth_dst=eth.dst, eth_src=eth.src)
            if msg.buffer_id != ofp.OFP_NO_BUFFER:
                self.add(dp, 1, match, actions, msg.buffer_id)
                return
            self.add(dp, 1, match, actions)
        data = msg.data if msg.buffer_id == ofp.OFP_NO_BUFFER else None
        dp.send_msg(p.OFPPacketOut(datapath=dp, buffer_id=msg.buffer_id, in_port=in_port, actions=actions, data=data))


class Learning14(Learning13):
    OFP_VERSIONS = [ofproto_v1_4.OFP_VERSION]


for _name in ("10", "13", "14"):
    if _name != VERSION:
        del globals()[f"Learning{_name}"]
