"""The C constants that scripts may name: Linux's numbers, on every machine."""

import errno
from typing import Final

from pymodel.socket import bsdoptions
from pymodel.socket import constants as kernel

_MORE: Final = {
    "NULL": 0, "PF_INET": 2, "PF_INET6": 10, "PF_UNSPEC": 0,
    # socket(7)
    "SO_DEBUG": 1, "SO_OOBINLINE": 10, "SO_NO_CHECK": 11, "SO_PASSCRED": 16, "SO_SNDLOWAT": 19,
    "SO_BINDTODEVICE": 25, "SO_TIMESTAMP": 29, "SO_ACCEPTCONN": 30, "SO_SNDBUFFORCE": 32,
    "SO_RCVBUFFORCE": 33,
    "SO_TIMESTAMPNS": 35, "SO_MARK": 36, "SO_TIMESTAMPING": 37, "SO_RXQ_OVFL": 40, "SO_PEEK_OFF": 42,
    "SO_BUSY_POLL": 46, "SO_MAX_PACING_RATE": 47, "SO_MEMINFO": 55, "SO_INCOMING_NAPI_ID": 56,
    "SO_ZEROCOPY": 60, "SO_TXTIME": 61, "SCM_TIMESTAMPING": 37, "SCM_TIMESTAMPNS": 35, "SCM_TIMESTAMP": 29,
    # tcp(7)
    "SOL_TCP": 6, "SOL_UDP": 17, "SOL_IP": 0, "SOL_IPV6": 41,
    "TCP_MAXSEG": 2, "TCP_CORK": 3, "TCP_NOPUSH": 3, "TCP_SYNCNT": 7, "TCP_LINGER2": 8,
    "TCP_DEFER_ACCEPT": 9,
    "TCP_WINDOW_CLAMP": 10, "TCP_INFO": 11, "TCP_QUICKACK": 12, "TCP_CONGESTION": 13, "TCP_MD5SIG": 14,
    "TCP_THIN_LINEAR_TIMEOUTS": 16, "TCP_THIN_DUPACK": 17, "TCP_USER_TIMEOUT": 18, "TCP_REPAIR": 19,
    "TCP_FASTOPEN": 23, "TCP_TIMESTAMP": 24, "TCP_NOTSENT_LOWAT": 25, "TCP_CC_INFO": 26, "TCP_SAVE_SYN": 27,
    "TCP_SAVED_SYN": 28, "TCP_FASTOPEN_CONNECT": 30, "TCP_ULP": 31, "TCP_FASTOPEN_KEY": 33,
    "TCP_FASTOPEN_NO_COOKIE": 34, "TCP_ZEROCOPY_RECEIVE": 35, "TCP_INQ": 36, "TCP_CM_INQ": 36,
    "TCP_TX_DELAY": 37,
    "TCP_RTO_MAX_MS": 44, "TCP_RTO_MIN_US": 45, "TCP_DELACK_MAX_US": 46,
    "IPPROTO_SCTP": 132, "IPPROTO_UDPLITE": 136,
    "TCP_KEEPINIT": bsdoptions.TCP_KEEPINIT, "TCP_NOOPT": bsdoptions.TCP_NOOPT,
    "TCP_FUNCTION_BLK": bsdoptions.TCP_FUNCTION_BLK,
    # ip(7)
    "IP_TOS": 1, "IP_TTL": 2, "IP_HDRINCL": 3, "IP_OPTIONS": 4, "IP_RECVOPTS": 6, "IP_PKTINFO": 8,
    "IP_MTU_DISCOVER": 10, "IP_RECVERR": 11, "IP_RECVTTL": 12, "IP_RECVTOS": 13, "IP_MTU": 14,
    "IP_FREEBIND": 15,
    "IP_BIND_ADDRESS_NO_PORT": 24, "IP_LOCAL_PORT_RANGE": 51,
    "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2, "IP_PMTUDISC_PROBE": 3,
    # send(2), recv(2)
    "MSG_PROBE": 0x10, "MSG_SYN": 0x400, "MSG_RST": 0x1000, "MSG_CONFIRM": 0x800, "MSG_FIN": 0x200,
    "MSG_WAITFORONE": 0x10000, "MSG_ZEROCOPY": 0x4000000, "MSG_FASTOPEN": 0x20000000,
    "MSG_CMSG_CLOEXEC": 0x40000000,
    # shutdown(2) as FreeBSD names it, poll(2), epoll(7)
    "POLLRDHUP": 0x2000,
    "EPOLL_CLOEXEC": 0o2000000, "EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3,
    "EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 16, "EPOLLRDNORM": 0x40,
    "EPOLLRDBAND": 0x80, "EPOLLWRNORM": 0x100, "EPOLLWRBAND": 0x200, "EPOLLMSG": 0x400,
    "EPOLLRDHUP": 0x2000,
    "EPOLLEXCLUSIVE": 1 << 28, "EPOLLWAKEUP": 1 << 29, "EPOLLONESHOT": 1 << 30, "EPOLLET": 1 << 31,
    # open(2), fcntl(2), splice(2), ioctl(2)
    "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_CREAT": 0o100, "O_EXCL": 0o200, "O_TRUNC": 0o1000,
    "O_APPEND": 0o2000, "O_NONBLOCK": 0o4000, "O_NDELAY": 0o4000, "O_ASYNC": 0o20000,
    "O_CLOEXEC": 0o2000000,
    "S_IRUSR": 0o400, "S_IWUSR": 0o200,
    "F_SETPIPE_SZ": 1031, "F_GETPIPE_SZ": 1032,
    "SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4, "SPLICE_F_GIFT": 8,
    "SIOCINQ": 0x541B, "SIOCOUTQ": 0x5411, "SIOCOUTQNSD": 0x894B, "TIOCINQ": 0x541B, "TIOCOUTQ": 0x5411,
    "FIONREAD": 0x541B, "FIONWRITE": 0x5411, "SIOCATMARK": 0x8905,
    # linux/errqueue.h, linux/net_tstamp.h
    "SO_EE_ORIGIN_NONE": 0, "SO_EE_ORIGIN_LOCAL": 1, "SO_EE_ORIGIN_ICMP": 2, "SO_EE_ORIGIN_TIMESTAMPING": 4,
    "SO_EE_ORIGIN_ZEROCOPY": 5, "SO_EE_CODE_ZEROCOPY_COPIED": 1, "SCM_TSTAMP_SND": 0, "SCM_TSTAMP_SCHED": 1,
    "SCM_TSTAMP_ACK": 2, "SOF_TIMESTAMPING_TX_HARDWARE": 1, "SOF_TIMESTAMPING_TX_SOFTWARE": 2,
    "SOF_TIMESTAMPING_RX_HARDWARE": 4, "SOF_TIMESTAMPING_RX_SOFTWARE": 8, "SOF_TIMESTAMPING_SOFTWARE": 16,
    "SOF_TIMESTAMPING_OPT_ID": 128, "SOF_TIMESTAMPING_TX_SCHED": 256, "SOF_TIMESTAMPING_TX_ACK": 512,
    "SOF_TIMESTAMPING_OPT_TSONLY": 2048,
    # TCP_INFO: states (tcp_states.h), what the sender thinks of the path, options
    "TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5,
    "TCP_TIME_WAIT": 6, "TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8, "TCP_LAST_ACK": 9, "TCP_LISTEN": 10,
    "TCP_CLOSING": 11,
    "TCP_CA_Open": 0, "TCP_CA_Disorder": 1, "TCP_CA_CWR": 2, "TCP_CA_Recovery": 3, "TCP_CA_Loss": 4,
    "TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
    # FreeBSD's names for the states, with the numbers that TCP_INFO gives here
    "TCPS_CLOSED": 7, "TCPS_LISTEN": 10, "TCPS_SYN_SENT": 2, "TCPS_SYN_RECEIVED": 3, "TCPS_ESTABLISHED": 1,
    "TCPS_CLOSE_WAIT": 8, "TCPS_FIN_WAIT_1": 4, "TCPS_CLOSING": 11, "TCPS_LAST_ACK": 9, "TCPS_FIN_WAIT_2": 5,
    "TCPS_TIME_WAIT": 6,
    # meminfo of SO_MEMINFO
    "SK_MEMINFO_RMEM_ALLOC": 0, "SK_MEMINFO_RCVBUF": 1, "SK_MEMINFO_WMEM_ALLOC": 2, "SK_MEMINFO_SNDBUF": 3,
    "SK_MEMINFO_FWD_ALLOC": 4, "SK_MEMINFO_WMEM_QUEUED": 5, "SK_MEMINFO_OPTMEM": 6, "SK_MEMINFO_BACKLOG": 7,
    "SK_MEMINFO_DROPS": 8,
}  # fmt: skip

CONSTANTS: Final[dict[str, int]] = {
    **_MORE,
    **{name: value for name, value in vars(kernel).items() if name.isupper() and isinstance(value, int)},
    **{name: number for name, number in vars(errno).items() if isinstance(number, int)},
}

SIZES: Final[dict[str, int]] = {
    "char": 1, "short": 2, "int": 4, "unsigned int": 4, "long": 8, "size_t": 8, "void*": 8,
    "uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8,
    "struct linger": 8, "struct timeval": 16, "struct timespec": 16, "struct sockaddr": 16,
    "struct sockaddr_in": 16, "struct sockaddr_in6": 28, "struct sockaddr_storage": 128,
    "struct tcp_info": 248, "struct iovec": 16, "struct msghdr": 56, "struct pollfd": 8,
    "struct epoll_event": 12,
}  # fmt: skip


def errno_name(number: int) -> str:
    """EAGAIN for 11."""
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, str(number))
