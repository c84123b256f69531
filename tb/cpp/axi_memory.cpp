#include "axi_memory.h"

#include <algorithm>

namespace fdw {

namespace {
constexpr uint32_t kBeat = 16;
constexpr uint8_t kOkay = 0, kSlvErr = 2, kDecErr = 3;
constexpr size_t kMaxBursts = 64;
constexpr uint32_t kHold = 200;  // cycles that a burst waits to be overtaken
constexpr uint32_t kPageShift = 12;
constexpr uint8_t kFrames = 0;               // AXI id of the frames' data
constexpr uint8_t kUsedRx = 3, kUsedTx = 4;  // AXI ids of the used entries' writers (rtl/fdw_nic.v)
}  // namespace

void AxiMemory::attach(uint8_t* bytes, uint64_t base, uint64_t size) {
    bytes_ = bytes;
    base_ = base;
    size_ = size;
    regions_.clear();
}

void AxiMemory::attach(std::vector<Region> regions) {
    attach(nullptr, 0, 0);
    regions_ = std::move(regions);
}

void AxiMemory::configure(const MemoryConfig& config) {
    config_ = config;
    random_.seed(config.seed);
    read_bucket_ = write_bucket_ = {};
    most_reads = most_writes = 0;
}

void AxiMemory::reset() {
    reads_.clear();
    writes_.clear();
    beats_.clear();
    responses_.clear();
    r_valid_ = b_valid_ = r_new_ = false;
    ar_ready_ = aw_ready_ = w_ready_ = false;
    r_open_ = SIZE_MAX;
    failures_.clear();
}

void AxiMemory::fail_nth(bool write, uint32_t nth, uint8_t response) {
    failures_.push_back({write, (write ? writes : reads) + nth, response});
}

uint8_t* AxiMemory::at(uint64_t address) {
    const uint64_t offset = address - base_;
    return offset + kBeat <= size_ && offset < size_ ? bytes_ + offset : elsewhere(address);
}

// Not where the last one was: few regions, and a change of region is rare.
uint8_t* AxiMemory::elsewhere(uint64_t address) {
    for (const Region& region : regions_) {
        const uint64_t offset = address - region.base;
        if (offset >= region.size) continue;
        bytes_ = region.bytes;
        base_ = region.base;
        size_ = region.size;
        return bytes_ + offset;
    }
    return nullptr;
}

bool AxiMemory::legal(uint64_t address, uint8_t len, uint8_t size, uint8_t burst) {
    const uint64_t first = address & ~uint64_t{kBeat - 1};
    const uint64_t end = first + (uint64_t{len} + 1) * kBeat;
    // A narrow transfer is fine for one beat: the NIC reads and writes the 4-byte event structures so.
    const bool ok = burst == 1 && (size == 4 || (size < 4 && len == 0)) && (first >> 12) == ((end - 1) >> 12);
    violations += !ok;
    return ok;
}

uint8_t AxiMemory::response_for(uint8_t id, uint64_t address, uint32_t beats, bool write) {
    const uint64_t number = write ? writes : reads;
    for (auto failure = failures_.begin(); failure != failures_.end(); ++failure) {
        if (failure->write == write && failure->at == number) {
            const uint8_t response = failure->response;
            failures_.erase(failure);
            return response;
        }
    }
    const uint64_t first = address & ~uint64_t{kBeat - 1}, end = first + uint64_t{beats} * kBeat;
    if (!at(first) || !at(end - kBeat)) return kDecErr;
    // A burst stays in its page (A3.4.1).
    if (pages_ && !pages_[2 * ((first - base_) >> kPageShift) + write]) {
        log_.note(Event::kIommuFault, write, id, address);
        script_.step(Step::kFail, uint64_t{write} << 32, kSlvErr);  // for a replay, which has no IOMMU: the next one
        return kSlvErr;
    }
    return kOkay;
}

bool AxiMemory::stalled(Stall channel) {
    const uint32_t percent = config_.stall[channel];
    return percent && random_() % 100 < percent;
}

uint32_t AxiMemory::delay(uint32_t base) { return base + (config_.jitter ? random_() % (config_.jitter + 1) : 0); }

uint64_t AxiMemory::hold() { return config_.reorder && random_() % 100 < config_.reorder ? kNotYet : 0; }

// Which of `bursts` is answered next: of each id the oldest may be, if it is ready; among those the oldest that is
// not held back. SIZE_MAX: none.
size_t AxiMemory::choose(std::deque<Burst>& bursts) {
    uint32_t seen = 0;
    for (size_t i = 0; i < bursts.size(); ++i) {
        Burst& burst = bursts[i];
        const uint32_t bit = uint32_t{1} << (burst.id & 31);
        if (!(seen & bit) && burst.ready <= cycles) {
            if (burst.held == kNotYet) burst.held = cycles + kHold;
            if (burst.held <= cycles) {
                overtakes += i != 0;
                for (size_t older = 0; older < i; ++older) bursts[older].held = 0;
                return i;
            }
        }
        seen |= bit;
    }
    return SIZE_MAX;
}

void AxiMemory::read_request(uint8_t id, uint64_t address, uint8_t len, uint8_t size, uint8_t burst) {
    legal(address, len, size, burst);
    const uint32_t beats = uint32_t{len} + 1;
    const uint64_t ready = cycles + delay(config_.read_latency);
    Burst b{address & ~uint64_t{kBeat - 1}, ready, beats, 0, 0, id, response_for(id, address, beats, false), hold(), {}, {}, false};
    if (log_transfers_) {
        // The NIC may act on each beat before the burst's last one has come. Descriptors are logged beat by
        // beat; frames burst by burst, or in parts where it shows that the NIC acts on some (log_begun).
        const uint32_t records = id == kFrames ? 1 : beats;
        for (uint32_t i = 0; i < records; ++i) log_.add(Event::kRequest, 0, id, b.address + uint64_t{i} * kBeat, 0);
        b.data.resize(beats * kBeat);
    }
    reads_.push_back(std::move(b));
    most_reads = std::max(most_reads, static_cast<uint32_t>(reads_.size()));
    ++reads;
}

void AxiMemory::write_request(uint8_t id, uint64_t address, uint8_t len, uint8_t size, uint8_t burst) {
    legal(address, len, size, burst);
    const uint32_t beats = uint32_t{len} + 1;
    Burst b{address & ~uint64_t{kBeat - 1}, 0, beats, 0, 0, id, response_for(id, address, beats, true), hold(), {}, {}, false};
    b.data.resize(beats * kBeat);
    b.strobes.resize(beats * 2);
    if (log_transfers_) log_.add(Event::kRequest, 1, id, b.address, 0);
    writes_.push_back(std::move(b));
    most_writes = std::max(most_writes, open_writes());
    ++writes;
    take_beats();
}

void AxiMemory::write_beat(const uint32_t* data, uint16_t strobes, bool last) {
    ++write_beats;
    write_bucket_.take(config_.write_rate);
    WriteBeat beat{{}, strobes, last};
    std::memcpy(beat.data, data, kBeat);
    beats_.push_back(beat);
    take_beats();
}

// Data belong to the addresses in order; either may come first (AXI4 A3.3.1).
void AxiMemory::take_beats() {
    while (!beats_.empty() && !writes_.empty()) {
        const WriteBeat& beat = beats_.front();
        Burst& b = writes_.front();
        std::memcpy(b.data.data() + size_t{b.done} * kBeat, beat.data, kBeat);
        std::memcpy(b.strobes.data() + size_t{b.done} * 2, &beat.strobes, 2);
        ++b.done;
        if (beat.last != (b.done == b.beats)) ++violations;
        beats_.pop_front();
        if (b.done == b.beats) {
            finish_write(b);
            writes_.pop_front();
        }
    }
}

void AxiMemory::store(const Burst& b) {
    if (b.resp != kOkay) {
        rules_.fault();
    } else if (b.id == kFrames) {
        rules_.payload(b.address, b.strobes.data(), b.beats);
    } else if (b.id == kUsedRx || b.id == kUsedTx) {
        rules_.used(b.id - kUsedRx, b.address, b.data.data(), b.strobes.data(), b.beats);
    }
    if (b.resp == kOkay) {
        for (uint32_t i = 0; i < b.beats; ++i) {
            uint8_t* to = at(b.address + uint64_t{i} * kBeat);
            if (!to) break;  // its region has been taken away since the request
            const uint8_t* from = b.data.data() + size_t{i} * kBeat;
            uint16_t strobes;
            std::memcpy(&strobes, b.strobes.data() + size_t{i} * 2, 2);
            if (strobes == 0xffff) {
                std::memcpy(to, from, kBeat);
            } else {
                for (uint32_t lane = 0; lane < kBeat; ++lane)
                    if (strobes >> lane & 1) to[lane] = from[lane];
            }
        }
    }
    if (log_transfers_) {
        uint8_t* p = log_.add(Event::kDmaWrite, b.resp, b.id, b.address, b.data.size() + b.strobes.size());
        std::memcpy(p, b.data.data(), b.data.size());
        std::memcpy(p + b.data.size(), b.strobes.data(), b.strobes.size());
    }
}

void AxiMemory::finish_write(Burst& b) {
    const bool used_entry = b.id == kUsedRx || b.id == kUsedTx;
    if (used_entry && plant_length_bit) {
        b.data[8] ^= 1;
        plant_length_bit = false;
    }
    // Behind one that is not stored yet neither is this, whatever the settings are by now.
    b.late = config_.reorder || std::any_of(responses_.begin(), responses_.end(), [](const Burst& r) { return r.late; });
    if (!b.late) store(b);
    if (used_entry && plant_twice) {
        store(b);
        plant_twice = false;
    }
    b.ready = cycles + delay(config_.write_latency);
    responses_.push_back(std::move(b));
}

void AxiMemory::next_read_beat() {
    if (r_open_ == SIZE_MAX) {
        r_open_ = choose(reads_);
        if (r_open_ == SIZE_MAX) return;
    }
    if (!read_bucket_.open(config_.read_rate)) return;
    if (stalled(kStallR)) return;
    Burst& b = reads_[r_open_];
    const uint8_t* from = b.resp == kOkay ? at(b.address + uint64_t{b.done} * kBeat) : nullptr;
    if (replayed) {
        from = replayed;
        replayed += kBeat;
    }
    if (from) {
        std::memcpy(r_beat_.data, from, kBeat);
    } else {
        std::memset(r_beat_.data, 0, kBeat);
    }
    if (script_.on()) script_.read_beat(r_beat_.data);
    if (!b.data.empty()) std::memcpy(b.data.data() + size_t{b.done} * kBeat, r_beat_.data, kBeat);
    r_beat_.id = b.id;
    r_beat_.resp = b.resp;
    r_beat_.last = ++b.done == b.beats;
    r_valid_ = r_new_ = true;
    read_bucket_.take(config_.read_rate);
    ++read_beats;
}

void AxiMemory::next_response() {
    if (stalled(kStallB)) return;
    const size_t chosen = choose(responses_);
    if (chosen == SIZE_MAX) return;
    const Burst& b = responses_[chosen];
    if (b.late) store(b);
    b_id_ = b.id;
    b_resp_ = b.resp;
    b_valid_ = true;
    responses_.erase(responses_.begin() + static_cast<std::ptrdiff_t>(chosen));
}

// Log the beats of a read up to `done`, as far as they are not logged yet.
void AxiMemory::log_read(Burst& b, uint32_t done) {
    const size_t from = size_t{b.logged} * kBeat, to = size_t{done} * kBeat;
    if (from == to) return;
    std::memcpy(log_.add(Event::kDmaRead, b.resp, b.id, b.address + from, to - from), b.data.data() + from, to - from);
    b.logged = done;
}

void AxiMemory::log_begun() {
    if (r_open_ == SIZE_MAX) return;
    Burst& b = reads_[r_open_];
    if (!b.data.empty()) log_read(b, b.done - r_valid_);
}

void AxiMemory::clock(bool r_taken, bool b_taken, bool waits) {
    r_new_ = false;
    if (r_taken) {
        r_valid_ = false;
        Burst& b = reads_[r_open_];
        if (b.resp != kOkay) {
            rules_.fault();
        } else if (b.id != kFrames) {
            rules_.read_beat(b.address + uint64_t{b.done - 1} * kBeat, reinterpret_cast<const uint8_t*>(r_beat_.data));
        }
        // A frame's bytes count when all of a burst are there; an error is acted on at its first beat.
        const bool counts = b.id != kFrames || b.done == b.beats || b.resp != kOkay;
        if (!b.data.empty() && counts) log_read(b, b.done);
        if (b.done == b.beats) {
            reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(r_open_));
            r_open_ = SIZE_MAX;
        }
    }
    read_bucket_.fill(config_.read_rate);
    write_bucket_.fill(config_.write_rate);
    if (!r_valid_) next_read_beat();
    if (b_taken) b_valid_ = false;
    if (!b_valid_ && !responses_.empty()) next_response();
    // While nothing is under way each ready stays as it is, so that the NIC can come to rest.
    if (waits || busy()) {
        ar_stalled_ = stalled(kStallAr);
        aw_stalled_ = stalled(kStallAw);
        w_stalled_ = stalled(kStallW);
    }
    // A ready shown now is met by a request one cycle later: leave room for it.
    const uint32_t read_limit = config_.read_limit ? config_.read_limit : kMaxBursts - 1;
    const uint32_t write_limit = config_.write_limit ? config_.write_limit : UINT32_MAX;
    ar_ready_ = reads_.size() < read_limit && !ar_stalled_;
    aw_ready_ = writes_.size() < kMaxBursts - 1 && open_writes() < write_limit && !aw_stalled_;
    w_ready_ = beats_.size() < kMaxBursts - 1 && write_bucket_.open(config_.write_rate) && !w_stalled_;
}

}  // namespace fdw
