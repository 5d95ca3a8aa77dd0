#include "actors/mcp/mcp_connection.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t error_line_bytes_max = 2000;
constexpr std::size_t to_send_bytes_max = 32 << 20;

} // namespace

/// What the command's thread hears.
struct mcp_connection::shared {
    std::function<void()> on_change;
    std::function<void(std::string)> on_error_line;
    mutable std::mutex mutex;
    net::line_splitter out{line_bytes_max};
    std::string error_line;
    std::vector<std::string> lines;
    std::size_t bytes = 0;
    std::optional<std::string> ended;
    bool broken = false;

    void hear(std::string_view text) {
        {
            const std::scoped_lock lock(mutex);
            if (broken) {
                return;
            }
            const bool fits = out.feed(text, [this](std::string_view line) {
                bytes += line.size();
                lines.emplace_back(line);
                return bytes <= waiting_bytes_max;
            });
            if (!fits) {
                broken = true;
                ended = ended.value_or("it sent a message of more than 10 MiB, or more than could be read");
            }
        }
        on_change();
    }

    void hear_error(std::string_view text) {
        std::vector<std::string> whole;
        {
            const std::scoped_lock lock(mutex);
            for (const char c : text) {
                if (c == '\n' || error_line.size() >= error_line_bytes_max) {
                    whole.push_back(std::exchange(error_line, {}));
                }
                if (c != '\n') {
                    error_line += c;
                }
            }
        }
        for (auto& line : whole) {
            on_error_line(std::move(line));
        }
    }

    void hear_end(std::string how) {
        {
            const std::scoped_lock lock(mutex);
            ended = ended.value_or(std::move(how));
        }
        on_change();
    }
};

expected<std::unique_ptr<mcp_connection>> mcp_connection::start(runtime::sandbox& commands, std::string key,
                                                                runtime::command_spec spec,
                                                                const std::filesystem::path& input_folder,
                                                                std::function<void()> on_change,
                                                                std::function<void(std::string)> on_error_line) {
    auto made = std::unique_ptr<mcp_connection>(new mcp_connection);
    made->shared_ = std::make_shared<shared>();
    made->shared_->on_change = std::move(on_change);
    made->shared_->on_error_line = std::move(on_error_line);
    auto command =
        background_command::start(commands, std::move(key), std::move(spec),
                                  {[told = made->shared_](bool is_error, std::string_view text) {
                                       is_error ? told->hear_error(text) : told->hear(text);
                                   },
                                   [told = made->shared_](std::string how) { told->hear_end(std::move(how)); }},
                                  input_folder);
    if (!command) {
        return command.error();
    }
    made->command_ = std::move(*command);
    return made;
}

mcp_connection::~mcp_connection() = default;

std::vector<std::string> mcp_connection::take_lines() {
    const std::scoped_lock lock(shared_->mutex);
    shared_->bytes = 0;
    return std::exchange(shared_->lines, {});
}

std::optional<std::string> mcp_connection::ended() const {
    const std::scoped_lock lock(shared_->mutex);
    return shared_->ended;
}

void mcp_connection::send(std::string_view line) {
    to_send_ += line;
    to_send_ += '\n';
    if (to_send_.size() > to_send_bytes_max) {
        const std::scoped_lock lock(shared_->mutex);
        shared_->ended = shared_->ended.value_or("it does not read what it is sent");
    }
}

bool mcp_connection::flush() {
    std::size_t at = 0;
    while (at < to_send_.size()) {
        const auto written = command_->write(std::string_view(to_send_).substr(at));
        if (!written) {
            const std::scoped_lock lock(shared_->mutex);
            shared_->ended = shared_->ended.value_or(written.error().detail);
            break;
        }
        if (*written == 0) {
            break;
        }
        at += *written;
    }
    to_send_.erase(0, at);
    return to_send_.empty();
}

} // namespace troupe::actors
