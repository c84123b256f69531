"""ACKs to segments that cannot be accepted, and their limits (RFC 5961 §7)."""

from typing import TYPE_CHECKING

from pymodel.tcp import accecn, transmit

if TYPE_CHECKING:
    from pymodel.tcp.tcb import Tcb


def rate_limited(tcb: "Tcb", now: int) -> bool:
    """Two stacks that disagree must not answer each other's ACKs for ever: one per interval."""
    if now - tcb.last_challenge < tcb.profile.challenge_ack_interval:
        tcb.layer.stats["acks_suppressed"] += 1
        return True
    tcb.last_challenge = now
    return False


def send(tcb: "Tcb", now: int, of_syn: bool = False) -> None:
    """A challenge ACK (RFC 5961 §3.2, §4.2), limited per connection and over the stack (§7).

    `of_syn`: the answer to a SYN,ACK that came again, perhaps, whose ECN codepoint it tells once more.
    """
    if tcb.profile.challenge_acks:
        if now > tcb.challenge_until:
            tcb.challenges = 0
            tcb.challenge_until = now + tcb.profile.challenge_window
        if tcb.challenges >= tcb.profile.challenge_acks:
            tcb.layer.stats["acks_suppressed"] += 1
            return
        tcb.challenges += 1
    elif rate_limited(tcb, now) or not tcb.layer.challenge_allowed(now):
        return
    tcb.layer.stats["challenge_acks"] += 1
    if of_syn:
        accecn.answer_syn_ack(tcb)
    transmit.ack(tcb, now)
