#pragma once

#include "actors/a2a/a2a_protocol.hpp"
#include "runtime/bus/bus.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {

/// Follows one task of the board until its end.
class a2a_watch : public std::enable_shared_from_this<a2a_watch> {
public:
    /// What is new, as members of a stream; first all of the task. From any thread, one call at a time. False: no more.
    using show_function = std::function<bool(const a2a_task& now, const std::vector<std::string>& updates)>;
    /// Reads the task, and hands it on, or does nothing.
    using read_function = std::function<void(std::function<void(const a2a_task&)>)>;

    explicit a2a_watch(show_function show) : show_(std::move(show)) {}

    /// It is read after it is listened to, so that nothing is missed between. `questions`: what its run asks is shown.
    expected<void> begin(runtime::bus& live, const uuid& organization, const std::string& task, bool questions,
                         const read_function& read);
    /// Nothing is shown any more. From any thread, also from inside of `show`.
    void stop();

private:
    void take(const runtime::live_event& e);
    void take(const a2a_task& read);
    void show(std::unique_lock<std::mutex>& lock, std::vector<std::string> updates);
    void end();

    show_function show_;
    std::mutex mutex_;
    a2a_task task_;
    bool begun_ = false;
    bool showing_ = false;
    bool over_ = false;
    std::deque<std::pair<a2a_task, std::vector<std::string>>> waiting_; ///< To be shown, each with the task as it was.
    std::unique_ptr<runtime::subscription> subscription_;
};

} // namespace troupe::actors
