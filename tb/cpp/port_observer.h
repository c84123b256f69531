// Who wants to hear of every AXI4 handshake of the NIC as it happens: the measurements do.
#pragma once
#include <cstdint>

namespace fdw {

enum class Channel : uint8_t { kAr, kR, kAw, kW, kB };

// One handshake. `address`, `bytes` (the whole burst's) only with kAr and kAw, `strobes` and `last` where
// the channel has them; W has no id (AXI4 A5.2).
struct Handshake {
    Channel channel;
    uint8_t id = 0;
    uint64_t address = 0;
    uint32_t bytes = 0;
    uint16_t strobes = 0;
    bool last = false;
};

class PortObserver {
public:
    virtual ~PortObserver() = default;
    virtual void handshake(const Handshake& what) = 0;
};

}  // namespace fdw
