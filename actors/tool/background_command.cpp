#include "actors/tool/background_command.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::actors {
namespace {

std::string words_of(const expected<runtime::command_result>& done) {
    if (!done) {
        return done.error().detail;
    }
    if (!done->over_limit.empty()) {
        return done->over_limit;
    }
    return done->timed_out   ? "it was ended: over its time limit"
           : done->cancelled ? "it was ended"
                             : fmt::format("it ended with exit code {}", done->exit_code);
}

} // namespace

background_command::background_command(runtime::sandbox& commands, std::string key, runtime::command_spec spec,
                                       listener l)
    : commands_(commands), key_(std::move(key)) {
    spec.ends_with_node = true;
    thread_ = std::jthread([this, spec = std::move(spec), l = std::move(l)](const std::stop_token& stop) {
        l.on_end(words_of(commands_.run(key_, spec, stop, l.on_output)));
    });
}

background_command::~background_command() {
    thread_ = {}; // asks it to stop, and waits
    commands_.forget(key_);
}

} // namespace troupe::actors
