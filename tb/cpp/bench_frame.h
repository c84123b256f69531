// The frame that the measurements send and offer: Ethernet, IPv4, TCP, all checksums right (RFC 791, 9293).
#pragma once
#include <cstdint>
#include <cstring>
#include <vector>

namespace fdw {

constexpr uint32_t kEthernet = 14, kIpv4 = 20, kTcp = 20, kTcpChecksum = 16, kFcsBytes = 4;

inline void put16(uint8_t* to, uint32_t value) {
    to[0] = static_cast<uint8_t>(value >> 8);
    to[1] = static_cast<uint8_t>(value);
}

// The Internet checksum's sum (RFC 1071), folded and not complemented.
inline uint16_t sum16(const uint8_t* bytes, size_t length, uint32_t sum = 0) {
    for (size_t i = 0; i < length; ++i) sum += static_cast<uint32_t>(bytes[i]) << (i % 2 ? 0 : 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

inline uint16_t pseudo_header(const uint8_t* frame, uint32_t tcp_bytes) {
    return sum16(frame + kEthernet + 12, 8, 6 + tcp_bytes);
}

// `length` bytes without FCS, at least 54. `offload`: the TCP checksum field holds the pseudo-header's sum,
// as a driver leaves it for NEEDS_CSUM (virtio 1.2 §5.1.6.2), instead of the checksum.
inline std::vector<uint8_t> build_frame(uint32_t length, bool offload) {
    static const uint8_t start[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
    std::vector<uint8_t> frame(length);
    for (uint32_t i = 0; i < length; ++i) frame[i] = static_cast<uint8_t>(i * 7);
    uint8_t* ip = frame.data() + kEthernet;
    uint8_t* tcp = ip + kIpv4;
    const uint32_t tcp_bytes = length - kEthernet - kIpv4;
    std::memcpy(frame.data(), start, sizeof start);
    std::memset(ip, 0, kIpv4 + kTcp);
    ip[0] = 0x45;
    put16(ip + 2, length - kEthernet);
    ip[8] = 64;
    ip[9] = 6;
    for (uint32_t i = 0; i < 8; ++i) ip[12 + i] = static_cast<uint8_t>(i < 4 ? 10 + i : 20 + i);
    put16(ip + 10, ~sum16(ip, kIpv4));
    put16(tcp, 1024);
    put16(tcp + 2, 80);
    tcp[12] = 0x50;
    tcp[13] = 0x10;
    put16(tcp + kTcpChecksum, pseudo_header(frame.data(), tcp_bytes));
    if (!offload) put16(tcp + kTcpChecksum, ~sum16(tcp, tcp_bytes));
    return frame;
}

// CRC-32 (IEEE 802.3 §3.2.9), appended least significant byte first.
inline std::vector<uint8_t> with_fcs(std::vector<uint8_t> frame) {
    uint32_t crc = 0xffffffffu;
    for (const uint8_t byte : frame) {
        crc ^= byte;
        for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; ++i) frame.push_back(static_cast<uint8_t>(~crc >> (8 * i)));
    return frame;
}

}  // namespace fdw
