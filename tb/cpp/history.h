// The last stretch of a run as waves, though none were recorded: by replay from a snapshot.
//
// A snapshot is a forked copy of this process that sleeps. Every `period` cycles there is a new one, and two are
// kept. Since then a script (script.h) is written of what Python does; a copy that is woken reads it, goes through
// the same cycles without Python, with waves on, and ends.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vtop.h"
#include "cosim.h"
#include "replay.h"
#include "waves.h"

class History {
public:
    History(Vtop& top, Waves& waves) : top_(top), waves_(waves) {}
    ~History() { forget(); }

    // From now on; `files`: how the names of the scripts begin.
    void keep(const std::string& files, uint64_t period) {
        forget();
        files_ = files;
        period_ = period;
        next_ = fdw::cycles;
    }
    void forget() {
        fdw::cosim.script.close();
        while (!snapshots_.empty()) discard();
        next_ = UINT64_MAX;
    }

    bool is_kept() const { return next_ != UINT64_MAX; }
    bool due() const { return fdw::cycles >= next_; }

    // Between two time steps; `next_edge`: when the clock toggles next (ps).
    void snapshot(uint64_t next_edge) {
        next_ = fdw::cycles + period_;
        int ends[2];
        if (pipe2(ends, O_CLOEXEC)) throw std::runtime_error("no pipe for a snapshot");
        fdw::cosim.script.close();
        std::fflush(nullptr);
        const pid_t pid = fork();
        if (pid < 0) throw std::runtime_error("no process for a snapshot");
        if (!pid) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(ends[1]);
            sleep(ends[0], next_edge);
        }
        close(ends[0]);
        if (snapshots_.size() == 2) discard();
        snapshots_.push_back({pid, ends[1], files_ + std::to_string(number_++)});
        fdw::cosim.script.open(snapshots_.back().script);
    }

    // Waves from `from` (ps), or from the oldest snapshot, until now into `path`, which takes a snapshot. False if
    // there is none, or if it went another way.
    bool show(const std::string& path, uint64_t from) {
        if (snapshots_.empty()) return false;
        if (snapshots_.size() == 1) next_ = fdw::cycles;
        fdw::cosim.script.flush();
        std::string order = path;
        for (const Snapshot& snapshot : snapshots_) order += '\n' + snapshot.script;
        const uint64_t head[] = {order.size(), from, fdw::now_ps, fdw::cosim.sent.digest};
        order.insert(0, reinterpret_cast<const char*>(head), sizeof head);
        const bool told = write(snapshots_.front().pipe, order.data(), order.size()) == static_cast<ssize_t>(order.size());
        if (!told) kill(snapshots_.front().pid, SIGKILL);
        return drop() == 0;
    }

private:
    struct Snapshot {
        pid_t pid;
        int pipe;
        std::string script;
    };

    // Wait for the oldest one to end; its status, 0 if it did what it should.
    int drop() {
        const Snapshot old = snapshots_.front();
        snapshots_.pop_front();
        int status = 1;
        waitpid(old.pid, &status, 0);
        close(old.pipe);
        std::remove(old.script.c_str());
        std::remove((old.script + ".reads").c_str());
        return status;
    }
    void discard() {
        kill(snapshots_.front().pid, SIGKILL);
        drop();
    }

    static void take(int pipe, void* to, size_t size) {
        for (char* at = static_cast<char*>(to); size;) {
            const ssize_t got = read(pipe, at, size);
            if (got <= 0) _exit(0);  // the run is over
            at += got;
            size -= static_cast<size_t>(got);
        }
    }

    // In the copy, which never returns from here.
    [[noreturn]] void sleep(int pipe, uint64_t next_edge) {
        uint64_t head[4];
        take(pipe, head, sizeof head);
        std::string order(head[0], '\0');
        take(pipe, order.data(), order.size());
        const auto [size, from, until, digest] = head;
        try {
            std::vector<std::string> lines;
            for (size_t at = 0, end; at < order.size(); at = end + 1) {
                end = std::min(order.find('\n', at), order.size());
                lines.push_back(order.substr(at, end - at));
            }
            fdw::Replay replay({lines.begin() + 1, lines.end()});
            replay.on_mark = [] {};
            while (next_edge <= until) {
                replay.edge(top_, next_edge);
                if (fdw::now_ps >= from && !waves_.is_open()) waves_.open(lines.front(), UINT64_MAX);
                waves_.dump();
            }
            waves_.close();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            _exit(2);
        }
        _exit(fdw::cosim.sent.digest == digest ? 0 : 3);
    }

    Vtop& top_;
    Waves& waves_;
    std::string files_;
    uint64_t period_ = 0, next_ = UINT64_MAX;
    uint64_t number_ = 0;
    std::deque<Snapshot> snapshots_;
};
