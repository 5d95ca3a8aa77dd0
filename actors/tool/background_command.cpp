#include "actors/tool/background_command.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

expected<std::unique_ptr<background_command>> background_command::start(runtime::sandbox& commands, std::string key,
                                                                        runtime::command_spec spec, listener l,
                                                                        const std::filesystem::path& input_folder) {
    auto made = std::unique_ptr<background_command>(new background_command(commands, std::move(key)));
    if (!input_folder.empty()) {
        made->pipe_ = input_folder / to_string(make_uuid());
        std::error_code failed;
        std::filesystem::create_directories(input_folder, failed);
        if (failed || ::mkfifo(made->pipe_.c_str(), 0600) != 0) {
            return file_problem("create", made->pipe_.native(), failed ? failed.value() : errno);
        }
        made->input_ = unique_fd(::open(made->pipe_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (!made->input_) {
            return file_problem("open", made->pipe_.native(), errno);
        }
        spec.input = made->pipe_;
    }
    spec.ends_with_node = true;
    made->thread_ =
        std::jthread([me = made.get(), spec = std::move(spec), l = std::move(l)](const std::stop_token& stop) {
            l.on_end(words_of(me->commands_.run(me->key_, spec, stop, l.on_output)));
        });
    return made;
}

background_command::~background_command() {
    input_.reset(); // with the runner's end of it, a command that reads it sees its end first
    if (thread_.joinable()) {
        thread_ = {}; // asks it to stop, and waits
        commands_.forget(key_);
    }
    if (!pipe_.empty()) {
        std::error_code gone;
        std::filesystem::remove(pipe_, gone);
    }
}

expected<std::size_t> background_command::write(std::string_view text) {
    const auto written = ::write(input_.get(), text.data(), text.size());
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        return file_problem("write", pipe_.native(), errno);
    }
    return static_cast<std::size_t>(std::max<ssize_t>(written, 0));
}

} // namespace troupe::actors
